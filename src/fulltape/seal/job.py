"""What was captured and fetched, as parts."""

from __future__ import annotations

from fulltape.context import NodeContext, Progress
from fulltape.context.jobs import Budget, Job, StageReport
from fulltape.market.time import Clock
from fulltape.seal import run


def _run(context: NodeContext, clock: Clock, progress: Progress, budget: Budget) -> StageReport | None:  # noqa: ARG001 — the signature of every job
    return run.run_once(context, clock, progress)


JOB = Job(
    name="seal",
    summary="make parts of what was captured and fetched",
    run=_run,
    locks=("seal",),
    after=("sealed",),
    nights=(20,),
)
