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
    """What one request of a source can carry of a dataset."""

    symbols_per_request: int
    rows_per_page: int


def claim(candidates: Sequence[Candidate], capacity: Mapping[str, Capacity]) -> tuple[Candidate, ...]:
    """The tasks that a source takes next, as one ask: the first one, and others over the same sessions, as many as a
    request and `MOST_PAGES` pages carry. `candidates` are those that it may take, in the order of (kind, batch, id);
    `capacity` is by dataset."""
    if not candidates:
        return ()
    seed = candidates[0]
    room = capacity[seed.dataset]
    taken = [seed]
    symbols = {seed.symbol}
    rows = MOST_PAGES * room.rows_per_page - seed.rows
    for candidate in candidates[1:]:
        if len(taken) >= room.symbols_per_request:
            break
        same = (candidate.dataset, candidate.first, candidate.last) == (seed.dataset, seed.first, seed.last)
        if same and candidate.symbol not in symbols and candidate.rows <= rows:
            taken.append(candidate)
            symbols.add(candidate.symbol)
            rows -= candidate.rows
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
