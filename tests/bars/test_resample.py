"""Longer bars out of minutes: real days of the exchange, and rules about sessions, breaks and order."""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
import random
import zoneinfo

import polars as pl
import pytest

from curated import XNYS, curated, minutes
from fulltape import errors
from fulltape.bars import buckets, indicators, resample
from fulltape.bars import every as lengths
from fulltape.bars.buckets import Origin, Phase
from fulltape.market.sessions import Calendar, Session
from fulltape.market.time import MINUTE, Span, from_datetime
from nodes import needs_data


def bars(
    rows: pl.DataFrame,
    every: str,
    phase: Phase = "regular",
    origin: Origin = "open",
    calendar: Calendar = XNYS,
) -> pl.DataFrame:
    """Resampled rows, read."""
    return resample.resampled(
        rows.lazy(), lengths.of_time(every), calendar, phase=phase, origin=origin
    ).collect()


def prices(row: dict[str, object]) -> tuple[object, ...]:
    """What an exchange prints of a bar."""
    return tuple(row[name] for name in ("open", "high", "low", "close", "volume"))


@needs_data
def test_apple_in_five_minutes_and_in_hours() -> None:
    day = minutes("AAPL", "2014-06-06")
    five = bars(day, "5m").to_dicts()
    assert len(five) == 78
    assert prices(five[0]) == (650.0, 650.49, 647.35, 647.77, 802_291.0)
    assert (five[-1]["close"], five[-1]["volume"]) == (645.57, 1_010_562.0)
    hours = bars(day, "1h").to_dicts()
    assert len(hours) == 7
    assert (hours[-1]["n"], hours[-1]["volume"]) == (30, 2_119_118.0)
    assert (hours[-1]["bucket_end"] - hours[-1]["ts"]) == dt.timedelta(minutes=30)


@needs_data
def test_a_half_day_ends_early() -> None:
    day = minutes("GOOG", "2015-12-24")
    assert bars(day, "5m").height == 42
    hours = bars(day, "1h").to_dicts()
    assert (len(hours), hours[3]["close"], hours[3]["volume"]) == (4, 748.40, 198_973.0)
    assert hours[3]["bucket_end"] == dt.datetime(2015, 12, 24, 18, 0, tzinfo=dt.UTC)


@needs_data
def test_missing_minutes_are_counted_and_nothing_is_filled() -> None:
    five = bars(minutes("GOOG", "2015-12-28"), "5m")
    assert (five.height, five.filter(pl.col("n") == 4).height, five["n"].sum()) == (78, 8, 382)


@needs_data
def test_phases_are_kept_apart() -> None:
    day = minutes("AAPL", "2014-06-06")
    everything = bars(day, "1h", phase="all")
    assert everything["n"].sum() == day.height
    for phase in ("regular", "pre", "post"):
        own = bars(day, "1h", phase=phase)
        assert own.equals(everything.filter(pl.col("phase") == phase))
    post = bars(day, "4h", phase="post").to_dicts()
    assert [row["ts"] for row in post] == [dt.datetime(2014, 6, 6, 20, 0, tzinfo=dt.UTC)]
    (whole,) = bars(day, "1d").to_dicts()
    assert (whole["ts"], whole["bucket_end"], whole["n"]) == (
        dt.datetime(2014, 6, 6, 13, 30, tzinfo=dt.UTC), dt.datetime(2014, 6, 6, 20, 0, tzinfo=dt.UTC), 390,
    )  # fmt: skip


@needs_data
def test_hours_of_the_clock_are_those_of_vendors() -> None:
    hours = bars(minutes("AAPL", "2014-06-06"), "1h", origin="clock").to_dicts()
    assert [row["ts"].hour for row in hours] == [13, 14, 15, 16, 17, 18, 19]
    assert [row["n"] for row in hours] == [30, 60, 60, 60, 60, 60, 60]


@needs_data
def test_neither_engine_nor_cuts_of_files_change_a_bit() -> None:
    day = minutes("SPY", "2013-10-07", "2013-10-08").with_columns(
        (pl.col("close") * 1.0000001).alias("vwap"), (pl.col("volume") / 3).alias("volume")
    )
    asked = resample.resampled(day.lazy(), lengths.of_time("15m"), XNYS, phase="all")
    expected = asked.collect()
    assert asked.collect(engine="streaming").equals(expected)
    for seed in range(5):
        cuts = sorted(random.Random(seed).sample(range(1, day.height), 7))
        pieces = [day[start:stop] for start, stop in itertools.pairwise([0, *cuts, day.height])]
        assert bars(pl.concat(pieces, rechunk=False), "15m", phase="all").equals(expected)


@needs_data
def test_a_bar_is_the_plain_sum_of_its_minutes() -> None:
    day = minutes("SPY", "2013-10-07").with_columns(pl.col("close").alias("vwap"))
    regular = day.filter(pl.col("phase") == "regular")
    for bar in bars(day, "30m").to_dicts():
        inside = regular.filter(pl.col("ts").is_between(bar["ts"], bar["bucket_end"], closed="left"))
        assert prices(bar) == (
            inside["open"][0], inside["high"].max(), inside["low"].min(), inside["close"][-1], inside["volume"].sum(),
        )  # fmt: skip
        notional = sum(price * size for price, size in inside.select("vwap", "volume").iter_rows())
        assert bar["vwap"] == pytest.approx(notional / sum(inside["volume"].to_list()), rel=1e-14)
        assert (bar["n"], bar["available_at"]) == (inside.height, inside["available_at"].max())


