"""`make bench-adjust`: adjusted and resampled reads beside the raw scan and beside polars by hand."""

from __future__ import annotations

import datetime as dt
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import polars as pl

from benchmarks.adjust import lake, trades
from benchmarks.growth.world import BEGIN, MINUTES, names
from benchmarks.report import Report
from fulltape.reader import Reader
from fulltape.reading import selection
from fulltape.reading.node import OpenedNode

_SYMBOLS, _SESSIONS, _TIMES = 4, 2_520, 9
_EVER = dt.date.min, dt.date.max
_TRADED, _TRADES = 10, 200_000
"""Sessions with trades, and trades in each."""
_MOST_ADJUSTED, _LEAST_RESAMPLED, _LEAST_DERIVED = 1.3, 0.7, 0.7


def main() -> None:
    """Measure, print the table, end with 1 if a demanded figure is missed."""
    report = Report(name="adjust")
    folder = Path(tempfile.mkdtemp(prefix="bench-adjust-"))
    try:
        span = (BEGIN - _SESSIONS, BEGIN)
        lake.filled(folder, _SYMBOLS, span).context.ledger.close()
        _measure(report, folder)
        ticks = folder / "ticks"
        trades.filled(ticks, (BEGIN - _TRADED, BEGIN), _TRADES).context.ledger.close()
        _measure_trades(report, ticks)
    finally:
        shutil.rmtree(folder)
    report.end()


def _measure(report: Report, folder: Path) -> None:
    reader, symbol = Reader(folder), names(_SYMBOLS)[1]
    asked: Mapping[str, Callable[[], pl.DataFrame]] = {
        "raw": lambda: reader.scan(MINUTES, symbols=symbol).collect(),
        "adjusted": lambda: reader.scan(MINUTES, symbols=symbol, adjust="total").collect(),
        "5m": lambda: reader.scan(MINUTES, symbols=symbol, every="5m").collect(),
        "5m by hand": lambda: _by_hand(folder, symbol).collect(),
    }
    seconds, rows = _timed(asked)
    assert rows["raw"] == rows["adjusted"]
    statuses = reader.scan(MINUTES, symbols=symbol, adjust="total").select(pl.col("adjust_status").unique())
    assert [str(status) for status in statuses.collect()["adjust_status"]] == ["complete"]
    assert rows["5m"] == rows["5m by hand"]
    adjusted, resampled = seconds["adjusted"] / seconds["raw"], seconds["5m by hand"] / seconds["5m"]
    report.figures["seconds"] = seconds
    report.table(
        f"One of {_SYMBOLS} symbols, {_SESSIONS} sessions of minutes; medians of {_TIMES}",
        ["read", "rows", "ms"],
        [(name, rows[name], f"{seconds[name] * 1_000:.1f}") for name in asked],
    )
    report.demand("adjusted / raw", adjusted, at_most=_MOST_ADJUSTED)
    report.demand("resampled: so many times as quick as by hand", resampled, at_least=_LEAST_RESAMPLED)


def _timed(
    asked: Mapping[str, Callable[[], pl.DataFrame]],
) -> tuple[dict[str, float], dict[str, int]]:
    """Median seconds and rows of each read; they take turns."""
    spans: dict[str, list[float]] = {name: [] for name in asked}
    rows: dict[str, int] = {}
    for _ in range(_TIMES):
        for name, read in asked.items():
            began = time.perf_counter()
            rows[name] = read().height
            spans[name].append(time.perf_counter() - began)
    return {name: statistics.median(each) for name, each in spans.items()}, rows


def _measure_trades(report: Report, folder: Path) -> None:
    reader, files = Reader(folder), sorted((folder / "lake" / "curated" / trades.TRADES).rglob("*.parquet"))
    made = reader.scan(trades.TRADES, every="1m")
    seconds, rows = _timed(
        {
            "trades as 1m": lambda: reader.scan(trades.TRADES, every="1m").collect(),
            "trades as 1m by hand": lambda: trades.by_hand(files).collect(),
        }
    )
    same = ["ts", "open", "high", "low", "close", "volume"]
    assert made.select(same).collect().equals(trades.by_hand(files).select(same).collect())
    report.figures["seconds of trades"] = seconds
    report.table(
        f"{_TRADED} sessions of {_TRADES:,} trades; medians of {_TIMES}",
        ["read", "rows", "ms"],
        [(name, rows[name], f"{seconds[name] * 1_000:.1f}") for name in seconds],
    )
    derived = seconds["trades as 1m by hand"] / seconds["trades as 1m"]
    report.demand("bars of trades: so many times as quick as by hand", derived, at_least=_LEAST_DERIVED)


def _by_hand(folder: Path, symbol: str) -> pl.LazyFrame:
    """Five minutes out of the same files, as one would write it."""
    node = OpenedNode.at(folder)
    with node.opened() as ledger:
        parts = selection.parts(ledger, node.layout, MINUTES, *_EVER, [symbol])
    files = [node.layout.root / part.path for part in parts]
    kept = ["phase", "symbol", "source"]
    return (
        pl.scan_parquet(files)
        .filter(pl.col("symbol") == symbol, pl.col("phase") == "regular")
        .group_by_dynamic("ts", every="5m", group_by=["instrument", "session"])
        .agg(
            *(pl.col(name).first() for name in kept),
            pl.col("open").first(),
            pl.col("high").max(),
            pl.col("low").min(),
            pl.col("close").last(),
            pl.col("volume").sum(),
            ((pl.col("vwap") * pl.col("volume")).sum() / pl.col("volume").sum()).alias("vwap"),
            pl.col("trade_count").sum(),
            pl.len().alias("n"),
            pl.col("available_at").max(),
            pl.col("is_final").all(),
            pl.col("flags").bitwise_or(),
        )
        .sort("instrument", "ts")
    )


if __name__ == "__main__":
    main()
