"""Clocks for tests: time is one of the two things that are faked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from fulltape.market.time import SECOND, Instant


class FakeClock:
    """Stands still until somebody sleeps or moves it."""

    def __init__(self, now: Instant = 1_800_000_000 * SECOND) -> None:
        self._now = now
        self._turn = threading.Lock()

    def now(self) -> Instant:
        return self._now

    def steady(self) -> Instant:
        return self._now

    def sleep(self, seconds: float) -> None:
        with self._turn:
            self._now += int(seconds * SECOND)


class SkippingClock:
    """Real time, but sleeping skips instead of waiting; for runs against servers that look at the real clock."""

    def __init__(self) -> None:
        self._skipped = 0
        self._turn = threading.Lock()

    def now(self) -> Instant:
        return time.time_ns() // 1_000 + self._skipped

    def steady(self) -> Instant:
        return self.now()

    def sleep(self, seconds: float) -> None:
        with self._turn:
            self._skipped += int(seconds * SECOND)


def at(now: Instant) -> Callable[[], Instant]:
    """A clock's reading that stays as it is."""
    return lambda: now
