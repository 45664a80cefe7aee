"""Queued tasks, fetched from every source that has room."""

from __future__ import annotations

from fulltape.backfill import run
from fulltape.context import NodeContext, Progress
from fulltape.context.jobs import Budget, Job, StageReport
from fulltape.market.time import Clock


def _run(context: NodeContext, clock: Clock, progress: Progress, budget: Budget) -> StageReport | None:
    return run.run_once(
        context,
        clock,
        progress,
        stop=budget.stop,
        stopped=budget.stopped,
        unreachable=budget.unreachable,
    )


JOB = Job(
    name="backfill",
    summary="fetch queued tasks from every source that has room",
    run=_run,
    locks=("backfill",),
    lane="fetch",
)
