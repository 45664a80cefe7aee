"""What a capture process tells of itself: a small file beside its journals, written anew every second."""

from __future__ import annotations

import contextlib
from pathlib import Path

import msgspec

from fulltape.market.time import SECOND

OLD = 10 * SECOND
"""A state that is older than this was told by a process that is gone."""


class CapturedChannel(msgspec.Struct, frozen=True, kw_only=True):
    """One subscription: whether it is live, and when it last delivered (UTC nanoseconds, 0: never)."""

    dataset: str
    symbol: str
    live: bool
    last: int


class CapturedSource(msgspec.Struct, frozen=True, kw_only=True):
    """One source since the process began; `lag` is the longest time from receipt to durable in the last sync, in seconds."""

    source: str
    state: str
    reason: str
    reconnects: int
    messages: int
    bytes: int
    durable: int
    lag: float
    dropped: int
    trouble: str
    journal: str
    channels: tuple[CapturedChannel, ...]


class CaptureState(msgspec.Struct, frozen=True, kw_only=True):
    """All sources of a process at one moment (UTC nanoseconds). In this `boot` of the machine the wall clock is `apart` from
    the time since boot, and has been since `since`, as it tells it; '' where nothing is known."""

    at: int
    running: bool
    process: int
    sources: tuple[CapturedSource, ...]
    boot: str = ""
    apart: int = 0
    since: int = 0


def write(path: Path, state: CaptureState) -> None:
    """Replace the file whole. Nothing relies on it after a crash, so a disk that refuses is no reason to stop."""
    temporary = path.with_suffix(".tmp")
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(msgspec.json.encode(state))
        temporary.replace(path)


def read(path: Path) -> CaptureState | None:
    """What was told last, None where nothing was."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=CaptureState)
    except (OSError, ValueError, msgspec.MsgspecError):
        return None
