"""A csvdir of Zipline: daily/SYMBOL.csv and minute/SYMBOL.csv with raw prices, and splits and dividends on their ex-dates."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from fulltape.market import symbols


def write(rows: pl.DataFrame, actions: pl.DataFrame, folder: Path, *, minutes: bool, symbol: str) -> None:
    """One symbol. Minutes are those of the regular session, labelled by their end, as Zipline's calendars label them."""
    place = folder / ("minute" if minutes else "daily") / f"{symbols.path_name(symbol)}.csv"
    place.parent.mkdir(parents=True, exist_ok=True)
    bars = rows.filter(pl.col("phase") == "regular") if minutes else rows
    date = (
        pl.col("ts").dt.offset_by("1m").dt.strftime("%Y-%m-%d %H:%M:%S")
        if minutes
        else pl.col("session").cast(pl.String)
    )
    first_of_day = pl.int_range(pl.len()).over("session") == 0
    bars = bars.join(_by_day(actions), on="session", how="left", maintain_order="left").select(
        date.alias("date"),
        "open",
        "high",
        "low",
        "close",
        "volume",
        pl.when(first_of_day).then(pl.col("dividend")).fill_null(0.0).alias("dividend"),
        pl.when(first_of_day).then(pl.col("split")).fill_null(1.0).alias("split"),
    )
    bars.write_csv(place)


def _by_day(actions: pl.DataFrame) -> pl.DataFrame:
    """By ex-date the dividends of cash, and shares after for each before."""
    return actions.group_by(pl.col("ex_date").alias("session")).agg(
        pl.col("amount").fill_null(0.0).sum().alias("dividend"),
        pl.col("ratio").fill_null(1.0).product().alias("split"),
    )
