"""Plays a scenario in simulated time: the real ledger, gate, dispatcher, budgets and settling; invented answers."""

from __future__ import annotations

import datetime as dt
import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass, field

from benchmarks.dispatch.scenario import Fault, Scenario
from fulltape.backfill import outcomes
from fulltape.backfill.admission import Admission, Closed, Out
from fulltape.backfill.dispatch import TICK, Claim
from fulltape.backfill.work import Result, Work
from fulltape.context import ConfiguredSource, NodeContext
from fulltape.contract.vendor import FetchRequest, Outcome
from fulltape.ledger.allowance import Granted, Want
from fulltape.market.time import DAY, SECOND, Instant

START: Instant = 1_800_000_000 * SECOND // DAY * DAY
START_DAY = dt.date(2027, 1, 15)
_ATTEMPTS = 4
_PATIENCE = 90 * SECOND
"""As `backfill.max_wait`: for longer nobody holds a task."""
Steps = Generator[Instant, None, None]


class SimulatedClock:
    """Stands still until the world moves it."""

    def __init__(self) -> None:
        self.at = START

    def now(self) -> Instant:
        """Simulated time."""
        return self.at

    def steady(self) -> Instant:
        """The same."""
        return self.at

    def sleep(self, seconds: float) -> None:
        """Nobody sleeps here: the world moves the clock."""
        raise NotImplementedError


@dataclass
class Vendor:
    """A vendor's own count: an exact sliding window and a cap a day."""

    per_minute: int
    per_day: int
    faults: list[Fault]
    window: deque[Instant] = field(default_factory=deque)
    today: int = 0
    day: int = 0
    served: int = 0
    refused: int = 0
    refused_in_storms: int = 0
    failed: int = 0

    def answer(self, at: Instant) -> tuple[int, Instant | None]:
        """The status, and when to come back."""
        elapsed = (at - START) / SECOND
        fault = next((one for one in self.faults if one.start <= elapsed < one.stop), None)
        if fault and fault.do == "outage":
            self.failed += 1
            return 503, None
        while self.window and self.window[0] <= at - 60 * SECOND:
            self.window.popleft()
        if at // DAY != self.day:
            self.day, self.today = at // DAY, 0
        allowed = fault.allowed if fault else self.per_minute
        if len(self.window) >= allowed or (self.per_day and self.today >= self.per_day):
            if fault:
                self.refused_in_storms += 1
            else:
                self.refused += 1
            return 429, (self.window[0] if self.window else at) + 61 * SECOND
        self.window.append(at)
        self.today += 1
        self.served += 1
        return 200, None


@dataclass
class Ending:
    """What a run came to. `idle` are seconds beyond a tick in which a source with room left alone what it might have
    taken and nobody else took soon."""

    makespan: float = 0.0
    requests: int = 0
    tasks: int = 0
    refused: int = 0
    idle: float = 0.0
    by_source: dict[str, dict[str, int]] = field(default_factory=dict)
    done: dict[tuple[str, tuple[str, ...], int, str], int] = field(default_factory=dict)
    """Tasks by (dataset, eligible sources, rows, source that brought them)."""


