"""`make bench-dispatch`: how near the dispatcher comes to what no dispatcher can beat."""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from benchmarks.dispatch import bound, scenario
from benchmarks.dispatch.scenario import Scenario
from benchmarks.dispatch.world import Ending, SimulatedClock, World
from benchmarks.report import Report
from fulltape.context import NodeContext

_FAST_DISK = Path("/dev/shm")
LARGE = 10_000
"""From so many requests on a makespan is compared with the bound."""


def main(only: Sequence[str]) -> None:
    """Play every scenario, print the table, end with 1 if a demanded figure is missed."""
    report = Report(name="dispatch")
    rows = []
    for path in sorted(scenario.SCENARIOS.glob("*.toml")):
        found = scenario.load(path)
        if not only or found.name in only:
            rows.append(_one(found, report))
            print(f"{found.name}: done", flush=True)
    report.table(
        "Dispatch in simulated time",
        ("scenario", "tasks", "requests", "makespan s", "bound s", "÷ bound", "÷ told", "requests ÷ least", "429", "idle s", "real s"),
        rows,
    )  # fmt: skip
    report.end()


def _one(found: Scenario, report: Report) -> list[object]:
    began = time.monotonic()
    tasks, ending = _played(found, told=False)
    took = time.monotonic() - began
    sources = allowances(found)
    least = bound.seconds(tasks, sources)
    ratio, waste = ending.makespan / least, ending.requests / fewest(tasks, sources, ending)
    name = found.name
    told: float | None = None
    if found.faults:
        told = ending.makespan / _played(found, told=True)[1].makespan
        report.demand(f"{name}: makespan ÷ that of a dispatcher told of the faults", told, at_most=1.05)
    else:
        if ending.requests >= LARGE:
            report.demand(f"{name}: makespan ÷ bound", ratio, at_most=1.05)
        report.demand(f"{name}: requests ÷ least", waste, at_most=1.02)
    report.demand(f"{name}: 429 of ours", ending.refused, at_most=0)
    report.demand(f"{name}: idle seconds beyond a tick", ending.idle, at_most=0)
    report.demand(f"{name}: tasks left", sum(work.tasks for work in tasks) - ending.tasks, at_most=0)
    report.figures[name] = {
        "title": found.title,
        "tasks": ending.tasks,
        "requests": ending.requests,
        "makespan_s": ending.makespan,
        "bound_s": least,
        "by_source": ending.by_source,
        "real_s": took,
    }
    return [
        name, ending.tasks, ending.requests, ending.makespan, least, ratio, told if told is not None else "",
        waste if not found.faults else "", ending.refused, ending.idle, took,
    ]  # fmt: skip


def _played(found: Scenario, *, told: bool) -> tuple[list[bound.Work], Ending]:
    folder = Path(tempfile.mkdtemp(dir=_FAST_DISK if _FAST_DISK.is_dir() else None))
    try:
        clock = SimulatedClock()
        context = scenario.build(found, folder, clock)
        try:
            return works(context), World(found, context, clock, told=told).run()
        finally:
            context.close()
    finally:
        shutil.rmtree(folder)


def works(context: NodeContext) -> list[bound.Work]:
    """Classes of equal tasks, as queued: of the same eligible sources and the same number of rows."""
    counts: Counter[tuple[str, str, int]] = Counter()
    windows: dict[str, dict[tuple[str, str], int]] = {}
    for name, wanted in context.wanted.items():
        for _, _, first, last, eligible_sources, _ in context.ledger.tasks.queued(name):
            rows = wanted.rows(wanted.calendar.span_of(first, last))
            counts[name, eligible_sources, rows] += 1
            windows.setdefault(name, {})[first, last] = rows
    return [
        bound.Work(
            tasks=tasks,
            rows=rows,
            mean_rows=sum(windows[name].values()) / len(windows[name]),
            windows=len(windows[name]),
            eligible_sources=tuple(eligible_sources.split(",")),
            dataset=name,
        )
        for (name, eligible_sources, rows), tasks in sorted(counts.items())
    ]


def allowances(found: Scenario) -> list[bound.Allowance]:
    """What the scenario's sources may do."""
    return [
        bound.Allowance(
            source=source["name"],
            vendor=source["name"].partition(".")[0],
            per_minute=source["per_minute"],
            per_day=source.get("per_day", 0),
            symbols_per_request=source["symbols_per_request"],
            rows_per_page=source["rows_per_page"],
            down=sum(
                fault.stop - fault.start
                for fault in found.faults
                if fault.vendor == source["name"].partition(".")[0]
            ),
        )
        for source in found.sources
    ]


def fewest(works: Sequence[bound.Work], sources: Sequence[bound.Allowance], ending: Ending) -> float:
    """The fewest requests that could have brought the same tasks from the same sources."""
    by_name = {source.source: source for source in sources}
    by_kind = {(work.dataset, work.eligible_sources, work.rows): work for work in works}
    return sum(
        done / bound.tasks_per_request(by_kind[dataset, eligible_sources, rows], by_name[source])
        for (dataset, eligible_sources, rows, source), done in ending.done.items()
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenario", nargs="*", help="only these scenarios")
    main(parser.parse_args().scenario)
