"""What a check may know beside the rows that it judges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

    from fulltape.checks.time_shift import Usual


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What else is known of the source whose rows are judged: the `profiles` of its cells (see `profiles`; None: of the
    judged ones only), where its `jumps` usually are (see `time_shift.usual`; None: as in those profiles), the occupancy
    `baseline` (see `completeness.occupancy`), and the `volumes` of its day bars (instrument, session, volume)."""

    profiles: pl.DataFrame | None = None
    jumps: Usual | None = None
    baseline: pl.DataFrame | None = None
    volumes: pl.DataFrame | None = None
