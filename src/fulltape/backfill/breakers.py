"""Keeps the breakers of a run's sources: who is left alone after failing, who is tried again, who has healed."""

from __future__ import annotations

import threading

from fulltape.backfill.work import Result
from fulltape.context import NodeContext
from fulltape.contract import breaker
from fulltape.contract.vendor import Outcome
from fulltape.market.time import Instant


class SourceBreakers:
    """The breakers as the ledger has them, and which sources this run has heard of."""

    def __init__(self, context: NodeContext) -> None:
        self._context = context
        self._turn = threading.Lock()
        self._breakers = {source: context.ledger.breakers.of(source) for source in context.feeds}
        self._served: set[str] = set()

    def rest(self, source: str, *, now: Instant, flying: int) -> Instant | None:
        """Until when a source is left alone; None if it may be asked. With a trial on its way nothing else is asked."""
        with self._turn:
            source_breaker = self._breakers[source]
            if source_breaker.state == "closed":
                return None
            if source_breaker.state == "open":
                return source_breaker.until if now < source_breaker.until else None
            return source_breaker.until if flying and now < source_breaker.until else None

    def sent(self, source: str, *, now: Instant) -> None:
        """A fetch goes out: for a breaker that is not closed, it is the trial."""
        with self._turn:
            source_breaker = self._breakers[source]
            if source_breaker.state != "closed":
                self._store(breaker.trial(source_breaker, now=now) or source_breaker)

    def came_back(self, source: str, result: Result, *, now: Instant) -> bool:
        """Take a fetch's end into account; False if its failure says something about the source, not about its tasks."""
        with self._turn:
            source_breaker = self._breakers[source]
            if result.outcome is Outcome.TRANSIENT:
                # What was on its way when the breaker tripped fails for the same reason, and says nothing new.
                if source_breaker.state != "open":
                    self._store(breaker.failed(source_breaker, now=now, reason=result.reason))
                return source_breaker.state == "closed"
            if result.outcome not in (Outcome.RATE_LIMITED, Outcome.BAD_CREDENTIALS):
                self._served.add(source)
                if source_breaker.failures or source_breaker.state != "closed":
                    self._store(breaker.served(source_breaker))
            return True

    def ever_served(self, source: str) -> bool:
        """Whether this run had an answer from a source."""
        return source in self._served

    def _store(self, changed: breaker.Breaker) -> None:
        self._breakers[changed.source] = changed
        with self._context.ledger.write():
            self._context.ledger.breakers.record(changed)
