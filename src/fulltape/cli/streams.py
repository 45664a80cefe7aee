"""`fulltape streams`: what live capture has come to."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated

import typer

from fulltape.terminal import options, wrapping
from fulltape.terminal.options import JsonOption, NodeOption, number

if TYPE_CHECKING:
    from fulltape.coverage.live import Interval
    from fulltape.ledger.stream_months import Month
    from fulltape.views.streams import StreamDay


PANEL = "Look"


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

    from fulltape.views import streams as telling

    with options.opened(node) as context:
        session = options.session(day) if day else context.ledger.streams.newest_session()
        found = telling.days(context, first=session, last=session) if session else []
        doubts = telling.doubtful(context, first=session, last=session) if session else []
        months = telling.months(context, f"{session:%Y-%m}") if session else []
    months = [one for one in months if session in one.sessions]
    if json:
        options.emit_json(
            {
                "streams": found,
                "intervals": doubts,
                "months": months,
            }
        )
        return
    if not found and months:
        typer.echo(f"{session} is kept with its month, {session:%Y-%m}: history has confirmed all of it")
        wrapping.say(monthly(months, wrapping.terminal()))
        return
    if not found:
        typer.echo("nothing has been captured and sealed yet; see fulltape capture and fulltape seal")
        return
    wrapping.say(table(found, session, wrapping.terminal()))
    wrapping.say(listed(doubts) if intervals else [])
    if doubts and not intervals:
        typer.echo("--intervals lists what was doubtful, and the evidence")


def table(found: list[StreamDay], session: dt.date | None, width: int | None) -> list[str]:
    """One line a stream, or two on a narrow terminal."""
    rows = [
        (
            one.source,
            one.dataset,
            one.symbol,
            number(one.rows),
            _percent(one.clean, one.rows),
            _percent(one.verified, one.rows),
            number(one.reconnects),
            number(one.unverified),
            _state(one),
        )
        for one in found
    ]
    return [f"{session}", *wrapping.table(_HEAD, rows, width=width, lead=3, right=_HEAD[3:8])]


def monthly(found: list[Month], width: int | None) -> list[str]:
    """One line a stream."""
    rows = [
        (
            one.source,
            one.dataset,
            one.symbol,
            number(len(one.sessions)),
            number(one.rows),
            _percent(100.0 * (one.live - one.doubtful) / one.live if one.live else 100.0, one.rows),
            number(one.breaks),
            number(one.missed),
        )
        for one in found
    ]
    head = ("source", "dataset", "symbol", "sessions", "captured", "clean", "breaks", "lost unnoticed")
    return wrapping.table(head, rows, width=width, lead=3, right=head[3:])


_HEAD = ("source", "dataset", "symbol", "captured", "clean", "verified", "breaks", "doubtful", "state")


def _state(one: StreamDay) -> str:
    state = "final" if one.final else "over, without a history" if one.over else "provisional"
    if one.unverifiable:
        state += f", {one.unverifiable} unverifiable"
    if one.unnoticed:
        state += f", {number(one.unnoticed)} rows lost unnoticed"
    return state


def _percent(share: float, rows: int) -> str:
    """Cut off, not rounded: 100 % means all of it. Of a stream that has told nothing it is unknown."""
    return f"{int(share * 100) / 100:.2f}%" if rows else "-"


def listed(doubts: list[Interval]) -> list[str]:
    """One line an interval."""
    from fulltape.market.time import iso

    return [
        f"{one.source} {one.dataset} {one.symbol}  {iso(one.start)} to {iso(one.end)}  {one.kind}: {one.state}"
        + (f" ({one.evidence})" if one.evidence else "")
        for one in doubts
    ]