class World:
    """One run. With `told`, each source knows of its faults before they come."""

    def __init__(
        self, scenario: Scenario, context: NodeContext, clock: SimulatedClock, *, told: bool = False
    ) -> None:
        self._scenario = scenario
        self._context = context
        self._clock = clock
        self._admission = Admission(context, clock, Out())
        self._events: list[tuple[Instant, int, Callable[[], None]]] = []
        self._number = itertools.count()
        self._flying = dict.fromkeys(context.feeds, 0)
        self._wakes: set[Instant] = set()
        self._dice = random.Random(scenario.raw.get("seed", 1))
        self._vendors = {
            feed.vendor: Vendor(
                per_minute=feed.limits.per_minute,
                per_day=feed.limits.per_day,
                faults=[fault for fault in scenario.faults if fault.vendor == feed.vendor],
            )
            for feed in context.feeds.values()
        }
        self._idle_since: dict[str, Instant] = {}
        self._last_chance = dict.fromkeys(context.feeds, START)
        self.ending = Ending(
            by_source={source: {"requests": 0, "tasks": 0, "last_s": 0} for source in context.feeds}
        )
        if told:
            for fault in scenario.faults:
                if fault.do == "outage" or fault.allowed == 0:
                    self._at(START + int(fault.start * SECOND), self._warner(fault))

    def run(self) -> Ending:
        """Until nothing moves any more."""
        self._serve_all()
        while self._events:
            self._clock.at, _, act = heapq.heappop(self._events)
            act()
        for source in list(self._idle_since):
            self._busy_again(source, min(self._clock.at, self._last_chance[source]))
        ending = self.ending
        ending.refused = sum(one.refused for one in self._vendors.values())
        return ending

    def _warner(self, fault: Fault) -> Callable[[], None]:
        def warn() -> None:
            feed = next(feed for feed in self._context.feeds.values() if feed.vendor == fault.vendor)
            until = START + int(fault.stop * SECOND)
            self._context.ledger.budgets.closed(feed.vendor, feed.limits, until=until, now=self._clock.at)
            self._admission.dispatcher.recount()

        return warn

    def _at(self, when: Instant, act: Callable[[], None]) -> None:
        heapq.heappush(self._events, (max(when, self._clock.at), next(self._number), act))

    def _serve_all(self) -> None:
        for source in self._context.feeds:
            self._serve(source)

    def _serve(self, source: str) -> None:
        while True:
            closed = self._admission.closed(source, flying=self._flying[source])
            if closed is None:
                claim = self._admission.claim(source, others_busy=any(self._flying.values()))
                if not isinstance(claim, Closed):
                    self._start(source, claim)
                    continue
                if not self._vendor_flies(source) and claim.again is not None:
                    self._idle_since.setdefault(source, self._clock.at)
                closed = claim
            if closed.again is not None and closed.again not in self._wakes:
                self._wakes.add(closed.again)
                self._at(closed.again, self._waker(closed.again))
            return

    def _vendor_flies(self, source: str) -> bool:
        """Whether a source of the same vendor is at work: they share its room."""
        vendor = self._context.feeds[source].vendor
        return any(
            count for other, count in self._flying.items() if self._context.feeds[other].vendor == vendor
        )

    def _waker(self, when: Instant) -> Callable[[], None]:
        def wake() -> None:
            self._wakes.discard(when)
            self._serve_all()

        return wake

    def _busy_again(self, source: str, now: Instant) -> None:
        since = self._idle_since.pop(source, None)
        if since is not None:
            (seat,) = self._admission.throughput.seats([source])
            self.ending.idle += max(0.0, (now - since - TICK) / SECOND - seat.finish)

    def _start(self, source: str, claim: Claim) -> None:
        self._flying[source] += 1
        for other, feed in self._context.feeds.items():
            if feed.vendor == self._context.feeds[source].vendor:
                self._busy_again(other, self._clock.at)
        self._admission.breakers.sent(source, now=self._clock.at)
        for task_source in self._context.feeds:
            if not claim.of.eligible_sources or task_source in claim.of.eligible_sources:
                self._last_chance[task_source] = self._clock.at
        self._step(source, self._conversation(source, self._context.feeds[source], claim))

    def _step(self, source: str, steps: Steps) -> None:
        try:
            when = next(steps)
        except StopIteration:
            self._flying[source] -= 1
            self._serve_all()
            return
        self._at(when, lambda: self._step(source, steps))

    def _conversation(self, source: str, feed: ConfiguredSource, claim: Claim) -> Steps:
        wanted = self._context.wanted[claim.dataset]
        first, last = claim.planner.asked(claim.taken)
        symbols = sorted({task.symbol for task in claim.tasks})
        rows = wanted.rows(wanted.calendar.between(first, last)) * len(symbols)
        pages = claim.planner.capacity.pages(rows)
        result = Result(outcome=Outcome.ROWS)
        for _ in range(pages):
            yield from self._request(source, feed, claim, result)
            if result.outcome is not Outcome.ROWS:
                break
            result.pages += 1
        self._settle(source, claim, result, result.pages / pages, symbols)

    def _request(self, source: str, feed: ConfiguredSource, claim: Claim, result: Result) -> Steps:
        budgets = self._context.ledger.budgets
        told, attempts = 0, 0
        while True:
            while True:
                want = Want(
                    kind=claim.kind,
                    shares=self._context.rules.shares,
                    demand=self._admission.dispatcher.demand(feed.vendor),
                )
                room = budgets.reserve(feed.vendor, feed.limits, want, steady=self._clock.steady)
                if isinstance(room, Granted):
                    break
                if room.room_at - self._clock.at > _PATIENCE:
                    result.outcome, result.no_room = Outcome.RATE_LIMITED, room
                    return
                yield room.room_at
            result.requests += 1
            self.ending.requests += 1
            self.ending.by_source[source]["requests"] += 1
            sent = self._clock.at
            latency = int(self._scenario.latency[source] * SECOND)
            yield sent + latency // 2 + self._dice.randrange(-100_000, 100_000) * (latency > 250_000)
            status, again = self._vendors[feed.vendor].answer(self._clock.at)
            yield sent + latency
            self._admission.throughput.answered(source, took=latency, good=status != 503)
            if status == 200:
                budgets.served(feed.vendor, feed.limits, allowed=None, now=self._clock.at)
                return
            if status == 429:
                opens = budgets.closed(feed.vendor, feed.limits, until=again, now=self._clock.at)
                told += 1
                if told >= 3:
                    result.outcome, result.reason = Outcome.RATE_LIMITED, "HTTP 429"
                    return
                yield opens
            else:
                attempts += 1
                if attempts >= _ATTEMPTS:
                    result.outcome, result.reason = Outcome.TRANSIENT, "HTTP 503"
                    return
                yield self._clock.at + SECOND // 2 * 2**attempts

    def _settle(self, source: str, claim: Claim, result: Result, part: float, symbols: list[str]) -> None:
        """What came whole is done, the rest goes back, as sealing and settling have it."""
        context, now = self._context, self._clock.at
        whole = set(symbols[: int(len(symbols) * part)])
        done = [task for task in claim.tasks if task.symbol in whole]
        with context.ledger.write():
            attempts = {task.task_id: claim.attempts[task.task_id] for task in done}
            context.ledger.queue.finish_all(attempts, "done", now=now)
        healthy = self._admission.breakers.came_back(source, result, now=now)
        if len(done) < len(claim.tasks):
            left = {
                task.task_id: claim.attempts[task.task_id] for task in claim.tasks if task.symbol not in whole
            }
            result.pages = 0
            fetch = FetchRequest(
                source=source,
                dataset=claim.dataset,
                symbols=(),
                first=START_DAY,
                last=START_DAY,
                start=0,
                end=0,
            )
            work = Work(fetch_id=claim.fetch_id, fetch=fetch, kind=claim.kind, tasks=left, instruments={})
            outcomes.settle(context, source, work, result, now, outcomes.Blame(tasks=healthy))
            self._admission.dispatcher.recount()
        for task in done:
            key = (claim.dataset, claim.of.eligible_sources, task.expected_rows, source)
            self.ending.done[key] = self.ending.done.get(key, 0) + 1
        self.ending.tasks += len(done)
        self.ending.by_source[source]["tasks"] += len(done)
        if done:
            self.ending.makespan = (now - START) / SECOND
            self.ending.by_source[source]["last_s"] = (now - START) // SECOND
