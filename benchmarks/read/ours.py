"""In a process of its own, as the other engines: the queries through `scan`. Prints JSON: seconds and rows by query."""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable

import polars as pl

from benchmarks.growth.world import MINUTES
from fulltape.reader import Reader

_TIMES = 7


def main(folder: str, symbol: str, day: str) -> None:
    """Ask each query, and again."""
    reader = Reader(folder)
    fetches: dict[str, Callable[[], pl.DataFrame]] = {
        "symbol": lambda: reader.scan(MINUTES, symbols=symbol).collect(),
        "day": lambda: reader.scan(MINUTES, start=day, end=day).collect(),
        "scan": lambda: reader.scan(MINUTES).select(pl.col("volume").sum()).collect(),
    }
    found = {name: _median(fetch) for name, fetch in fetches.items()}
    print(json.dumps({**found, "rows": {name: fetches[name]().height for name in ("symbol", "day")}}))


def _median(fetch: Callable[[], object]) -> float:
    spans = []
    for _ in range(_TIMES):
        began = time.perf_counter()
        fetch()
        spans.append(time.perf_counter() - began)
    return statistics.median(spans[1:])


if __name__ == "__main__":
    main(*sys.argv[1:])
