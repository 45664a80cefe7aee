"""Minute bars as vendors send them: late, again, and for markets with hours; time runs sixty times as fast."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from living import ALPACA, BARS, BINANCE, MASSIVE, OHLC, Fast, Living, Venue, living

from fulltape.market.time import HOUR, SECOND

NOON = dt.datetime(
    2026, 11, 18, 16, 0, tzinfo=dt.UTC
)  # a Wednesday, an hour and a half after New York's open
SPEED = 60.0


def _bars(node: Living) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "symbol": symbol,
                "ts": bar.start,
                "open": bar.open,
                "high": bar.high,
                "low": bar.low,
                "close": bar.close,
            }
            for (_, symbol), bars in node.tape.bars.items()
            for bar in bars
        ]
    ).with_columns(pl.col("ts").cast(pl.Datetime("us", "UTC")))


def _more_bars(node: Living, each: int) -> Callable[[], bool]:
    """Whether so many more bars of each symbol than now have happened."""

    def happened() -> int:
        return sum(map(len, node.tape.bars.values()))

    wanted = happened() + each * len(node.venue.symbols)
    return lambda: happened() >= wanted


@pytest.mark.parametrize("venue", BARS, ids=lambda venue: venue.source)
def test_bars_that_a_broken_connection_lost_come_back(tmp_path: Path, venue: Venue) -> None:
    fast = Fast(NOON, SPEED)
    with living(tmp_path, venue, rate=200, fast=fast) as node:
        with node.capturing(timestamp=fast.timestamp):
            for _ in range(2):
                node.until(_more_bars(node, 2), 30)
                node.break_all()
            node.until(_more_bars(node, 3), 30)
            node.stream.pause()
        report = node.seal()
        assert report.captured.rows > 0
        assert report.captured.broken == report.captured.unknown == 0
        fast.ahead = HOUR  # some vendors answer for the newest minutes after a while only
        node.heal()
        assert {state for _, state, _ in node.intervals()} == {"verified"}
        found = node.curated()
        truth = _bars(node)
        first = found["ts"].min()
        columns = ["symbol", "ts", "open", "high", "low", "close"]
        expected = truth.filter(pl.col("ts") >= first).sort(columns)
        assert found.select(columns).sort(columns).equals(expected.select(columns))
        secrets = (b"CANARY-KEY-1", b"CANARY-SECRET-1")
        for path in (tmp_path / "node" / "lake").rglob("*"):
            assert not path.is_file() or not any(secret in path.read_bytes() for secret in secrets)


def test_minutes_without_a_history_are_kept_and_their_doubts_stay_visible(tmp_path: Path) -> None:
    fast = Fast(NOON, SPEED)
    closed = '[[fault]]\nvendor = "kraken"\ndo = "close"\nafter = 3.2\n'
    with living(tmp_path, OHLC, closed, rate=200, fast=fast, extra="[vendor.binance]\n") as node:
        with node.capturing(timestamp=fast.timestamp):
            node.until(lambda: node.stream.connections >= 2 and bool(node.stream.sessions), 30)
            begun = len(_bars(node))
            node.until(lambda: len(_bars(node)) >= begun + 3, 30)
            node.stream.pause()
        report = node.seal()
        assert report.captured.broken == report.captured.unknown == 0
        assert {state for _, state, _ in node.intervals()} == {"unverifiable"}
        columns = ["symbol", "ts", "open", "high", "low", "close"]
        found = node.curated().select(columns)
        assert found.height >= 3
        assert found.join(_bars(node), on=columns, how="anti").is_empty()


@pytest.mark.parametrize(
    ("venue", "secret"), [(ALPACA, "secret"), (MASSIVE, "key")], ids=["alpaca", "massive"]
)
def test_a_refused_key_stops_the_stream_and_nothing_else(tmp_path: Path, venue: Venue, secret: str) -> None:
    with living(tmp_path, venue) as node:
        settings = node.folder / "fulltape.toml"
        text = settings.read_text()
        settings.write_text(
            text.replace("CANARY-SECRET-1" if secret == "secret" else "CANARY-KEY-1", "wrong")
        )
        with node.started() as process:
            node.until(lambda: node.told().state == "barred")
            assert node.stream.connections == 1, "a key that was refused is not tried again"
            process.terminate()
            assert process.wait(20) == 0


def test_the_plan_says_where_its_streams_are_and_how_late_they_come(tmp_path: Path) -> None:
    with living(tmp_path, MASSIVE) as node:
        settings = node.folder / "fulltape.toml"
        url = next(line for line in settings.read_text().splitlines() if line.startswith("stream_url"))
        (feed,) = node.orders().feeds
        assert (feed.url, feed.delay) == (node.stream.url, 0)
        whole = settings.read_text()
        settings.write_text(whole.replace(url, 'plan = "starter"'))
        (feed,) = node.orders().feeds
        assert (feed.url, feed.delay) == ("wss://delayed.massive.com", 900)
        settings.write_text(whole.replace(url, f'{url}\nplan = "starter"'))
        (feed,) = node.orders().feeds
        assert (feed.url, feed.delay) == (node.stream.url, 900)
        settings.write_text(whole.replace(url, f'{url}\nplan = "starter"\nstream_delay = "0s"'))
        (feed,) = node.orders().feeds
        assert feed.delay == 0


def test_a_break_of_a_delayed_stream_is_asked_of_history_where_its_data_was(tmp_path: Path) -> None:
    with living(tmp_path, BINANCE) as node:
        settings = node.folder / "fulltape.toml"
        settings.write_text(settings.read_text().replace("stream_url", 'stream_delay = "15m"\nstream_url', 1))
        began = node.clock.now()
        with node.capturing():
            node.until(node.all_live)
            node.break_all()
            node.until(lambda: (node.told().state, node.told().reason) == ("live", ""))
        ended = node.clock.now()
        node.seal()
        with node.opened() as context:
            (one, *_) = context.ledger.intervals.find()
        late = 900 * SECOND
        assert began - late - SECOND <= one.start < one.end <= ended - late
