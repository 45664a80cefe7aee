"""Claims tasks for every source that has room, fetches, and settles what the answers mean for the queue.

As many workers (threads) a source as fill its rate; the main thread claims. Nothing is decoded here: pages lie durable in the journal, and the tasks
they answer are `fetched` until seal has made parts of them.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from fulltape.backfill import facts, outcomes
from fulltape.backfill.admission import Admission, Closed, Out
from fulltape.backfill.dispatch import Claim
from fulltape.backfill.fetch import Fetcher
from fulltape.backfill.work import Result, StoppedError, Work
from fulltape.context import ConfiguredSource, Event, NodeContext, Progress, cancel, room, silent
from fulltape.context.jobs import StageReport
from fulltape.contract.vendor import FetchRequest, Outcome
from fulltape.lake import fetches, journal
from fulltape.lake.fetches import StoredFetch
from fulltape.market.time import SECOND, Clock, Instant, Span
from fulltape.schedule.rules import Trigger


@dataclass(slots=True, kw_only=True)
class BackfillReport(StageReport):
    """What was asked and answered; `more` says that tasks are left which only wait for sealing, `out` which sources
    took no further part, and why."""

    fetches: int = 0
    tasks: int = 0
    requests: int = 0
    pages: int = 0
    more: bool = False
    next_chance: Instant | None = field(default=None, metadata={"moment": True})
    """When a source may take something again that it had to leave now, in steady time."""
    out: Out = field(default_factory=Out)

    @property
    def complete(self) -> bool:
        """Whether every source could be asked for what it was needed for."""
        return not (self.out.stopped or self.out.unreachable or self.out.waiting or self.out.full)

    @property
    def triggers(self) -> tuple[Trigger, ...]:
        """See `StageReport`."""
        return ("closed",) if self.pages else ()

    @property
    def worth_again(self) -> Instant | None:
        """See `StageReport`."""
        return self.next_chance


def run_once(
    context: NodeContext,
    clock: Clock,
    progress: Progress = silent,
    *,
    stop: threading.Event | None = None,
    stopped: Mapping[str, str] | None = None,
    unreachable: Mapping[str, str] | None = None,
    urgent: bool = False,
) -> BackfillReport:
    """Fetch until nothing is left that a source may take and has room for, or until it is time to seal; `urgent`: only
    doubtful intervals of live capture, and what the user wants before everything else.

    `stopped` are sources that refused our credentials before, `unreachable` those that gave no answer, with the
    reasons: they are not asked again.
    """
    with context.stage("backfill", clock):
        with context.ledger.write():
            context.ledger.budgets.forget(now=clock.steady())
            context.ledger.requests.forget(clock.now() - 30 * 86_400 * SECOND)
            cancel.cancel(context, clock.now())
        report = BackfillReport(out=Out(stopped=dict(stopped or {}), unreachable=dict(unreachable or {})))
        return _Round(context, clock, progress, stop or threading.Event(), report, urgent).run()


class _Round:
    """One run: its sources, their workers (one thread each), and what they were given."""

    def __init__(
        self,
        context: NodeContext,
        clock: Clock,
        progress: Progress,
        stop: threading.Event,
        report: BackfillReport,
        urgent: bool,
    ) -> None:
        self._context = context
        self._clock = clock
        self._progress = progress
        self._asked_to_stop = stop
        self._shut = threading.Event()
        self._report = report
        self._urgent = urgent
        self._admission = Admission(context, clock, report.out, urgent=urgent)
        self._idle: dict[str, list[Fetcher]] = {source: [] for source in context.feeds}
        self._fetchers: list[Fetcher] = []
        self._busy: dict[Future[tuple[Work, Result]], str] = {}
        self._resumable = resumable(context, clock.now())
        self._started = clock.steady()
        self._total = len(context.ledger.tasks.open())

    def run(self) -> BackfillReport:
        """Claim, fetch, settle, until nothing moves."""
        workers = self._context.rules.workers * len(self._context.feeds)
        with ThreadPoolExecutor(max_workers=max(1, workers)) as pool:
            try:
                while not self._asked_to_stop.is_set():
                    wake = self._hand_out(pool)
                    if not self._busy and wake is None:
                        break
                    self._wait(wake)
            except KeyboardInterrupt:
                self._progress(Event(stage="backfill", kind="stopping"))
                raise
            finally:
                self._shut.set()
                wait(self._busy)
                for fetcher in self._fetchers:
                    fetcher.close()
        self._collect(list(self._busy))
        self._report.next_chance = self._next_chance()
        return self._report

    def _next_chance(self) -> Instant | None:
        """When a budget has room again, a source's rest ends, or a task may be taken by a source that was kept away from it."""
        now, ahead = self._clock.now(), self._clock.steady() - self._clock.now()
        chances = [self._context.ledger.tasks.next_chance(source, now=now) for source in self._context.feeds]
        moments = [at + ahead for at in chances if at is not None]
        moments += [room_at for _, room_at in self._report.out.waiting.values()]
        return min(moments, default=None)

    def _hand_out(self, pool: ThreadPoolExecutor) -> Instant | None:
        """Give every source with room work until no lane is free; returns when to look again, if that is soon."""
        if self._time_to_seal():
            self._report.more = True
            return None
        here = room.of(self._context)
        if here.tier == "least" or (here.tier == "low" and not self._urgent):
            self._report.out.full = here.sentence if self._total else ""
            return None
        wakes = [self._serve(pool, source, feed) for source, feed in self._context.feeds.items()]
        return min((wake for wake in wakes if wake is not None), default=None)

    def _serve(self, pool: ThreadPoolExecutor, source: str, feed: ConfiguredSource) -> Instant | None:
        """Fill the workers of one source; returns when it may have room or work again, in steady time."""
        while True:
            flying = sum(1 for busy in self._busy.values() if busy == source)
            closed = self._admission.closed(source, flying=flying, owed=bool(self._resumable.get(source)))
            if closed:
                return closed.again
            work = self._owed(source)
            if work is None:
                claim = self._admission.claim(source, others_busy=bool(self._busy))
                if isinstance(claim, Closed):
                    return claim.again
                work = _work(self._context, source, claim)
            self._admission.breakers.sent(source, now=self._clock.now())
            self._report.fetches += 1
            self._busy[pool.submit(self._fetch, self._fetcher_of(source, feed), feed, work)] = source

    def _owed(self, source: str) -> Work | None:
        """An interrupted fetch of an earlier run to go on with."""
        while self._resumable.get(source):
            stored = self._resumable[source].pop(0)
            if _renewed(self._context, stored, self._clock.now()):
                return _resumed(self._context, stored)
        return None

    def _fetcher_of(self, source: str, feed: ConfiguredSource) -> Fetcher:
        if not self._idle[source]:
            fetcher = Fetcher(
                self._context,
                feed,
                self._clock,
                self._progress,
                self._shut,
                self._admission.throughput,
                self._admission.dispatcher.demand,
            )
            self._fetchers.append(fetcher)
            return fetcher
        return self._idle[source].pop()

    def _wait(self, wake: Instant | None) -> None:
        pause = max(0.0, (wake - self._clock.steady()) / SECOND) if wake is not None else None
        if not self._busy:
            self._clock.sleep(min(pause or 0.0, 0.5))
            return
        done, _ = wait(self._busy, timeout=pause, return_when=FIRST_COMPLETED)
        self._collect(list(done))

    def _collect(self, done: list[Future[tuple[Work, Result]]]) -> None:
        for future in done:
            self._busy.pop(future)
            try:
                work, result = future.result()
            except StoppedError:
                continue
            self._report.tasks += len(work.tasks)
            total = max(self._total, self._report.tasks)
            self._progress(Event(stage="backfill", done=self._report.tasks, total=total, unit="tasks"))
            self._report.requests += result.requests
            self._report.pages += result.pages

    def _fetch(self, fetcher: Fetcher, feed: ConfiguredSource, work: Work) -> tuple[Work, Result]:
        source = feed.source.name
        try:
            result = fetcher.fetch(work)
        finally:
            self._idle[source].append(fetcher)
        now = self._clock.now()
        healthy = self._admission.breakers.came_back(source, result, now=now)
        blame = outcomes.Blame(tasks=healthy, symbols=self._to_blame(source, work, result))
        outcomes.settle(self._context, source, work, result, now, blame)
        if result.no_room and result.no_room.dimension == "kind_share":
            self._admission.dispatcher.no_share(source, work.kind)
        elif result.outcome not in (Outcome.ROWS, Outcome.EMPTY) or result.refused:
            self._admission.dispatcher.recount()
        if result.outcome is Outcome.BAD_CREDENTIALS:
            self._report.out.stopped[source] = result.reason
        if (
            result.unreachable
            and result.outcome is Outcome.TRANSIENT
            and not self._admission.breakers.ever_served(source)
        ):
            self._report.out.unreachable[source] = result.reason
            self._progress(Event(stage="backfill", kind="unreachable", fields={"source": source}))
        if result.no_room and result.no_room.dimension != "kind_share":
            self._report.out.waiting[source] = (result.no_room.dimension, result.no_room.room_at)
        return work, result

    def _to_blame(self, source: str, work: Work, result: Result) -> bool:
        """Whether a refusal of a whole fetch says something about each of its symbols."""
        bisection = self._admission.dispatcher.bisection
        symbols = set(work.fetch.symbols) - set(result.refused)
        if outcomes.refuses(result):
            return bisection.refused(source, work.fetch.dataset, symbols)
        if result.outcome in (Outcome.ROWS, Outcome.EMPTY):
            bisection.served(source, work.fetch.dataset, symbols)
        return True

    def _time_to_seal(self) -> bool:
        grown = sum(fetcher.journal_size for fetcher in self._fetchers)
        waited = self._clock.steady() - self._started
        rules = self._context.rules
        return grown > 0 and (grown >= rules.seal_bytes or waited >= rules.seal_after)


