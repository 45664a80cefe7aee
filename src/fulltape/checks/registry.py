"""Which checks a dataset's rows go through, by the names in its declaration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fulltape.checks import (
    actions,
    completeness,
    duplicates,
    findings,
    profiles,
    rows,
    session_timing,
    time_shift,
)
from fulltape.checks.findings import CheckContext

if TYPE_CHECKING:
    import polars as pl

CELL_CHECKS = {
    "rows": rows.check,
    "duplicates": duplicates.check,
    "actions": actions.check,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What else is known of the source whose rows are judged: the `profiles` of its cells (see `profiles`; None: of the
    judged ones only), where its `jumps` usually are (see `time_shift.usual`; None: as in those profiles), the occupancy
    `baseline` (see `completeness.occupancy`), and the `volumes` of its day bars (instrument, session, volume)."""

    profiles: pl.DataFrame | None = None
    jumps: time_shift.Usual | None = None
    baseline: pl.DataFrame | None = None
    volumes: pl.DataFrame | None = None


def run(frame: pl.DataFrame, beside: Beside, context: CheckContext) -> pl.DataFrame:
    """All findings about `frame`, whose rows carry `flags`."""
    import polars as pl

    found = [CELL_CHECKS[name](frame, context) for name in context.dataset.checks if name in CELL_CHECKS]
    if "session_timing" in context.dataset.checks:
        minutes = time_shift.as_minutes(frame, context) if context.dataset.grain == "tick" else frame
        around = profiles.of(frame, context) if beside.profiles is None else beside.profiles
        own = around.join(
            frame.select("instrument", "session").unique(), on=["instrument", "session"], how="semi"
        )
        jumps = beside.jumps or time_shift.usual(around)
        found += [session_timing.check(minutes, context), time_shift.check(own, jumps)]
    if "completeness" in context.dataset.checks and beside.baseline is not None:
        found.append(completeness.check(frame, beside.baseline, context, beside.volumes))
    return pl.concat([findings.none(), *found]).sort("instrument", "session", "code")


class Learned:
    """What the profiles of one source teach, for judging its cells a block of instruments at a time. `profiles` are those of
    the cells to judge and, where completeness is judged, of the sessions around them; without any nothing is taught."""

    def __init__(self, profiles: pl.DataFrame | None, context: CheckContext) -> None:
        self._profiles, self._context = profiles, context
        timed = profiles is not None and "session_timing" in context.dataset.checks
        self._jumps = time_shift.usual(profiles) if timed and profiles is not None else None

    def beside(self, instruments: pl.Series, volumes: pl.DataFrame) -> Beside:
        """What is known beside rows of these instruments."""
        import polars as pl

        if self._profiles is None:
            return Beside(volumes=volumes)
        own = self._profiles.filter(pl.col("instrument").is_in(instruments.unique().implode()))
        completed = "completeness" in self._context.dataset.checks
        baseline = completeness.occupancy(own, self._context) if completed else None
        return Beside(profiles=own, jumps=self._jumps, baseline=baseline, volumes=volumes)
