"""The audit of what has changed, as a job: what a running node does many times a day."""

from __future__ import annotations

from fulltape.audit import run
from fulltape.context.jobs import Job, to_its_end

JOB = Job(
    name="audit_changes",
    summary="audit what has changed since the last audit: new answers, sessions that became final",
    run=to_its_end(run.run_incremental),
    locks=("audit",),
    lane="fetch",
)
