"""What is missing, as tasks."""

from __future__ import annotations

from fulltape.audit import run
from fulltape.context.jobs import Job, to_its_end

JOB = Job(
    name="audit",
    summary="compare coverage with the calendar, and enqueue tasks for what is missing",
    run=to_its_end(run.run_once),
    locks=("audit",),
    lane="fetch",
    nights=(50,),
)
