"""Whether a source may take something now: its breaker, its budget, and work for it. The same for a run's threads and
for a simulated one."""

from __future__ import annotations

from dataclasses import dataclass, field

from fulltape.backfill.breakers import SourceBreakers
from fulltape.backfill.dispatch import TICK, Claim, Dispatcher
from fulltape.backfill.throughput import Throughput
from fulltape.context import NodeContext
from fulltape.ledger.allowance import Granted, Want
from fulltape.market.time import Clock, Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """Nothing now; `again` is when to look again, None if only a source's return can change it."""

    again: Instant | None = None


@dataclass(slots=True, kw_only=True)
class Out:
    """Sources that are out for the rest of a run, and why: the dimension and when there will be room; or words."""

    waiting: dict[str, tuple[str, Instant]] = field(default_factory=dict)
    stopped: dict[str, str] = field(default_factory=dict)
    unreachable: dict[str, str] = field(default_factory=dict)
    full: str = ""
    """Why nothing more is written: the disk has no room."""

    def __contains__(self, source: object) -> bool:
        return source in self.waiting or source in self.stopped or source in self.unreachable


class Admission:
    """Decides for one source at a time; `out` collects those that are out."""

    def __init__(self, context: NodeContext, clock: Clock, out: Out, *, urgent: bool = False) -> None:
        self._context = context
        self._clock = clock
        self._out = out
        self.throughput = Throughput(context, clock)
        self.breakers = SourceBreakers(context)
        self.dispatcher = Dispatcher(context, clock, self.throughput, out=out.__contains__, urgent=urgent)

    def closed(self, source: str, *, flying: int, owed: bool = False) -> Closed | None:
        """None if the source may send something now; `owed` says that it has interrupted work to go on with."""
        # Until a source has answered once, one conversation is enough to learn whether it answers at all.
        workers = self.throughput.workers(source) if self.breakers.ever_served(source) else 1
        if source in self._out or flying >= workers:
            return Closed()
        rest = self.breakers.rest(source, now=self._clock.now(), flying=flying)
        if rest is not None:
            return self._resting(source, rest - self._clock.now(), owed=owed)
        feed, now = self._context.feeds[source], self._clock.steady()
        room = self._context.ledger.budgets.room(feed.vendor, feed.limits, Want(kind=""), now=now)
        if isinstance(room, Granted):
            return None
        if room.room_at - now > self._context.rules.max_wait:
            self._out.waiting[source] = (room.dimension, room.room_at)
            return Closed()
        return Closed(again=room.room_at if owed or self.dispatcher.has_left(source) else None)

    def claim(self, source: str, *, others_busy: bool) -> Claim | Closed:
        """The next tasks of a source; else when it should look again: a tick later while others work on what it may
        take, or when a task that it was kept away from is free again."""
        claim = self.dispatcher.claim(source, idle=not others_busy)
        if claim:
            return claim
        now = self._clock.now()
        chance = self._context.ledger.tasks.next_chance(source, now=now)
        if chance is not None and chance - now <= self._context.rules.max_wait:
            return Closed(again=self._clock.steady() + chance - now)
        if others_busy and self.dispatcher.has_left(source):
            return Closed(again=self._clock.steady() + TICK)
        return Closed()

    def _resting(self, source: str, wait: int, *, owed: bool) -> Closed:
        """When a resting source may be tried again; one that rests longer than we may wait is out for this run."""
        if wait > self._context.rules.max_wait:
            self._out.waiting[source] = ("breaker", self._clock.steady() + wait)
            return Closed()
        return Closed(again=self._clock.steady() + wait if owed or self.dispatcher.has_left(source) else None)
