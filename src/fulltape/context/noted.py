"""Repairs and intervals as tables, as bundles and readers have them, and which repairs have an effect."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import polars as pl

from fulltape.coverage.live import Interval
from fulltape.lake import parquet
from fulltape.lake.layout import Layout, folder_key
from fulltape.ledger.ledger import Ledger
from fulltape.ledger.part import Part
from fulltape.ledger.repairs import DROP, Repair
from fulltape.market import datasets
from fulltape.market.sessions import Calendar

_Types = dict[str, pl.DataType | type[pl.DataType]]
_REPAIRS: _Types = {
    "number": pl.Int64, "dataset": pl.String, "instrument": pl.String, "session": pl.Date, "ts": pl.Datetime("us", "UTC"),
    "source": pl.String, "column": pl.String, "was": pl.String, "becomes": pl.String, "who": pl.String, "reason": pl.String,
    "at": pl.Datetime("us", "UTC"),
}  # fmt: skip


Standing = Literal["applied", "waiting", "superseded", "lapsed", "undone"]


def concerned(ledger: Ledger, many: Iterable[Repair]) -> list[Part]:
    """The curated files with the sessions of repairs."""
    days: dict[str, set[str]] = defaultdict(set)
    for repair in many:
        days[repair.dataset].add(repair.session.isoformat())
    return [
        part
        for dataset, mine in sorted(days.items())
        for part in ledger.catalogue.current("curated", dataset)
        if any(part.first <= day <= part.last for day in mine)
    ]


def standing(
    layout: Layout, ledger: Ledger, many: Sequence[Repair], parts: Sequence[Part]
) -> dict[int, Standing]:
    """By number what has become of repairs: a curated row has the value (applied), its folder is still to be curated (waiting), a later
    repair concerns the same value (superseded), the source says something else or another one was chosen (lapsed), or it was taken
    back (undone). `parts` are the files that are `concerned`, as far as they are sound."""
    newest = {_place(repair): repair.number for repair in many if not repair.undone}
    made: dict[int, Standing] = {}
    for dataset in sorted({repair.dataset for repair in many}):
        mine = [repair for repair in many if repair.dataset == dataset]
        rows = _rows(layout, [part for part in parts if part.dataset == dataset], mine)
        waiting = ledger.damages.to_redo("curate", dataset)
        kind = datasets.get(dataset).curated_folder
        for repair in mine:
            if repair.undone:
                made[repair.number] = "undone"
            elif newest[_place(repair)] != repair.number:
                made[repair.number] = "superseded"
            elif _has(repair, rows.get((repair.instrument, repair.ts))):
                made[repair.number] = "applied"
            else:
                key = folder_key(kind, repair.session)
                made[repair.number] = "waiting" if key in waiting else "lapsed"
    return made


def _place(repair: Repair) -> tuple[object, ...]:
    return repair.dataset, repair.instrument, repair.ts, repair.source, repair.column


def _rows(
    layout: Layout, parts: Sequence[Part], many: Sequence[Repair]
) -> dict[tuple[str, int], dict[str, Any]]:
    """The curated rows that repairs of a dataset are about, by instrument and moment."""
    if not parts:
        return {}
    rows = parquet.scan([layout.root / part.path for part in parts]).filter(
        pl.col("session").is_in([repair.session for repair in many]),
        pl.col("instrument").cast(pl.String).is_in([repair.instrument for repair in many]),
        pl.col("ts").cast(pl.Int64).is_in([repair.ts for repair in many]),
    )
    moments = rows.with_columns(pl.col("ts").cast(pl.Int64), pl.col("instrument").cast(pl.String))
    return {(row["instrument"], row["ts"]): row for row in moments.collect().to_dicts()}


def _has(repair: Repair, row: Mapping[str, Any] | None) -> bool:
    if repair.column == DROP:
        return row is None
    if row is None or row["source"] != repair.source:
        return False
    value = row[repair.column]
    return repair.becomes == ("" if value is None else repr(value))


def repairs(many: Iterable[Repair], stands: Mapping[int, Standing]) -> pl.DataFrame:
    """The repairs that have an effect, in the order in which they were made; of a row that was taken out `column` is null, and `was` its
    close."""
    rows = [
        (
            repair.number, repair.dataset, repair.instrument, repair.session, repair.ts, repair.source, repair.column or None,
            repair.was or None, repair.becomes or None, repair.who, repair.reason, repair.at,
        )
        for repair in many
        if stands.get(repair.number) == "applied"
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
