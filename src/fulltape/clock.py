"""The only place that asks the machine what time it is."""

from __future__ import annotations

import threading
import time

from fulltape.core.time import Instant


class SystemClock:
    """Wall time and steady time of this machine (see `core.time.Clock`).

    Steady time follows the wall, but never gains on the monotonic clock, nor runs back: a wall clock that is set
    forward refills no budget, and one that is set back does not reopen a window.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wall_at_start = time.time_ns()
        self._monotonic_at_start = time.monotonic_ns()
        self._latest = 0

    def now(self) -> Instant:
        """Wall time, microseconds UTC."""
        return time.time_ns() // 1_000

    def steady(self) -> Instant:
        """The smaller of wall time and start plus elapsed, never smaller than before."""
        with self._lock:
            elapsed = self._wall_at_start + time.monotonic_ns() - self._monotonic_at_start
            self._latest = max(self._latest, min(time.time_ns(), elapsed) // 1_000)
            return self._latest

    def sleep(self, seconds: float) -> None:
        """Block this thread."""
        time.sleep(seconds)
