"""The bundle of the newest final session."""

from __future__ import annotations

from fulltape.context.jobs import Job, to_its_end
from fulltape.export import run

JOB = Job(
    name="export",
    summary="write the bundle of the newest final session",
    run=to_its_end(run.run_once),
    locks=("export",),
    nights=(60,),
)
