"""Small raw files of a folder as one."""

from __future__ import annotations

from fulltape.compact import run
from fulltape.context.jobs import Job, to_its_end

JOB = Job(
    name="compact",
    summary="write the small raw files of a folder into one",
    run=to_its_end(run.run_once),
    locks=("compact", "seal"),
    nights=(90,),
)
