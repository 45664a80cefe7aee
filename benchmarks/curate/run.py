"""`make bench-curate`: curation beside programs by hand that choose the same rows."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.curate import lake
from benchmarks.growth.world import BEGIN
from benchmarks.report import Report

_SYMBOLS, _SESSIONS, _TIMES = 150, 60, 2
_WAYS = ("fulltape", "polars", "duckdb")
_LEAST = {"polars": 0.9, "duckdb": 1.5}
_MOST_MB = 350


def main() -> None:
    """Measure, print the table, end with 1 if a demanded figure is missed."""
    report = Report(name="curate")
    folder = Path(tempfile.mkdtemp(prefix="bench-curate-"))
    try:
        raw = lake.filled(folder / "raw", _SYMBOLS, (BEGIN, BEGIN + _SESSIONS))
        results: dict[str, list[dict[str, Any]]] = {way: [] for way in _WAYS}
        for _ in range(_TIMES):
            for way in _WAYS:
                results[way].append(_measured(folder, way))
    finally:
        shutil.rmtree(folder)
    said = {(each["rows"], each["digest"]) for runs in results.values() for each in runs}
    assert len(said) == 1, f"the ways come to different rows: {results}"
    seconds = {way: statistics.median(each["seconds"] for each in runs) for way, runs in results.items()}
    peaks = {way: max(each["peak"] for each in runs) for way, runs in results.items()}
    report.figures |= {"raw rows": raw, "seconds": seconds, "peak MB": peaks}
    report.table(
        f"{raw:,} raw rows of three sources; medians of {_TIMES}",
        ["way", "rows", "s", "peak MB"],
        [(way, results[way][0]["rows"], f"{seconds[way]:.1f}", f"{peaks[way]:.0f}") for way in _WAYS],
    )
    for way, least in _LEAST.items():
        report.demand(f"so many times as quick as {way}", seconds[way] / seconds["fulltape"], at_least=least)
    report.demand("peak of fulltape in MB", peaks["fulltape"], at_most=_MOST_MB)
    report.end()


def _measured(folder: Path, way: str) -> dict[str, Any]:
    """One way over a copy of the node, which has curated nothing yet."""
    node = folder / "node"
    shutil.copytree(folder / "raw", node)
    try:
        command = [
            sys.executable,
            "-m",
            "benchmarks.curate.child",
            way,
            str(node),
            str(_SYMBOLS),
            str(_SESSIONS),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return said
    finally:
        shutil.rmtree(node)


if __name__ == "__main__":
    main()
