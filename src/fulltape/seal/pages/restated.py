"""What a source that was asked again says otherwise than before."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from fulltape.context import ConfiguredDataset, NodeContext, contents, damage, scanning
from fulltape.decoding import frames
from fulltape.ledger.restatements import Restatement
from fulltape.market.time import Instant

_PRICES = ("open", "high", "low", "close", "price", "bid", "ask", "value")
_CELL = list(contents.CELL)
_THERE = "there"


@dataclass(frozen=True, kw_only=True)
class SecondAnswer:
    """An answer beside the one before: the rows of cells that are new or other than they were, how many cells were held, which of
    them (instrument, session) are as they were, and what the others changed."""

    rows: pl.DataFrame
    held: int
    same: Sequence[tuple[str, dt.date]]
    restated: Sequence[Restatement]


def compared(
    context: NodeContext, wanted: ConfiguredDataset, source: str, rows: pl.DataFrame, now: Instant
) -> SecondAnswer:
    """Raw rows of one folder beside what the source had answered last about the same cells."""
    before = _before(context, wanted, source, rows, now)
    typed = rows.with_columns(pl.col("instrument").cast(pl.String))
    names = wanted.dataset.schema.names
    old, new = contents.of(before.lazy(), names), contents.of(typed.lazy(), names)
    held = new.join(old, on=_CELL, how="semi").select(_CELL)
    same = new.join(old, on=list(contents.KEY), how="semi").select(_CELL)
    changed = held.join(same, on=_CELL, how="anti")
    return SecondAnswer(
        rows=rows.filter(_outside(typed, same)),
        held=held.height,
        same=same.rows(),
        restated=_restated(wanted, source, before, typed, changed),
    )


def _before(
    context: NodeContext, wanted: ConfiguredDataset, source: str, rows: pl.DataFrame, now: Instant
) -> pl.DataFrame:
    """The rows of the newest answer about each of the cells."""
    columns = wanted.dataset.schema.columns
    first, last = rows["session"].min(), rows["session"].max()
    assert isinstance(first, dt.date)
    assert isinstance(last, dt.date)
    names = set(rows["instrument"].cast(pl.String).unique())
    parts = [
        part
        for part in context.ledger.catalogue.current("raw", wanted.dataset.name, first=first, last=last)
        if part.source == source and part.origin != "captured" and not names.isdisjoint(part.cells)
    ]
    parts = damage.sound(context, parts, now)
    if not parts:
        return frames.empty(columns)
    known = scanning.rows_of(context.layout, parts, "log_pos", columns=frames.schema(columns)).filter(
        pl.col("session").is_between(first, last), pl.col("instrument").cast(pl.String).is_in(sorted(names))
    )
    newest = pl.col("log_pos") == pl.col("log_pos").max().over(_CELL)
    return known.collect().with_columns(pl.col("instrument").cast(pl.String)).filter(newest).drop("log_pos")


def _outside(rows: pl.DataFrame, cells: pl.DataFrame) -> pl.Series:
    """Which rows lie in none of the cells."""
    marked = cells.with_columns(pl.lit(value=True).alias(_THERE))
    return rows.select(_CELL).join(marked, on=_CELL, how="left", maintain_order="left")[_THERE].is_null()


def _restated(
    wanted: ConfiguredDataset, source: str, before: pl.DataFrame, after: pl.DataFrame, cells: pl.DataFrame
) -> list[Restatement]:
    """By cell how many rows are other than before, came or went, and the largest change of a price; where rows have gone it is
    infinite."""
    if cells.is_empty():
        return []
    names = wanted.dataset.schema.names
    key = list(dict.fromkeys([*_CELL, *(wanted.dataset.schema.key or names)]))
    key += [] if "ts" in key or wanted.dataset.grain == "day" else ["ts"]
    prices = [name for name in _PRICES if name in names and name not in key]
    left = before.join(cells, on=_CELL, how="semi").with_columns(pl.lit(value=True).alias(_THERE))
    right = after.join(cells, on=_CELL, how="semi").with_columns(pl.lit(value=True).alias(_THERE))
    both = left.join(right, on=key, how="full", suffix="_after", coalesce=True, nulls_equal=True)
    values = [name for name in names if name not in key]
    other = pl.any_horizontal(
        pl.col(_THERE).is_null(),
        pl.col(f"{_THERE}_after").is_null(),
        *(pl.col(name).ne_missing(pl.col(f"{name}_after")) for name in values),
    )
    changes = [(pl.col(f"{name}_after") / pl.col(name) - 1).abs().fill_nan(0) for name in prices]
    gone = pl.col(f"{_THERE}_after").is_null().any()
    largest = pl.when(gone).then(math.inf).otherwise(pl.max_horizontal(0.0, *changes).max())
    counted = both.group_by(_CELL, maintain_order=True).agg(
        other.sum().alias("rows"), largest.alias("largest")
    )
    return [
        Restatement(
            source=source,
            instrument=instrument,
            session=session,
            rows=rows,
            largest=share,
        )
        for instrument, session, rows, share in counted.iter_rows()
    ]
