"""What is missing, as tasks."""

from __future__ import annotations

from fulltape.audit import run
from fulltape.context import NodeContext, Progress
from fulltape.context.jobs import Budget, Job, StageReport
from fulltape.market.time import Clock


def _run(context: NodeContext, clock: Clock, progress: Progress, budget: Budget) -> StageReport | None:  # noqa: ARG001 — the signature of every job
    return run.run_once(context, clock, progress)


JOB = Job(
    name="audit",
    summary="compare coverage with the calendar, and enqueue tasks for what is missing",
    run=_run,
    locks=("audit",),
    after=("sealed",),
    nights=(50,),
)
