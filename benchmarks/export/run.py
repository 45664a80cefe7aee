"""`make bench-export`: a bundle of 5,000 symbols beside copying and hashing the same files, and one of which little has changed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.growth import world
from benchmarks.growth.world import BEGIN, DAYS, MINUTES, Fixed
from benchmarks.report import Report
from fulltape.check import run as check
from fulltape.curate import run as curate

_SYMBOLS, _DAYS, _SESSIONS, _ROWS = 5_000, 250, 20, 30
"""Day bars of a year, and minutes of its last sessions, so many a session."""


def _exported(folder: Path, last: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.export.child", str(folder), str(_SYMBOLS), str(last)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


def _copied(bundle: Path, target: Path) -> float:
    """What cp and sha256sum take for the same files."""
    began = time.perf_counter()
    subprocess.run(["cp", "-r", bundle, target], check=True)
    subprocess.run(f"find {target} -type f -print0 | xargs -0 sha256sum > /dev/null", shell=True, check=True)
    subprocess.run(["sync", "-f", target], check=True)
    seconds = time.perf_counter() - began
    shutil.rmtree(target)
    return seconds


def main() -> None:
    """Measure, print the table, end with 1 if a demanded figure is missed."""
    report = Report(name="export")
    folder = Path(tempfile.mkdtemp(prefix="bench-export-"))
    try:
        last = BEGIN + _DAYS - 1
        node = world.node(folder / "node", [DAYS, MINUTES], _SYMBOLS, minutes=_ROWS, last=last, first=BEGIN)
        cells = node.fill(DAYS, BEGIN, last + 1) + node.fill(MINUTES, last + 1 - _SESSIONS, last + 1)
        curate.run_once(node.context, Fixed(last))
        check.run_once(node.context, Fixed(last))
        node.context.ledger.close()
        full = _exported(folder / "node", last)
        bare = _copied(Path(full["path"]), folder / "copy")
        again = world.node(
            folder / "node", [DAYS, MINUTES], _SYMBOLS, minutes=_ROWS, last=last + 1, first=BEGIN
        )
        again.fill(DAYS, last + 1, last + 2)
        again.fill(MINUTES, last + 1, last + 2)
        curate.run_once(again.context, Fixed(last + 1))
        check.run_once(again.context, Fixed(last + 1))
        again.context.ledger.close()
        little = _exported(folder / "node", last + 1)
    finally:
        shutil.rmtree(folder)
    report.figures |= {"cells": cells, "full": full, "a session more": little, "cp and sha256sum, s": bare}
    report.table(
        f"{cells:,} cells of {_SYMBOLS:,} symbols, {full['bytes'] / 1e6:,.0f} MB",
        ["", "s", "peak MB"],
        [
            ("a bundle", full["seconds"], full["peak"]),
            ("cp and sha256sum of the same files", bare, 0),
            ("a bundle, one session later", little["seconds"], little["peak"]),
        ],
    )
    report.demand("beside cp and sha256sum", bare / full["seconds"], at_least=0.7)
    report.demand(
        "so many times as quick where little has changed", full["seconds"] / little["seconds"], at_least=10
    )
    report.demand("peak in MB", max(full["peak"], little["peak"]), at_most=150)
    report.end()


if __name__ == "__main__":
    main()
