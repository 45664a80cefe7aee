"""`make bench-batches`: windows of bars beside copying the same bytes, and beside reading them."""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import fulltape
from benchmarks.growth.world import BEGIN
from benchmarks.read import lake
from benchmarks.report import Report
from fulltape.reading.windows import Windows

_SYMBOLS, _SESSIONS, _WINDOW, _TIMES = 200, 20, 390, 5
MINUTES = "equities_bars_minute"


def _seconds(what: Callable[[], object]) -> float:
    began = time.perf_counter()
    what()
    return time.perf_counter() - began


def main() -> None:
    """Measure, print the table, end with 1 if a demanded figure is missed."""
    report = Report(name="batches")
    folder = Path(tempfile.mkdtemp(prefix="bench-batches-"))
    try:
        node = lake.filled(folder, _SYMBOLS, (BEGIN, BEGIN + _SESSIONS), 390)
        node.context.ledger.close()
        reader = fulltape.open(folder)
        made: list[Windows] = []
        laying = _seconds(lambda: made.append(reader.batches(MINUTES, window=_WINDOW, scratch=folder)))
        windows = made[0]
        table = windows._table
        size = table.nbytes

        def iterated() -> None:
            for window in windows:
                assert window.values.shape[1] == _WINDOW

        def copied() -> None:
            for at in range(0, len(table), _WINDOW):
                np.array(table[at : at + _WINDOW])

        pairs = [(_seconds(copied), _seconds(iterated)) for _ in range(_TIMES)]
    finally:
        shutil.rmtree(folder)
    bare, ours = (statistics.median(each) for each in zip(*pairs, strict=True))
    report.figures |= {
        "MB": size / 1e6,
        "laid out, s": laying,
        "copy, MB/s": size / 1e6 / bare,
        "windows, MB/s": size / 1e6 / ours,
    }
    report.table(
        f"{size / 1e6:,.0f} MB: {_SYMBOLS} symbols x {_SESSIONS} sessions of minutes; medians of {_TIMES}",
        ["", "MB/s"],
        [
            ("copied", size / 1e6 / bare),
            ("as windows with masks", size / 1e6 / ours),
            ("laid out once", size / 1e6 / laying),
        ],
    )
    report.demand("windows beside a copy of the same bytes", bare / ours, at_least=0.5)
    report.end()


if __name__ == "__main__":
    main()
