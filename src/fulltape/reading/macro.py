"""Published values beside bars: what was public of a series when a bar was."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import polars as pl

from fulltape.context import earlier
from fulltape.context.earlier import CellWindow
from fulltape.context.point_in_time import PointInTime
from fulltape.market import datasets
from fulltape.reading.node import OpenedNode

DATASET = "macro_series"


def every_vintage(node: OpenedNode, series: pl.LazyFrame) -> pl.LazyFrame:
    """Rows of `macro_series`, with those that a source has restated since as it had told them before."""
    dataset = datasets.get(DATASET)
    calendar = node.calendar(dataset)
    with node.opened() as ledger:
        view = PointInTime(ledger=ledger, layout=node.layout, calendar=calendar)
        ever = CellWindow(first=dt.date.min, last=dt.date.max)
        before = earlier.history(view, dataset, series, ever)
    return series if before is None else with_history(series, before)


def with_history(series: pl.LazyFrame, before: pl.DataFrame) -> pl.LazyFrame:
    """Rows of `macro_series` and those that were told before, each once."""
    kept = [pl.col("symbol").cast(pl.String), *("ts", "realtime_start", "value", "available_at")]
    return pl.concat([series.select(kept), before.lazy().select(kept)]).unique()


def joined(rows: pl.LazyFrame, series: pl.LazyFrame, symbols: Sequence[str]) -> pl.LazyFrame:
    """`rows` by `available_at`, with the value of the newest period of each series as of then. `series`: rows of `macro_series`, every
    vintage."""
    out = rows.sort("available_at")
    for symbol in symbols:
        known = (
            series.filter((pl.col("symbol") == symbol) & pl.col("available_at").is_not_null())
            .sort("available_at", "ts", "realtime_start")
            # A later word on an earlier period says nothing of the newest one.
            .filter(pl.col("ts") == pl.col("ts").cum_max())
            .select("available_at", pl.col("value").alias(symbol))
        )
        out = out.join_asof(known, on="available_at", strategy="backward")
    return out
