"""What was curated, with verdicts."""

from __future__ import annotations

from fulltape.check import run
from fulltape.context.jobs import Job, to_its_end

JOB = Job(
    name="check",
    summary="check what was curated, and give verdicts",
    run=to_its_end(run.run_once),
    locks=("check",),
    nights=(40,),
)
