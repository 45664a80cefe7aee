"""What was curated, with verdicts."""

from __future__ import annotations

from fulltape.check import run
from fulltape.context import NodeContext, Progress
from fulltape.context.jobs import Budget, Job, StageReport
from fulltape.market.time import Clock


def _run(context: NodeContext, clock: Clock, progress: Progress, budget: Budget) -> StageReport | None:  # noqa: ARG001 — the signature of every job
    return run.run_once(context, clock, progress)


JOB = Job(
    name="check",
    summary="check what was curated, and give verdicts",
    run=_run,
    locks=("check",),
    after=("curated",),
    nights=(40,),
)
