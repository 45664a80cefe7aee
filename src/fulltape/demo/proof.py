"""The proof: checksums, rows against the sample, and no answer asked for twice."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import polars as pl

import fulltape
from fulltape.simulator.market import Market
from fulltape.simulator.server import ServedCall

_VALUES = {
    "equities_bars_day": ("open", "high", "low", "close", "volume"),
    "equities_bars_minute": ("open", "high", "low", "close", "volume", "vwap", "trade_count"),
}
_GRAINS = {"equities_bars_day": "day", "equities_bars_minute": "minute"}


def checksums(bundle: Path) -> tuple[int, list[str]]:
    """How many files SHA256SUMS lists, and those that differ or are missing."""
    lines = (bundle / "SHA256SUMS").read_text().splitlines()
    wrong = []
    for line in lines:
        digest, _, name = line.partition("  ")
        path = bundle / name
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            wrong.append(name)
    return len(lines), wrong


def differences(node: Path, market: Market, dataset: str) -> tuple[int, int]:
    """How many curated rows there are, and how many differ from what the vendors' market holds (missing and surplus
    ones count), exactly, in the columns that the market has."""
    values = _VALUES[dataset]
    timestamp = "session" if dataset == "equities_bars_day" else "ts"
    curated = fulltape.open(node).scan(dataset).select("symbol", timestamp, *values).collect()
    truth = _truth(market, _GRAINS[dataset], timestamp, curated.schema)
    surplus = curated.join(truth, on=curated.columns, how="anti", nulls_equal=True).height
    missing = truth.join(curated, on=curated.columns, how="anti", nulls_equal=True).height
    return curated.height, surplus + missing


def _truth(market: Market, grain: str, timestamp: str, schema: pl.Schema) -> pl.DataFrame:
    names = {"ts": "start", "trade_count": "trades"}
    frames = [
        pl.DataFrame(
            {
                name: [symbol] * len(bars)
                if name == "symbol"
                else [getattr(bar, names.get(name, name)) for bar in bars]
                for name in schema
            },
            strict=False,
        ).select(pl.col(name).cast(dtype) for name, dtype in schema.items())
        for (kind, symbol), bars in market.bars.items()
        if kind == grain
    ]
    return pl.concat(frames).sort("symbol", timestamp)


def asked_twice(log: Sequence[ServedCall], in_flight: Sequence[ServedCall]) -> list[ServedCall]:
    """Answers with data that left whole more than once, except those in flight at the kill."""
    allowed = {id(line) for line in in_flight}
    answered = [line for line in log if line.status == 200 and line.whole and id(line) not in allowed]
    counts = Counter(line.identity for line in answered)
    return [line for line in answered if counts[line.identity] > 1]


def snapshot(lake: Path) -> dict[str, tuple[int, int]]:
    """Every file of a lake with its size and time of change."""
    return {
        path.relative_to(lake).as_posix(): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in sorted(lake.rglob("*"))
        if path.is_file()
    }
