"""Breakers: which sources are left alone for a while because they keep failing.

Its states, and what moves it:

    closed --failed--> closed             until it has failed so often in a row
    closed --failed--> open               nothing is asked for a while
    open --trial--> half-open             the time is over: one trial
    half-open --served--> closed
    half-open --failed--> open            twice as long
    half-open --trial--> half-open        the trial has not come back
    open --failed--> open                 what was on its way before
    open --served--> closed
    closed --served--> closed
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from fulltape.market.time import SECOND, Instant

State = Literal["closed", "open", "half-open"]
TRIPS_AFTER = 3
"""So many fetches in a row must fail before a source is left alone."""
TRIAL = 120 * SECOND
"""How long a half-open breaker waits for its one trial before it allows another."""
_FIRST_REST = 15 * SECOND
_LONGEST_REST = 300 * SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """A source's breaker. Open: nothing is asked before `until`. Half-open: one trial is on its way, and if it has not
    come back by `until`, another may be made."""

    source: str
    state: State = "closed"
    failures: int = 0
    """Asks that failed in a row."""
    until: Instant = 0
    reason: str = ""


def failed(breaker: Breaker, *, now: Instant, reason: str) -> Breaker:
    """After a fetch that failed: closed until it trips, then open for a time that doubles with every failed trial."""
    failures = breaker.failures + 1
    if failures < TRIPS_AFTER:
        return replace(breaker, failures=failures, reason=reason)
    rest = min(_FIRST_REST * 2 ** min(failures - TRIPS_AFTER, 10), _LONGEST_REST)
    return replace(breaker, state="open", failures=failures, until=now + rest, reason=reason)


def trial(breaker: Breaker, *, now: Instant) -> Breaker | None:
    """A breaker whose rest is over becomes half-open, for one trial; None while nothing may be asked."""
    if now < breaker.until:
        return None
    return replace(breaker, state="half-open", until=now + TRIAL)


def served(breaker: Breaker) -> Breaker:
    """After a fetch that was answered: closed."""
    return Breaker(source=breaker.source)
