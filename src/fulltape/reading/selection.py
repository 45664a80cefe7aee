"""Which files hold the rows that are read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from pathlib import Path

from fulltape import errors
from fulltape.context import regrouped
from fulltape.lake import parquet
from fulltape.lake.layout import Layout, days_of, kind_of
from fulltape.ledger.ledger import Ledger
from fulltape.ledger.part import Part


def parts(
    ledger: Ledger, layout: Layout, dataset: str, first: dt.date, last: dt.date, symbols: Sequence[str] | None
) -> list[Part]:
    """The files to read, in time: days, or where fewer files hold the same, those of closed months and years by
    instrument."""
    days = ledger.catalogue.current("curated", dataset, first=first, last=last)
    days.sort(key=lambda part: (part.folder, part.first))  # in time, whenever they were written
    if len(days) < regrouped.LEAST_DAYS:
        return days
    # Of a year some files may begin late: all of them are looked at, or it would not seem whole.
    begin, end = first.replace(month=1, day=1), last.replace(month=12, day=31)
    made = ledger.catalogue.current(regrouped.LAYER, dataset, first=begin, last=end)
    folders = regrouped.complete(made, _all_days(ledger, dataset, made))
    mine = ledger.catalogue.with_symbols(symbols or ()) if folders else set()
    # What is current now was so in all of these queries.
    made = ledger.catalogue.current(regrouped.LAYER, dataset, first=begin, last=end) if folders else []
    there = {part.part_id for part in made if _is_there(layout, part)}
    folders = {key: some for key, some in folders.items() if there.issuperset(part.part_id for part in some)}
    return regrouped.chosen(days, folders, symbols=None if symbols is None else len(symbols), mine=mine)


def paths(layout: Layout, chosen: Iterable[Part]) -> list[Path]:
    """The files of parts; `CorruptPartError` where one is gone or was cut off."""
    return [_there(layout, part) for part in chosen]


def _is_there(layout: Layout, part: Part) -> bool:
    path = layout.root / part.path
    return path.is_file() and path.stat().st_size == part.bytes


def _all_days(ledger: Ledger, dataset: str, made: Sequence[Part]) -> list[Part]:
    """All days of the months and years of some parts."""
    spans = [days_of(kind_of(part.folder), part.folder) for part in made]
    if not spans:
        return []
    first, last = min(start for start, _ in spans), max(stop for _, stop in spans)
    return ledger.catalogue.current("curated", dataset, first=first, last=last)


def _there(layout: Layout, part: Part) -> Path:
    path = layout.root / part.path
    size = path.stat().st_size if path.is_file() else None
    if size != part.bytes:
        what = "is gone" if size is None else f"has {size:,} bytes instead of {part.bytes:,}"
        raise errors.CorruptPartError(f"{path} {what}.", hint=parquet.REPAIR)
    return path
