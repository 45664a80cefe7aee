"""The bundle of the newest final session."""

from __future__ import annotations

from fulltape.context import NodeContext, Progress
from fulltape.context.jobs import Budget, Job, StageReport
from fulltape.export import run
from fulltape.market.time import Clock


def _run(context: NodeContext, clock: Clock, progress: Progress, budget: Budget) -> StageReport | None:  # noqa: ARG001 — the signature of every job
    return run.run_once(context, clock, progress)


JOB = Job(
    name="export",
    summary="write the bundle of the newest final session",
    run=_run,
    locks=("export",),
    after=("checked",),
    nights=(60,),
)
