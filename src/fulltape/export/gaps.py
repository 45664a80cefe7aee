"""What a bundle does not have of what was wanted, and why. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from fulltape.coverage.cell import Availability, Completeness, Verdict

PARTIAL, HELD_OUT, FLAGGED = "partial", "held_out", "flagged"
SENTENCES = {
    Availability.MISSING.value: "no source has shown it, or proved that there is nothing",
    Availability.UNOBTAINABLE.value: "no source of the node has it",
    Availability.UNKNOWN_LISTING.value: "whether it was listed then is not known",
    PARTIAL: "rows that should be there are not, and nothing explains it",
    HELD_OUT: "the checks found it bad (RED), and its rows are left out",
    FLAGGED: "the checks found it bad (RED); its rows are in, with their flags",
}
"""Why a cell lacks something."""
SHAPE: dict[str, Any] = {
    "dataset": pl.String, "instrument": pl.String, "symbol": pl.String, "first": pl.Date, "last": pl.Date, "sessions": pl.Int64,
    "why": pl.String, "codes": pl.String, "findings": pl.String,
}  # fmt: skip
_LACKING = [
    Availability.MISSING.value,
    Availability.UNOBTAINABLE.value,
    Availability.UNKNOWN_LISTING.value,
]


def _why(policy: str) -> pl.Expr:
    red = FLAGGED if policy == "keep_flagged" else HELD_OUT
    return (
        pl.when(pl.col("availability").is_in(_LACKING))
        .then(pl.col("availability"))
        .when(pl.col("verdict") == Verdict.RED.value)
        .then(pl.lit(red))
        .when(pl.col("completeness") == Completeness.HOLES_UNEXPLAINED.value)
        .then(pl.lit(PARTIAL))
        .alias("why")
    )


def of(cells: pl.DataFrame, policy: str) -> pl.DataFrame:
    """Stretches of sessions that lack something for the same reason, of cells in the order (dataset, instrument, session): `SHAPE`. Cells that are
    confirmed empty, and those that are only doubtful (AMBER), lack nothing."""
    key = ["dataset", "instrument", "symbol", "why", "codes"]
    return (
        cells.with_columns(_why(policy))
        .with_columns(pl.struct(*key).rle_id().alias("stretch"))
        .filter(pl.col("why").is_not_null())
        .group_by("stretch", *key, maintain_order=True)
        .agg(
            pl.col("session").min().alias("first"),
            pl.col("session").max().alias("last"),
            pl.len().alias("sessions"),
            pl.col("findings").first(),
        )
        .select(pl.col(name).cast(dtype) for name, dtype in SHAPE.items())
    )


def counts(cells: pl.DataFrame, policy: str) -> pl.DataFrame:
    """By dataset how many cells are wanted, held, confirmed empty, how many lack something, and of those that are held how many are GREEN, AMBER, RED and unchecked."""
    held = pl.col("availability") == Availability.HELD.value
    return cells.group_by("dataset").agg(
        pl.len().alias("wanted"),
        held.sum().alias("held"),
        _why(policy).is_not_null().sum().alias("lacking"),
        (pl.col("availability") == Availability.EMPTY.value).sum().alias("empty"),
        *((held & (pl.col("verdict") == verdict.value)).sum().alias(verdict.value) for verdict in Verdict),
    )


MOST = 10_000
"""So many stretches are told one by one, the longest; the table of cells has all."""


def longest(stretches: Sequence[pl.LazyFrame]) -> tuple[pl.DataFrame, int]:
    """The longest stretches, by dataset, instrument and time, and how many shorter ones there are."""
    every = pl.concat([pl.LazyFrame(schema=SHAPE), *stretches])
    order = ["dataset", "instrument", "first"]
    kept = every.sort("sessions", *order, descending=[True, False, False, False]).head(MOST).collect()
    count = int(every.select(pl.len()).collect().item())
    return kept.sort(order), count - kept.height
