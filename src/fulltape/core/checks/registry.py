"""Which checks a dataset's rows go through, by the names in its declaration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fulltape.core.checks import (
    actions,
    completeness,
    duplicates,
    findings,
    rows,
    session_timing,
    time_shift,
)
from fulltape.core.checks.findings import Context

if TYPE_CHECKING:
    import polars as pl

CELL_CHECKS = {
    "rows": rows.check,
    "duplicates": duplicates.check,
    "actions": actions.check,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What else is known of the source whose rows are judged: its rows of the sessions `around`, the occupancy `baseline`
    (see `completeness.occupancy`), and the `volumes` of its day bars (instrument, session, volume)."""

    around: pl.DataFrame | None = None
    baseline: pl.DataFrame | None = None
    volumes: pl.DataFrame | None = None


def run(frame: pl.DataFrame, beside: Beside, context: Context) -> pl.DataFrame:
    """All findings about `frame`, whose rows carry `flags`."""
    import polars as pl

    found = [CELL_CHECKS[name](frame, context) for name in context.dataset.checks if name in CELL_CHECKS]
    if "session_timing" in context.dataset.checks:
        minutes, around = (_minutes(some, context) for some in (frame, beside.around))
        found += [session_timing.check(minutes, context), time_shift.check(minutes, around, context)]
    if "completeness" in context.dataset.checks and beside.baseline is not None:
        found.append(completeness.check(frame, beside.baseline, context, beside.volumes))
    return pl.concat([findings.none(), *found]).sort("instrument", "session", "code")


def _minutes(frame: pl.DataFrame | None, context: Context) -> pl.DataFrame:
    """The rows as minutes of their session."""
    import polars as pl

    if frame is None:
        return pl.DataFrame()
    return time_shift.as_minutes(frame, context) if context.dataset.grain == "tick" else frame
