"""Corporate actions: events of one day that contradict each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fulltape.checks import findings
from fulltape.checks.beside import Beside
from fulltape.checks.findings import CheckContext

if TYPE_CHECKING:
    import polars as pl


def check(frame: pl.DataFrame, beside: Beside, context: CheckContext) -> pl.DataFrame:  # noqa: ARG001 — the signature of every check
    """AMBER for a session on which an instrument has splits of different ratios: at most one of them is true."""
    import polars as pl

    ratio = (pl.col("ratio_new") / pl.col("ratio_old")).round(9)
    hit = (
        frame.filter(pl.col("action_type").cast(pl.String) == "split")
        .group_by("instrument", "session")
        .agg(pl.len().alias("rows"), ratio.n_unique().alias("ratios"))
        .filter(pl.col("ratios") > 1)
    )
    return findings.shaped(
        hit.with_columns(
            pl.lit("actions.contradict").alias("code"),
            pl.lit("AMBER").alias("severity"),
            pl.col("ratios").cast(pl.Float64).alias("measure"),
            pl.lit(1.0).alias("threshold"),
            pl.format("{} splits that contradict each other", "ratios").alias("sentence"),
        )
    )
