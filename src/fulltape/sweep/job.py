"""The end of what grows."""

from __future__ import annotations

from fulltape.context.jobs import Job, to_its_end
from fulltape.sweep import run

JOB = Job(
    name="sweep",
    summary="remove what nothing needs any more",
    run=to_its_end(run.run_once),
    locks=("sweep",),
    nights=(100,),
)
