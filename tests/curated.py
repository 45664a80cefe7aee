"""Curated minute bars for tests: real days of an exchange, and invented ones."""

from __future__ import annotations

import datetime as dt
import io
import zipfile
from pathlib import Path

import polars as pl

from fulltape.calendars import tables
from fulltape.decoding import frames
from fulltape.market import datasets
from fulltape.market.sessions import Calendar
from fulltape.market.time import from_datetime
from fulltape.simulator.market import new_york_midnight
from nodes import DATA, LEAN, lean_minutes

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


_FLAGS = {
    0: "@", 2: "N", 3: "R", 5: "F", 6: "O", 7: "6", 9: "4", 11: "L", 13: "T", 14: "Z", 18: "V", 20: "B", 21: "X", 24: "M", 26: "Q", 29: "",
}  # fmt: skip
"""Bits of the reference data's ticks, and the conditions of tape B that they stand for; bit 29 is an exemption, none of them."""


def _conditions(flags: str) -> str:
    bits = int(flags, 16)
    codes = [code for bit, code in _FLAGS.items() if bits >> bit & 1 and code]
    unknown = bits & ~sum(1 << bit for bit in _FLAGS)
    assert not unknown, flags
    return ",".join(codes)


def _lines(path: Path, names: list[str]) -> pl.DataFrame:
    with zipfile.ZipFile(path) as archive:
        text = archive.read(archive.namelist()[0])
    return pl.read_csv(
        io.BytesIO(text),
        has_header=False,
        new_columns=names,
        schema_overrides={"flags": pl.String, "exchange": pl.String},
    )


def _at(day: dt.date, zone_midnight: int) -> pl.Expr:
    return (pl.col("ms").cast(pl.Int64) * 1_000 + zone_midnight).cast(pl.Datetime("us", "UTC"))


def spy_trades(day: str) -> pl.DataFrame:
    """Every trade of SPY on a real day, as curated files hold them."""
    session = dt.date.fromisoformat(day)
    path = LEAN / "tick" / "spy" / f"{session:%Y%m%d}_trade.zip"
    lines = _lines(path, ["ms", "price", "size", "exchange", "flags", "suspicious"])
    words = {flags: _conditions(flags) for flags in lines["flags"].unique()}
    return _ticks(
        lines.with_row_index("number").with_columns(
            _at(session, new_york_midnight(session)).alias("ts"),
            (pl.col("price") / 10_000).round(4),
            pl.col("flags").replace_strict(words).alias("conditions"),
            pl.col("number").cast(pl.String).str.zfill(8).alias("trade_id"),
            tape=pl.lit("B"), instrument=pl.lit("SPY"), symbol=pl.lit("SPY"), session=pl.lit(session),
        ),
        "equities_trades",
        "alpaca.sip",
    )  # fmt: skip


def euro_quotes(day: str) -> pl.DataFrame:
    """Every quote of the euro of a real UTC day, as curated files hold them."""
    date = dt.date.fromisoformat(day)
    midnight = from_datetime(dt.datetime.combine(date, dt.time(), dt.UTC))
    calendar = tables.load("forex")
    path = DATA / "lean-forex-eurusd" / "forex" / "oanda" / "tick" / "eurusd" / f"{date:%Y%m%d}_quote.zip"
    lines = _lines(path, ["ms", "bid", "ask"]).with_columns(_at(date, midnight).alias("ts"))
    early = pl.duration(microseconds=calendar.day_rule.early)
    session = (pl.col("ts").dt.convert_time_zone(calendar.zone).dt.replace_time_zone(None) + early).dt.date()
    placed = lines.with_columns(session=session, instrument=pl.lit("EUR/USD"), symbol=pl.lit("EUR/USD"))
    return _ticks(placed, "forex_quotes", "test.source")


def _ticks(rows: pl.DataFrame, dataset: str, source: str) -> pl.DataFrame:
    filled = rows.with_columns(
        pl.col("ts").cast(pl.Datetime("ns", "UTC")).alias("ts_event"),
        pl.col("ts").alias("available_at"),
        source=pl.lit(source), is_final=pl.lit(value=True), flags=pl.lit(0),
    )  # fmt: skip
    return frames.conform(filled, datasets.get(dataset).curated.columns)
