"""Claims tasks for every source that has room, fetches, and settles what the answers mean for the queue.

One thread a source; the main thread claims. Nothing is decoded here: pages lie durable in the journal, and the tasks
they answer are `fetched` until seal has made parts of them.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from fulltape.backfill import facts, plan, settle
from fulltape.backfill.fetch import Fetcher, Result, StoppedError, Work
from fulltape.core.time import SECOND, Clock, Instant
from fulltape.core.vendor import Ask, Outcome
from fulltape.lake import asks, journal
from fulltape.lake.asks import StoredAsk
from fulltape.ledger.budgets import Granted
from fulltape.ledger.queue import Task
from fulltape.stores import Event, Feed, Progress, Stores, silent


@dataclass(slots=True, kw_only=True)
class Report:
    """What was asked and answered; `more` says that tasks are left which only wait for sealing, `waiting` which
    sources have no room until when, and why."""

    asks: int = 0
    tasks: int = 0
    requests: int = 0
    pages: int = 0
    more: bool = False
    waiting: dict[str, tuple[str, Instant]] = field(default_factory=dict)
    stopped: dict[str, str] = field(default_factory=dict)
    unreachable: dict[str, str] = field(default_factory=dict)


def run_once(
    stores: Stores,
    clock: Clock,
    progress: Progress = silent,
    *,
    stop: threading.Event | None = None,
    stopped: Mapping[str, str] | None = None,
    unreachable: Mapping[str, str] | None = None,
) -> Report:
    """Fetch until nothing is left that a source may take and has room for, or until it is time to seal.

    `stopped` are sources that refused our credentials before, `unreachable` those that gave no answer, with the
    reasons: they are not asked again.
    """
    with stores.stage("backfill", clock):
        with stores.ledger.write():
            stores.ledger.budgets.forget(now=clock.steady())
            stores.ledger.requests.forget(clock.now() - 30 * 86_400 * SECOND)
        report = Report(stopped=dict(stopped or {}), unreachable=dict(unreachable or {}))
        return _Round(stores, clock, progress, stop or threading.Event(), report).run()


class _Round:
    """One run: its sources, their threads, and what they were given."""

    def __init__(
        self, stores: Stores, clock: Clock, progress: Progress, stop: threading.Event, report: Report
    ) -> None:
        self._stores = stores
        self._clock = clock
        self._progress = progress
        self._asked_to_stop = stop
        self._shut = threading.Event()
        self._report = report
        self._fetchers: dict[str, Fetcher] = {}
        self._busy: dict[str, Future[tuple[Work, Result]]] = {}
        self._resumable = resumable(stores, clock.now())
        self._started = clock.steady()
        self._total = len(stores.ledger.queue.open())

    def run(self) -> Report:
        """Claim, fetch, settle, until nothing moves."""
        with ThreadPoolExecutor(max_workers=max(1, len(self._stores.feeds))) as pool:
            try:
                while not self._asked_to_stop.is_set():
                    wake = self._hand_out(pool)
                    if not self._busy and wake is None:
                        break
                    self._wait(wake)
            except KeyboardInterrupt:
                self._progress(
                    Event(stage="backfill", sentence="stopping, once the answers on their way are here")
                )
                raise
            finally:
                self._shut.set()
                wait(self._busy.values())
                for fetcher in self._fetchers.values():
                    fetcher.close()
        self._collect(self._busy.values())
        return self._report

    def _hand_out(self, pool: ThreadPoolExecutor) -> Instant | None:
        """Give every idle source work; returns when the first one that lacks room will have some."""
        wake: Instant | None = None
        if self._time_to_seal():
            self._report.more = True
            return None
        for source, feed in self._stores.feeds.items():
            if source in self._busy or self._rests(source):
                continue
            room = self._stores.ledger.budgets.room(feed.vendor, feed.limits, now=self._clock.steady())
            if not isinstance(room, Granted):
                if room.room_at - self._clock.steady() > self._stores.rules.max_wait:
                    self._report.waiting[source] = (room.dimension, room.room_at)
                elif self._has_work(source, feed):
                    wake = min(wake, room.room_at) if wake else room.room_at
                continue
            work = self._next_work(source, feed)
            if work:
                self._report.asks += 1
                if source not in self._fetchers:
                    self._fetchers[source] = Fetcher(
                        self._stores, feed, self._clock, self._progress, self._shut
                    )
                self._busy[source] = pool.submit(self._fetch, feed, work)
                continue
            chance = self._stores.ledger.queue.next_chance(source, now=self._clock.now())
            if chance is not None and chance - self._clock.now() <= self._stores.rules.max_wait:
                wake = min(wake, chance) if wake else chance
        return wake

    def _rests(self, source: str) -> bool:
        """Whether a source is out for the rest of this run."""
        return any(
            source in why for why in (self._report.stopped, self._report.unreachable, self._report.waiting)
        )

    def _wait(self, wake: Instant | None) -> None:
        pause = max(0.0, (wake - self._clock.steady()) / SECOND) if wake is not None else None
        if not self._busy:
            self._clock.sleep(min(pause or 0.0, 0.5))
            return
        done, _ = wait(self._busy.values(), timeout=pause, return_when=FIRST_COMPLETED)
        self._collect(done)
        self._busy = {source: future for source, future in self._busy.items() if future not in done}

    def _collect(self, done: Iterable[Future[tuple[Work, Result]]]) -> None:
        for future in done:
            try:
                work, result = future.result()
            except StoppedError:
                continue
            self._report.tasks += len(work.tasks)
            total = max(self._total, self._report.tasks)
            self._progress(Event(stage="backfill", done=self._report.tasks, total=total, unit="tasks"))
            self._report.requests += result.requests
            self._report.pages += result.pages

    def _fetch(self, feed: Feed, work: Work) -> tuple[Work, Result]:
        source = feed.source.name
        result = self._fetchers[source].fetch(work)
        settle.settle(self._stores, source, work, result, self._clock.now())
        if result.outcome is Outcome.BAD_CREDENTIALS:
            self._report.stopped[source] = result.reason
        if result.unreachable and result.outcome is Outcome.TRANSIENT:
            self._report.unreachable[source] = result.reason
            self._progress(
                Event(stage="backfill", sentence=f"{source} cannot be reached, and is left alone for now")
            )
        if result.no_room:
            self._report.waiting[source] = (result.no_room.dimension, result.no_room.room_at)
        return work, result

    def _time_to_seal(self) -> bool:
        grown = sum(fetcher.journal_size for fetcher in self._fetchers.values())
        waited = self._clock.steady() - self._started
        rules = self._stores.rules
        return grown > 0 and (grown >= rules.seal_bytes or waited >= rules.seal_after)

    def _has_work(self, source: str, feed: Feed) -> bool:
        return bool(self._resumable.get(source)) or bool(self._plan(source, feed)[1])

    def _next_work(self, source: str, feed: Feed) -> Work | None:
        while self._resumable.get(source):
            stored = self._resumable[source].pop(0)
            if _renewed(self._stores, stored, self._clock.now()):
                return _resumed(stored)
        tasks, chosen = self._plan(source, feed)
        if not chosen:
            return None
        ask_id = uuid.uuid4().hex
        now = self._clock.now()
        with self._stores.ledger.write():
            attempts = self._stores.ledger.queue.claim(
                (tasks[one.task_id] for one in chosen),
                source=source,
                worker=self._stores.rules.worker,
                ask=ask_id,
                now=now,
                lease_until=now + self._stores.rules.lease,
            )
        mine = [tasks[task_id] for task_id in attempts]
        return _work(self._stores, ask_id, source, mine, attempts, now) if mine else None

    def _plan(self, source: str, feed: Feed) -> tuple[dict[int, Task], tuple[plan.Candidate, ...]]:
        capacity = facts.capacity(self._stores, source, feed)
        now = self._clock.now()
        first_days = {name: feed.first_day(name, now) for name in capacity}
        found = self._stores.ledger.queue.candidates(source, first_days, now=now)
        tasks = {
            task.task_id: task
            for task in found
            if task.instrument in self._stores.wanted[task.dataset].instruments
        }
        candidates = [facts.candidate(self._stores, task) for task in tasks.values()]
        return tasks, plan.claim(candidates, capacity)


def _work(
    stores: Stores, ask_id: str, source: str, tasks: list[Task], attempts: dict[int, int], now: Instant
) -> Work:
    wanted = stores.wanted[tasks[0].dataset]
    serves = stores.feeds[source].serves(tasks[0].dataset)
    assert serves is not None
    symbols = tuple(sorted(task.symbol for task in tasks))
    first, last = facts.asked(stores, source, tasks, now)
    span = wanted.calendar.span(first, last)
    ask = Ask(
        source=source,
        dataset=wanted.dataset.name,
        symbols=symbols,
        first=first,
        last=last,
        start=span.start,
        end=span.end,
        known=facts.known_symbols(stores, source, wanted, symbols),
        rows_per_page=serves.rows_per_page,
    )
    return Work(
        ask_id=ask_id,
        ask=ask,
        kind=tasks[0].kind,
        tasks=attempts,
        instruments={task.symbol: task.instrument for task in tasks},
    )


def resumable(stores: Stores, now: Instant) -> dict[str, list[StoredAsk]]:
    """Asks that an earlier run left open and whose tasks we still hold, by source; our other leases are given back."""
    held = {task.task_id: task for task in stores.ledger.queue.leased_by(stores.rules.worker)}
    paths = [path for path in stores.layout.journal_files(stores.rules.worker) if not journal.in_use(path)]
    found: dict[str, list[StoredAsk]] = {}
    resumed: set[int] = set()
    for stored in asks.collect(paths).asks.values():
        ours = {
            task_id
            for task_id, attempt in stored.record.tasks.items()
            if task_id in held and held[task_id].attempt == attempt
        }
        possible = stored.end is None and stored.whole and stored.record.ask.source in stores.feeds
        if possible and ours and _can_go_on(stored) and _renewed(stores, stored, now):
            found.setdefault(stored.record.ask.source, []).append(stored)
            resumed |= ours
    with stores.ledger.write():
        for task_id, task in held.items():
            if task_id not in resumed:
                stores.ledger.queue.release(
                    task_id, task.attempt, error="its worker died before it had an answer"
                )
    return found


def _renewed(stores: Stores, stored: StoredAsk, now: Instant) -> bool:
    """Take the leases of an interrupted ask up again; False if somebody else has all of its tasks by now."""
    with stores.ledger.write():
        ours = stores.ledger.queue.renew(
            stored.record.tasks, worker=stores.rules.worker, lease_until=now + stores.rules.lease
        )
    return bool(ours)


def _can_go_on(stored: StoredAsk) -> bool:
    pages = stored.sound_pages()
    return not pages or pages[-1].record.cursor is not None


def _resumed(stored: StoredAsk) -> Work:
    pages = stored.sound_pages()
    return Work(
        ask_id=stored.record.ask_id,
        ask=stored.record.ask,
        kind="resumed",
        tasks=stored.record.tasks,
        instruments=stored.record.instruments,
        resume=pages[-1].record.cursor if pages else None,
        pages=len(pages),
    )
