"""Counts what is queued and shares it out among the sources."""

from __future__ import annotations

from collections.abc import Sequence

from fulltape.backfill import allocation, batching, facts, forecast
from fulltape.backfill.allocation import Load
from fulltape.backfill.facts import Planner
from fulltape.backfill.finder import TaskFinder
from fulltape.backfill.partition import Sizes, one_at_a_time
from fulltape.backfill.shares import Shares
from fulltape.backfill.throughput import Throughput
from fulltape.context import NodeContext
from fulltape.ledger.task import FIRST, TaskClass
from fulltape.market.time import Clock, Instant

_SAMPLE = 300


class Counter:
    """Counts for one process; `urgent` counts only what comes before all kinds."""

    def __init__(
        self,
        context: NodeContext,
        clock: Clock,
        throughput: Throughput,
        finder: TaskFinder,
        *,
        urgent: bool = False,
    ) -> None:
        self._context, self._clock, self._throughput = context, clock, throughput
        self._finder, self._urgent = finder, urgent
        self._sizes: dict[TaskClass, Sizes] = {}

    def count(self, sources: Sequence[str]) -> Shares:
        """What is queued now, shared out among these sources."""
        now = self._clock.now()
        with self._context.ledger.write():
            self._context.ledger.queue.requeue_expired(now=now)
        census = {
            of: counted
            for of, counted in self._context.ledger.tasks.census().items()
            if of.dataset in self._context.wanted and (of.priority <= FIRST or not self._urgent)
        }
        self._finder.begin({of: rows / tasks for of, (tasks, rows) in census.items()})
        shares = Shares(
            counted_at=self._clock.steady(), left={of: tasks for of, (tasks, _) in census.items()}
        )
        groups: dict[tuple[int, int], list[Load]] = {}
        for of in shares.left:
            load = self._load(shares, of, self._eligible(shares, of, sources, now), now)
            if load:
                groups.setdefault((of.priority, of.batch), []).append(load)
        seats = self._throughput.seats(sources)
        shared = allocation.share([groups[key] for key in sorted(groups)], seats) if groups else {}
        for of, tasks in shares.left.items():
            for source, part in shared.get(of, {}).items():
                shares.quota[source, of] = part * tasks
        self._finder.divide(shares.left, shares.planners, shares.quota, self._sizes)
        shares.demand = forecast.demand(self._context, shares.quota, shares.per_request, now)
        shares.counted_at = self._clock.steady()
        return shares

    def _eligible(self, shares: Shares, of: TaskClass, sources: Sequence[str], now: Instant) -> list[str]:
        """Sources that may be asked for a class and take part."""
        wanted = self._context.wanted[of.dataset]
        eligible = [
            source
            for source in (of.eligible_sources or wanted.sources)
            if source in wanted.every_source and source in sources
        ]
        for source in eligible:
            if (source, of.dataset) not in shares.planners:
                planner = Planner(self._context.feeds[source], wanted, now)
                shares.planners[source, of.dataset] = planner
        return eligible

    def _load(self, shares: Shares, of: TaskClass, eligible: Sequence[str], now: Instant) -> Load | None:
        """What a class costs each of its eligible sources; who is alone needs no estimate."""
        requests: dict[str, float] = {}
        for source in eligible:
            tasks_a_request = 1.0
            if len(eligible) > 1 or self._context.feeds[source].limits.per_day:
                planner = shares.planners[source, of.dataset]
                sample = self._finder.find(source, of, planner, now, most=_SAMPLE)
                if not sample:
                    shares.barren.add((source, of))
                    continue
                candidates = [planner.candidate(task) for task in sample]
                self._measure(of, source, planner, candidates)
                window = self._finder.enough(of, planner)
                tasks_a_request = len(sample) / batching.requests(candidates, planner.capacity, window=window)
                shares.per_request[source, of] = tasks_a_request
            requests[source] = shares.left[of] / tasks_a_request
        if not requests:
            return None
        return Load(
            key=of, requests=requests, preference=facts.preferences(self._context, of.dataset, requests)
        )

    def _measure(
        self, of: TaskClass, source: str, planner: Planner, sample: Sequence[batching.Candidate]
    ) -> None:
        """How many tasks of a class one instrument has, and one request of many symbols."""
        size = self._sizes.get(of, Sizes())
        if one_at_a_time({source: planner.capacity}):
            self._sizes[of] = Sizes(instrument=len(sample), request=size.request)
        else:
            full = len(batching.pack(sample, planner.capacity))
            self._sizes[of] = Sizes(instrument=size.instrument, request=max(size.request, full))
