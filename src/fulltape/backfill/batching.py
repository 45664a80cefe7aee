"""Which tasks a source takes together, as one fetch. Pure.

A request carries so many symbols and a page so many rows. Tasks over the same sessions are taken as many as fill whole
pages best; others join as long as the box of all symbols and all sessions costs no page more than the tasks themselves.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fulltape.market.ranges import Range

MOST_PAGES = 10
"""Longer conversations would only make leases longer; shorter ones leave the last page of each symbol half empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A claimable task as the planner sees it, in positions of sessions.

    `life` are the positions for which its symbol is the right spelling and may be asked of the source; `rows` is what
    is expected at most; `beside` says how many sessions more are asked on either side.
    """

    task_id: int
    symbol: str
    span: Range
    life: Range
    rows: int
    beside: int = 0

    @property
    def rate(self) -> float:
        """Rows a session."""
        return self.rows / (self.span[1] - self.span[0])

    @property
    def asked(self) -> float:
        """Rows with those of the neighbouring sessions."""
        return self.rows + 2 * self.beside * self.rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What one request of a source can carry of a dataset; `grouped`: of how many symbols one whole session. It takes
    `look_ups` further requests a fetch, and `per_session` or `per_page` of them, as the source declares."""

    symbols_per_request: int
    rows_per_page: int
    grouped: int = 0
    look_ups: int = 0
    per_session: int = 0
    per_page: int = 1

    def pages(self, rows: float) -> int:
        """How many pages so many rows take; even an empty answer is one."""
        return max(1, math.ceil(rows / self.rows_per_page)) if self.rows_per_page else 1


def pack(
    candidates: Sequence[Candidate], capacity: Capacity, *, most_pages: int = MOST_PAGES
) -> tuple[Candidate, ...]:
    """The tasks to take as one fetch: the first one, and others with it. All are of one dataset, in order of dispatch."""
    if not candidates:
        return ()
    seed = candidates[0]
    together = grouped(candidates, capacity, most_pages)
    if together:
        return together
    alike: list[Candidate] = []
    others: list[Candidate] = []
    symbols: set[str] = set()
    for candidate in candidates:
        if candidate.span != seed.span or candidate.beside != seed.beside:
            others.append(candidate)
        elif candidate.symbol not in symbols and len(alike) < capacity.symbols_per_request:
            alike.append(candidate)
            symbols.add(candidate.symbol)
    taken = alike[: _fullest(alike, capacity, most_pages)]
    if len(taken) < len(alike):
        return tuple(taken)
    return tuple(_joined(taken, others, capacity, most_pages))


def grouped(candidates: Sequence[Candidate], capacity: Capacity, most_pages: int) -> tuple[Candidate, ...]:
    """Those of the first one's sessions, if asking for whole sessions of the market takes fewer requests."""
    if not candidates:
        return ()
    seed = candidates[0]
    sessions = seed.span[1] - seed.span[0] + 2 * seed.beside
    if not capacity.grouped or sessions > most_pages:
        return ()
    by_symbol: dict[str, Candidate] = {}
    for candidate in candidates:
        if (
            candidate.span == seed.span
            and candidate.beside == seed.beside
            and len(by_symbol) < capacity.grouped
        ):
            by_symbol.setdefault(candidate.symbol, candidate)
    return tuple(by_symbol.values()) if len(by_symbol) > sessions else ()


def requests(candidates: Iterable[Candidate], capacity: Capacity, *, window: int) -> int:
    """How many requests it takes to ask for all of them, chosen from `window` at a time as a dispatcher does."""
    total, candidates = _requests_grouped(list(candidates), capacity, window)
    if capacity.symbols_per_request == 1:
        candidates = sorted(candidates, key=lambda candidate: (candidate.symbol, candidate.span))
    feed = iter(candidates)
    seen = list(itertools.islice(feed, window))
    while seen:
        if capacity.symbols_per_request == 1:
            taken = pack([candidate for candidate in seen if candidate.symbol == seen[0].symbol], capacity)
        else:
            taken = pack(seen, capacity)
        gone = {candidate.task_id for candidate in taken}
        seen = [candidate for candidate in seen if candidate.task_id not in gone]
        seen += itertools.islice(feed, window - len(seen))
        total += _cost(taken, capacity)
    return total


