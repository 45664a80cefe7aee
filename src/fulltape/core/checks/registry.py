"""Which checks a dataset's rows go through, by the names in its declaration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fulltape.core.checks import actions, completeness, duplicates, findings, rows, session_timing
from fulltape.core.checks.findings import Context

if TYPE_CHECKING:
    import polars as pl

CELL_CHECKS = {
    "rows": rows.check,
    "duplicates": duplicates.check,
    "session_timing": session_timing.check,
    "actions": actions.check,
}


def run(frame: pl.DataFrame, baseline: pl.DataFrame | None, context: Context) -> pl.DataFrame:
    """All findings about `frame`, whose rows carry `flags`; `baseline` as `completeness.occupancy` gives it."""
    import polars as pl

    found = [CELL_CHECKS[name](frame, context) for name in context.dataset.checks if name in CELL_CHECKS]
    if "completeness" in context.dataset.checks and baseline is not None:
        found.append(completeness.check(frame, baseline, context))
    return pl.concat([findings.none(), *found]).sort("instrument", "session", "code")
