"""Closed months and years by instrument."""

from __future__ import annotations

from fulltape.context import NodeContext, Progress
from fulltape.context.jobs import Budget, Job, StageReport
from fulltape.market.time import Clock
from fulltape.regroup import run


def _run(context: NodeContext, clock: Clock, progress: Progress, budget: Budget) -> StageReport | None:  # noqa: ARG001 — the signature of every job
    return run.run_once(context, clock, progress)


JOB = Job(
    name="regroup",
    summary="write closed months and years by instrument, where a dataset is set to",
    run=_run,
    locks=("regroup",),
    nights=(80,),
)
