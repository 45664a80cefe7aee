"""A grid shows which bars are not there, and fills nothing in."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import Any

import polars as pl
import pytest

from curated import XNYS, minutes
from fulltape.bars import buckets, grid, resample
from fulltape.bars import every as lengths
from fulltape.bars.buckets import Origin
from fulltape.market import datasets, instruments
from fulltape.market.instruments import DatedSymbol, Instrument
from fulltape.market.time import from_datetime
from nodes import needs_data

MINUTES, DAYS = datasets.get("equities_bars_minute"), datasets.get("equities_bars_day")


def gridded(rows: pl.DataFrame, **more: Any) -> pl.DataFrame:
    """Minutes with those that are not there."""
    known = more.pop("known", instruments.of(*rows["instrument"].unique().to_list()))
    lives = more.pop("lives", lives_of(rows))
    return grid.filled(rows.lazy(), more.pop("dataset", MINUTES), XNYS, known, lives, **more).collect()


def lives_of(rows: pl.DataFrame) -> dict[str, tuple[dt.date, dt.date]]:
    """From the first to the last session of each instrument's rows."""
    edges = rows.group_by("instrument").agg(pl.col("session").min(), pl.col("session").max().alias("last"))
    return {name: (first, last) for name, first, last in edges.iter_rows()}


@needs_data
def test_the_minutes_without_a_trade_are_shown() -> None:
    day = minutes("GOOG", "2015-12-28")
    whole = gridded(day)
    added = whole.filter("is_filled")
    local = added["ts"].dt.convert_time_zone("America/New_York").dt.strftime("%H:%M").to_list()
    assert local == ["12:08", "12:15", "12:31", "12:44", "12:47", "13:27", "14:03", "14:40"]
    assert added.select("open", "close", "volume", "source").null_count().row(0) == (8, 8, 8, 8)
    assert set(added["symbol"]) == {"GOOG"}
    assert whole.filter(~pl.col("is_filled")).drop("is_filled").equals(day.sort("instrument", "ts"))


@needs_data
def test_half_days_have_fewer_minutes() -> None:
    whole = gridded(minutes("GOOG", "2015-12-24"))
    assert whole.filter(pl.col("phase") == "regular").height == 210


@needs_data
def test_longer_bars_have_a_grid_of_their_own() -> None:
    day = minutes("GOOG", "2015-12-28")
    some = day.filter(~pl.col("minute_of_session").is_between(60, 69))
    five = resample.resampled(some.lazy(), lengths.of_time("5m"), XNYS)
    whole = grid.filled(
        five, MINUTES, XNYS, instruments.of("GOOG"), lives_of(some), every=lengths.of_time("5m")
    ).collect()
    assert whole.height == 78
    added = whole.filter("is_filled")
    assert added["n"].to_list() == [0, 0]
    assert (added["bucket_end"] - added["ts"]).to_list() == [dt.timedelta(minutes=5)] * 2


@needs_data
def test_a_session_that_is_missing_between_others_is_whole_on_the_grid() -> None:
    days = minutes("AAPL", "2014-06-05", "2014-06-09")
    whole = gridded(days)
    missing = whole.filter(pl.col("session") == dt.date(2014, 6, 6))
    assert (missing.height, missing["is_filled"].all()) == (390, True)


@needs_data
def test_a_session_that_is_missing_at_the_edge_of_a_life_is_on_the_grid() -> None:
    """A life is what is known of an instrument, not what a window happens to hold."""
    day = minutes("AAPL", "2014-06-05")
    whole = gridded(day, lives={"AAPL": (dt.date(2014, 6, 5), dt.date(2014, 6, 6))})
    assert whole.filter(pl.col("session") == dt.date(2014, 6, 6)).height == 390
    nothing = gridded(
        day.clear(), known=instruments.of("AAPL"), lives={"AAPL": (dt.date(2014, 6, 6), dt.date(2014, 6, 6))}
    )
    assert nothing.height == 390


@needs_data
def test_nothing_beyond_what_was_over_is_expected() -> None:
    day = minutes("GOOG", "2015-12-28")
    noon = dt.datetime(2015, 12, 28, 17, 10, tzinfo=dt.UTC)
    seen = gridded(day.filter(pl.col("available_at") <= noon), until=from_datetime(noon))
    assert seen.filter("is_filled")["ts"].to_list() == [dt.datetime(2015, 12, 28, 17, 8, tzinfo=dt.UTC)]


def test_days_are_filled_with_the_symbol_of_the_session() -> None:
    calendar_days = [dt.date(2022, 6, 7), dt.date(2022, 6, 13)]
    rows = pl.DataFrame(
        {
            "instrument": "META", "symbol": ["FB", "META"], "session": calendar_days,
            "ts": [XNYS.sessions[XNYS.position(day) or 0].open for day in calendar_days], "close": [1.0, 2.0],
            "available_at": [XNYS.sessions[XNYS.position(day) or 0].close for day in calendar_days],
        }
    ).with_columns(pl.col("ts", "available_at").cast(pl.Datetime("us", "UTC")))  # fmt: skip
    meta = Instrument(
        instrument="META",
        symbols=(
            DatedSymbol(symbol="FB", first=dt.date(2012, 5, 18), last=dt.date(2022, 6, 8)),
            DatedSymbol(symbol="META", first=dt.date(2022, 6, 9), last=None),
        ),
    )
    whole = gridded(rows, dataset=DAYS, known=[meta])
    assert whole["symbol"].to_list() == ["FB", "FB", "META", "META", "META"]
    assert whole["close"].to_list() == [1.0, None, None, None, 2.0]
    assert all(later > earlier for earlier, later in itertools.pairwise(whole["ts"]))


@pytest.mark.parametrize("origin", buckets.ORIGINS)
@needs_data
def test_a_full_day_needs_no_grid(origin: Origin) -> None:
    day = minutes("AAPL", "2014-06-06")
    every = lengths.of_time("1h")
    hours = resample.resampled(day.lazy(), every, XNYS, origin=origin)
    assert (
        not grid.filled(
            hours, MINUTES, XNYS, instruments.of("AAPL"), lives_of(day), every=every, origin=origin
        )
        .collect()["is_filled"]
        .any()
    )
