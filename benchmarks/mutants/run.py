"""`make mutants`: a sample of small changes of the code that decides what is true, and how many the tests notice."""

from __future__ import annotations

import argparse
import functools
import os
import random
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import FrameType

from benchmarks.mutants import changes, forks, pytests, rooms
from benchmarks.mutants.changes import Mutant
from benchmarks.mutants.forks import Done, Tell, Work
from benchmarks.mutants.measured import Measured, measured
from benchmarks.report import RESULTS, Report

_LEAST_KILLED = 85.0
_COUNT, _SEED, _WORKERS, _SECONDS = 400, 1, 2, 20.0
_LEFT = ("survived", "untested")


@dataclass(kw_only=True)
class Outcome:
    """What became of a mutant: `killed`, `timeout`, `survived`, or `untested` where no test runs its line."""

    mutant: Mutant
    kind: str
    by: str = ""
    tests: int = 0
    of: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class _Try:
    mutant: Mutant
    tests: Sequence[str]
    of: int


class Trial:
    """Tries a sample of mutants."""

    def __init__(self, args: argparse.Namespace, known: Measured) -> None:
        self.args = args
        self.outcomes: list[Outcome] = []
        self._known = known
        self._kills: dict[str, Counter[str]] = defaultdict(Counter)

    def run(self, sample: Sequence[Mutant]) -> None:
        """Try them all."""
        began = time.monotonic()
        for done in forks.run(self._work(sample), self.args.workers):
            outcome = _judged(done)
            self.outcomes.append(outcome)
            if outcome.by:
                self._kills[rooms.name(outcome.mutant.path)][outcome.by] += 1
            if outcome.kind in _LEFT or self.args.only:
                tried = f"{outcome.tests} of {outcome.of} tests"
                print(f"{outcome.kind}: {outcome.mutant.name} ({tried}) {outcome.by}", flush=True)
            if len(self.outcomes) % 20 == 0 or len(self.outcomes) == len(sample):
                left = sum(one.kind in _LEFT for one in self.outcomes)
                took = time.monotonic() - began
                print(f"{len(self.outcomes)} of {len(sample)}: {left} live, {took:.0f} s", flush=True)

    def _work(self, sample: Sequence[Mutant]) -> Iterator[tuple[_Try, Work]]:
        for mutant in sample:
            every = self._known.touching(mutant.path, mutant.lines)
            tests = self._in_order(mutant, every)
            if not tests:
                self.outcomes.append(Outcome(mutant=mutant, kind="untested"))
                print(f"untested: {mutant.name}", flush=True)
                continue
            seconds = {one: self._known.alone(one) for one in tests}
            yield (
                _Try(mutant=mutant, tests=tests, of=len(every)),
                functools.partial(_attempt, mutant, seconds),
            )

    def _in_order(self, mutant: Mutant, tests: Sequence[str]) -> list[str]:
        """First those that have killed neighbours, then the quick ones, within the time that there is; of a test with
        parameters first one case, and another only after all others had their turn."""
        kills, known = self._kills[rooms.name(mutant.path)], self._known
        ordered = sorted(tests, key=lambda one: ((0.05 + known.alone(one)) / (1 + 20 * kills[one]), one))
        turns: Counter[str] = Counter()
        turn: dict[str, int] = {}
        for one in ordered:
            turn[one] = turns[one.partition("[")[0]]
            turns[one.partition("[")[0]] += 1
        ordered.sort(key=lambda one: turn[one])  # stable
        return ordered if self.args.thorough else known.within(ordered, self.args.seconds)


def _attempt(mutant: Mutant, seconds: Mapping[str, float], tell: Tell) -> None:
    files = dict.fromkeys(one.partition("::")[0] for one in seconds)
    pytests.run(pytests.Attempt(tell, mutant=mutant, seconds=seconds), list(files))


