"""Closed months and years by instrument."""

from __future__ import annotations

from fulltape.context.jobs import Job, to_its_end
from fulltape.regroup import run

JOB = Job(
    name="regroup",
    summary="write closed months and years by instrument, where a dataset is set to",
    run=to_its_end(run.run_once),
    locks=("regroup",),
    nights=(80,),
)
