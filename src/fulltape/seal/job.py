"""What was captured and fetched, as parts."""

from __future__ import annotations

from fulltape.context.jobs import Job, to_its_end
from fulltape.seal import run

JOB = Job(
    name="seal",
    summary="make parts of what was captured and fetched",
    run=to_its_end(run.run_once),
    locks=("seal",),
    lane="seal",
    nights=(20,),
)
