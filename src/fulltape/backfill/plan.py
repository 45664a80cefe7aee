"""The dispatcher's decisions: which tasks a source takes together, and what an outcome does to a task. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from fulltape.core.vendor import Outcome

MOST_PAGES = 10
"""Longer conversations would only make leases longer; shorter ones leave the last page of each symbol half empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A claimable task as the planner sees it; `rows` is what is expected at most."""

    task_id: int
    dataset: str
    instrument: str
    symbol: str
    first: dt.date
    last: dt.date
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What one request of a source can carry of a dataset, and from when it has history."""

    symbols_per_request: int
    rows_per_page: int
    first_day: dt.date


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFacts:
    """What decides whether a source may take a task: capacity by dataset, whom it must not be asked for, and what it
    has answered already, as (dataset, instrument) → ranges of dates."""

    capacity: Mapping[str, Capacity]
    forbidden: frozenset[tuple[str, str]]
    answered: Mapping[tuple[str, str], Sequence[tuple[dt.date, dt.date]]]


def may_take(candidate: Candidate, facts: SourceFacts) -> bool:
    """Whether the source serves all of the task's span and has not answered for it already."""
    capacity = facts.capacity.get(candidate.dataset)
    if capacity is None or candidate.first < capacity.first_day:
        return False
    if facts.forbidden & {(candidate.dataset, candidate.symbol), (candidate.dataset, "*")}:
        return False
    return not any(
        first <= candidate.first and candidate.last <= last
        for first, last in facts.answered.get((candidate.dataset, candidate.instrument), ())
    )


def claim(candidates: Sequence[Candidate], facts: SourceFacts) -> tuple[Candidate, ...]:
    """The tasks that a source takes next, as one ask: the first it may take, and others over the same sessions, as
    many as a request and `MOST_PAGES` pages carry. `candidates` come in the order of (kind, batch, id)."""
    seed = next((candidate for candidate in candidates if may_take(candidate, facts)), None)
    if seed is None:
        return ()
    capacity = facts.capacity[seed.dataset]
    taken = [seed]
    symbols = {seed.symbol}
    room = MOST_PAGES * capacity.rows_per_page - seed.rows
    for candidate in candidates:
        if len(taken) >= capacity.symbols_per_request:
            break
        same = (candidate.dataset, candidate.first, candidate.last) == (seed.dataset, seed.first, seed.last)
        if same and candidate.symbol not in symbols and candidate.rows <= room and may_take(candidate, facts):
            taken.append(candidate)
            symbols.add(candidate.symbol)
            room -= candidate.rows
    return tuple(taken)


Effect = Literal["none", "fail", "refuse", "hold", "stop"]
"""What an ask's end does beside sealing what is durable: nothing more; a failure is counted and the source leaves the
task alone for a while; the source has refused it for good; the source waits; the source stops for everything."""

_EFFECTS: dict[Outcome, Effect] = {
    Outcome.ROWS: "none",
    Outcome.EMPTY: "none",
    Outcome.NOT_ENTITLED: "refuse",
    Outcome.NOT_SUPPORTED: "refuse",
    Outcome.UNKNOWN_SYMBOL: "refuse",
    Outcome.NOT_YET: "hold",
    Outcome.BAD_CREDENTIALS: "stop",
    Outcome.BAD_REQUEST: "refuse",
    Outcome.CURSOR_REFUSED: "none",
    Outcome.RATE_LIMITED: "none",
    Outcome.TRANSIENT: "fail",
    Outcome.MALFORMED: "fail",
}


def effect(outcome: Outcome) -> Effect:
    """What an ask's end does to its tasks and its source."""
    return _EFFECTS[outcome]


def backoff(failures: int) -> int:
    """Seconds that a source leaves a failed task to others: a minute, doubling, at most an hour."""
    return int(min(60 * 2**failures, 3_600))
