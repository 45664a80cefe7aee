"""What is known of live capture: how far each series is proved, its sessions, and spans in which something may be missing.

An interval begins as unverified, or as verified where ids prove that nothing is missing:

    unverified --asked--> filling         history is being asked
    unverified --never--> unverifiable    no source has a history to ask, or too much time is over
    filling --whole--> verified           history holds all that was captured, and what was missing
    filling --again--> unverified         the answer did not reach it
    filling --lacking--> unverifiable     history itself lacks rows
    unverified --confirmed--> verified    the session's own answer says so
    unverified --lacking--> unverifiable
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from fulltape.market import ranges
from fulltape.market.time import Instant

IntervalState = Literal["unverified", "filling", "verified", "unverifiable"]
"""Of an interval: not looked at yet; history is being asked; history or ids have proved what happened in it; no
source can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSeries:
    """How far one series is proved: live until `live_to` (`open`: and still so when its newest journal
    ended; else `why` not)."""

    source: str
    dataset: str
    instrument: str
    symbol: str
    file: str
    live_to: Instant
    open: bool
    why: str = ""
    last_id: str = ""
    last_ts: Instant = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CapturedDay:
    """One series on one session: from when to when it was meant to be captured, and what came of it."""

    source: str
    dataset: str
    instrument: str
    symbol: str
    session: dt.date
    start: Instant
    end: Instant
    rows: int
    reconnects: int
    compared_at: Instant | None = None
    missed: int = 0
    no_history: bool = False
    extra: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A span of one series' session in which something may be missing, `start` to `end` in UTC microseconds."""

    source: str
    dataset: str
    instrument: str
    symbol: str
    session: dt.date
    start: Instant
    end: Instant
    kind: str
    state: IntervalState = "unverified"
    detail: str = ""
    """What was seen when it became doubtful: why a connection broke, how many ids are missing."""
    evidence: str = ""
    """What history said of it."""
    since: Instant = 0
    decided_at: Instant | None = None
    interval_id: int = 0


def lost(day: CapturedDay, doubtful: Iterable[Interval]) -> Instant:
    """How much of a captured session lies in these intervals, which may overlap, in microseconds."""
    if day.end <= day.start:
        return 0
    spans = ranges.normalise((interval.start, interval.end) for interval in doubtful)
    return ranges.size(ranges.clip(spans, day.start, day.end))
