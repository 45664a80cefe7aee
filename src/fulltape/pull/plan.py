"""Which copies go."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from fulltape.bundle.listing import is_day


def superseded(days: Iterable[str], keep: int, current: Collection[str]) -> list[str]:
    """The bundles that go: all but the newest `keep`, and never a current one."""
    there = sorted(filter(is_day, days))
    return [day for day in there[: max(0, len(there) - keep)] if day not in current]
