"""From findings to one row per cell. Pure."""

from __future__ import annotations

from typing import Any

import polars as pl

from fulltape.checks import completeness, findings, registry
from fulltape.checks.findings import RULES_VERSION, CheckContext

CELLS: dict[str, Any] = {
    "instrument": pl.String,
    "symbol": pl.String,
    "session": pl.Date,
    "source": pl.String,
    "rows": pl.Int64,
    "expected_low": pl.Int64,
    "expected_high": pl.Int64,
    "verdict": pl.String,
    "codes": pl.String,
    "findings": pl.String,
    "digest": pl.String,
    "rules_version": pl.Int64,
    "checked_at": pl.Datetime("us", "UTC"),
}


def none() -> pl.DataFrame:
    """No cells, in the shape of `CELLS`."""
    return pl.DataFrame(schema=CELLS)


def facts(checked: pl.DataFrame) -> bytes:
    """What was found of cells, for a digest: without when that was."""
    return checked.drop("checked_at").write_csv(include_header=False).encode()


def cells(
    frame: pl.DataFrame,
    learned: registry.Learned,
    volumes: pl.DataFrame,
    digests: pl.DataFrame,
    context: CheckContext,
) -> pl.DataFrame:
    """One row per cell of `frame`, in the shape of `CELLS`.

    `learned` is what these and other sessions teach; `volumes` are the day bars' volumes (source, instrument, session,
    volume); `digests` the digest of the file by session.
    For day bars one row is expected; for ticks and events it is not said how many; for minutes the learned band (null while it cannot be judged) up to the regular
    minutes of the session, and `rows` counts regular minutes.
    """
    cell = ["instrument", "session", "source"]
    chosen = volumes.join(
        frame.select(pl.col(name).cast(volumes.schema[name]) for name in cell).unique(), on=cell
    )
    beside = learned.beside(frame["instrument"], chosen)
    finding_rows = registry.run(frame, beside, context)
    described = frame.group_by("instrument", "session").agg(
        pl.col("symbol").first(), pl.col("source").first(), pl.len().cast(pl.Int64).alias("rows")
    )
    if beside.baseline is not None:
        measured = completeness.expected(frame, beside.baseline, context).select(
            "instrument",
            "session",
            "rows",
            pl.col("band").alias("expected_low"),
            pl.col("minutes").alias("expected_high"),
        )
        described = described.drop("rows").join(measured, on=["instrument", "session"])
    else:
        expected_rows = 1 if context.dataset.grain == "day" else None
        described = described.with_columns(
            pl.lit(expected_rows, dtype=pl.Int64).alias("expected_low"),
            pl.lit(expected_rows, dtype=pl.Int64).alias("expected_high"),
        )
    sentences = finding_rows.group_by("instrument", "session").agg(
        pl.col("sentence").str.join("; ").alias("findings")
    )
    return (
        described.join(findings.verdicts(finding_rows, described), on=["instrument", "session"])
        .join(sentences, on=["instrument", "session"], how="left")
        .join(digests, on="session", how="left")
        .with_columns(
            pl.col("findings").fill_null(""),
            pl.lit(RULES_VERSION, dtype=pl.Int64).alias("rules_version"),
            pl.lit(context.now, dtype=pl.Int64).cast(pl.Datetime("us", "UTC")).alias("checked_at"),
        )
        .select(*CELLS)
        .cast(pl.Schema(CELLS))
        .sort("instrument", "session")
    )
