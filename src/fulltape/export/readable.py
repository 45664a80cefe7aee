"""What a bundle has so that its rows are read as its node reads them: who is in each dataset and from when to when, calendars, sale
conditions, and published values as they were told before."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from fulltape.bars import conditions
from fulltape.bundle import layout
from fulltape.calendars import rules as known_calendars
from fulltape.calendars import tables
from fulltape.context import CALENDARS, ConfiguredDataset, NodeContext, earlier, known, life
from fulltape.context.earlier import CellWindow
from fulltape.context.point_in_time import PointInTime
from fulltape.lake import files, parquet
from fulltape.ledger.part import Part
from fulltape.market.time import Instant

_FORMAT = "2"
"""Which files a bundle has: one of another format is written anew."""
_VINTAGES = "macro_series"
_SERIES: dict[str, Any] = {
    "dataset": pl.String, "instrument": pl.String, "inside": pl.Boolean, "held": pl.Boolean, "first_session": pl.Date,
    "last_session": pl.Date, "symbol": pl.String, "valid_from": pl.Date, "valid_to": pl.Date,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Readable:
    """Who is in each dataset, as `_SERIES`, and published values as they were told before; None where there are none."""

    series: pl.DataFrame
    history: pl.DataFrame | None


def gather(context: NodeContext, now: Instant) -> Readable:
    """What a reader needs, as it is now."""
    return Readable(series=_series(context, now), history=_told_before(context))


def parts(context: NodeContext) -> list[Part]:
    """The raw files that published values are read from as they were told before."""
    return context.ledger.catalogue.current("raw", _VINTAGES) if _VINTAGES in context.wanted else []


def inputs(context: NodeContext, gathered: Readable) -> Mapping[str, str]:
    """Digests of what a reader needs, by what it is."""
    written = {"series": gathered.series, "history": gathered.history}
    return {
        "format": _FORMAT,
        "conditions": hashlib.sha256(_conditions(context)).hexdigest(),
        **{
            name: hashlib.sha256(table.write_csv().encode()).hexdigest()
            for name, table in written.items()
            if table is not None
        },
    }


def write(context: NodeContext, folder: Path, gathered: Readable) -> None:
    """Write these files into a bundle's folder."""
    parquet.publish(gathered.series, folder / layout.SERIES, {"table": "series"})
    if gathered.history is not None:
        parquet.publish(gathered.history, folder / layout.HISTORY, {"table": "history"})
    for wanted in context.wanted.values():
        name = wanted.calendar.name
        if name not in known_calendars.names():
            table, overrides = tables.texts(name, context.folder / CALENDARS)
            files.publish_bytes(folder / layout.calendar(name), table.encode())
            files.publish_bytes(folder / layout.CALENDAR_OVERRIDES, overrides.encode())
    if said := _conditions(context):
        files.publish_bytes(folder / conditions.FILE, said)


def _conditions(context: NodeContext) -> bytes:
    path = context.folder / conditions.FILE
    return path.read_bytes() if path.is_file() else b""


def _series(context: NodeContext, now: Instant) -> pl.DataFrame:
    """One row for each symbol of each instrument of each dataset: whether it is in the universe (`inside`), whether a source has shown rows of it
    (`held`), and the first and the last session of which rows may be read."""
    rows = [row for _, wanted in sorted(context.wanted.items()) for row in _series_of(context, wanted, now)]
    return pl.DataFrame(rows, schema=_SERIES, orient="row")


def _series_of(context: NodeContext, wanted: ConfiguredDataset, now: Instant) -> Iterator[tuple[object, ...]]:
    name = wanted.dataset.name
    held = {instrument for instrument, *_ in context.ledger.coverage.held(name)}
    lives = life.of(wanted.dataset, _view(context, wanted), sorted({*wanted.instruments, *held}))
    final = known.last_wanted(wanted, now) if wanted.live else None
    for instrument, (first, last) in sorted(lives.items()):
        end = min(last, final or dt.date.max)
        row = (name, instrument, instrument in wanted.instruments, instrument in held, min(first, end), end)
        if instrument not in wanted.instruments:
            yield (*row, None, None, None)
            continue
        for dated in wanted.instruments[instrument].symbols:
            yield (*row, dated.symbol, dated.first, dated.last)


def _told_before(context: NodeContext) -> pl.DataFrame | None:
    """Published values that a source has restated since, as it told them before."""
    wanted = context.wanted.get(_VINTAGES)
    parts = context.ledger.catalogue.current("curated", _VINTAGES) if wanted else []
    if not wanted or not parts:
        return None
    rows = parquet.scan([context.layout.root / part.path for part in parts])
    ever = CellWindow(first=dt.date.min, last=dt.date.max)
    before = earlier.history(_view(context, wanted), wanted.dataset, rows, ever)
    if before is None:
        return None
    columns = before.select(pl.col("symbol").cast(pl.String), "ts", "realtime_start", "value", "available_at")
    return columns.sort(pl.all())


def _view(context: NodeContext, wanted: ConfiguredDataset) -> PointInTime:
    return PointInTime(ledger=context.ledger, layout=context.layout, calendar=wanted.calendar)
