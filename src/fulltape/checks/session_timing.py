"""Session timing: rows against the hours that the dated calendar gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fulltape.checks import findings
from fulltape.checks.findings import CheckContext
from fulltape.decoding import frames

if TYPE_CHECKING:
    import polars as pl


def check(frame: pl.DataFrame, context: CheckContext) -> pl.DataFrame:
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
