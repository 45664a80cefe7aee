"""Who takes what next: counts what is queued, shares it out among the sources, and claims for one of them."""

from __future__ import annotations

import math
import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from fulltape.backfill import allocation, batching, facts, forecast
from fulltape.backfill.allocation import Load
from fulltape.backfill.bisection import Bisection
from fulltape.backfill.facts import Planner
from fulltape.backfill.partition import Partition, one_at_a_time, put
from fulltape.backfill.throughput import Throughput
from fulltape.context import NodeContext
from fulltape.ledger.allowance import Granted, Want
from fulltape.ledger.task import FIRST, Claimable, TaskClass
from fulltape.market.time import SECOND, Clock, Instant

TICK = SECOND
_RECOUNT_AFTER = 30 * SECOND
_SAMPLE = 300
_WINDOWS = 100
"""So many tasks of one instrument are looked at, for one request of a source that takes one symbol."""
_NO_SHARE_FOR = 60 * SECOND
_TASKS_A_SECOND = 100_000
"""Counting a million tasks takes some tenths of a second; it is not worth doing all the time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Tasks that a source holds now, to be asked for together."""

    fetch_id: str
    of: TaskClass
    dataset: str
    kind: str
    tasks: Sequence[Claimable]
    attempts: dict[int, int]
    planner: Planner
    taken: Sequence[batching.Candidate]


