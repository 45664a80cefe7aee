"""A part of the lake's files, held against the ledger."""

from __future__ import annotations

from fulltape.context import NodeContext, Progress
from fulltape.context.jobs import Budget, Job, StageReport
from fulltape.market.time import Clock
from fulltape.verify import run


def _run(
    context: NodeContext,
    clock: Clock,
    progress: Progress,  # noqa: ARG001 — the signature of every job
    budget: Budget,
) -> StageReport | None:
    seconds = context.rules.verify_for if budget.seconds is None else budget.seconds
    return run.sample(context, clock, seconds=seconds)


JOB = Job(
    name="verify",
    summary="hold a part of the lake's files against the ledger",
    run=_run,
    locks=("verify",),
    nights=(10,),
)
