"""How fast and how surely each source answers, and what room its vendor has: what sharing out needs to know."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence

from fulltape.backfill.allocation import Seat
from fulltape.context import NodeContext
from fulltape.contract.plans import Limits
from fulltape.ledger.allowance import MARGIN, SPACED_BELOW
from fulltape.market.time import DAY, SECOND, Clock

_FRESH = 0.1
"""Weight of the newest answer in the running means."""
_GUESS = 0.5
"""Seconds for an answer of a source that was never asked."""
_SETTLING = 2.0
"""Seconds that a fetch costs beside its requests, for claiming, journaling and sealing: who would save less by taking
another one's task leaves it alone."""


class Throughput:
    """Running means of the time and the success of each source's requests, begun with those of the last day."""

    def __init__(self, context: NodeContext, clock: Clock) -> None:
        self._context = context
        self._clock = clock
        self._turn = threading.Lock()
        self._took: dict[str, float] = {}
        self._success: dict[str, float] = {}
        self._begin()

    def _begin(self) -> None:
        counted: dict[str, list[tuple[float, float, bool]]] = {}
        for row in self._context.ledger.requests.by_outcome(since=self._clock.now() - DAY):
            good = row["outcome"] not in ("transient", "malformed")
            counted.setdefault(row["source"], []).append((row["requests"], row["took_us"] / SECOND, good))
        for source, outcomes in counted.items():
            total = sum(count for count, _, _ in outcomes)
            self._took[source] = sum(count * took for count, took, _ in outcomes) / total
            self._success[source] = max(0.05, sum(count for count, _, good in outcomes if good) / total)

    def answered(self, source: str, *, took: int, good: bool) -> None:
        """Take one request into the means; `took` in microseconds."""
        with self._turn:
            self._took[source] = _mean(self._took.get(source), took / SECOND)
            self._success[source] = max(0.05, _mean(self._success.get(source), float(good)))

    def took(self, source: str) -> float:
        """Seconds that a source's answer takes."""
        return self._took.get(source, _GUESS)

    def success(self, source: str) -> float:
        """The share of a source's requests that are answered."""
        return self._success.get(source, 1.0)

    def workers(self, source: str) -> int:
        """How many conversations with a source are held at once: as many as fill its rate, at most what it allows."""
        limits = self._context.feeds[source].limits
        rate = min(_rates(limits, limits.per_minute), default=float("inf"))
        fill = (
            self._context.rules.workers if rate == float("inf") else math.ceil(rate * self.took(source)) + 2
        )
        return min(limits.concurrency or fill, fill, self._context.rules.workers)

    def seats(self, sources: Sequence[str]) -> list[Seat]:
        """The vendors of these sources with the room that they have now."""
        by_vendor: dict[str, list[str]] = {}
        for source in sources:
            by_vendor.setdefault(self._context.feeds[source].vendor, []).append(source)
        return [
            self._seat(vendor, tuple(vendor_sources)) for vendor, vendor_sources in sorted(by_vendor.items())
        ]

    def _seat(self, vendor: str, sources: tuple[str, ...]) -> Seat:
        limits = self._context.feeds[sources[0]].limits
        now = self._clock.steady()
        state = self._context.ledger.budgets.scope_state(vendor, limits, now=now)
        took = max(self.took(source) for source in sources)
        per_minute = state["per_minute"]
        spaced = 0 < per_minute < SPACED_BELOW
        fast = self.workers(sources[0]) / max(took, 0.001)
        if limits.per_second:
            fast = min(fast, limits.per_second / (1 + MARGIN / SECOND))
        if limits.per_hour:
            fast = min(fast, limits.per_hour / 3_600)
        breakers = self._context.ledger.breakers.all()
        rests = [breakers[source].until - self._clock.now() for source in sources if source in breakers]
        opens = max(0, state["closed_until"] - now, *(rests if len(rests) == len(sources) else [0])) / SECOND
        used = sum(state["today"]["requests_per_day"].values())
        allowed = 1 if spaced else per_minute
        return Seat(
            sources=sources,
            fast=fast,
            allowed=allowed,
            span=(60 / per_minute if spaced else 60) + MARGIN / SECOND,
            frees=tuple(state["frees"][-allowed:]) if allowed else (),
            opens=opens,
            finish=_SETTLING + took + (60 / per_minute if spaced else 1 / fast),
            success=min(self.success(source) for source in sources),
            left_today=float(max(0, limits.per_day - used)) if limits.per_day else None,
            per_day=float(limits.per_day) if limits.per_day else None,
            day_ends=(state["day_ends"] - now) / SECOND,
        )


def _rates(limits: Limits, per_minute: int) -> list[float]:
    """Requests a second by each window, with the margin that budgets keep."""
    windows = [
        (1, limits.per_second),
        (60, per_minute),
        (60, limits.weight_per_minute),
        (3_600, limits.per_hour),
    ]
    return [allowed / (span + MARGIN / SECOND) for span, allowed in windows if allowed]


def _mean(before: float | None, now: float) -> float:
    return now if before is None else before + _FRESH * (now - before)