def _judged(done: Done[_Try]) -> Outcome:
    of = done.what
    last = next((str(one["test"]) for one in reversed(done.told) if "test" in one), "")
    failed = next((str(one["failed"]) for one in done.told if "failed" in one), "")
    if not last:
        raise RuntimeError(f"{of.mutant.name}: {done.told}")
    if done.timed_out:
        kind = "timeout"
    else:
        kind = "killed" if failed or all("ended" not in one for one in done.told) else "survived"
    by = "" if kind == "survived" else failed or last
    return Outcome(mutant=of.mutant, kind=kind, by=by, tests=len(of.tests), of=of.of, seconds=done.seconds)


def chosen(args: argparse.Namespace) -> list[Mutant]:
    """The sample: each mutant of all files with the same chance, in the order of the draw."""
    every = [one for path in rooms.FILES for one in changes.of_file(path)]
    print(f"{len(every):,} mutants in {len(rooms.FILES)} files", flush=True)
    random.Random(args.seed).shuffle(every)
    found: list[Mutant] = []
    for one in every:
        if len(found) == args.count:
            break
        if (not args.only or one.name in args.only) and one.code() is not None:
            found.append(one)
    return found


def _told(outcomes: Sequence[Outcome], report: Report) -> None:
    """The table, the figures, and the survivors with their diffs."""
    by_file: dict[str, Counter[str]] = defaultdict(Counter)
    for one in outcomes:
        by_file[rooms.name(one.mutant.path)][one.kind] += 1
    columns = ("file", "mutants", "killed", "survived", "of these untested", "timeouts", "% killed")
    rows: list[list[object]] = []
    share = 0.0
    for name, counts in [*sorted(by_file.items()), ("all", sum(by_file.values(), Counter[str]()))]:
        left = sum(counts[kind] for kind in _LEFT)
        share = 100 * (1 - left / max(1, counts.total()))
        rows.append(
            [name, counts.total(), counts["killed"], left, counts["untested"], counts["timeout"], share]
        )
    report.table("Mutants", columns, rows)
    report.figures["files"] = [dict(zip(columns, row, strict=True)) for row in rows]
    report.figures["mutants"] = [
        {"name": one.mutant.name, "kind": one.kind, "by": one.by, "seconds": round(one.seconds, 2)}
        for one in outcomes
    ]
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{report.name}-survivors.txt"
    survivors = [one for one in outcomes if one.kind in _LEFT]
    survivors.sort(key=lambda one: (rooms.name(one.mutant.path), one.mutant.lines[-1], one.mutant.number))
    path.write_text("\n".join(_shown(one) for one in survivors))
    print(f"survivors: {path.relative_to(rooms.ROOT)}")
    report.demand("killed, %", share, at_least=_LEAST_KILLED)


def _shown(one: Outcome) -> str:
    tried = f"{one.kind}, {one.tests} of {one.of} tests, {one.seconds:.0f} s"
    return f"{one.mutant.name}  ({tried})\n{one.mutant.diff}\n"


def _stop(number: int, frame: FrameType | None) -> None:
    """Leave in order, so that no forked process stays."""
    sys.exit(128 + number)


def main() -> None:
    """Try the mutants, print the table, end with 1 if too many live."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=_COUNT, help="how many mutants")
    parser.add_argument("--seed", type=int, default=_SEED, help="which ones")
    parser.add_argument("--workers", type=int, default=_WORKERS, help="how many at once")
    parser.add_argument("--seconds", type=float, default=_SECONDS, help="of tests for each mutant at most")
    parser.add_argument("--thorough", action="store_true", help="every test that runs the line, however long")
    parser.add_argument("--only", action="append", help="only the mutant of this name; may be told often")
    parser.add_argument("--name", default="mutants", help="of the files with the results")
    args = parser.parse_args()
    os.chdir(rooms.ROOT)
    signal.signal(signal.SIGTERM, _stop)
    pytests.preload()
    trial = Trial(args, measured(args.workers))
    trial.run(chosen(args))
    report = Report(name=args.name)
    _told(trial.outcomes, report)
    report.end()


if __name__ == "__main__":
    main()
