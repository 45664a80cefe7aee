"""Whether cells have the same rows, without looking at each row."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

CELL = ("instrument", "session")
KEY = (*CELL, "rows", "content")
"""Two cells that agree in these have the same rows."""


def of(rows: pl.LazyFrame, columns: Sequence[str]) -> pl.DataFrame:
    """Of each cell how many rows it has, and a number made of their columns that does not depend on their order."""
    typed = rows.select(columns).with_columns(pl.col("instrument").cast(pl.String))
    content = pl.struct(columns).hash().sum().alias("content")
    return typed.group_by(CELL).agg(pl.len().alias("rows"), content).collect()