def _work(context: NodeContext, source: str, claim: Claim) -> Work:
    wanted = context.wanted[claim.dataset]
    symbols = tuple(sorted({task.symbol for task in claim.tasks}))
    hole = claim.tasks[0]
    if hole.start is not None and hole.end is not None:
        first = last = dt.date.fromisoformat(hole.first)
        span = Span(start=hole.start, end=hole.end)
    else:
        first, last = claim.planner.asked(claim.taken)
        span = wanted.calendar.span(first, last)
    fetch = FetchRequest(
        source=source,
        dataset=claim.dataset,
        symbols=symbols,
        first=first,
        last=last,
        start=span.start,
        end=span.end,
        narrow=hole.start is not None,
        known=facts.known_symbols(context, source, claim.dataset, claim.tasks),
        rows_per_page=claim.planner.capacity.rows_per_page,
        spellings={
            symbol: spelling
            for symbol in symbols
            if (spelling := context.spellings.get(source, {}).get(symbol)) is not None
        },
    )
    return Work(
        fetch_id=claim.fetch_id,
        fetch=fetch,
        kind=claim.kind,
        tasks=claim.attempts,
        instruments={task.symbol: task.instrument for task in claim.tasks},
    )


def resumable(context: NodeContext, now: Instant) -> dict[str, list[StoredFetch]]:
    """Asks that an earlier run left open and whose tasks we still hold, by source; our other leases are given back."""
    held = {task.task_id: task for task in context.ledger.tasks.leased_by(context.rules.worker)}
    paths = [path for path in context.layout.journal_files(context.rules.worker) if not journal.in_use(path)]
    by_source: dict[str, list[StoredFetch]] = {}
    resumed: set[int] = set()
    for stored in fetches.collect(paths).fetches.values():
        ours = {
            task_id
            for task_id, attempt in stored.record.tasks.items()
            if task_id in held and held[task_id].attempt == attempt
        }
        known = stored.record.fetch.source in context.feeds and stored.record.fetch.dataset in context.wanted
        possible = stored.end is None and stored.whole and known
        if possible and ours and _can_go_on(stored) and _renewed(context, stored, now):
            by_source.setdefault(stored.record.fetch.source, []).append(stored)
            resumed |= ours
    with context.ledger.write():
        for task_id, task in held.items():
            if task_id not in resumed:
                context.ledger.queue.release(
                    task_id, task.attempt, error="its worker died before it had an answer"
                )
    return by_source


def _renewed(context: NodeContext, stored: StoredFetch, now: Instant) -> bool:
    """Take the leases of an interrupted fetch up again; False if other workers have all of its tasks by now."""
    with context.ledger.write():
        ours = context.ledger.queue.renew(
            stored.record.tasks, worker=context.rules.worker, lease_until=now + context.rules.lease
        )
    return bool(ours)


def _can_go_on(stored: StoredFetch) -> bool:
    pages = stored.sound_pages()
    return not pages or pages[-1].record.cursor is not None


def _resumed(context: NodeContext, stored: StoredFetch) -> Work:
    pages = stored.sound_pages()
    tasks = [context.ledger.tasks.get(task_id) for task_id in stored.record.tasks]
    return Work(
        fetch_id=stored.record.fetch_id,
        fetch=stored.record.fetch,
        kind=next((task.kind for task in tasks if task), "GAP"),
        tasks=stored.record.tasks,
        instruments=stored.record.instruments,
        resume=pages[-1].record.cursor if pages else None,
        pages=len(pages),
    )
