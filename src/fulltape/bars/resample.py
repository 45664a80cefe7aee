"""Longer bars out of minutes.

No bar is made where nothing was traded. Sums are made in the order of time, so that the same rows give the same bits on any
machine.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from fulltape.bars import buckets, columns
from fulltape.bars.buckets import Origin, Phase
from fulltape.bars.every import Every
from fulltape.market.sessions import Calendar

_COUNTED, _SUMMED = ("trade_count", "tick_count"), ("quote_volume", "taker_buy_volume")


def resampled(
    rows: pl.LazyFrame,
    every: Every,
    calendar: Calendar,
    *,
    phase: Phase = "regular",
    origin: Origin = "open",
) -> pl.LazyFrame:
    """Bars of a length out of minute bars, by instrument and `ts` (UTC, the start of the bucket).

    `rows`: curated minute bars, in time within each instrument, as curated files have them. Columns that come out: instrument, symbol, session, ts, bucket_end (UTC, exclusive), open,
    high, low, close and, where the minutes have them, volume, vwap (null where nothing was traded, or where a minute with volume
    has none), trade_count, tick_count, price_kind; phase, `n` (how many minutes were there), available_at, source, is_final,
    flags, and what adjustment has added.
    """
    names = rows.collect_schema().names()
    aggregates = _aggregates(names)
    made = buckets.grouped(rows, every, calendar, phase=phase, origin=origin, aggregates=aggregates)
    return made.select(columns.ordered([*names, "bucket_end", "n"])).sort("instrument", "ts", "bucket_end")


def _aggregates(names: Sequence[str]) -> list[pl.Expr]:
    """One row out of the minutes of a bucket. What is unknown of one of them is unknown of all."""

    made = [pl.col(name).first() for name in columns.FIRST if name in names]
    made += [pl.col("open").min_by("ts"), pl.col("high").max(), pl.col("low").min()]
    made.append(pl.col("close").max_by("ts"))
    if "volume" in names:
        made.append(columns.total(pl.col("volume")))
    if {"volume", "vwap"} <= set(names):
        notional, volume = columns.total(pl.col("vwap") * pl.col("volume")), pl.col("volume").sum()
        unknown = ((pl.col("volume") > 0) & pl.col("vwap").is_null()).any()
        made.append(
            pl.when((volume > 0) & ~unknown).then(notional / columns.total(pl.col("volume"))).alias("vwap")
        )
    made += [_known(name, pl.col(name).sum()) for name in _COUNTED if name in names]
    made += [_known(name, columns.total(pl.col(name))) for name in _SUMMED if name in names]
    made += [
        pl.len().cast(pl.Int64).alias("n"),
        _known("available_at", pl.col("available_at").max()),
        pl.col("is_final").all(),
        pl.col("flags").bitwise_or(),
    ]
    return made


def _known(name: str, value: pl.Expr) -> pl.Expr:
    return pl.when(pl.col(name).null_count() == 0).then(value).alias(name)
