"""Builds the bundled sample from the `bokeh_sampledata` package: real day bars of five US equities.

`make sample` installs that package and runs this file; the result is committed.
"""

from __future__ import annotations

import gzip
import importlib.resources
from pathlib import Path

import polars as pl

TARGET = Path(__file__).parent.parent / "src" / "fulltape" / "simulator" / "sample"
LISTED = {
    "AAPL": "1980-12-12",
    "FB": "2012-05-18",
    "GOOG": "2004-08-19",
    "IBM": "1915-11-11",
    "MSFT": "1986-03-13",
}


def main() -> None:
    """Write wiki_prices.parquet and universe.csv."""
    packed = next(
        path
        for path in importlib.resources.files("bokeh_sampledata").rglob("stocks.csv.gz")  # type: ignore[attr-defined]
    )
    frame = (
        pl.read_csv(gzip.decompress(packed.read_bytes()), try_parse_dates=True)
        .select(
            pl.col("Ticker").alias("symbol"),
            pl.col("Date").cast(pl.Date).alias("session"),
            *(pl.col(name).cast(pl.Float64).alias(name.lower()) for name in ("Open", "High", "Low", "Close")),
            pl.col("Volume").cast(pl.Int64).alias("volume"),
        )
        .sort("symbol", "session")
    )
    TARGET.mkdir(parents=True, exist_ok=True)
    frame.write_parquet(
        TARGET / "wiki_prices.parquet", compression="zstd", compression_level=19, row_group_size=4_096
    )
    lines = ["symbol,listed_from,listed_to,instrument"]
    lines += [f"{symbol},{LISTED[symbol]},," for symbol in sorted(set(frame["symbol"]))]
    (TARGET / "universe.csv").write_text("\n".join(lines) + "\n")
    print(frame.group_by("symbol").len().sort("symbol"), (TARGET / "wiki_prices.parquet").stat().st_size)


if __name__ == "__main__":
    main()