def made(times: list[dt.datetime], calendar: Calendar, **columns: object) -> pl.DataFrame:
    """Minutes at these moments, prices 1, 2, 3 …"""
    count = [float(number) for number in range(1, len(times) + 1)]
    raw = pl.DataFrame(
        {
            "instrument": "X", "symbol": "X", "timestamp": [from_datetime(moment) for moment in times], "open": count,
            "high": count, "low": count, "close": count, "volume": [10.0] * len(times), **columns,
        }
    )  # fmt: skip
    return curated(raw, calendar)


def test_no_bar_crosses_a_break() -> None:
    opens = from_datetime(dt.datetime(2014, 6, 6, 13, 30, tzinfo=dt.UTC))
    pause = Span(start=opens + 150 * MINUTE, end=opens + 210 * MINUTE)
    session = Session(label=dt.date(2014, 6, 6), open=opens, close=opens + 390 * MINUTE, pause=pause)
    calendar = dataclasses.replace(XNYS, name="with a break", sessions=[session])
    moments = [pause.start - MINUTE, pause.end, pause.end + MINUTE]
    rows = made([dt.datetime.fromtimestamp(moment / 1e6, dt.UTC) for moment in moments], calendar)
    for origin in buckets.ORIGINS:
        two = bars(rows, "4h", calendar=calendar, origin=origin).to_dicts()
        assert [row["n"] for row in two] == [1, 2]
        assert two[0]["bucket_end"] == dt.datetime(2014, 6, 6, 16, 0, tzinfo=dt.UTC)


def test_what_is_unknown_of_a_minute_is_unknown_of_the_bar() -> None:
    times = [dt.datetime(2014, 6, 6, 13, 30 + minute, tzinfo=dt.UTC) for minute in range(6)]
    rows = made(times, XNYS, vwap=[1.0, None, 3.0, 4.0, 5.0, 6.0], trade_count=[1, 2, 3, None, 5, 6])
    first, second = bars(rows, "3m").to_dicts()
    assert (first["vwap"], first["trade_count"]) == (None, 6)
    assert (second["vwap"], second["trade_count"]) == (5.0, None)
    nothing = made(times[:3], XNYS, vwap=[1.0, 2.0, 3.0]).with_columns(pl.lit(0.0).alias("volume"))
    assert bars(nothing, "3m")["vwap"].to_list() == [None]


def local(*moments: str, zone: str = "America/New_York") -> list[dt.datetime]:
    """Moments of the wall clock."""
    return [dt.datetime.fromisoformat(text).replace(tzinfo=zoneinfo.ZoneInfo(zone)) for text in moments]


@pytest.mark.parametrize("sunday", ["2023-03-12", "2023-11-05"])
def test_nights_over_a_change_of_clocks_begin_at_eight_in_the_evening(sunday: str) -> None:
    monday = dt.date.fromisoformat(sunday) + dt.timedelta(days=1)
    rows = made(local(f"{sunday}T20:00", f"{sunday}T23:00", f"{monday}T03:59"), XNYS)
    (night,) = bars(rows, "1d", phase="overnight").to_dicts()
    assert (night["ts"], night["bucket_end"]) == tuple(local(f"{sunday}T20:00", f"{monday}T04:00"))
    three = bars(rows, "4h", phase="overnight")["ts"].to_list()
    assert three == local(f"{sunday}T20:00", f"{monday}T00:00")


def test_a_day_with_a_break_is_one_bar() -> None:
    opens = from_datetime(dt.datetime(2014, 6, 6, 13, 30, tzinfo=dt.UTC))
    pause = Span(start=opens + 150 * MINUTE, end=opens + 210 * MINUTE)
    session = Session(label=dt.date(2014, 6, 6), open=opens, close=opens + 390 * MINUTE, pause=pause)
    calendar = dataclasses.replace(XNYS, name="with a break", sessions=[session])
    times = [dt.datetime.fromtimestamp(at / 1e6, dt.UTC) for at in (opens, pause.end)]
    (day,) = bars(made(times, calendar), "1d", calendar=calendar).to_dicts()
    assert (day["n"], day["bucket_end"] - day["ts"]) == (2, dt.timedelta(minutes=390))


def test_hours_of_two_phases_with_one_start_come_in_time() -> None:
    rows = made(local("2014-06-06T09:10", "2014-06-06T09:40", "2014-06-06T10:00"), XNYS)
    hours = bars(rows, "1h", phase="all", origin="clock")
    assert hours["phase"].to_list() == ["pre", "regular", "regular"]
    chosen = indicators.parse("return_1")
    assert chosen
    returns = indicators.added(hours.lazy(), [chosen]).collect()["return_1"].to_list()
    assert returns == [None, 1.0, 0.5]


def test_what_trades_after_the_close_of_its_market_ends_with_its_last_minute() -> None:
    rows = made(local("2014-06-06T15:59", "2014-06-06T16:10", "2014-06-06T16:14"), XNYS).with_columns(
        pl.lit("regular").alias("phase"), pl.Series("minute_of_session", [389, 400, 404])
    )
    ends = bars(rows, "10m")["bucket_end"].to_list()
    assert ends == local("2014-06-06T16:00", "2014-06-06T16:15")


@pytest.mark.parametrize("text", ["", "5", "m", "0m", "-5m", "7m", "25h", "2d", "1w", "5 minutes", "1.5h"])
def test_what_is_no_length_is_refused(text: str) -> None:
    with pytest.raises(errors.UsageError):
        lengths.of_time(text)


def test_lengths_are_read() -> None:
    assert [lengths.of_time(text).length // MINUTE for text in ("1m", "5m", " 1h ", "1d")] == [
        1,
        5,
        60,
        1_440,
    ]
