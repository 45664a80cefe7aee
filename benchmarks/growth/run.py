"""`make bench-growth`: what nights cost on nodes that hold much, and how much memory and room they take.

With `GROWTH_ARGS=--long` there are a thousand nights and live hours, in at most 40 minutes.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

from benchmarks.growth.world import DAYS, MINUTES
from benchmarks.report import Report

_FEW, _MANY, _CHANGED, _SESSIONS, _THIN = 50, 800, 50, 45, 30
_NIGHTS, _LONG = 300, 1_000
_LINK = 30e-6
_MOST_MB, _MOST_RATIO, _MOST_FILES = 350, 1.75, 1.1
_STEPS = ("incremental audit", "curate", "check", "export", "idle night", "status")


def main() -> None:
    """Measure, print the tables, end with 1 if a demanded figure is missed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--long", action="store_true")
    times = _LONG if parser.parse_args().long else _NIGHTS
    report = Report(name="growth")
    _memory(report)
    _symbols(report)
    _nights(report, times)
    _hours(report, times)
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
    report.figures["a link"] = many["a link"]
    report.demand("seconds of a link", many["a link"], at_most=_LINK)
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


def _slope(spans: Sequence[float]) -> tuple[float, float]:
    """The medians around the first third of the steps, and at their end."""
    third, wide = len(spans) // 3, max(2, len(spans) // 30)
    return statistics.median(spans[third - wide : third + wide]), statistics.median(spans[-2 * wide :])


def _nights(report: Report, times: int) -> None:
    """Many nights, one after another, against one night with as many sessions."""
    grown = _child("nights", DAYS, _FEW, times)
    once = _child("at once", DAYS, _FEW, times)
    early, late = _slope(grown["nights"])
    rows: list[tuple[object, ...]] = [
        ("seconds of a night, after a third and last", early, late, late / early)
    ]
    report.demand("t(last nights) / t(after a third)", late / early, at_most=_MOST_RATIO)
    for name in ("current", "facts"):
        rows.append((name, once[name], grown[name], grown[name] / once[name]))
        report.demand(
            f"{name} after {times} nights / after one", grown[name] / once[name], at_most=_MOST_FILES
        )
    report.figures["nights"] = {"grown": grown, "once": once}
    report.table(f"{times} nights of {_FEW} symbols", ["what", "a third, or at once", "last", "ratio"], rows)


def _hours(report: Report, times: int) -> None:
    """A stream that is captured for many hours: sealing each, curating and checking each day."""
    found = _child("hours", DAYS, 0, times)
    rows = []
    for name, spans in (("seal an hour", found["sealing"]), ("curate and check a day", found["days"])):
        early, late = _slope(spans)
        rows.append((name, early, late, late / early))
        report.demand(f"t(last) / t(after a third), {name}", late / early, at_most=_MOST_RATIO)
    report.figures["hours"] = found
    report.table(
        f"{times} live hours of 3,000 trades, seconds", ["step", "after a third", "last", "ratio"], rows
    )


if __name__ == "__main__":
    main()
