"""Best prices and books of exchanges: no vendor has a history of them, so what was captured is all there is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from living import Later, Venue, living

import fulltape
from fulltape.curate import run as curate
from fulltape.market.time import DAY
from fulltape.seal import run as seal
from fulltape.simulator import books
from fulltape.views import streams

VENUES = (
    ("binance", "binance.spot", "BTC/USDT"),
    ("coinbase", "coinbase.exchange", "BTC/USD"),
    ("kraken", "kraken.spot", "BTC/USD"),
)


@pytest.mark.parametrize(("vendor", "source", "symbol"), VENUES, ids=[venue[0] for venue in VENUES])
@pytest.mark.parametrize("dataset", ["crypto_quotes", "crypto_books"])
def test_every_message_is_kept_and_a_doubt_stays_one(
    tmp_path: Path, vendor: str, source: str, symbol: str, dataset: str
) -> None:
    venue = Venue(vendor, source, dataset, (symbol,), grain=1_000)
    closed = f'[[fault]]\nvendor = "{vendor}"\ndo = "close"\nafter = 1.2\n'
    with living(tmp_path, venue, closed) as node:
        with node.capturing():
            node.until(lambda: node.stream.connections >= 2 and bool(node.stream.sessions))
            node.until(lambda: node.stream.sent > 100)
            node.stream.pause()
        report = node.seal()
        assert report.captured.broken == report.captured.unknown == 0
        assert {state for _, state, _ in node.intervals()} == {"unverifiable"}
        found = node.curated().sort("ts")
        assert found.height == node.stream.sent > 100
        ticks = node.tape.ticks[symbol]
        if dataset == "crypto_quotes":
            told = {books.sides(tick) for tick in ticks}
            assert set(found.select("bid", "ask").iter_rows()) <= told
        else:
            assert all(json.loads(message) for message in found["message"])
        clock = Later(DAY + DAY // 12)
        with node.opened() as context:
            seal.run_once(context, clock)
            assert all(one.over for one in streams.days(context))
            assert not found["is_final"].any(), "its session runs"
            assert curate.run_once(context, clock).written == 1
            assert curate.run_once(context, clock).written == 0
        again = fulltape.open(node.folder).scan(dataset).collect()
        assert again["is_final"].all()
        assert again.height == found.height
