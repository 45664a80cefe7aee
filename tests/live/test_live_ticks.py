"""Trades and quotes of markets with hours: what a broken connection lost comes back, and what is taken back is marked."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest
from living import Fast, Living, Venue, living

from fulltape.live.run import Follower
from fulltape.market.time import HOUR
from fulltape.seal.messages import decode
from fulltape.simulator.vendors import alpaca, massive

NOON = dt.datetime(2026, 11, 18, 16, 0, tzinfo=dt.UTC)
_STOCKS, _PAIRS = ("AAPL", "MSFT"), ("EURUSD", "USDJPY")
TRADES = (
    Venue("alpaca", "alpaca.iex", "equities_trades", _STOCKS, grain=1_000),
    Venue("massive", "massive.sip", "equities_trades", _STOCKS, grain=1_000),
)
QUOTES = (
    Venue("alpaca", "alpaca.iex", "equities_quotes", _STOCKS, grain=1_000),
    Venue("massive", "massive.sip", "equities_quotes", _STOCKS, grain=1_000),
    Venue("massive", "massive.forex", "forex_quotes", _PAIRS, grain=1_000),
)


def _captured(node: Living, fast: Fast) -> pl.DataFrame:
    """Capture over connections that break, ask for what was lost, and read what a user reads."""
    with node.capturing(timestamp=fast.timestamp):
        for _ in range(2):
            node.until(node.ticks(300))
            node.break_all()
        node.until(node.ticks(300))
        node.stream.pause()
    report = node.seal()
    assert report.captured.rows > 0
    assert report.captured.broken == report.captured.unknown == 0
    fast.ahead = HOUR  # history answers for the newest minutes after a while only
    node.heal()
    assert {(state, evidence) for _, state, evidence in node.intervals() if state != "verified"} == set()
    assert node.intervals()
    return node.curated()


def _inside(rows: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """The rows between the first and the last moment that were captured of each symbol."""
    edges = found.group_by("symbol").agg(pl.col("ts").min().alias("first"), pl.col("ts").max().alias("last"))
    step = pl.duration(milliseconds=1)
    return rows.join(edges, on="symbol").filter(
        (pl.col("ts") >= pl.col("first") + step) & (pl.col("ts") < pl.col("last") - step)
    )


@pytest.mark.parametrize("venue", TRADES, ids=lambda venue: venue.source)
def test_trades_that_a_broken_connection_lost_come_back(tmp_path: Path, venue: Venue) -> None:
    fast = Fast(NOON, 4.0)
    with living(tmp_path, venue, rate=400, fast=fast) as node:
        found = _captured(node, fast)
        truth = pl.DataFrame(
            [
                {
                    "symbol": symbol,
                    "ts": tick.at // 1_000,
                    "trade_id": str(tick.trade_id),
                    "price": tick.price,
                    "size": tick.size,
                    "correction": (alpaca.taken_back(tick) or None) if venue.vendor == "alpaca" else None,
                }
                for symbol, ticks in node.tape.ticks.items()
                for tick in ticks
            ],
            schema_overrides={"correction": pl.String, "ts": pl.Datetime("us", "UTC")},
        )
    columns = ["symbol", "trade_id", "price", "size", "correction"]
    mine, theirs = (_inside(rows, found).select(columns).sort(columns) for rows in (found, truth))
    numbers = theirs.select(pl.col("trade_id").cast(pl.Int64)).to_series()
    assert (numbers % 100 == 0).any(), "no trade was taken back"
    assert mine.equals(theirs), (
        mine.height,
        theirs.height,
        theirs.join(mine, on=columns, how="anti", nulls_equal=True),
    )


@pytest.mark.parametrize("venue", QUOTES, ids=lambda venue: venue.source)
def test_quotes_that_a_broken_connection_lost_come_back_once(tmp_path: Path, venue: Venue) -> None:
    fast = Fast(NOON, 4.0)
    row = massive.forex_row if venue.dataset == "forex_quotes" else massive.quote_row
    with living(tmp_path, venue, rate=400, fast=fast) as node:
        found = _captured(node, fast)
        truth = pl.DataFrame(
            [
                {
                    "symbol": symbol,
                    "ts": tick.at // 1_000,
                    "bid": row(tick)["bid_price"],
                    "ask": row(tick)["ask_price"],
                }
                for symbol, ticks in node.tape.ticks.items()
                for tick in ticks
            ],
            schema_overrides={"ts": pl.Datetime("us", "UTC")},
        )
        with node.opened() as context:
            known = decode.known(context, venue.source)
            writer = context.capture_writer
            follower = Follower(
                context, venue.source, known.meaning, known.control, writer=writer, now=fast.now()
            )
            follower.poll()
    assert follower.last.keys() == {(venue.dataset, symbol) for symbol in venue.symbols}
    for (_, symbol), price in follower.last.items():
        newest = found.filter(pl.col("symbol") == symbol).row(-1, named=True)
        assert price == pytest.approx((newest["bid"] + newest["ask"]) / 2)
    # A stream may count milliseconds where history has more.
    exact = "1us" if venue.vendor == "alpaca" else "1ms"
    columns = ["symbol", "ts", "bid", "ask"]
    mine, theirs = (
        _inside(rows.with_columns(pl.col("ts").dt.truncate(exact)), found).select(columns).sort(columns)
        for rows in (found, truth)
    )
    assert mine.height > 200
    assert mine.equals(theirs), (mine.height, theirs.height)
