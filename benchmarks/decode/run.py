"""Decoding a page, and carrying one from the wire to a sealed part, beside the bare libraries; `make bench-decode`."""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.decode import bare, ours, pages
from benchmarks.decode.pages import Case
from benchmarks.report import Report

_ROUNDS = 15
_NODES = 7


def _each(work: dict[str, Callable[[], object]]) -> dict[str, float]:
    """The best time of each (seconds), taken in turns so that a noisy minute strikes all alike."""
    best = dict.fromkeys(work, float("inf"))
    for _ in range(_ROUNDS):
        for name, one in work.items():
            gc.collect()
            begun = time.perf_counter()
            one()
            best[name] = min(best[name], time.perf_counter() - begun)
    return best


def _sealed(case: Case) -> float:
    """The best time (seconds) from a page's bytes to its sealed parts, each time in a node of its own."""
    best = float("inf")
    with tempfile.TemporaryDirectory() as folder:
        for at in range(_NODES):
            stores = ours.node(Path(folder) / str(at), case)
            gc.collect()
            begun = time.perf_counter()
            rows = ours.to_part(stores, case)
            best = min(best, time.perf_counter() - begun)
            stores.close()
            assert rows == case.rows
    return best


def _bare(case: Case, fastest: str) -> float:
    """The best time (seconds) of the same way by bare libraries."""
    best = float("inf")
    for _ in range(_NODES):
        with tempfile.TemporaryDirectory() as folder:
            gc.collect()
            begun = time.perf_counter()
            rows = bare.whole_way(bare.LIBRARIES[fastest], case, Path(folder))
            best = min(best, time.perf_counter() - begun)
            assert rows == case.rows
    return best


def main() -> None:
    """Measure both pages and print one table for each."""
    report = Report("decode")
    for case in (pages.many_symbols(), pages.one_symbol()):
        same = ours.decode(case)
        work: dict[str, Callable[[], object]] = {"fulltape": lambda case=case: ours.decode(case)}  # type: ignore[misc]
        for name, library in bare.LIBRARIES.items():
            assert library(case).equals(same), name
            work[name] = lambda case=case, library=library: library(case)  # type: ignore[misc]
        took = _each(work)
        first = min(bare.LIBRARIES, key=took.__getitem__)
        fastest = took[first]
        sealed, least = _sealed(case), _bare(case, first)
        rows = [
            (name, seconds * 1_000, case.rows / seconds, seconds / fastest)
            for name, seconds in sorted(took.items(), key=lambda item: item[1])
        ]
        rows.append(("fulltape: page → journal → part", sealed * 1_000, case.rows / sealed, sealed / fastest))
        rows.append(
            (f"{first}, bare: page → disk → Parquet", least * 1_000, case.rows / least, least / fastest)
        )
        report.table(case.name, ("", "ms", "rows a second", "÷ fastest"), rows)
        report.figures[case.name] = {**took, "to part": sealed, "to part, bare": least}
        report.demand(f"{case.name}: decode ÷ fastest library", took["fulltape"] / fastest, at_most=1.25)
        report.demand(
            f"{case.name}: to a sealed part, of decode's pace", took["fulltape"] / sealed, at_least=0.6
        )
    report.end()


if __name__ == "__main__":
    main()
