"""What is queued, and how much of it each source should take: the result of one count, from which claims are taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fulltape.backfill import batching
from fulltape.backfill.facts import Planner
from fulltape.ledger.task import TaskClass
from fulltape.market.time import SECOND, Instant

_RECOUNT_AFTER = 30 * SECOND
_TASKS_A_SECOND = 100_000
"""Counting a million tasks takes some tenths of a second; it is not worth doing all the time."""
_NOTHING = 1e-6


@dataclass(slots=True, kw_only=True)
class Shares:
    """Tasks that are left of each class (`left`), how many of them each source should take (`quota`), how many of them make
    one request of it (`per_request`), and the requests that each kind still needs of a vendor today (`demand`)."""

    counted_at: Instant
    left: dict[TaskClass, int]
    planners: dict[tuple[str, str], Planner] = field(default_factory=dict)
    quota: dict[tuple[str, TaskClass], float] = field(default_factory=dict)
    per_request: dict[tuple[str, TaskClass], float] = field(default_factory=dict)
    demand: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    barren: set[tuple[str, TaskClass]] = field(default_factory=set)
    """What a source can take nothing of."""
    claimed: int = 0

    def order(self, source: str, served: Mapping[str, float]) -> list[TaskClass]:
        """The classes that a source should take from now, best first: kind, batch, then the dataset that had least, then the
        tasks that the fewest others could do."""
        classes = [
            of
            for of, tasks in self.left.items()
            if tasks > 0 and self.quota.get((source, of), 0.0) > _NOTHING and (source, of) not in self.barren
        ]
        return sorted(
            classes,
            key=lambda of: (
                of.priority,
                of.batch,
                served.get(of.dataset, 0.0),
                len(of.eligible_sources) or 99,
                of.eligible_sources,
                of.dataset,
            ),
        )

    def most_pages(self, source: str, of: TaskClass) -> int:
        """How many pages a source's next request for a class should fill at most."""
        per_request = self.per_request.get((source, of), 0.0)
        pages = int(self.quota[source, of] / per_request + 0.5) if per_request else batching.MOST_PAGES
        return min(max(1, pages), batching.MOST_PAGES)

    def take(self, source: str, of: TaskClass, tasks: int) -> None:
        """A source has claimed so many tasks of a class."""
        self.left[of] -= tasks
        self.quota[source, of] -= tasks
        self.claimed += tasks

    def has_left(self, source: str) -> bool:
        """Whether tasks are queued that a source might take."""
        return any(
            tasks > 0
            and (not of.eligible_sources or source in of.eligible_sources)
            and (source, of) not in self.barren
            for of, tasks in self.left.items()
        )

    def is_old(self, now: Instant) -> bool:
        """Whether time or claims have made it worthless."""
        tasks = sum(self.left.values())
        return now - self.counted_at >= _RECOUNT_AFTER or self.claimed > max(50, (tasks + self.claimed) // 4)

    def may_be_counted_again(self, now: Instant, tick: int) -> bool:
        """Whether it is at least a tick old, or more where counting takes long."""
        return now - self.counted_at >= max(tick, sum(self.left.values()) * SECOND // _TASKS_A_SECOND)
