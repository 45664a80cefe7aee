"""What the tests do on code that is as it should be: measured once, kept as long as neither code nor tests change."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.mutants import forks, pytests, rooms
from benchmarks.mutants.forks import Tell, Told
from benchmarks.report import RESULTS

_KEPT = RESULTS / "mutants-measured.json"


@dataclass
class Measured:
    """What is known about the tests."""

    seconds: dict[str, float] = field(default_factory=dict)
    lines: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    """By file and test: the lines that it runs."""
    shared: dict[str, list[str]] = field(default_factory=dict)
    """By test: the fixtures that it shares with others, whose time is told by itself."""
    failed: list[str] = field(default_factory=list)
    """Tests that fail without a mutant."""

    def touching(self, path: Path, lines: range) -> list[str]:
        """The tests that run any of these lines."""
        known = self.lines.get(rooms.name(path), {})
        wanted = set(lines)
        return [one for one, ran in known.items() if not wanted.isdisjoint(ran)]

    def alone(self, test: str) -> float:
        """Seconds of a test that is the first of its process."""
        return self.seconds[test] + sum(self.seconds.get(one, 0.0) for one in self.shared[test])

    def within(self, tests: Sequence[str], seconds: float) -> list[str]:
        """The first of these tests, at least one, as far as they take no longer than that together."""
        found: list[str] = []
        ready: set[str] = set()
        for one in tests:
            new = set(self.shared[one]) - ready
            took = self.seconds[one] + sum(self.seconds.get(fixture, 0.0) for fixture in new)
            if found and took > seconds:
                continue
            seconds -= took
            ready |= new
            found.append(one)
        return found


def measured(workers: int) -> Measured:
    """From the last time, or anew."""
    mark = hashlib.sha256(repr((rooms.SKIPPED, rooms.TESTS)).encode())
    for folder in ("src", "tests"):
        for path in sorted((rooms.ROOT / folder).rglob("*")):
            if path.is_file() and path.suffix != ".pyc":
                mark.update(path.read_bytes())
    if _KEPT.exists() and (known := json.loads(_KEPT.read_text())).pop("mark") == mark.hexdigest():
        return Measured(**known)
    found = _measure(workers)
    RESULTS.mkdir(exist_ok=True)
    _KEPT.write_text(json.dumps({"mark": mark.hexdigest(), **vars(found)}))
    return found


def _measure(workers: int) -> Measured:
    """Run every file of tests in a process of its own."""
    print("which tests run which lines …", flush=True)
    work = ((name, functools.partial(_clean, name)) for name in rooms.tests())
    found = Measured()
    for done in forks.run(work, workers):
        if not any("ended" in one for one in done.told):
            print(f"{done.what} did not end: {done.told[-1:]}", flush=True)
            continue
        for one in done.told:
            _note(one, found)
    for failed in found.failed:
        print(f"FAILS WITHOUT A MUTANT, and is left out: {failed}", flush=True)
        found.shared.pop(failed, None)
    found.lines = {path: _by_test(known, found.shared) for path, known in found.lines.items()}
    print(f"{len(found.shared)} tests, {sum(found.seconds.values()):.0f} s", flush=True)
    return found


def _clean(name: str, tell: Tell) -> None:
    pytests.run(pytests.Clean(tell), [name])


def _note(told: Told, found: Measured) -> None:
    name = str(told.get("name", ""))
    if "failed" in told:
        found.failed.append(str(told["failed"]))
    elif "seconds" in told:
        found.seconds[name] = float(str(told["seconds"]))
    elif isinstance(numbers := told.get("lines"), list):
        found.lines.setdefault(str(told["path"]), {})[name] = numbers
    elif isinstance(fixtures := told.get("shared"), list):
        found.shared[str(told["test"])] = fixtures


def _by_test(lines: Mapping[str, list[int]], shared: Mapping[str, Sequence[str]]) -> dict[str, list[int]]:
    """What a shared fixture runs, each test runs that has it: it may be the first to need it."""
    found = {
        test: {*lines.get(test, ())}.union(*(lines.get(one, ()) for one in shared[test])) for test in shared
    }
    return {test: sorted(numbers) for test, numbers in found.items() if numbers}
