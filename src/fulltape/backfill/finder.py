"""Finds the queued tasks that a source may choose from, as many as it takes to fill a request."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

from fulltape.backfill import batching
from fulltape.backfill.facts import Planner
from fulltape.backfill.partition import Partition, Sizes, one_at_a_time, put
from fulltape.context import NodeContext
from fulltape.ledger.task import Claimable, TaskClass
from fulltape.market.time import Instant

_WINDOWS = 100
"""So many tasks of one instrument are looked at, for one request of a source that takes one symbol."""


class TaskFinder:
    """Where in the queue each source looks; what it remembers is of one count."""

    def __init__(self, context: NodeContext) -> None:
        self._context = context
        self._rows: Mapping[TaskClass, float] = {}
        self._partitions: dict[TaskClass, Partition] = {}
        self._after: dict[tuple[str, TaskClass], int] = {}
        self._not_whole: set[tuple[str, TaskClass]] = set()

    def begin(self, rows: Mapping[TaskClass, float]) -> None:
        """A new count begins; `rows` that a task of each class expects."""
        self._rows = rows
        self._not_whole.clear()

    def forget_places(self) -> None:
        """Look again from the first task on."""
        self._after.clear()

    def enough(self, of: TaskClass, planner: Planner) -> int:
        """How many tasks of a class fill a request, with some to choose from."""
        return planner.enough(self._rows.get(of, 1.0))

    def find(
        self, source: str, of: TaskClass, planner: Planner, now: Instant, *, most: int = 0
    ) -> list[Claimable]:
        """Tasks of a class that a source may take, in their order; at `most` so many, else as many as fill a request."""
        if planner.capacity.symbols_per_request == 1:
            if together := self._of_whole_sessions(source, of, planner, now, most):
                return together
            tasks = self._of_one_instrument(source, of, planner, now)
            return [task for task in tasks if task.symbol == tasks[0].symbol]
        while True:
            partition = self._partitions.get(of)
            before = partition.before if partition else ""
            tasks = self._context.ledger.tasks.candidates(
                source,
                of,
                first_day=planner.first_day,
                now=now,
                most=most or self.enough(of, planner),
                after=self._after.get((source, of), 0),
                before=before,
            )
            if tasks or not partition or not before:
                break
            # Further on; at last what the others were left and have not taken by now is anybody's.
            if not partition.widen():
                del self._partitions[of]
            self._after.clear()
        if before and tasks:
            self._after[source, of] = tasks[0].task_id - 1
        return [task for task in tasks if planner.knows(task)]

    def _of_whole_sessions(
        self, source: str, of: TaskClass, planner: Planner, now: Instant, most: int
    ) -> list[Claimable]:
        """Tasks of a source that is asked for whole sessions of the market, where that takes fewer requests."""
        if not planner.capacity.grouped or (source, of) in self._not_whole:
            return []
        tasks = self._context.ledger.tasks.candidates(
            source, of, first_day=planner.first_day, now=now, most=most or self.enough(of, planner)
        )
        tasks = [task for task in tasks if planner.knows(task)]
        if batching.grouped(
            [planner.candidate(task) for task in tasks], planner.capacity, batching.MOST_PAGES
        ):
            return tasks
        self._not_whole.add((source, of))
        return []

    def _of_one_instrument(
        self, source: str, of: TaskClass, planner: Planner, now: Instant
    ) -> list[Claimable]:
        """The tasks of the next instrument: of the first one queued, or behind a partition from the end of the alphabet."""
        stored, first_day = self._context.ledger.tasks, planner.first_day
        partition = self._partitions.get(of)
        while partition and partition.names:
            tasks = stored.candidates(
                source, of, first_day=first_day, now=now, most=_WINDOWS, instrument=partition.names[-1]
            )
            if tasks:
                return tasks
            partition.names.pop()
        first = stored.candidates(source, of, first_day=first_day, now=now, most=1)
        if not first or not planner.knows(first[0]):
            return []
        return stored.candidates(
            source, of, first_day=first_day, now=now, most=_WINDOWS, instrument=first[0].instrument
        )

    def divide(
        self,
        classes: Collection[TaskClass],
        planners: Mapping[tuple[str, str], Planner],
        quota: Mapping[tuple[str, TaskClass], float],
        sizes: Mapping[TaskClass, Sizes],
    ) -> None:
        """Say anew which instruments of each class are for sources of one symbol, by what was shared out to them."""
        before_now, self._partitions = self._partitions, {}
        for of in classes:
            capacities = {
                source: planners[source, of.dataset].capacity
                for source in of.eligible_sources or self._context.feeds
                if (source, of.dataset) in planners
            }
            single = one_at_a_time(capacities)
            if single and len(single) < len(capacities):
                size = sizes.get(of, Sizes())
                # What lies behind the partition is whole: as many tasks an instrument as the sample had.
                behind = math.ceil(sum(quota.get((source, of), 0.0) for source in single) / size.instrument)
                names = sorted(self._context.wanted[of.dataset].instruments)
                partition = put(before_now.get(of), names, behind=behind, fetch=size.request)
                if partition:
                    self._partitions[of] = partition
