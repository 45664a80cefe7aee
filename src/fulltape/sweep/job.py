"""The end of what grows."""

from __future__ import annotations

from fulltape.context import NodeContext, Progress
from fulltape.context.jobs import Budget, Job, StageReport
from fulltape.market.time import Clock
from fulltape.sweep import run


def _run(context: NodeContext, clock: Clock, progress: Progress, budget: Budget) -> StageReport | None:  # noqa: ARG001 — the signature of every job
    return run.run_once(context, clock, progress)


JOB = Job(
    name="sweep", summary="remove what nothing needs any more", run=_run, locks=("sweep",), nights=(100,)
)
