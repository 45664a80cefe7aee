"""Bars out of trades and quotes: real days, tick by tick, against the bars that others made of them."""

from __future__ import annotations

import datetime as dt
import functools
import io
import itertools
import random
import zipfile

import polars as pl
import pytest

from curated import XNYS, euro_quotes, minutes, spy_trades
from fulltape.bars import conditions, ticks
from fulltape.bars import every as lengths
from fulltape.bars.buckets import Phase
from fulltape.bars.ticks import BarRequest, PriceKind
from fulltape.calendars import tables
from nodes import DATA, needs_data

CONDITIONS = conditions.load()
PRICES = ("open", "high", "low", "close")


def bars(trades: pl.DataFrame, every: str, phase: Phase = "regular") -> pl.DataFrame:
    """Bars of trades, read."""
    asked = BarRequest(every=lengths.parse(every), calendar=XNYS, phase=phase, conditions=CONDITIONS)
    return ticks.bars(trades.lazy(), asked).collect()


@functools.cache
def spy() -> pl.DataFrame:
    """The day of 2013-10-07."""
    return spy_trades("2013-10-07")


def at(day: str, clock: str) -> dt.datetime:
    """A time of New York's summer."""
    return dt.datetime.fromisoformat(f"{day}T{clock}-04:00").astimezone(dt.UTC)


@needs_data
def test_a_print_above_the_market_counts_in_volume_only() -> None:
    (bar,) = bars(spy(), "1m").filter(pl.col("ts") == at("2013-10-07", "13:07")).to_dicts()
    assert (bar["high"], bar["volume"], bar["unknown_conditions"]) == (167.90, 1_028_573.0, 0)
    assert bar["low"] <= bar["vwap"] <= bar["high"]


@needs_data
def test_the_closing_auction_is_no_part_of_the_last_minute() -> None:
    last = bars(spy(), "1m").to_dicts()[-1]
    assert (last["ts"], last["close"], last["volume"]) == (at("2013-10-07", "15:59"), 167.45, 2_915_492.0)
    (auction,) = bars(spy(), "1m", "close_auction").to_dicts()
    assert (auction["ts"], auction["close"], auction["volume"]) == (at("2013-10-07", "16:00"), 167.42, 3_166_418.0)  # fmt: skip
    assert (auction["phase"], auction["close_kind"]) == ("close_auction", "official")


@needs_data
def test_a_day_closes_with_its_auction() -> None:
    regular = bars(spy(), "1m")
    (day,) = bars(spy(), "1d").to_dicts()
    assert (day["close"], day["close_kind"], day["phase"]) == (167.42, "official", "regular")
    assert day["volume"] == sum(regular["volume"].to_list()) + 3_166_418
    assert isinstance(day["trade_count"], int)
    prints = spy().filter(pl.col("conditions") == "6").height
    assert day["trade_count"] == sum(regular["trade_count"].to_list()) + prints
    assert (day["high"], day["low"]) == (regular["high"].max(), regular["low"].min())
    assert day["high"] <= 168.45
    without = spy().filter(~pl.col("conditions").str.contains("6|M"))
    (plain,) = bars(without, "1d").to_dicts()
    assert (plain["close"], plain["close_kind"]) == (167.45, "last")


@needs_data
def test_trades_rebuild_the_minutes_of_another_builder() -> None:
    """826 volumes of 828 and nineteen prices of twenty are the same. The volumes that differ: of the opening auction it takes the first
    print only, and the first one of the closing auction it takes for the last minute's. Prices differ where one builder takes a trade that is sold late, derived or an average for a price."""
    mine = bars(spy(), "1m", "all").filter(pl.col("phase") != "close_auction")
    theirs = minutes("SPY", "2013-10-07")
    both = mine.join(theirs, on="ts", suffix="_theirs")
    assert (mine.height, both.height) == (828, 828)
    different = both.filter(pl.col("volume") != pl.col("volume_theirs"))
    assert different["ts"].to_list() == [at("2013-10-07", clock) for clock in ("09:30", "15:59")]
    for name in PRICES:
        same = both.filter(pl.col(name) == pl.col(f"{name}_theirs")).height
        assert same >= 0.94 * 828, name
    inside = both.filter(pl.col("phase") == "regular")
    assert inside.filter((pl.col("high") - pl.col("high_theirs")).abs() > 0.011).is_empty()


