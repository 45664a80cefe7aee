"""CSV and Parquet by symbol."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from fulltape.market import symbols


def csv(rows: pl.DataFrame, folder: Path, dataset: str, symbol: str) -> None:
    """DATASET/SYMBOL.csv; moments are UTC, as 2024-01-02T14:30:00.000000Z."""
    place = folder / dataset / f"{symbols.path_name(symbol)}.csv"
    place.parent.mkdir(parents=True, exist_ok=True)
    moments = [name for name, dtype in rows.schema.items() if isinstance(dtype, pl.Datetime)]
    rows.with_columns(pl.col(moments).dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")).write_csv(place)


def parquet(rows: pl.DataFrame, folder: Path, dataset: str, symbol: str) -> None:
    """DATASET/symbol=SYMBOL/year=YYYY/data.parquet."""
    for (year,), piece in rows.group_by(pl.col("session").dt.year(), maintain_order=True):
        place = folder / dataset / f"symbol={symbols.path_name(symbol)}" / f"year={year}" / "data.parquet"
        place.parent.mkdir(parents=True, exist_ok=True)
        piece.drop("symbol").write_parquet(place)
