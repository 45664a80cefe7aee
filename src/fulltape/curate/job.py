"""New raw parts, as curated folders."""

from __future__ import annotations

from fulltape.context.jobs import Job, to_its_end
from fulltape.curate import run

JOB = Job(
    name="curate",
    summary="check new raw parts, choose between sources, rewrite curated folders",
    run=to_its_end(run.run_once),
    locks=("curate",),
)
