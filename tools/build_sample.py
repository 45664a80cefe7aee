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


SPECIAL_AMOUNT = 3.0
SPECIAL = {("MSFT", "2004-11-15"): (SPECIAL_AMOUNT, 0.08)}
"""Days on which a special amount was paid beside the regular one."""


def actions(published: pl.DataFrame) -> str:
    """Splits and dividends, as the published adjusted closes imply them: an adjusted close steps by C / (C + D) over a dividend
    D, which was paid in whole cents, and by old / new over a split."""
    share = pl.col("Adj Close") / pl.col("Close")
    steps = (
        published.sort("Ticker", "Date")
        .with_columns((share.shift(1) / share).over("Ticker").alias("step"))
        .filter((pl.col("step") - 1).abs() > 2e-5)
    )
    lines = ["symbol,ex_date,split,amount,special"]
    for row in steps.iter_rows(named=True):
        symbol, day = row["Ticker"], str(row["Date"])
        if abs(row["step"] - 0.5) < 1e-6:
            lines.append(f"{symbol},{day},2,,")
            continue
        amount = row["Close"] * (1 / row["step"] - 1)
        assert abs(amount - round(amount, 2)) < 2e-3, (symbol, day, amount)
        parts = SPECIAL.get((symbol, day), (round(amount, 2),))
        assert abs(sum(parts) - amount) < 2e-3, (symbol, day, amount)
        lines += [f"{symbol},{day},,{part:g},{'yes' if part == SPECIAL_AMOUNT else ''}" for part in parts]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write wiki_prices.parquet, actions.csv and universe.csv."""
    packed = next(
        path
        for path in importlib.resources.files("bokeh_sampledata").rglob("stocks.csv.gz")  # type: ignore[attr-defined]
    )
    published = pl.read_csv(gzip.decompress(packed.read_bytes()), try_parse_dates=True)
    frame = published.select(
        pl.col("Ticker").alias("symbol"),
        pl.col("Date").cast(pl.Date).alias("session"),
        *(pl.col(name).cast(pl.Float64).alias(name.lower()) for name in ("Open", "High", "Low", "Close")),
        pl.col("Volume").cast(pl.Int64).alias("volume"),
    ).sort("symbol", "session")
    TARGET.mkdir(parents=True, exist_ok=True)
    frame.write_parquet(
        TARGET / "wiki_prices.parquet", compression="zstd", compression_level=19, row_group_size=4_096
    )
    (TARGET / "actions.csv").write_text(actions(published))
    lines = ["symbol,listed_from,listed_to,instrument"]
    lines += [f"{symbol},{LISTED[symbol]},," for symbol in sorted(set(frame["symbol"]))]
    (TARGET / "universe.csv").write_text("\n".join(lines) + "\n")
    print(frame.group_by("symbol").len().sort("symbol"), (TARGET / "wiki_prices.parquet").stat().st_size)


if __name__ == "__main__":
    main()
