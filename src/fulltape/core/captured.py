"""Rows that were captured live: what several deliveries of the same rows come to.

With a key the newest version of a row counts. Without one, equal rows are genuine inside one delivery; between
overlapping deliveries each content counts as often as in the delivery that has it most often.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

LIVE = 2**31
"""Connections have numbers from here on; smaller ones are those of asks, over which history gave rows back."""
EXTRA = ("ts_recv", "connection")
"""Columns that raw captured rows have beside those of their dataset."""
_ABOUT = frozenset({*EXTRA, "log_pos", "origin", "order", "newest", "symbol"})


def delivery(ask_id: str) -> int:
    """The number under which an ask's rows stand beside those of connections."""
    return zlib.crc32(ask_id.encode()) % LIVE


def merged(frame: pl.DataFrame, key: Sequence[str]) -> pl.DataFrame:
    """Each row once, in the order of (instrument, ts); `frame` in the order in which rows became known.

    Where a row of history and a captured one have the same key, history's counts.
    """
    import polars as pl

    if key and _grows(frame, key):
        return in_order(frame)
    if key:
        ordered = frame.sort(pl.col("connection") < LIVE, maintain_order=True)
        kept = ordered.unique(subset=list(key), keep="last", maintain_order=True)
    else:
        content = [name for name in frame.columns if name not in _about(frame)]
        numbered = frame.with_columns(
            pl.int_range(pl.len()).over([*content, "connection"]).alias("copy"),
        )
        kept = numbered.unique(subset=[*content, "copy"], keep="first", maintain_order=True).drop("copy")
    return in_order(kept)


def _about(frame: pl.DataFrame) -> frozenset[str]:
    """Columns that say nothing of what a row tells: the time too, where it is only that of its receipt."""
    stamped_by_us = "message" in frame.columns or "update_id" in frame.columns
    return _ABOUT | {"ts", "ts_event"} if stamped_by_us else _ABOUT


def in_order(frame: pl.DataFrame) -> pl.DataFrame:
    """Sorted by (instrument, ts), rows with equal ones in their order. Names are numbered first: numbers sort many times
    faster."""
    import polars as pl

    names = frame["instrument"].unique().sort()
    if names.len() < 2:
        return frame if frame["ts"].is_sorted() else frame.sort("ts", maintain_order=True)
    place = frame["instrument"].cast(pl.Enum(names)).to_physical().alias("place")
    return frame.with_columns(place).sort("place", "ts", maintain_order=True).drop("place")


def _grows(frame: pl.DataFrame, key: Sequence[str]) -> bool:
    """Whether whole numbers of the key grow for every instrument, row by row: then none is there twice. `frame` is one
    delivery after the other, so mostly they do."""
    import polars as pl

    if list(key[:1]) != ["instrument"] or len(key) != 2 or not frame.schema[key[1]].is_integer():
        return False
    step = pl.col(key[1]).diff().over("instrument")
    return bool(frame.select((step.fill_null(1) > 0).all()).item())


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Captured rows against those of history: how many history has, how many of them were captured, how many it alone
    has, how many were captured and it does not know, and how many it tells differently."""

    history: int
    captured: int
    missing: int
    extra: int
    differing: int

    @property
    def sentence(self) -> str:
        """The same for people."""
        told = (
            f"history has {self.history:,} rows; {self.captured:,} were captured, {self.missing:,} filled in"
        )
        if self.extra:
            told += f", {self.extra:,} captured that history does not know"
        if self.differing:
            told += f", {self.differing:,} restated"
        return told


def compared(captured: pl.DataFrame, history: pl.DataFrame, key: Sequence[str]) -> Comparison:
    """Hold what was captured against history; both of one instrument and span."""
    import polars as pl

    if key:
        on = [name for name in key if name != "instrument"]
        once = captured.unique(subset=on, keep="last", maintain_order=True)
        both = once.join(history, on=on, how="inner", suffix="_history")
        values = [
            name
            for name in ("open", "high", "low", "close", "price", "size")
            if name in captured.columns and f"{name}_history" in both.columns
        ]
        differ = pl.any_horizontal(pl.col(name) != pl.col(f"{name}_history") for name in values)
        differing = both.filter(differ).height if values else 0
        extra, found = once.height - both.height, both.height
    else:
        on = [name for name in history.columns if name in captured.columns and name not in _ABOUT]
        counted = captured.group_by([*on, "connection"]).len("n").group_by(on).agg(pl.col("n").max())
        there = history.group_by(on).len("m").join(counted, on=on, how="full", coalesce=True)
        both_counts = pl.min_horizontal(pl.col("n").fill_null(0), pl.col("m").fill_null(0))
        found = int(there.select(both_counts.sum()).item() or 0)
        extra = int(counted["n"].sum() or 0) - found
        differing = 0
    return Comparison(
        history=history.height,
        captured=found,
        missing=history.height - found,
        extra=extra,
        differing=differing,
    )
