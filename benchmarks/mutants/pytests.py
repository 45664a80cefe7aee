"""pytest inside of a forked process: tests as they are with what they touch, or tests against a mutant."""

from __future__ import annotations

import gc
import importlib
import time
from collections import defaultdict
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import coverage
import pytest

from benchmarks.mutants import rooms
from benchmarks.mutants.changes import Mutant
from benchmarks.mutants.forks import Tell

_OPTIONS = ["-q", "-s", "-pno:randomly", "-pno:cacheprovider", "-pno:xdist"]
_PATIENCE, _LEAST = 3.0, 10.0
"""A test may take so many times as long as it does, and so many seconds more."""
_LONGEST = 150.0
_PRELOADED = (
    "h11",
    "httpx2",
    "msgspec",
    "numpy",
    "picows",
    "polars",
    "psycopg",
    "pydantic",
    "rich",
    "scipy.optimize",
)
_PRELOADED_TOO = ("stamina", "typer", "uvloop", "websockets", "xxhash")


def preload() -> None:
    """Import what all tests need and what starts no threads that a fork would lose."""
    for name in (*_PRELOADED, *_PRELOADED_TOO):
        importlib.import_module(name)


def _coverage() -> coverage.Coverage:
    paths = [str(path) for path in rooms.FILES]
    found = coverage.Coverage(data_file=None, config_file=False, include=paths, messages=False)
    found.set_option("run:disable_warnings", ["no-data-collected"])
    return found


@dataclass(eq=False)
class _Plugin:
    """Runs the tests that have been collected in its own way."""

    tell: Tell
    failed: str = ""

    @pytest.hookimpl(tryfirst=True)
    def pytest_load_initial_conftests(self) -> None:
        """The same examples each time, none of them remembered; the tests' own profile is built on this one."""
        from hypothesis import settings  # only once pytest may rewrite it

        settings.register_profile("mutants", derandomize=True, database=None)
        settings.load_profile("mutants")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note what has failed."""
        if report.failed and not self.failed:
            self.failed = report.nodeid


@dataclass(eq=False)
class Clean(_Plugin):
    """Tells how long each test takes and which lines it runs. What a shared fixture does is told by itself."""

    measuring: coverage.Coverage = field(default_factory=_coverage)
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    current: str = ""

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Only tests of this process."""
        items[:] = [item for item in items if not any(one in item.nodeid for one in rooms.SKIPPED)]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Measure."""
        self.measuring.start()
        for item, after in _pairs(session.items):
            self.tell({"limit": _LONGEST})
            self._switch(item.nodeid)
            began = time.perf_counter()
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
            self.seconds[item.nodeid] += time.perf_counter() - began
            if self.failed:
                self.tell({"failed": self.failed})
                self.failed = ""
        self.measuring.stop()
        for item in session.items:
            self.tell({"test": item.nodeid, "shared": _shared(item)})
        self._tell_all()
        return True

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Generator[None, object, object]:
        """Measure shared fixtures by themselves."""
        if fixturedef.scope == "function":
            return (yield)
        before, name, began = self.current, _name(fixturedef), time.perf_counter()
        self._switch(name)
        try:
            return (yield)
        finally:
            took = time.perf_counter() - began
            self.seconds[name] += took
            self.seconds[before] -= took
            self._switch(before)

    def _switch(self, name: str) -> None:
        self.current = name
        self.measuring.switch_context(name)

    def _tell_all(self) -> None:
        for name, seconds in self.seconds.items():
            self.tell({"name": name, "seconds": seconds})
        data = self.measuring.get_data()
        for path in data.measured_files():
            lines: dict[str, list[int]] = defaultdict(list)
            for line, names in data.contexts_by_lineno(path).items():
                for one in names:
                    lines[one].append(line)
            for name, numbers in lines.items():
                self.tell({"name": name, "path": rooms.name(Path(path)), "lines": numbers})


@dataclass(eq=False)
class Attempt(_Plugin):
    """Puts a mutant into the place of what it changes, and runs tests in a given order until one fails."""

    mutant: Mutant | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    """By test: how long it takes on code that is as it should be."""

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Only those, in their order."""
        places = {name: at for at, name in enumerate(self.seconds)}
        items[:] = sorted(
            (item for item in items if item.nodeid in places), key=lambda item: places[item.nodeid]
        )

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run them."""
        if len(session.items) < len(self.seconds):
            raise LookupError(f"{len(session.items)} of {len(self.seconds)} tests")
        if self.mutant is not None:
            _put(self.mutant)
        for item, after in _pairs(session.items):
            limit = _LEAST + _PATIENCE * self.seconds[item.nodeid]
            self.tell({"test": item.nodeid, "limit": limit})
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
            if self.failed:
                self.tell({"failed": self.failed})
                break
        self.tell({"ended": True})
        return True


def run(plugin: _Plugin, tests: Sequence[str]) -> None:
    """pytest over these files."""
    ended = pytest.main([*_OPTIONS, *tests], plugins=[plugin])
    if ended not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        raise RuntimeError(f"pytest ended with {ended}")


def _put(mutant: Mutant) -> None:
    """All functions made from the place that is changed do something else from now on, however they are wrapped."""
    importlib.import_module(rooms.module(mutant.path))
    code = mutant.code()
    assert code is not None
    for one in _functions(mutant, code):
        one.__code__ = code


def _functions(mutant: Mutant, code: CodeType) -> list[FunctionType]:
    found = [
        one
        for one in gc.get_objects()
        if isinstance(one, FunctionType)
        and one.__code__.co_qualname == code.co_qualname
        and one.__code__.co_filename == str(mutant.path)
    ]
    if not found:
        raise LookupError(mutant.name)
    return found


def _name(fixture: pytest.FixtureDef[Any]) -> str:
    """A shared fixture's name among those of tests."""
    return f"fixture {fixture.baseid}::{fixture.argname}"


def _shared(item: pytest.Item) -> list[str]:
    known: Mapping[str, Sequence[pytest.FixtureDef[Any]]] = item._fixtureinfo.name2fixturedefs  # type: ignore[attr-defined]
    return [_name(many[-1]) for many in known.values() if many and many[-1].scope != "function"]


def _pairs(items: Sequence[pytest.Item]) -> Iterator[tuple[pytest.Item, pytest.Item | None]]:
    return zip(items, [*items[1:], None], strict=True)
