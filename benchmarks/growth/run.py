"""`make bench-growth`: what nights cost on nodes that hold much, and how much memory and room they take."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from typing import Any

from benchmarks.growth.world import DAYS, MINUTES
from benchmarks.report import Report

_FEW, _MANY, _CHANGED, _SESSIONS, _THIN = 50, 800, 50, 45, 30
_NIGHTS = 300
_MOST_MB, _MOST_RATIO, _MOST_FILES = 350, 1.75, 1.1
_STEPS = ("incremental audit", "curate", "check", "export", "idle night", "status")


def main() -> None:
    """Measure, print the tables, end with 1 if a demanded figure is missed."""
    report = Report(name="growth")
    _memory(report)
    _symbols(report)
    _nights(report)
    report.end()


def _child(what: str, dataset: str, symbols: int, sessions: int, **more: int) -> dict[str, Any]:
    """Fill a node in one process, measure it in another."""
    folder = tempfile.mkdtemp(prefix="bench-growth-")
    told = {
        "folder": folder,
        "what": what,
        "dataset": dataset,
        "symbols": symbols,
        "sessions": sessions,
        "minutes": 390,
        "changed": 0,
        **more,
    }
    try:
        if what in ("first", "steps") and sessions:
            _run({**told, "step": "fill"})
        return dict(json.loads(_run({**told, "step": "measure"})))
    finally:
        shutil.rmtree(folder)


def _run(told: dict[str, object]) -> str:
    command = [sys.executable, "-m", "benchmarks.growth.child", json.dumps(told)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _memory(report: Report) -> None:
    """The first load and a night after it, at full size."""
    rows = []
    for title, dataset, symbols, sessions in (
        ("5,000 symbols, day bars", DAYS, 5_000, 250),
        ("800 symbols, full minutes", MINUTES, 800, 21),
    ):
        found = _child("first", dataset, symbols, sessions)
        rows.append((title, sessions, found["first"], found["night"], found["imports"], found["peak"]))
        report.figures[title] = found
        report.demand(f"MB at most, {title}", found["peak"], at_most=_MOST_MB)
    columns = ["node", "sessions", "first load s", "next night s", "MB imports", "MB at most"]
    report.table("First load and the night after it", columns, rows)


def _symbols(report: Report) -> None:
    """The same number of changed cells on a node of 50 and of 800 symbols."""
    more = {"minutes": _THIN, "changed": _CHANGED}
    empty = _child("steps", MINUTES, _FEW, 1, **{**more, "changed": 0})
    few = _child("steps", MINUTES, _FEW, _SESSIONS, **more)
    many = _child("steps", MINUTES, _MANY, _SESSIONS, **more)
    rows = []
    for name in (*_STEPS, "scan of one symbol", "scan of one day"):
        base = empty.get(name, 0.0)
        small, large = (max(1e-3, one[name] - base) for one in (few, many))
        rows.append((name, base, few[name], many[name], large / small))
        report.figures[f"symbols: {name}"] = {"empty": base, "few": few[name], "many": many[name]}
        report.demand(f"t(16 n) / t(n), {name}", large / small, at_most=_MOST_RATIO)
    grown = (many["peak"] - many["imports"]) / (few["peak"] - few["imports"])
    rows.append(
        ("MB above the imports", 0.0, few["peak"] - few["imports"], many["peak"] - many["imports"], grown)
    )
    report.demand("MB(16 n) / MB(n)", grown, at_most=_MOST_RATIO)
    report.table(
        f"{_CHANGED} cells change; medians of 5, seconds",
        ["step", "empty node", f"{_FEW} symbols", f"{_MANY} symbols", "ratio without empty"],
        rows,
    )


def _nights(report: Report) -> None:
    """Three hundred nights, one after another, against one night with as many sessions."""
    grown = _child("nights", DAYS, _FEW, _NIGHTS)
    once = _child("at once", DAYS, _FEW, _NIGHTS)
    spans = grown["nights"]
    early, late = (statistics.median(spans[at - 10 : at + 10]) for at in (100, _NIGHTS - 10))
    rows: list[tuple[object, ...]] = [("seconds of a night, 100th and 300th", early, late, late / early)]
    report.demand("t(300th night) / t(100th)", late / early, at_most=_MOST_RATIO)
    for name in ("current", "facts"):
        rows.append((name, once[name], grown[name], grown[name] / once[name]))
        report.demand(
            f"{name} after {_NIGHTS} nights / after one", grown[name] / once[name], at_most=_MOST_FILES
        )
    report.figures["nights"] = {"seconds": spans, "grown": grown, "once": once}
    report.table(f"{_NIGHTS} nights of {_FEW} symbols", ["what", "before or at once", "after", "ratio"], rows)


if __name__ == "__main__":
    main()
