"""Order: rows sorted by key and keys unique within a frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fulltape.checks import findings
from fulltape.checks.beside import Beside
from fulltape.checks.findings import CheckContext

if TYPE_CHECKING:
    import polars as pl


def check(frame: pl.DataFrame, beside: Beside, context: CheckContext) -> pl.DataFrame:  # noqa: ARG001 — the signature of every check
    """RED for every cell with a repeated key or with rows that run backwards."""
    import polars as pl

    key = list(context.dataset.schema.key)
    wrong = frame.with_columns(
        (pl.struct(key).is_duplicated() if key else pl.lit(value=False)).alias("order.duplicate_key"),
        (pl.col("ts") < pl.col("ts").shift(1).over("instrument"))
        .fill_null(value=False)
        .alias("order.unsorted"),
    )
    tables = []
    for code, words in (("order.duplicate_key", "share a key"), ("order.unsorted", "run backwards")):
        hit = wrong.filter(pl.col(code)).group_by("instrument", "session").len("rows")
        tables.append(
            findings.shaped(
                hit.with_columns(
                    pl.lit(code).alias("code"),
                    pl.lit("RED").alias("severity"),
                    pl.col("rows").cast(pl.Float64).alias("measure"),
                    pl.lit(0.0).alias("threshold"),
                    pl.format("{} rows {}", "rows", pl.lit(words)).alias("sentence"),
                )
            )
        )
    return pl.concat(tables)