@needs_data
def test_seconds_add_up_to_minutes() -> None:
    minute, second = bars(spy(), "1m"), bars(spy(), "1s")
    summed = second.group_by(pl.col("ts").dt.truncate("1m"), maintain_order=True).agg(
        pl.col("open").first(), pl.col("high").max(), pl.col("low").min(), pl.col("close").last(),
        pl.col("volume").sum(), pl.col("n").sum(),
    )  # fmt: skip
    # A second without a price has no bar, and its volume is in that of the minute only.
    both = minute.join(summed, on="ts", suffix="_summed")
    assert both.height == 390
    assert both.filter(pl.col("volume") < pl.col("volume_summed")).is_empty()
    for name in ("open", "close"):
        assert both[name].equals(both[f"{name}_summed"], check_names=False), name
    assert both.filter((pl.col("high") < pl.col("high_summed")) | (pl.col("low") > pl.col("low_summed"))).is_empty()  # fmt: skip
    # Where every second has a price there is no difference.
    whole = both.filter(pl.col("n") == pl.col("n_summed"))
    assert whole.height == 356
    assert whole["volume"].equals(whole["volume_summed"], check_names=False)
    assert whole["high"].equals(whole["high_summed"], check_names=False)


@needs_data
@pytest.mark.parametrize("kind", ["bid", "ask"])
def test_quotes_rebuild_the_minutes_of_their_dealer(kind: PriceKind) -> None:
    asked = BarRequest(every=lengths.parse("1m"), calendar=tables.load("forex"), price_kind=kind)
    mine = ticks.bars(euro_quotes("2014-05-01").lazy(), asked).collect()
    path = DATA / "lean-forex-eurusd" / "forex" / "oanda" / "minute" / "eurusd" / "20140501_quote.zip"
    with zipfile.ZipFile(path) as archive:
        text = archive.read(archive.namelist()[0])
    columns = [f"{side}_{name}" for side in ("bid", "ask") for name in (*PRICES, "size")]
    theirs = pl.read_csv(io.BytesIO(text), has_header=False, new_columns=["ms", *columns])
    midnight = dt.datetime(2014, 5, 1, tzinfo=dt.UTC)
    theirs = theirs.with_columns((pl.lit(midnight) + pl.duration(milliseconds="ms")).cast(pl.Datetime("us", "UTC")).alias("ts"))  # fmt: skip
    both = mine.join(theirs, on="ts")
    assert mine.height == theirs.height == both.height
    for name in PRICES:
        assert both[name].equals(both[f"{kind}_{name}"], check_names=False), name
    assert mine["price_kind"].unique().to_list() == [kind]


