"""Small raw files of a folder as one."""

from __future__ import annotations

from fulltape.compact import run
from fulltape.context import NodeContext, Progress
from fulltape.context.jobs import Budget, Job, StageReport
from fulltape.market.time import Clock


def _run(context: NodeContext, clock: Clock, progress: Progress, budget: Budget) -> StageReport | None:  # noqa: ARG001 — the signature of every job
    return run.run_once(context, clock, progress)


JOB = Job(
    name="compact",
    summary="write the small raw files of a folder into one",
    run=_run,
    locks=("compact", "seal"),
    nights=(90,),
)
