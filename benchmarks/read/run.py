"""`make bench-read`: one symbol, one day and everything through `scan`, beside DuckDB, polars and ArcticDB."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.growth.world import BEGIN, CALENDAR, names
from benchmarks.read import lake
from benchmarks.report import Report
from fulltape.market.ranges import Range

_PEERS = Path(".interop/read/bin/python")
_SYMBOLS = 800
_QUERIES = {
    "symbol": "one symbol, all its minutes",
    "day": "one day, all symbols",
    "scan": "everything, one sum",
}


def main() -> None:
    """Measure, print the tables, end with 1 if a demanded figure is missed."""
    report = Report(name="read")
    folder = Path(tempfile.mkdtemp(prefix="bench-read-"))
    try:
        _lookup(report, folder / "catalogue")
        year = (BEGIN, BEGIN + 250)
        _queries(report, folder / "thin", "250 sessions of 60 rows", year, 60)
        start = CALENDAR.between(CALENDAR.label(BEGIN).replace(day=23), CALENDAR.known_to)[0]
        _queries(report, folder / "full", "26 sessions of 390 rows", (start, start + 26), 390)
    finally:
        shutil.rmtree(folder)
    report.end()


def _lookup(report: Report, folder: Path) -> None:
    lake.catalogue(folder, 5_000, 2_520).context.ledger.close()
    command = [sys.executable, "-m", "benchmarks.read.lookup", str(folder), "2020"]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    report.figures["lookup"] = found
    report.table(
        "Finding the files of a symbol's year: 5,000 symbols, 2,520 days",
        ["ms", "MB above the imports", "files"],
        [(f"{found['seconds'] * 1_000:.1f}", found["mb"], found["files"])],
    )
    report.demand("look-up, ms", found["seconds"] * 1_000, at_most=20)
    report.demand("look-up, MB above the imports", found["mb"], at_most=60)


def _queries(report: Report, folder: Path, title: str, span: Range, minutes: int) -> None:
    node = lake.filled(folder, _SYMBOLS, span, minutes)
    paths, day, symbol = lake.days(node, span), lake.middle(span), names(_SYMBOLS)[_SYMBOLS // 2]
    node.context.ledger.close()
    told = {
        "paths": paths,
        "symbol": symbol,
        "day": day.isoformat(),
        "names": names(_SYMBOLS),
        "folder": str(folder / "arctic"),
    }
    command = [str(_PEERS), str(Path(__file__).with_name("peers.py"))]
    (folder / "arctic").mkdir()
    done = subprocess.run(command, input=json.dumps(told), check=True, capture_output=True, text=True)
    peers: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    asked = [sys.executable, "-m", "benchmarks.read.ours", str(folder), symbol, day.isoformat()]
    done = subprocess.run(asked, check=True, capture_output=True, text=True)
    ours: dict[str, Any] = json.loads(done.stdout)
    report.figures[title] = {"fulltape": ours, **peers}
    rows = []
    for name, words in _QUERIES.items():
        others = [peers[engine][name] for engine in ("duckdb", "polars", "arcticdb")]
        rows.append((words, *(f"{one * 1_000:,.1f}" for one in (ours[name], *others))))
        best = min(others[:2])
        report.demand(
            f"{title}, {name}: as quick as the better of DuckDB and polars", best / ours[name], at_least=1
        )
        if name == "symbol":
            report.demand(f"{title}, symbol: so many times as quick", best / ours[name], at_least=5)
            report.demand(
                f"{title}, symbol: so many times ArcticDB's time", ours[name] / others[2], at_most=10
            )
        else:
            report.demand(
                f"{title}, {name}: so many times as quick as ArcticDB", others[2] / ours[name], at_least=2
            )
    assert ours["rows"] == peers["rows"], "all read the same rows"
    report.table(
        f"{_SYMBOLS} symbols, {title}; ms", ["query", "fulltape", "DuckDB", "polars", "ArcticDB"], rows
    )


if __name__ == "__main__":
    main()