@needs_data
def test_bars_by_what_is_traded() -> None:
    regular = bars(spy(), "1m")
    for every, column, size in (("5000 ticks", "n", 5_000), ("1000000 shares", "volume", 1_000_000)):
        made = bars(spy(), every)
        assert made.height == -(-int(regular[column].sum()) // size), every
        assert made[column].sum() == regular[column].sum()
        ends = made[column].cum_sum().to_list()[:-1]
        # A bar ends with the trade that reaches the next multiple.
        assert all(end >= number * size for number, end in zip(itertools.count(1), ends, strict=False)), every
        assert made["ts"].is_sorted()
        assert (made["bucket_end"] > made["ts"]).all()
    value = bars(spy(), "5e8 dollars")
    assert value["volume"].sum() == regular["volume"].sum()
    assert value.filter(pl.col("ts").dt.date() != dt.date(2013, 10, 7)).is_empty()


def invented(*rows: tuple[float, float, float, str]) -> pl.DataFrame:
    """Trades of a day: seconds since the open, price, size, conditions."""
    opened = dt.datetime(2013, 10, 7, 13, 30, tzinfo=dt.UTC)
    frame = pl.DataFrame(
        [
            {"ts": opened + dt.timedelta(seconds=second), "price": price, "size": size, "conditions": codes}
            for second, price, size, codes in rows
        ]
    ).with_columns(
        instrument=pl.lit("A"), symbol=pl.lit("A"), session=pl.lit(opened.date()), tape=pl.lit("B"), correction=pl.lit(None, pl.String),
        source=pl.lit("alpaca.sip"), is_final=pl.lit(value=True), flags=pl.lit(0, pl.UInt32), available_at=pl.col("ts"),
    )  # fmt: skip
    return frame.with_columns(pl.col("ts", "available_at").cast(pl.Datetime("us", "UTC")))


def test_bars_of_fractions_hold_just_as_many() -> None:
    made = bars(invented(*((second, 10.0, 0.1, "@") for second in range(40))), "1 volume")
    assert made["n"].to_list() == [10, 10, 10, 10]
    assert bars(invented(*((second, 10.0, 1.0, "@") for second in range(30))), "10 ticks")["n"].to_list() == [10] * 3  # fmt: skip


def test_a_sum_beyond_its_room_is_null_and_never_wrong() -> None:
    huge = invented((1, 10.0, 6e19, "@"), (2, 10.0, 6e19, "@"), (3, 1e10, 1.2e10, "@"))
    for every in ("1s", "1m", "1d"):
        last = bars(huge, every).to_dicts()[-1]
        assert last["volume"] is None or last["volume"] > 0
        assert last["vwap"] is None or last["low"] <= last["vwap"] <= last["high"], every
    assert bars(huge, "1m")["volume"].to_list() == [None]
    assert bars(huge, "1d")["volume"].to_list() == [None]


def test_a_day_counts_what_made_no_price_and_begins_with_its_session() -> None:
    thin = invented((60, 10.0, 50.0, "I,?"), (90, 10.0, 5_000.0, "?"), (23_400.5, 12.0, 10.0, "6"))
    (day,) = bars(thin, "1d").to_dicts()
    assert (day["volume"], day["unknown_conditions"], day["close_kind"]) == (5_060.0, 2, "auction")
    assert (day["ts"], day["open"], day["close"]) == (at("2013-10-07", "09:30"), 12.0, 12.0)
    assert bars(thin, "1m").is_empty()


def test_prints_that_make_no_price_make_none_in_the_auction() -> None:
    odd = invented((60, 100.0, 10.0, "@"), (23_400.5, 150.0, 10.0, "6,W"), (23_400.6, 7.0, 20.0, "6,?"))
    (day,) = bars(odd, "1d").to_dicts()
    assert (day["high"], day["low"], day["close"], day["volume"]) == (100.0, 100.0, 100.0, 40.0)
    assert bars(odd, "1m", "close_auction").is_empty()


@needs_data
def test_neither_engine_nor_cuts_change_a_bit() -> None:
    trades = spy().with_columns(pl.col("size") / 3)
    for every in ("5m", "1d", "1000000 shares"):
        asked = BarRequest(every=lengths.parse(every), calendar=XNYS, phase="all", conditions=CONDITIONS)
        lazy = ticks.bars(trades.lazy(), asked)
        expected = lazy.collect()
        assert lazy.collect(engine="streaming").equals(expected), every
        cuts = sorted(random.Random(every).sample(range(1, trades.height), 5))
        pieces = [trades[start:stop] for start, stop in itertools.pairwise([0, *cuts, trades.height])]
        assert bars(pl.concat(pieces, rechunk=False), every, "all").equals(expected), every
