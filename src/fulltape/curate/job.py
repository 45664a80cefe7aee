"""New raw parts, as curated folders."""

from __future__ import annotations

from fulltape.context import NodeContext, Progress
from fulltape.context.jobs import Budget, Job, StageReport
from fulltape.curate import run
from fulltape.market.time import Clock


def _run(context: NodeContext, clock: Clock, progress: Progress, budget: Budget) -> StageReport | None:  # noqa: ARG001 — the signature of every job
    return run.run_once(context, clock, progress)


JOB = Job(
    name="curate",
    summary="check new raw parts, choose between sources, rewrite curated folders",
    run=_run,
    locks=("curate",),
    after=("parts",),
)
