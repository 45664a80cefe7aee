"""Real sessions, played by the simulated vendor over a real socket, end as their descriptions say."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import polars as pl
import pytest
from living import Later, Venue, living

from fulltape import vendors
from fulltape.contract.streams import Meaning, StreamingVendor, Subscription
from fulltape.decoding import stream_rows
from fulltape.market.time import DAY
from fulltape.node import nightly
from fulltape.seal.messages import timeline
from fulltape.seal.messages.timeline import Run
from fulltape.simulator import recording
from nodes import DATA, needs_data

SPOT = DATA / "binance-raw-feed" / "spot"
COINBASE = DATA / "cryptofeed-raw" / "COINBASE.ws.28.0"
PRODUCTS = (
    "SKL/USD",
    "SKL/BTC",
    "BAND/GBP",
    "NMR/EUR",
    "BAND/BTC",
    "YFI/BTC",
    "DASH/BTC",
    "NU/GBP",
    "CRV/EUR",
    "SKL/GBP",
)


@needs_data
def test_eleven_minutes_over_midnight_are_whole(tmp_path: Path) -> None:
    """19,904 trades, ids 3735683259 to 3735703162 without a gap; a receive clock that is behind changes nothing."""
    venue = Venue("binance", "binance.spot", "crypto_trades", ("BTC/USDT",))
    played = recording.load(sorted(SPOT.iterdir()))
    with living(tmp_path, venue, rate=0, recording=played, first=dt.date(2024, 8, 8)) as node:
        with node.capturing():
            node.until(node.stream.played.is_set, 60)
            node.until(lambda: node.told().durable >= len(played.messages), 60)
        report = node.seal()
        assert report.captured.rows == 19_904
        assert report.captured.broken == 0
        assert not [one for one in node.intervals() if one[0] == "sequence break"]
        found = node.curated()
    ids = found["trade_id"].cast(pl.Int64).sort()
    assert (ids[0], ids[-1], ids.n_unique()) == (3_735_683_259, 3_735_703_162, 19_904)
    assert found["session"].unique().sort().to_list() == [dt.date(2024, 8, 8), dt.date(2024, 8, 9)]
    minute = found.filter(
        pl.col("ts").dt.truncate("1m") == dt.datetime(2024, 8, 8, 23, 59, tzinfo=dt.UTC)
    ).sort("trade_id")
    prices = minute["price"]
    assert (prices[0], prices.max(), prices.min(), prices[-1]) == (61_717.64, 61_743.50, 61_666.17, 61_685.99)
    assert (minute.height, round(minute["size"].sum(), 5)) == (1_312, 32.41946)


@needs_data
@pytest.mark.parametrize(
    ("dataset", "stream"), [("crypto_quotes", b"@bookTicker"), ("crypto_books", b"@depth@")]
)
def test_what_only_a_stream_has_is_held_and_exported_when_its_day_is_over(
    tmp_path: Path, dataset: str, stream: bytes
) -> None:
    venue = Venue("binance", "binance.spot", dataset, ("BTC/USDT",))
    played = recording.load(sorted(SPOT.iterdir())[:1])
    sent = sum(1 for _, message in played.messages if stream in message[:60])
    with living(tmp_path, venue, rate=0, recording=played, first=dt.date(2024, 8, 8)) as node:
        with node.capturing():
            node.until(node.stream.played.is_set, 60)
            node.until(lambda: node.told().durable >= len(played.messages), 60)
        with node.opened() as context:
            early = nightly.run(context, node.clock)
            assert early.export is None, "these are stamped by their receipt, and that day is not over"
            done = nightly.run(context, Later(DAY + DAY // 12))
        assert done.export is not None
        assert done.export.rows == node.curated().height == sent > 1_000
        assert done.audit.held == 1


def _coinbase() -> tuple[Meaning, re.Pattern[bytes], list[bytes]]:
    vendor = vendors.load("coinbase")
    streams: StreamingVendor = vendor  # type: ignore[assignment]
    control = streams.streams(
        "coinbase.exchange", [Subscription(dataset="crypto_trades", symbol=PRODUCTS[0])]
    )[0].control
    found = [message for _, message in recording.load([COINBASE]).messages]
    return streams.meaning("coinbase.exchange"), re.compile(control), found


def _read(found: list[bytes], meaning: Meaning, control: re.Pattern[bytes]) -> stream_rows.DecodedMessages:
    return stream_rows.read(
        stream_rows.MessageBatch(
            text=b"\n".join(found),
            lengths=[len(one) for one in found],
            received=[1] * len(found),
            connections=[2**31] * len(found),
        ),
        meaning,
        control,
    )


@needs_data
def test_every_message_of_a_recorded_session_is_accounted_for() -> None:
    meaning, control, found = _coinbase()
    read = _read(found, meaning, control)
    assert sum(frame.height for frame in read.frames["crypto_trades"]) == 97 + 10
    assert sum(frame.height for frame in read.frames["crypto_quotes"]) == 107
    assert sum(frame.height for frame in read.recorded["crypto_books"]) == 9_719 + 10
    assert not read.unknown
    assert not read.broken


@needs_data
@pytest.mark.parametrize("gone", [3, 20, 50])
def test_one_match_less_is_exactly_one_break(gone: int) -> None:
    meaning, control, found = _coinbase()
    matches = [one for one in found if one.startswith(b'{"type":"match"') and b'"SKL-USD"' in one]
    assert len(matches) == 52
    trades = pl.concat(_read(matches[:gone] + matches[gone + 1 :], meaning, control).frames["crypto_trades"])
    ids = trades.sort("trade_id").select("trade_id", "timestamp").rows()
    breaks, _ = timeline.breaks(
        (Run(first=number, last=number, start=at, end=at) for number, at in ids), after=None
    )
    assert [one.lost for one in breaks] == [1]