class Dispatcher:
    """The dispatcher of one process. What it counted may be old; the claim itself checks again. An `urgent` one hands out
    only what comes before all kinds: doubtful intervals, and what the user wants first."""

    def __init__(
        self,
        context: NodeContext,
        clock: Clock,
        throughput: Throughput,
        *,
        out: Callable[[str], bool],
        urgent: bool = False,
    ) -> None:
        self._context = context
        self._urgent = urgent
        self._clock = clock
        self._throughput = throughput
        self._out = out
        self.bisection = Bisection()
        self._planners: dict[tuple[str, str], Planner] = {}
        self._left: dict[TaskClass, int] = {}
        self._rows: dict[TaskClass, float] = {}
        self._quota: dict[tuple[str, TaskClass], float] = {}
        self._per_request: dict[tuple[str, TaskClass], float] = {}
        self._partitions: dict[TaskClass, Partition] = {}
        self._after: dict[tuple[str, TaskClass], int] = {}
        self._whole: dict[TaskClass, int] = {}
        self._ask: dict[TaskClass, int] = {}
        self._served: dict[str, float] = defaultdict(float)
        self._demand: dict[str, dict[str, int]] = {}
        self._no_share: dict[tuple[str, str], Instant] = {}
        self._counted_at: Instant | None = None
        self._stale = False
        self._claimed = 0
        self._dry: set[tuple[str, TaskClass]] = set()
        self._barren: dict[str, set[TaskClass]] = defaultdict(set)
        self._not_whole: set[tuple[str, TaskClass]] = set()

    def recount(self) -> None:
        """What was counted is wrong by now: something happened that changes who may take what."""
        self._stale = True
        self._after.clear()

    def claim(self, source: str, *, idle: bool = False) -> Claim | None:
        """Lease the tasks that this source should ask for next, None if there are none for it now.

        With `idle` no worker is busy: then what was counted a moment ago is counted again before we give up.
        """
        if self._is_old():
            self._count()
        found = self._claimed_by(source)
        if found is None and (self._may_count_again() or (idle and self._may_have_changed())):
            self._count()
            found = self._claimed_by(source)
        return found

    def _may_have_changed(self) -> bool:
        """Whether a count now might differ from the last one."""
        assert self._counted_at is not None
        return self._stale or self._claimed > 0 or self._clock.steady() > self._counted_at

    def no_share(self, source: str, kind: str) -> None:
        """The kind may use no more of the source's day for now."""
        self._no_share[source, kind] = self._clock.steady() + _NO_SHARE_FOR

    def has_left(self, source: str) -> bool:
        """Whether tasks are queued that this source might take, as far as was counted."""
        if self._is_old():
            self._count()
        return any(
            tasks > 0
            and (not of.eligible_sources or source in of.eligible_sources)
            and of not in self._barren[source]
            for of, tasks in self._left.items()
        )

    def demand(self, vendor: str) -> Mapping[str, int]:
        """Requests that each kind still needs of a vendor today: those of open tasks, and the sessions still due."""
        return self._demand.get(vendor, {})

    def _is_old(self) -> bool:
        if self._counted_at is None:
            return True
        if self._stale and self._may_count_again():
            return True
        tasks = sum(self._left.values())
        return self._clock.steady() - self._counted_at >= _RECOUNT_AFTER or self._claimed > max(
            50, (tasks + self._claimed) // 4
        )

    def _may_count_again(self) -> bool:
        """Whether the last count is at least a tick old, or more where counting takes long."""
        assert self._counted_at is not None
        pause = max(TICK, sum(self._left.values()) * SECOND // _TASKS_A_SECOND)
        return self._clock.steady() - self._counted_at >= pause

    def _order(self, source: str) -> list[TaskClass]:
        """The classes that a source may take from now, best first: kind, batch, then the dataset that had least, then
        the tasks that the fewest others could do."""
        found = [
            of
            for of, tasks in self._left.items()
            if tasks > 0
            and self._quota.get((source, of), 0.0) > 1e-6
            and (source, of) not in self._dry
            and self._has_share(source, of)
        ]
        return sorted(
            found,
            key=lambda of: (
                of.priority,
                of.batch,
                self._served[of.dataset],
                len(of.eligible_sources) or 99,
                of.eligible_sources,
                of.dataset,
            ),
        )

    def _has_share(self, source: str, of: TaskClass) -> bool:
        """Whether the kind of a class may still use some of the source's day."""
        feed = self._context.feeds[source]
        if not (feed.limits.per_day or feed.limits.credits_per_day):
            return True
        if self._no_share.get((source, of.kind), 0) > self._clock.steady():
            return False
        want = Want(kind=of.kind, shares=self._context.rules.shares, demand=self.demand(feed.vendor))
        room = self._context.ledger.budgets.room(feed.vendor, feed.limits, want, now=self._clock.steady())
        return isinstance(room, Granted) or room.dimension != "kind_share"

    def _claimed_by(self, source: str) -> Claim | None:
        for of in self._order(source):
            found = self._claim_of(source, of)
            if found:
                return found
        return None

    def _claim_of(self, source: str, of: TaskClass) -> Claim | None:
        planner = self._planner(source, of.dataset)
        now = self._clock.now()
        fetch_id = uuid.uuid4().hex
        per_request = self._per_request.get((source, of), 0.0)
        pages = int(self._quota[source, of] / per_request + 0.5) if per_request else batching.MOST_PAGES
        with self._context.ledger.write():
            found = self._found(source, of, planner, now)
            found, capacity = self.bisection.alike(source, of.dataset, found, planner.capacity)
            if found and found[0].start is not None:  # spans inside a session: only equal ones go together
                found = [task for task in found if (task.start, task.end) == (found[0].start, found[0].end)]
                capacity = replace(capacity, grouped=0)
            by_id = {task.task_id: task for task in found}
            taken = batching.pack(
                [planner.candidate(task) for task in found],
                capacity,
                most_pages=min(max(1, pages), batching.MOST_PAGES),
            )
            attempts = self._context.ledger.queue.claim(
                [by_id[one.task_id] for one in taken],
                source=source,
                worker=self._context.rules.worker,
                fetch_id=fetch_id,
                now=now,
                lease_until=now + self._context.rules.lease,
            )
        if not attempts:
            self._dry.add((source, of))
            self._barren[source].add(of)
            return None
        taken = tuple(one for one in taken if one.task_id in attempts)
        self._left[of] -= len(taken)
        self._quota[source, of] -= len(taken)
        self._claimed += len(taken)
        self._served[of.dataset] += planner.capacity.pages(sum(one.asked for one in taken))
        tasks = [by_id[one.task_id] for one in taken]
        return Claim(
            fetch_id=fetch_id,
            of=of,
            dataset=of.dataset,
            kind=of.kind,
            tasks=tasks,
            attempts=attempts,
            planner=planner,
            taken=taken,
        )

    def _found(
        self, source: str, of: TaskClass, planner: Planner, now: Instant, *, most: int = 0
    ) -> list[Claimable]:
        """Tasks to choose from, as many as it takes to fill a request."""
        symbols = planner.capacity.symbols_per_request
        if symbols == 1:
            if together := self._of_whole_sessions(source, of, planner, now, most):
                return together
            found = self._of_one_instrument(source, of, planner, now)
            return [task for task in found if task.symbol == found[0].symbol]
        while True:
            partition = self._partitions.get(of)
            before = partition.before if partition else ""
            found = self._context.ledger.tasks.candidates(
                source,
                of,
                first_day=planner.first_day,
                now=now,
                most=most or self._enough(of, planner),
                after=self._after.get((source, of), 0),
                before=before,
            )
            if found or not partition or not before:
                break
            # Further on; at last what the others were left and have not taken by now is anybody's.
            if not partition.widen():
                del self._partitions[of]
            self._after.clear()
        if before and found:
            self._after[source, of] = found[0].task_id - 1
        return [task for task in found if planner.knows(task)]

    def _enough(self, of: TaskClass, planner: Planner) -> int:
        return planner.enough(self._rows.get(of, 1.0))

    def _of_whole_sessions(
        self, source: str, of: TaskClass, planner: Planner, now: Instant, most: int
    ) -> list[Claimable]:
        """Tasks of a source that is asked for whole sessions of the market, where that takes fewer requests."""
        if not planner.capacity.grouped or (source, of) in self._not_whole:
            return []
        found = self._context.ledger.tasks.candidates(
            source, of, first_day=planner.first_day, now=now, most=most or self._enough(of, planner)
        )
        found = [task for task in found if planner.knows(task)]
        if batching.grouped(
            [planner.candidate(task) for task in found], planner.capacity, batching.MOST_PAGES
        ):
            return found
        self._not_whole.add((source, of))
        return []

    def _of_one_instrument(
        self, source: str, of: TaskClass, planner: Planner, now: Instant
    ) -> list[Claimable]:
        """The tasks of the next instrument: of the first one queued, or behind a fence from the end of the alphabet."""
        stored, first_day = self._context.ledger.tasks, planner.first_day
        partition = self._partitions.get(of)
        while partition and partition.names:
            found = stored.candidates(
                source, of, first_day=first_day, now=now, most=_WINDOWS, instrument=partition.names[-1]
            )
            if found:
                return found
            partition.names.pop()
        first = stored.candidates(source, of, first_day=first_day, now=now, most=1)
        if not first or not planner.knows(first[0]):
            return []
        return stored.candidates(
            source, of, first_day=first_day, now=now, most=_WINDOWS, instrument=first[0].instrument
        )

    def _put_fences(self) -> None:
        before_now, self._partitions = self._partitions, {}
        for of in self._left:
            capacities = {
                source: self._planners[source, of.dataset].capacity
                for source in of.eligible_sources or self._context.feeds
                if (source, of.dataset) in self._planners
            }
            single = one_at_a_time(capacities)
            if single and len(single) < len(capacities):
                # What lies behind the fence is whole: as many tasks an instrument as the sample had.
                tasks = sum(self._quota.get((source, of), 0.0) for source in single)
                behind = math.ceil(tasks / self._whole.get(of, 1))
                names = sorted(self._context.wanted[of.dataset].instruments)
                found = put(before_now.get(of), names, behind=behind, fetch=self._ask.get(of, 1))
                if found:
                    self._partitions[of] = found

    def _planner(self, source: str, dataset: str) -> Planner:
        return self._planners[source, dataset]

    def _count(self) -> None:
        """Count what is queued and share it out."""
        now = self._clock.now()
        self._stale = False
        # Another thread may put a source out while we count: here it is in or out all through.
        taking = [source for source in self._context.feeds if not self._out(source)]
        with self._context.ledger.write():
            self._context.ledger.queue.requeue_expired(now=now)
        census = {
            of: counted
            for of, counted in self._context.ledger.tasks.census().items()
            if of.dataset in self._context.wanted and (of.priority <= FIRST or not self._urgent)
        }
        self._left = {of: tasks for of, (tasks, _) in census.items()}
        self._rows = {of: rows / tasks for of, (tasks, rows) in census.items()}
        self._claimed = 0
        self._dry.clear()
        self._barren.clear()
        self._not_whole.clear()
        self._planners.clear()
        self._quota.clear()
        self._per_request.clear()
        groups: dict[tuple[int, int], list[Load]] = {}
        for of in self._left:
            eligible_sources = self._eligible_sources(of, taking, now)
            load = self._load(of, eligible_sources, now)
            if load:
                groups.setdefault((of.priority, of.batch), []).append(load)
        seats = self._throughput.seats(taking)
        shared = allocation.share([groups[key] for key in sorted(groups)], seats) if groups else {}
        for of in self._left:
            for source, part in shared.get(of, {}).items():
                self._quota[source, of] = part * self._left[of]
        self._put_fences()
        self._demand = forecast.demand(self._context, self._quota, self._per_request, now)
        self._counted_at = self._clock.steady()

    def _eligible_sources(self, of: TaskClass, taking: Sequence[str], now: Instant) -> list[str]:
        """Sources that may be asked for a class and take part."""
        wanted = self._context.wanted[of.dataset]
        found = [
            source
            for source in (of.eligible_sources or wanted.sources)
            if source in wanted.every_source and source in taking
        ]
        for source in found:
            if (source, of.dataset) not in self._planners:
                self._planners[source, of.dataset] = Planner(self._context.feeds[source], wanted, now)
        return found

    def _load(self, of: TaskClass, eligible_sources: Sequence[str], now: Instant) -> Load | None:
        """What a class costs each of its eligible sources; who is alone needs no estimate."""
        requests: dict[str, float] = {}
        for source in eligible_sources:
            tasks_a_request = 1.0
            if len(eligible_sources) > 1 or self._context.feeds[source].limits.per_day:
                sample = self._found(source, of, self._planners[source, of.dataset], now, most=_SAMPLE)
                if not sample:
                    self._barren[source].add(of)
                    continue
                planner = self._planners[source, of.dataset]
                if one_at_a_time({source: planner.capacity}):
                    self._whole[of] = len(sample)
                else:
                    full = batching.pack([planner.candidate(task) for task in sample], planner.capacity)
                    self._ask[of] = max(self._ask.get(of, 1), len(full))
                found = [planner.candidate(task) for task in sample]
                asked = batching.requests(found, planner.capacity, window=self._enough(of, planner))
                tasks_a_request = len(sample) / asked
                self._per_request[source, of] = tasks_a_request
            requests[source] = self._left[of] / tasks_a_request
        if not requests:
            return None
        return Load(
            key=of, requests=requests, preference=facts.preferences(self._context, of.dataset, requests)
        )
