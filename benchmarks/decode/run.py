"""Decoding a page, and carrying one from the wire to a sealed part, beside the bare libraries; `make bench-decode`."""

from __future__ import annotations

import contextlib
import gc
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.decode import bare, ours, pages
from benchmarks.decode.pages import Case
from benchmarks.report import Report

_ROUNDS = 15
_NODES = 9
_LEAST = {10_000: 0.6, 50_000: 0.8}
"""By rows: the pace that the whole way must have, of the bare one's."""


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


@dataclass(slots=True)
class _Way:
    """From a page's bytes to its parts: the best wall and processor times (seconds; of all threads), and how often the disk
    was waited for."""

    wall: float = float("inf")
    processor: float = float("inf")
    syncs: int = 0

    def measure(self, one: Callable[[], int], rows: int) -> None:
        """Do it once."""
        gc.collect()
        with _counted() as syncs:
            begun, used = time.perf_counter(), time.process_time()
            done = one()
            self.wall = min(self.wall, time.perf_counter() - begun)
            self.processor = min(self.processor, time.process_time() - used)
        assert done == rows
        self.syncs = len(syncs)


@contextlib.contextmanager
def _counted() -> Iterator[list[int]]:
    """Counts what Python asks the disk to make durable. SQLite's own come on top: two a transaction."""
    found: list[int] = []
    genuine = os.fsync, os.fdatasync

    def counting(sync: Callable[[int], None]) -> Callable[[int], None]:
        def count(fd: int) -> None:
            found.append(fd)
            sync(fd)

        return count

    os.fsync, os.fdatasync = map(counting, genuine)  # type: ignore[assignment]
    try:
        yield found
    finally:
        os.fsync, os.fdatasync = genuine


def _ways(case: Case, fastest: str) -> tuple[_Way, _Way]:
    """Ours, each time in a node of its own, and the same way by bare libraries; in turns."""
    own, least = _Way(), _Way()
    with tempfile.TemporaryDirectory() as folder:
        for at in range(_NODES):
            context = ours.node(Path(folder) / str(at), case)
            own.measure(lambda context=context: ours.to_part(context, case), case.rows)  # type: ignore[misc]
            context.close()
            place = Path(folder) / f"bare-{at}"
            place.mkdir()
            least.measure(
                lambda place=place: bare.whole_way(bare.LIBRARIES[fastest], case, place),  # type: ignore[misc]
                case.rows,
            )
    return own, least


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
        own, least = _ways(case, first)
        rows = [
            (name, seconds * 1_000, case.rows / seconds, seconds / fastest)
            for name, seconds in sorted(took.items(), key=lambda item: item[1])
        ]
        report.table(case.name, ("", "ms", "rows a second", "÷ fastest"), rows)
        report.table(
            f"{case.name}, from a page to parts on the disk",
            ("", "ms", "processor ms", "rows a second", "syncs"),
            [
                (name, way.wall * 1_000, way.processor * 1_000, case.rows / way.wall, way.syncs)
                for name, way in ((f"{first}, bare", least), ("fulltape", own))
            ],
        )
        report.figures[case.name] = {**took, "to part": asdict(own), "to part, bare": asdict(least)}
        report.demand(f"{case.name}: decode ÷ fastest library", took["fulltape"] / fastest, at_most=1.25)
        report.demand(
            f"{case.name}: page to part ÷ the bare way, of its processor time",
            least.processor / own.processor,
            at_least=_LEAST[case.rows],
        )
    report.end()


if __name__ == "__main__":
    main()