def _requests_grouped(
    candidates: Sequence[Candidate], capacity: Capacity, window: int
) -> tuple[int, list[Candidate]]:
    """Requests for what is best asked for by whole sessions, and what is left."""
    if not capacity.grouped:
        return 0, list(candidates)
    total, left = 0, []
    kinds: dict[tuple[Range, int], list[Candidate]] = {}
    for candidate in candidates:
        kinds.setdefault((candidate.span, candidate.beside), []).append(candidate)
    for (span, beside), alike in kinds.items():
        sessions = span[1] - span[0] + 2 * beside
        if sessions <= MOST_PAGES and len(alike) > sessions:
            total += sessions * math.ceil(len(alike) / min(window, capacity.grouped))
        else:
            left += alike
    return total, left


def _fullest(alike: Sequence[Candidate], capacity: Capacity, most_pages: int) -> int:
    """How many of these to take so that their pages are as full as can be; of equals the most."""
    best, best_fill, rows = 1, 0.0, 0.0
    for count, candidate in enumerate(alike, start=1):
        rows += candidate.asked
        pages = capacity.pages(rows)
        if pages > most_pages:
            break
        fill = rows / pages
        if fill >= best_fill:
            best, best_fill = count, fill
    return best


def _joined(
    taken: list[Candidate], others: Sequence[Candidate], capacity: Capacity, most_pages: int
) -> list[Candidate]:
    """`taken` and those of other sessions that cost no page more."""
    symbols = {candidate.symbol for candidate in taken}
    first, stop = taken[0].span
    own = sum(candidate.asked for candidate in taken)
    rate = max(candidate.rate for candidate in taken)
    life = (max(candidate.life[0] for candidate in taken), min(candidate.life[1] for candidate in taken))
    for other in others:
        if other.symbol not in symbols and len(symbols) >= capacity.symbols_per_request:
            continue
        union = (min(first, other.span[0]), max(stop, other.span[1]))
        both = (max(life[0], other.life[0]), min(life[1], other.life[1]))
        if union[0] < both[0] or union[1] > both[1]:
            continue
        pages = capacity.pages(own + other.asked)
        count = len(symbols) + (other.symbol not in symbols)
        sessions = union[1] - union[0] + 2 * max(other.beside, taken[0].beside)
        if pages > most_pages or max(rate, other.rate) * count * sessions > pages * capacity.rows_per_page:
            continue
        taken.append(other)
        symbols.add(other.symbol)
        (first, stop), life, own, rate = union, both, own + other.asked, max(rate, other.rate)
    return taken


def _cost(taken: Sequence[Candidate], capacity: Capacity) -> int:
    """Requests of one fetch."""
    if capacity.per_session:
        return capacity.per_session * _sessions(taken)
    return capacity.pages(_box(taken)) * capacity.per_page + capacity.look_ups


def _sessions(taken: Sequence[Candidate]) -> int:
    """Sessions from the first to the last one asked."""
    sessions = max(candidate.span[1] for candidate in taken) - min(candidate.span[0] for candidate in taken)
    return sessions + 2 * max(candidate.beside for candidate in taken)


def _box(taken: Sequence[Candidate]) -> float:
    """Rows of all symbols over all sessions asked."""
    if all(candidate.span == taken[0].span for candidate in taken):
        return sum(candidate.asked for candidate in taken)
    return (
        max(candidate.rate for candidate in taken)
        * len({candidate.symbol for candidate in taken})
        * _sessions(taken)
    )
