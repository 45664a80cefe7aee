"""The only place that asks the machine what time it is."""

from __future__ import annotations

import ctypes
import mmap
import os
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, Self

from fulltape.market.time import Instant

_TIMEX, _TIME_ERROR = 512, 5
"""More bytes than a `struct timex` has, all zero: nothing is set. And the state of a clock that is not kept right."""
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Anchor(Protocol):
    """Where all processes of one boot agree on how far UTC is from the time since boot."""

    def __call__(self, boot: str, offset: int, *, since_boot: int, synchronised: bool) -> int:
        """The offset (µs) to count with; `offset` is what the caller's clocks say, `synchronised` whether the machine has
        put its clock right by others'."""
        ...


SHIFT = "FULLTAPE_CLOCK_SHIFT"
"""Names a file that shifts the clocks of all processes that are given it: for tests, in which weeks pass in minutes."""
_SHIFTS = struct.Struct("<qq")


class ClockShift:
    """Sixteen bytes that processes share: by how many nanoseconds the wall clock is elsewhere, and by how many every clock has
    jumped since."""

    def __init__(self, path: str) -> None:
        with Path(path).open("r+b") as file:
            self._bytes = mmap.mmap(file.fileno(), _SHIFTS.size)

    @staticmethod
    def create(path: Path, wall_ns: int) -> None:
        """A new file, by which the wall clock is this far away from the machine's."""
        path.write_bytes(_SHIFTS.pack(wall_ns, 0))

    @property
    def wall(self) -> int:
        """For the wall clock."""
        elsewhere, jumped = _SHIFTS.unpack(self._bytes)
        return int(elsewhere + jumped)

    @property
    def steady(self) -> int:
        """For clocks that nothing sets."""
        return int(_SHIFTS.unpack(self._bytes)[1])

    def jump(self, seconds: float) -> None:
        """Let so much time pass at once, for every process."""
        elsewhere, jumped = _SHIFTS.unpack(self._bytes)
        self._bytes[:] = _SHIFTS.pack(elsewhere, jumped + int(seconds * 1e9))


shift = ClockShift(os.environ[SHIFT]) if os.environ.get(SHIFT) else None
"""None outside of tests."""


def _since_boot() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) + (shift.steady if shift else 0)


def synchronised() -> bool:
    """Whether the kernel holds the wall clock for right: some service keeps it so. False where it does not say."""
    try:
        libc = ctypes.CDLL(None)
        state = libc.adjtimex(ctypes.create_string_buffer(_TIMEX))
    except (OSError, AttributeError):
        return False
    return bool(0 <= state < _TIME_ERROR)


def this_boot() -> str:
    """The name of this boot of the machine."""
    return _BOOT_ID.read_text().strip()


def wall_ns() -> int:
    """Wall time in UTC nanoseconds: for stamping every message, where more than this would cost too much."""
    return time.time_ns() + shift.wall if shift else time.time_ns()


def steady_seconds() -> float:
    """Seconds that only ever grow, for measuring how long something takes."""
    return time.monotonic() + (shift.steady / 1e9 if shift else 0.0)


def pause(seconds: float) -> None:
    """Block this thread."""
    time.sleep(seconds)


class SystemClock:
    """Wall time and steady time of this machine (see `market.time.Clock`).

    Steady time is the time since boot, plus an offset to UTC that stays the same until the next boot. With an `anchor`
    all processes share it. So a wall clock that is set forward refills no budget, and one that is set back neither
    reopens a window nor stops it, whichever process starts when. `boot`, `wall` and `since_boot` (ns) are the machine's.
    """

    def __init__(
        self,
        anchor: Anchor | None = None,
        *,
        boot: str | None = None,
        wall: Callable[[], int] = wall_ns,
        since_boot: Callable[[], int] = _since_boot,
        synchronised: Callable[[], bool] = synchronised,
    ) -> None:
        self._wall = wall
        self._since_boot = since_boot
        began = since_boot() // 1_000
        self._offset = wall() // 1_000 - began
        if anchor is not None:
            name = this_boot() if boot is None else boot
            self._offset = anchor(name, self._offset, since_boot=began, synchronised=synchronised())

    @classmethod
    def since_boot(cls) -> Self:
        """A clock whose steady time is that since boot: the same in every process until the next boot."""
        return cls(lambda _boot, _offset, *, since_boot, synchronised: 0)  # noqa: ARG005 — as an anchor is called

    def now(self) -> Instant:
        """Wall time, microseconds UTC."""
        return self._wall() // 1_000

    def steady(self) -> Instant:
        """Microseconds UTC that no setting of the wall clock changes."""
        return self._offset + self._since_boot() // 1_000

    def sleep(self, seconds: float) -> None:
        """Block this thread."""
        time.sleep(seconds)
