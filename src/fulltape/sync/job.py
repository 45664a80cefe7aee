"""The node's files at places of their own."""

from __future__ import annotations

from fulltape.context import NodeContext, Progress
from fulltape.context.jobs import Budget, Job
from fulltape.market.time import Clock
from fulltape.sync import run
from fulltape.sync.plan import SyncReport


def _run(context: NodeContext, clock: Clock, progress: Progress, budget: Budget) -> SyncReport | None:
    return run.run_once(context, clock, progress, stop=budget.stop)


JOB = Job(
    name="sync",
    summary="send what is new to the places of [sync], and read it back",
    run=_run,
    locks=("sync",),
    nights=(97,),
)
