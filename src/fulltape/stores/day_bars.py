"""Volumes of day bars, against which the minutes of the same source are held."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from fulltape.lake import parquet
from fulltape.stores import Stores, Wanted

if TYPE_CHECKING:
    import polars as pl


def volumes(stores: Stores, wanted: Wanted, first: dt.date, last: dt.date) -> pl.DataFrame:
    """Day volumes from `first` to `last`, both inclusive: source, instrument, session, volume. Empty where the node has no
    day bars of the same kind, or where they say nothing about volume."""
    import polars as pl

    schema = {"source": pl.String, "instrument": pl.String, "session": pl.Date, "volume": pl.Float64}
    name = wanted.dataset.name.replace("_bars_minute", "_bars_day")
    days = stores.wanted.get(name)
    if name == wanted.dataset.name or days is None or "volume" not in _columns(days):
        return pl.DataFrame(schema=schema)
    found = [
        parquet.scan([stores.layout.root / part.path])
        .filter(pl.col("session").is_between(first, last))
        .select(
            pl.lit(part.source).alias("source"),
            pl.col("instrument").cast(pl.String),
            "session",
            pl.col("volume").cast(pl.Float64),
            pl.lit(part.log_pos).alias("log_pos"),
        )
        for part in stores.ledger.catalogue.current("raw", name, first=first, last=last)
        if part.origin != "captured"
    ]
    if not found:
        return pl.DataFrame(schema=schema)
    rows = pl.concat(found).collect().sort("log_pos")
    return rows.unique(["source", "instrument", "session"], keep="last").select(*schema)


def _columns(wanted: Wanted) -> list[str]:
    return [column.name for column in wanted.dataset.schema.columns]
