"""Session timing: rows against the hours that the dated calendar gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fulltape.checks import findings, profiles, time_shift
from fulltape.checks.beside import Beside
from fulltape.checks.findings import CheckContext
from fulltape.decoding import frames

if TYPE_CHECKING:
    import polars as pl


def check(frame: pl.DataFrame, beside: Beside, context: CheckContext) -> pl.DataFrame:
    """What lies outside of the hours, and sessions that lie beside them as a whole (see `time_shift`)."""
    import polars as pl

    minutes = time_shift.as_minutes(frame, context) if context.dataset.grain == "tick" else frame
    around = profiles.of(frame, context) if beside.profiles is None else beside.profiles
    judged = frame.select("instrument", "session").unique()
    own = around.join(judged, on=["instrument", "session"], how="semi")
    jumps = beside.jumps or time_shift.usual(around)
    return pl.concat([_hours(minutes, context), time_shift.shifted(own, jumps)])


def _hours(frame: pl.DataFrame, context: CheckContext) -> pl.DataFrame:
    """AMBER where an early close looks like a full session: either the calendar or the vendor's clock is wrong.

    (A late start and an early end are empty stretches, which `completeness` weighs against the baseline.)
    """
    import polars as pl

    hours = frames.sessions(context.calendar).select("session", pl.col("length").alias("minutes"))
    if hours.is_empty():
        return findings.none()
    usual = int(hours["minutes"].mode().max())  # type: ignore[arg-type]
    early = frame.join(hours.filter(pl.col("minutes") < usual), on="session").filter(
        pl.col("minute_of_session").is_between(0, usual - 1)
    )
    late = pl.col("minute_of_session") >= pl.col("minutes")
    measured = early.group_by("instrument", "session").agg(
        pl.col("ts").filter(late).n_unique().cast(pl.Int64).alias("rows"),
        pl.col("minutes").first(),
        (pl.col("volume").filter(late).median() / pl.col("volume").filter(~late).median()).alias("measure"),
    )
    # After-hours bars of a busy name are as many as regular ones, but thin: SPY has 1 % of its regular volume there.
    share = pl.col("rows") / (usual - pl.col("minutes"))
    limits = context.thresholds
    return findings.shaped(
        measured.filter(
            (share >= limits.early_close_share) & (pl.col("measure") >= limits.early_close_volume)
        )
        .with_columns(
            pl.lit("session_timing.early_close").alias("code"),
            pl.lit("AMBER").alias("severity"),
            pl.lit(limits.early_close_volume).alias("threshold"),
            pl.format("{} rows of regular size after an early close", "rows").alias("sentence"),
        )
        .sort("instrument", "session")
    )
