"""Who takes what next: claims tasks for a source, of what was counted and shared out."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from fulltape.backfill import batching
from fulltape.backfill.bisection import Bisection
from fulltape.backfill.counting import Counter
from fulltape.backfill.facts import Planner
from fulltape.backfill.finder import TaskFinder
from fulltape.backfill.shares import Shares
from fulltape.backfill.throughput import Throughput
from fulltape.context import NodeContext
from fulltape.ledger.allowance import Granted, Want
from fulltape.ledger.task import Claimable, TaskClass
from fulltape.market.time import SECOND, Clock, Instant

TICK = SECOND
_NO_SHARE_FOR = 60 * SECOND


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Packed:
    """A request to be: its tasks, and the same as the planner sees them."""

    tasks: Sequence[Claimable]
    taken: Sequence[batching.Candidate]

    def only(self, task_ids: Mapping[int, int]) -> _Packed:
        """Without the tasks that others hold."""
        return _Packed(
            tasks=[task for task in self.tasks if task.task_id in task_ids],
            taken=[candidate for candidate in self.taken if candidate.task_id in task_ids],
        )


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
        self._context, self._clock, self._out = context, clock, out
        self.bisection = Bisection()
        self._finder = TaskFinder(context)
        self._counter = Counter(context, clock, throughput, self._finder, urgent=urgent)
        self._shares: Shares | None = None
        self._served: dict[str, float] = defaultdict(float)
        self._no_share: dict[tuple[str, str], Instant] = {}
        self._stale = False

    def recount(self) -> None:
        """What was counted is wrong by now: something happened that changes who may take what."""
        self._stale = True
        self._finder.forget_places()

    def claim(self, source: str, *, idle: bool = False) -> Claim | None:
        """Lease the tasks that this source should ask for next, None if there are none for it now.

        With `idle` no worker is busy: then what was counted a moment ago is counted again before we give up.
        """
        shares = self._counted()
        claim = self._claimed_by(source, shares)
        if claim is None and (
            shares.may_be_counted_again(self._clock.steady(), TICK)
            or (idle and self._may_have_changed(shares))
        ):
            claim = self._claimed_by(source, self._count())
        return claim

    def no_share(self, source: str, kind: str) -> None:
        """The kind may use no more of the source's day for now."""
        self._no_share[source, kind] = self._clock.steady() + _NO_SHARE_FOR

    def has_left(self, source: str) -> bool:
        """Whether tasks are queued that this source might take, as far as was counted."""
        return self._counted().has_left(source)

    def demand(self, vendor: str) -> Mapping[str, int]:
        """Requests that each kind still needs of a vendor today: those of open tasks, and the sessions still due."""
        return self._shares.demand.get(vendor, {}) if self._shares else {}

    def _counted(self) -> Shares:
        now = self._clock.steady()
        if (
            self._shares is None
            or (self._stale and self._shares.may_be_counted_again(now, TICK))
            or self._shares.is_old(now)
        ):
            return self._count()
        return self._shares

    def _count(self) -> Shares:
        self._stale = False
        # Another thread may put a source out while we count: here it is in or out all through.
        self._shares = self._counter.count(
            [source for source in self._context.feeds if not self._out(source)]
        )
        return self._shares

    def _may_have_changed(self, shares: Shares) -> bool:
        """Whether a count now might differ from the last one."""
        return self._stale or shares.claimed > 0 or self._clock.steady() > shares.counted_at

    def _claimed_by(self, source: str, shares: Shares) -> Claim | None:
        for of in shares.order(source, self._served):
            if self._has_share(source, of) and (claim := self._claim_of(source, of, shares)):
                return claim
        return None

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

    def _claim_of(self, source: str, of: TaskClass, shares: Shares) -> Claim | None:
        planner, now = shares.planners[source, of.dataset], self._clock.now()
        fetch_id = uuid.uuid4().hex
        # One transaction: what is found is locked, so that no other worker packs it meanwhile.
        with self._context.ledger.write():
            packed = self._packed(source, of, shares, now)
            attempts = self._context.ledger.queue.claim(
                packed.tasks,
                source=source,
                worker=self._context.rules.worker,
                fetch_id=fetch_id,
                now=now,
                lease_until=now + self._context.rules.lease,
            )
        if not attempts:
            shares.barren.add((source, of))
            return None
        packed = packed.only(attempts)
        shares.take(source, of, len(packed.taken))
        self._served[of.dataset] += planner.capacity.pages(sum(candidate.asked for candidate in packed.taken))
        return Claim(
            fetch_id=fetch_id,
            of=of,
            dataset=of.dataset,
            kind=of.kind,
            tasks=packed.tasks,
            attempts=attempts,
            planner=planner,
            taken=packed.taken,
        )

    def _packed(self, source: str, of: TaskClass, shares: Shares, now: Instant) -> _Packed:
        """The tasks of the next request."""
        planner = shares.planners[source, of.dataset]
        tasks = self._finder.find(source, of, planner, now)
        tasks, capacity = self.bisection.alike(source, of.dataset, tasks, planner.capacity)
        if tasks and tasks[0].start is not None:  # spans inside a session: only equal ones go together
            tasks = [task for task in tasks if (task.start, task.end) == (tasks[0].start, tasks[0].end)]
            capacity = replace(capacity, grouped=0)
        taken = batching.pack(
            [planner.candidate(task) for task in tasks], capacity, most_pages=shares.most_pages(source, of)
        )
        by_id = {task.task_id: task for task in tasks}
        return _Packed(tasks=[by_id[candidate.task_id] for candidate in taken], taken=taken)
