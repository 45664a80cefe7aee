"""Session timing: rows against the hours that the dated calendar gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fulltape.core.checks import findings
from fulltape.core.checks.findings import Context

if TYPE_CHECKING:
    import polars as pl


def check(frame: pl.DataFrame, context: Context) -> pl.DataFrame:
    """AMBER where an early close looks like a full session: either the calendar or the vendor's clock is wrong.

    (A late start and an early end are empty stretches, which `completeness` weighs against the baseline.)
    """
    import polars as pl

    sessions = context.calendar.sessions
    hours = pl.DataFrame(
        {
            "session": [one.label for one in sessions],
            "minutes": [(one.close - one.open) // 60_000_000 for one in sessions],
        },
        schema={"session": pl.Date, "minutes": pl.Int64},
    )
    if hours.is_empty():
        return findings.none()
    usual = int(hours["minutes"].mode().max())  # type: ignore[arg-type]
    after = (
        frame.join(hours.filter(pl.col("minutes") < usual), on="session")
        .filter(pl.col("minute_of_session").is_between(pl.col("minutes"), usual - 1))
        .group_by("instrument", "session")
        .agg(pl.col("ts").n_unique().alias("rows"), pl.col("minutes").first())
    )
    share = pl.col("rows") / (usual - pl.col("minutes"))
    return findings.shaped(
        after.filter(share >= context.thresholds.early_close_share).with_columns(
            pl.lit("session_timing.early_close").alias("code"),
            pl.lit("AMBER").alias("severity"),
            share.alias("measure"),
            pl.lit(context.thresholds.early_close_share).alias("threshold"),
            pl.format("{} rows after an early close", "rows").alias("sentence"),
        )
    )
