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
        stream_days = telling.days(context, first=session, last=session) if session else []
        doubts = telling.doubtful(context, first=session, last=session) if session else []
        months = telling.months(context, f"{session:%Y-%m}") if session else []
    months = [month for month in months if session in month.sessions]
    if json:
        options.emit_json(
            {
                "streams": stream_days,
                "intervals": doubts,
                "months": months,
            }
        )
        return
    if not stream_days and months:
        typer.echo(f"{session} is kept with its month, {session:%Y-%m}: history has confirmed all of it")
        wrapping.say(monthly(months, wrapping.terminal()))
        return
    if not stream_days:
        typer.echo(
            "nothing is sealed yet: what is captured now counts once its journal is closed, capture.rotate_every after its begin, or sooner "
            "after a break (fulltape tail shows it before)"
        )
        return
    wrapping.say(table(stream_days, session, wrapping.terminal()))
    wrapping.say(listed(doubts) if intervals else [])
    if doubts and not intervals:
        typer.echo("--intervals lists what was doubtful, and the evidence")


def table(stream_days: list[StreamDay], session: dt.date | None, width: int | None) -> list[str]:
    """One line a stream, or two on a narrow terminal."""
    rows = [
        (
            stream_day.source,
            stream_day.dataset,
            stream_day.symbol,
            number(stream_day.rows),
            _percent(stream_day.clean, stream_day.rows),
            _percent(stream_day.verified, stream_day.rows),
            number(stream_day.reconnects),
            number(stream_day.unverified),
            _state(stream_day),
        )
        for stream_day in stream_days
    ]
    return [f"{session}", *wrapping.table(_HEAD, rows, width=width, lead=3, right=_HEAD[3:8])]


def monthly(months: list[Month], width: int | None) -> list[str]:
    """One line a stream."""
    rows = [
        (
            month.source,
            month.dataset,
            month.symbol,
            number(len(month.sessions)),
            number(month.rows),
            _percent(100.0 * (month.live - month.doubtful) / month.live if month.live else 100.0, month.rows),
            number(month.breaks),
            number(month.missed),
        )
        for month in months
    ]
    head = ("source", "dataset", "symbol", "sessions", "captured", "clean", "breaks", "lost unnoticed")
    return wrapping.table(head, rows, width=width, lead=3, right=head[3:])


_HEAD = ("source", "dataset", "symbol", "captured", "clean", "verified", "breaks", "doubtful", "state")


def _state(stream_day: StreamDay) -> str:
    state = "final" if stream_day.final else "over, without a history" if stream_day.over else "provisional"
    if stream_day.unverifiable:
        state += f", {stream_day.unverifiable} unverifiable"
    if stream_day.unnoticed:
        state += f", {number(stream_day.unnoticed)} rows lost unnoticed"
    return state


def _percent(share: float, rows: int) -> str:
    """Cut off, not rounded: 100 % means all of it. Of a stream that has told nothing it is unknown."""
    return f"{int(share * 100) / 100:.2f}%" if rows else "-"


def listed(doubts: list[Interval]) -> list[str]:
    """One line an interval."""
    from fulltape.market.time import iso

    return [
        f"{interval.source} {interval.dataset} {interval.symbol}  {iso(interval.start)} to {iso(interval.end)}  {interval.kind}: {interval.state}"
        + (f" ({said})" if (said := "; ".join(filter(None, (interval.detail, interval.evidence)))) else "")
        for interval in doubts
    ]
