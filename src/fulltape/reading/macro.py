"""Published values beside bars: what was public of a series when a bar was."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

DATASET = "macro_series"


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
