"""`fulltape streams`: what live capture has come to."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated

import typer

from fulltape.cli import options
from fulltape.cli.options import JsonOption, NodeOption, number

if TYPE_CHECKING:
    from fulltape.ledger.streams import Interval
    from fulltape.node.streams import StreamDay


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog="Example: fulltape streams --intervals")(streams)


def streams(
    day: Annotated[
        str, typer.Option("--day", help="A session, YYYY-MM-DD (default: the newest captured one).")
    ] = "",
    intervals: Annotated[
        bool, typer.Option("--intervals", help="List every doubtful interval with its evidence.")
    ] = False,
    node: NodeOption = None,
    json: JsonOption = False,
) -> None:
    """Show, by stream and day, how much was captured without doubt, and how much is verified."""

    from fulltape.node import streams as telling

    with options.opened(node) as stores:
        session = options.session(day) if day else telling.newest(stores)
        found = telling.days(stores, first=session, last=session) if session else []
        doubts = telling.doubtful(stores, first=session, last=session) if session else []
    if json:
        options.emit_json(
            {
                "streams": found,
                "intervals": doubts,
            }
        )
        return
    if not found:
        typer.echo("nothing has been captured and sealed yet; see fulltape capture and fulltape seal")
        return
    for line in [*table(found, session), *(listed(doubts) if intervals else [])]:
        typer.echo(line)
    if doubts and not intervals:
        typer.echo("--intervals lists what was doubtful, and the evidence")


def table(found: list[StreamDay], session: dt.date | None) -> list[str]:
    """One line a stream."""
    wide = max(len(one.symbol) for one in found)
    source = max(len(one.source) for one in found)
    name = max(len(one.dataset) for one in found)
    out = [
        f"{session}",
        f"{'source':<{source}}  {'dataset':<{name}}  {'symbol':<{wide}} {'captured':>11} {'clean':>8} {'verified':>9} "
        f"{'breaks':>7} {'doubtful':>9}  state",
    ]
    for one in found:
        state = "final" if one.final else "over, without a history" if one.over else "provisional"
        if one.unverifiable:
            state += f", {one.unverifiable} unverifiable"
        if one.unnoticed:
            state += f", {number(one.unnoticed)} rows lost unnoticed"
        out.append(
            f"{one.source:<{source}}  {one.dataset:<{name}}  {one.symbol:<{wide}} {number(one.rows):>11} "
            f"{_percent(one.clean, one.rows):>8} {_percent(one.verified, one.rows):>9} {one.reconnects:>7} {one.unverified:>9}  {state}"
        )
    return out


def _percent(share: float, rows: int) -> str:
    """Cut off, not rounded: 100 % means all of it. Of a stream that has told nothing, nobody knows."""
    return f"{int(share * 100) / 100:.2f}%" if rows else "-"


def listed(doubts: list[Interval]) -> list[str]:
    """One line an interval."""
    from fulltape.core.time import iso

    return [
        f"{one.source} {one.dataset} {one.symbol}  {iso(one.start)} to {iso(one.end)}  {one.kind}: {one.state}"
        + (f" ({one.evidence})" if one.evidence else "")
        for one in doubts
    ]
