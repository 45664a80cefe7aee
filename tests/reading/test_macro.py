"""Published values as they were on a day, alone and beside bars."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

import fulltape
from clocks import SkippingClock
from fulltape.node import nightly
from fulltape.reader import Reader
from fulltape.reading import macro
from fulltape.simulator.market import Vintage, market
from nodes import CANARY, opened, simulated


def released(period: str, *vintages: tuple[str, float | None]) -> list[Vintage]:
    """What was published of a period, from which day on; None: withdrawn."""
    day = dt.date.fromisoformat(period)
    return [Vintage(date=day, value=value, start=dt.date.fromisoformat(start)) for start, value in vintages]


GDP = [
    *released("2003-04-01", ("2003-07-31", 10_802.7)),
    *released("2003-07-01", ("2003-10-30", 11_038.4), ("2003-11-25", 11_063.4), ("2003-12-10", None), ("2003-12-23", 11_107.0)),
    *released("2020-04-01", ("2020-07-30", 19_408.759), ("2020-08-27", 19_486.509)),
]  # fmt: skip


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    lake = replace(market({}), symbols=frozenset({"GDP"}), vintages={"GDP": GDP})
    with simulated(tmp_path_factory.mktemp("macro"), lake, [], universe="symbol\nAAPL\n") as (folder, twins):
        (folder / "fulltape.toml").write_text(
            f"""[universe.series]
symbols = ["GDP"]
[dataset.macro_series]
universe = "series"
sources = ["fred.alfred"]
from = 2003-01-02
until = 2020-12-31
[vendor.fred]
key = "{(CANARY * 3)[:32].lower().replace("-", "0")}"
base_url = "{twins.servers["fred"].url}"
"""
        )
        with opened(folder) as context:
            nightly.run(context, SkippingClock())
    return fulltape.open(folder)


@pytest.mark.parametrize(
    ("as_of", "period", "value"),
    [
        ("2020-07-29", "2020-04-01", "nothing"),
        ("2020-07-30", "2020-04-01", 19_408.759),
        ("2020-09-01", "2020-04-01", 19_486.509),
        ("2003-12-09", "2003-07-01", 11_063.4),
        ("2003-12-10", "2003-07-01", None),
        ("2003-12-23", "2003-07-01", 11_107.0),
    ],
)
def test_a_value_is_that_of_the_day(
    reader: Reader, as_of: str, period: str, value: float | str | None
) -> None:
    rows = reader.scan("macro_series", symbols="GDP", as_of=as_of).collect()
    mine = rows.filter(pl.col("ts").dt.date() == dt.date.fromisoformat(period))["value"].to_list()
    assert mine == ([] if value == "nothing" else [value])


def test_bars_get_the_newest_period_that_was_public_then(reader: Reader) -> None:
    moments = ["2003-07-30", "2003-08-01", "2003-11-26", "2003-12-11", "2003-12-24", "2020-09-01"]
    bars = pl.LazyFrame({"available_at": moments}).with_columns(
        pl.col("available_at").str.to_datetime(time_unit="us", time_zone="UTC")
    )
    joined = reader.with_series(bars, "GDP").collect()
    assert joined["GDP"].to_list() == [None, 10_802.7, 11_063.4, None, 11_107.0, 19_486.509]


def test_a_late_word_on_an_older_period_changes_nothing() -> None:
    def at(day: int) -> dt.datetime:
        return dt.datetime(2020, 1, day, tzinfo=dt.UTC)

    series = pl.LazyFrame(
        {
            "symbol": ["S"] * 3, "ts": [at(1), at(2), at(1)], "value": [1.0, 2.0, 9.0],
            "available_at": [at(3), at(4), at(5)], "realtime_start": [at(3), at(4), at(5)],
        }
    )  # fmt: skip
    rows = pl.LazyFrame({"available_at": [at(3), at(4), at(6)]})
    assert macro.joined(rows, series, ["S"]).collect()["S"].to_list() == [1.0, 2.0, 2.0]


def test_who_reads_sees_every_vintage(reader: Reader, tmp_path: Path) -> None:
    assert reader.scan("macro_series", symbols="GDP").collect().height == len(GDP)
