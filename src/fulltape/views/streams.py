"""What live capture has come to, by stream and day: two numbers, and why they are not 100."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from fulltape.context import NodeContext
from fulltape.contract.events import BREAKS
from fulltape.coverage import live
from fulltape.coverage.live import CapturedDay, Interval
from fulltape.ledger.stream_months import Month


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamDay:
    """One stream on one session.

    `clean` is the share of the time from the first to the last live moment in which nothing was doubtful, `verified` the
    share that is clean or has been proved since. `unnoticed` counts rows of history that were lost while all seemed
    well; None until the session's own answer is there.
    """

    source: str
    dataset: str
    symbol: str
    session: dt.date
    rows: int
    clean: float
    verified: float
    reconnects: int
    unverified: int
    unverifiable: int
    unnoticed: int | None
    final: bool
    over: bool


def days(
    context: NodeContext, *, first: dt.date = dt.date.min, last: dt.date = dt.date.max
) -> list[StreamDay]:
    """Every captured session between two days."""
    intervals: dict[tuple[str, str, str, dt.date], list[Interval]] = {}
    for interval in context.ledger.intervals.find(first=first, last=last):
        intervals.setdefault(
            (interval.source, interval.dataset, interval.instrument, interval.session), []
        ).append(interval)
    return [
        _measured(day, intervals.get((day.source, day.dataset, day.instrument, day.session), []))
        for day in context.ledger.streams.days(first=first, last=last)
    ]


def _measured(day: CapturedDay, intervals: Sequence[Interval]) -> StreamDay:
    return StreamDay(
        source=day.source,
        dataset=day.dataset,
        symbol=day.symbol,
        session=day.session,
        rows=day.rows,
        clean=_share(day, intervals),
        verified=_share(day, [interval for interval in intervals if interval.state != "verified"]),
        reconnects=sum(1 for interval in intervals if interval.kind in BREAKS),
        unverified=sum(1 for interval in intervals if interval.state in ("unverified", "filling")),
        unverifiable=sum(1 for interval in intervals if interval.state == "unverifiable"),
        unnoticed=day.missed if day.compared_at and not day.no_history else None,
        final=day.compared_at is not None and not day.no_history,
        over=day.compared_at is not None,
    )


def _share(day: CapturedDay, doubtful: Sequence[Interval]) -> float:
    """Percent of a day outside of these intervals, which may overlap."""
    whole = day.end - day.start
    if whole <= 0:
        return 100.0 if not doubtful else 0.0
    return 100.0 * (whole - live.lost(day, doubtful)) / whole


def months(context: NodeContext, month: str) -> list[Month]:
    """Streams whose sessions of a month (2024-11) are confirmed and old."""
    return context.ledger.streams.months.of(month)


def doubtful(
    context: NodeContext, *, first: dt.date = dt.date.min, last: dt.date = dt.date.max
) -> list[Interval]:
    """Every interval between two days, by stream and time."""
    return context.ledger.intervals.find(first=first, last=last)
