"""Curated minute bars for tests: real days of an exchange, and invented ones."""

from __future__ import annotations

import datetime as dt

import polars as pl

from fulltape.calendars import tables
from fulltape.decoding import frames
from fulltape.market import datasets
from fulltape.market.sessions import Calendar
from nodes import lean_minutes

XNYS = tables.load("XNYS")
DATASET = datasets.get("equities_bars_minute")


def minutes(symbol: str, *days: str) -> pl.DataFrame:
    """Curated minute bars of real days."""
    wanted = {dt.date.fromisoformat(day) for day in days}
    bars = [bar for bar in lean_minutes(symbol)["minute", symbol] if not wanted or bar.session in wanted]
    raw = pl.DataFrame(
        {
            "instrument": symbol, "symbol": symbol, "timestamp": [bar.start for bar in bars],
            "open": [bar.open for bar in bars], "high": [bar.high for bar in bars], "low": [bar.low for bar in bars],
            "close": [bar.close for bar in bars], "volume": [float(bar.volume) for bar in bars],
        }
    )  # fmt: skip
    return curated(raw, XNYS)


def curated(raw: pl.DataFrame, calendar: Calendar) -> pl.DataFrame:
    """Minutes (instrument, symbol, timestamp, prices, volume) as curation writes them."""
    rows = raw.with_columns(
        pl.lit(None, pl.Int64).alias("timestamp_ns"),
        pl.lit(0).alias("ts_recv"),
        pl.lit(0).alias("connection"),
    )
    placed = frames.live(rows, DATASET, calendar)
    return frames.conform(
        placed.with_columns(
            (pl.col("ts") + pl.duration(minutes=1)).alias("available_at"),
            pl.lit("test.source").alias("source"),
            pl.lit(value=True).alias("is_final"),
            pl.lit(0).alias("flags"),
        ),
        DATASET.curated.columns,
    )
