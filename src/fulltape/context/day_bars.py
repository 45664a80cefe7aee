"""Volumes of day bars, against which the minutes of the same source are held."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from fulltape.context import ConfiguredDataset, NodeContext, scanning
from fulltape.decoding import frames

if TYPE_CHECKING:
    import polars as pl


def volumes(context: NodeContext, wanted: ConfiguredDataset, first: dt.date, last: dt.date) -> pl.DataFrame:
    """Day volumes from `first` to `last`, both inclusive: source, instrument, session, volume. Empty where the node has no
    day bars of the same kind, or where they say nothing about volume."""
    import polars as pl

    schema = {"source": pl.String, "instrument": pl.String, "session": pl.Date, "volume": pl.Float64}
    name = wanted.dataset.name.replace("_bars_minute", "_bars_day")
    days = context.wanted.get(name)
    if name == wanted.dataset.name or days is None or "volume" not in _columns(days):
        return pl.DataFrame(schema=schema)
    parts = [
        part
        for part in context.ledger.catalogue.current("raw", name, first=first, last=last)
        if part.origin != "captured"
    ]
    if not parts:
        return pl.DataFrame(schema=schema)
    kept = ("instrument", "session", "volume")
    columns = {
        column.name: frames.dtype(column.dtype)
        for column in days.dataset.schema.columns
        if column.name in kept
    }
    rows = (
        scanning.rows_of(context.layout, parts, "source", "log_pos", columns=columns)
        .filter(pl.col("session").is_between(first, last))
        .with_columns(pl.col("volume").cast(pl.Float64))
        .collect()
        .sort("log_pos")
    )
    return rows.unique(["source", "instrument", "session"], keep="last").select(*schema)


def _columns(wanted: ConfiguredDataset) -> list[str]:
    return [column.name for column in wanted.dataset.schema.columns]
