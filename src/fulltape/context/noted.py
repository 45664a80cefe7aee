"""Repairs and intervals as tables, as bundles and readers have them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable

import polars as pl

from fulltape.coverage.live import Interval
from fulltape.ledger.repairs import Repair
from fulltape.market.sessions import Calendar

_Types = dict[str, pl.DataType | type[pl.DataType]]
_REPAIRS: _Types = {
    "number": pl.Int64, "dataset": pl.String, "instrument": pl.String, "session": pl.Date, "ts": pl.Datetime("us", "UTC"),
    "source": pl.String, "column": pl.String, "was": pl.String, "becomes": pl.String, "who": pl.String, "reason": pl.String,
    "at": pl.Datetime("us", "UTC"),
}  # fmt: skip


def repairs(many: Iterable[Repair], datasets: Collection[str]) -> pl.DataFrame:
    """The repairs of some datasets that hold, in the order in which they were made; of a row that was taken out `column` is null."""
    rows = [
        (
            repair.number, repair.dataset, repair.instrument, repair.session, repair.ts, repair.source, repair.field or None,
            repair.was or None, repair.becomes or None, repair.who, repair.reason, repair.at,
        )
        for repair in many
        if not repair.undone and repair.dataset in datasets
    ]  # fmt: skip
    stored = {**_REPAIRS, "ts": pl.Int64, "at": pl.Int64}
    frame = pl.DataFrame(rows, schema=stored, orient="row")
    return frame.cast({name: _REPAIRS[name] for name in ("ts", "at")})


_INTERVALS: _Types = {
    "dataset": pl.String, "instrument": pl.String, "session": pl.Date, "start": pl.Datetime("us", "UTC"),
    "end": pl.Datetime("us", "UTC"), "kind": pl.String, "state": pl.String, "source": pl.String, "detail": pl.String,
    "evidence": pl.String,
}  # fmt: skip
HALT = "market halt"
"""The kind of a span in which the whole market stood still."""


def intervals(
    dataset: str, calendar: Calendar, known: Iterable[Interval], first: dt.date, last: dt.date
) -> pl.DataFrame:
    """Spans [start, end) of sessions in which minutes lack for a reason, by session: what was captured live with a doubt, and
    market-wide halts of sessions from `first` to `last`, both inclusive, which concern every instrument (null) and whose source is the calendar."""
    rows: list[tuple[object, ...]] = [
        (
            dataset, each.instrument, each.session, each.start, each.end, each.kind, each.state, each.source,
            each.detail or None, each.evidence or None,
        )
        for each in known
    ]  # fmt: skip
    rows += [
        (dataset, None, session, halt.start, halt.end, HALT, "verified", calendar.name, None, None)
        for session, halts in calendar.halts.items()
        if first <= session <= last
        for halt in halts
    ]
    stored = {**_INTERVALS, "start": pl.Int64, "end": pl.Int64}
    frame = pl.DataFrame(rows, schema=stored, orient="row", infer_schema_length=None)
    typed = frame.cast({name: _INTERVALS[name] for name in ("start", "end")})
    return typed.sort("session", "instrument", "start", "end", "kind", "source", nulls_last=False)
