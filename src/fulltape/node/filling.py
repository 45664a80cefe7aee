"""Closing gaps: what is missing is fetched and sealed in turns, and curated, until no source takes anything more."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from fulltape.audit import run as audit
from fulltape.backfill import run as backfill
from fulltape.context import NodeContext, Progress, silent
from fulltape.context.jobs import Budget, Job, StageReport
from fulltape.curate import run as curate
from fulltape.market.time import Clock, Instant, to_second
from fulltape.seal import run as seal


class Waiting(NamedTuple):
    """A source without room: in which dimension, and when there will be room."""

    source: str
    dimension: str
    until: Instant


class Refusal(NamedTuple):
    """A source that could not be asked, and why."""

    source: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FilledGaps(StageReport):
    """What filling gaps came to, over all rounds."""

    tasks: int = 0
    fetches: int = 0
    requests: int = 0
    pages: int = 0
    rows: int = 0
    rejected: int = 0
    damaged: int = 0
    waiting: tuple[Waiting, ...] = ()
    """Sources that have no room."""
    stopped: tuple[Refusal, ...] = ()
    """Sources that refused our credentials, and their words."""
    unreachable: tuple[Refusal, ...] = ()
    """Sources that gave no answer."""
    full: str = ""
    """Why nothing more was fetched, where the disk has no room."""
    resumed: bool = False
    """Whether rows were sealed that an earlier, interrupted run had fetched."""

    @property
    def complete(self) -> bool:
        """Whether every source could be asked for what it was needed for."""
        return not (self.stopped or self.unreachable or self.waiting or self.full)

    def __add__(self, other: FilledGaps) -> FilledGaps:
        """Both together; who waits and who is out is as the later one says."""
        return FilledGaps(
            tasks=self.tasks + other.tasks,
            fetches=self.fetches + other.fetches,
            requests=self.requests + other.requests,
            pages=self.pages + other.pages,
            rows=self.rows + other.rows,
            rejected=self.rejected + other.rejected,
            damaged=self.damaged + other.damaged,
            waiting=other.waiting,
            stopped=other.stopped,
            unreachable=other.unreachable,
            full=other.full,
            resumed=self.resumed or other.resumed,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedGaps(StageReport):
    """What closing gaps came to."""

    filled: FilledGaps
    curated: curate.CurateReport

    @property
    def complete(self) -> bool:
        """Whether every source could be asked for what it was needed for."""
        return self.filled.complete


def close(context: NodeContext, clock: Clock, progress: Progress, budget: Budget) -> ClosedGaps:
    """Audit, fill and curate, so often as the rules allow and something comes."""
    filled, curated = FilledGaps(), curate.CurateReport()
    for _ in range(context.rules.rounds):
        audit.run_once(context, clock, progress)
        more = fill(context, clock, progress, stop=budget.stop, before=filled)
        filled += more
        curated += curate.run_once(context, clock, progress)
        if not more.fetches:
            break
    return ClosedGaps(filled=filled, curated=curated)


def held_back(context: NodeContext, clock: Clock) -> str:
    """Who has tasks that must wait, and until when; '' where nothing waits."""
    now = clock.now()
    next_chances = {source: context.ledger.tasks.next_chance(source, now=now) for source in context.feeds}
    return "; ".join(
        f"{source} may be asked for more from {to_second(at)} on"
        for source, at in next_chances.items()
        if at is not None
    )


def fill(
    context: NodeContext,
    clock: Clock,
    progress: Progress = silent,
    *,
    stop: threading.Event | None = None,
    before: FilledGaps | None = None,
    urgent: bool = False,
    sealed: Callable[[], None] | None = None,
) -> FilledGaps:
    """Fetch and seal in turns until no source takes anything more; sources that were out `before` are left alone.
    `urgent`: only what comes before everything else. `sealed` is called after each turn."""
    total = FilledGaps(stopped=before.stopped, unreachable=before.unreachable) if before else FilledGaps()
    more = True
    while more:
        fetched = backfill.run_once(
            context,
            clock,
            progress,
            stop=stop,
            stopped=dict(total.stopped),
            unreachable=dict(total.unreachable),
            urgent=urgent,
        )
        rows = seal.run_once(context, clock, progress)
        if sealed:
            sealed()
        step = FilledGaps(
            tasks=fetched.tasks,
            fetches=fetched.fetches,
            requests=fetched.requests,
            pages=fetched.pages,
            rows=rows.rows,
            rejected=rows.rejected,
            damaged=rows.damaged,
            waiting=tuple(Waiting(source, *why) for source, why in sorted(fetched.out.waiting.items())),
            stopped=tuple(Refusal(*refusal) for refusal in sorted(fetched.out.stopped.items())),
            unreachable=tuple(Refusal(*refusal) for refusal in sorted(fetched.out.unreachable.items())),
            full=fetched.out.full,
        )
        total += step
        # Without a page there is nothing to seal, and going on would only ask the same again.
        more = fetched.more and fetched.pages > 0
    return total


JOB = Job(
    name="gaps",
    summary="audit, backfill, seal and curate, until nothing more comes",
    run=close,
    locks=("audit", "backfill", "seal", "curate"),
    lane="fetch",
    nights=(30,),
)
