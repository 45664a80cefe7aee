"""Which files are mutated, and which tests may tell."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
_PACKAGE = ROOT / "src" / "fulltape"
_ELSEWHERE = ("postgres.py", "backup.py", "__init__.py")
FILES = [
    *(
        path
        for room in ("ledger", "seal", "curate")
        for path in sorted((_PACKAGE / room).rglob("*.py"))
        if path.name not in _ELSEWHERE
    ),
    _PACKAGE / "lake" / "journal.py",
    _PACKAGE / "market" / "ranges.py",
    *(
        _PACKAGE / "coverage" / name
        for name in ("series.py", "silence.py", "facts.py", "ranged.py", "projection.py", "verdict_ranges.py")
    ),
]
TESTS = [
    *(
        f"tests/{room}"
        for room in (
            "market",
            "contract",
            "decoding",
            "cells",
            "ledger",
            "lake",
            "backfill",
            "stages",
            "live",
        )
    ),
    "tests/test_reader.py",
]
SKIPPED = (
    "postgres",
    "tests/market/test_calendars.py",
    "tests/ledger/test_backup.py",
    "tests/stages/test_kill.py",
    "tests/stages/test_many_",
    "tests/live/test_kill_",
    "tests/live/test_services.py",
    "tests/live/test_connection_care.py",
    "tests/live/test_closed_loop.py",
    "tests/live/test_following.py",
    "tests/live/test_one_bad_name.py",
    "tests/live/test_subscribing.py",
    "test_a_quiet_symbols_empty_history_is_a_comparison",
    "test_bars_that_a_broken_connection_lost_come_back",
)
"""In the ids of tests that need another engine or process, that wait for most of their time, or that say nothing about
these files."""


def name(path: Path) -> str:
    """A mutated file's name, as in `ledger/queue.py`."""
    return path.relative_to(_PACKAGE).as_posix()


def module(path: Path) -> str:
    """The module that a file holds."""
    return path.relative_to(_PACKAGE.parent).with_suffix("").as_posix().replace("/", ".")


def tests() -> list[str]:
    """The files of tests."""
    found: list[Path] = []
    for one in TESTS:
        path = ROOT / one
        found += sorted(path.rglob("test_*.py")) if path.is_dir() else [path]
    names = [path.relative_to(ROOT).as_posix() for path in found]
    return [one for one in names if not any(skipped in one for skipped in SKIPPED)]
