"""In a process of its own, so that its memory is its own: what a node's stages cost. Prints JSON."""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from benchmarks.growth import hours, world
from benchmarks.growth.world import BEGIN, Fixed, World
from fulltape.audit import run as audit
from fulltape.check import run as check
from fulltape.curate import run as curate
from fulltape.export import run as export
from fulltape.node import nightly
from fulltape.reader import Reader
from fulltape.views import state

_TIMES = 5


def peak() -> float:
    """Megabytes that this process has had at most."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1_000


def timed(do: Callable[..., object], *what: object) -> float:
    """Seconds that something takes."""
    began = time.perf_counter()
    do(*what)
    return time.perf_counter() - began


class Links:
    """Counts and times the links that an export makes."""

    def __init__(self) -> None:
        self.count, self.seconds = 0, 0.0
        self._link = os.link

    def __enter__(self) -> Self:
        os.link = self._timed  # type: ignore[assignment]
        return self

    def __exit__(self, *_: object) -> None:
        os.link = self._link

    def _timed(self, source: Path, target: Path) -> None:
        began = time.perf_counter()
        self._link(source, target)
        self.seconds += time.perf_counter() - began
        self.count += 1


def first_load(node: World, dataset: str, sessions: int) -> dict[str, float]:
    """All stages over what has come at once, and over one more session."""
    clock = Fixed(BEGIN + sessions - 1)
    seconds = timed(nightly.run, node.context, clock)
    node.fill(dataset, BEGIN + sessions, BEGIN + sessions + 1)
    later = timed(nightly.run, node.context, Fixed(BEGIN + sessions))
    return {"first": seconds, "night": later}


def _chosen(symbols: int, changed: int) -> list[str]:
    """So many instruments, spread over all."""
    return world.names(symbols)[:: max(1, symbols // changed)][:changed] if changed else []


def steps(node: World, dataset: str, sessions: int, changed: int) -> dict[str, float]:
    """Medians of what a node does once it holds these sessions, with `changed` cells new each time."""
    only = _chosen(node.symbols, changed)
    nightly.run(node.context, Fixed(BEGIN + sessions - 1))
    found: dict[str, list[float]] = {}

    def note(name: str, do: Callable[..., object], *what: object) -> None:
        found.setdefault(name, []).append(timed(do, *what))

    context = node.context
    for at in range(BEGIN + sessions, BEGIN + sessions + _TIMES):
        if changed:
            node.fill(dataset, at, at + 1, only)
        clock = Fixed(at)
        note("incremental audit", audit.run_incremental, context, clock)
        note("curate", curate.run_once, context, clock)
        note("check", check.run_once, context, clock)
        with Links() as links:
            note("export", export.run_once, context, clock)
        found["export"][-1] -= links.seconds
        found.setdefault("a link", []).append(links.seconds / max(1, links.count))
        note("idle night", nightly.run, context, clock)
        note("status", state.cells, context, clock.now())
    if not changed:
        return {name: statistics.median(seconds) for name, seconds in found.items()}
    reader = Reader(context.folder)
    symbol, some = world.names(1)[0], world.names(node.symbols)[:50]
    day = world.CALENDAR.label(BEGIN + sessions - 1)
    for _ in range(_TIMES):
        note("scan of one symbol", lambda: reader.scan(dataset, symbols=[symbol]).collect())
        note("scan of one day", lambda: reader.scan(dataset, symbols=some, start=day, end=day).collect())
    return {name: statistics.median(seconds) for name, seconds in found.items()}


def nights(node: World, dataset: str, count: int) -> dict[str, object]:
    """Seconds of each of so many nights with one new session, and what is there in the end."""
    spans = []
    for at in range(BEGIN, BEGIN + count):
        node.fill(dataset, at, at + 1)
        spans.append(timed(nightly.run, node.context, Fixed(at)))
    return {"nights": spans, **held(node)}


def at_once(node: World, dataset: str, count: int) -> dict[str, object]:
    """What is there after a single night with as many sessions."""
    node.fill(dataset, BEGIN, BEGIN + count)
    nightly.run(node.context, Fixed(BEGIN + count - 1))
    return held(node)


def held(node: World) -> dict[str, object]:
    """Files of the lake without bundles and raw parts, and rows of the ledger's tables."""
    root = node.context.layout.root
    layers = ("curated", "qc", "profiles")
    current = sum(
        len(node.context.ledger.catalogue.current(layer, name))
        for name in node.context.wanted
        for layer in ("curated", "qc")
    )
    return {
        "files": sum(1 for layer in layers for path in (root / layer).rglob("*") if path.is_file()),
        "current": current,
        "facts": sum(1 for name in node.context.wanted for _ in node.context.ledger.coverage.spans(name)),
    }


def main(told: dict[str, object]) -> None:
    """Fill a node as told, and measure."""
    folder, what, dataset = Path(str(told["folder"])), str(told["what"]), str(told["dataset"])
    symbols, sessions = int(str(told["symbols"])), int(str(told["sessions"]))
    imports = peak()
    if what == "hours":
        print(json.dumps(hours.measured(folder, sessions)))
        return
    changed, minutes = int(str(told["changed"])), int(str(told["minutes"]))
    alive = set(_chosen(symbols, changed)) if what == "steps" else set(world.names(symbols))
    node = world.node(
        folder,
        [dataset],
        symbols,
        minutes=minutes,
        last=BEGIN + sessions + _TIMES,
        ended=(BEGIN + sessions - 1, [name for name in world.names(symbols) if name not in alive]),
        by_instrument=what == "steps",
    )
    if told["step"] == "fill":
        node.fill(dataset, BEGIN, BEGIN + sessions)
        node.context.ledger.close()
        return
    found: dict[str, object] = {}
    if what == "first":
        found |= first_load(node, dataset, sessions)
    elif what == "steps":
        found |= steps(node, dataset, sessions, changed)
    elif what == "nights":
        found |= nights(node, dataset, sessions)
    else:
        found |= at_once(node, dataset, sessions)
    node.context.ledger.close()
    print(json.dumps({**found, "imports": imports, "peak": peak()}))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
