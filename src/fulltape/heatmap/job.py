"""The heat map of the pages."""

from __future__ import annotations

from fulltape.context.jobs import Job, to_its_end
from fulltape.heatmap import run

JOB = Job(
    name="heatmap",
    summary="draw the coverage of every dataset for the pages",
    run=to_its_end(run.run_once),
    locks=("heatmap",),
)
