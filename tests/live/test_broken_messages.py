"""Messages of which no rows can be made, among those of which rows can; and what one venue tells twice."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, cast

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from fulltape import vendors
from fulltape.contract.streams import StreamingVendor, Subscription
from fulltape.decoding import captured, stream_rows

BROKEN: dict[str, Any] = {"T": "x", "p": "abc", "q": "many", "t": 1.5}


def read(
    source: str, dataset: str, symbol: str, messages: Sequence[dict[str, Any]]
) -> stream_rows.DecodedMessages:
    module = cast("StreamingVendor", vendors.load(source.partition(".")[0]))
    stream = module.streams(source, [Subscription(dataset=dataset, symbol=symbol)])[0]
    texts = [json.dumps(one, separators=(",", ":")).encode() for one in messages]
    block = (
        b"\n".join(texts),
        [len(one) for one in texts],
        range(10**18, 10**18 + len(texts)),
        captured.LIVE,
    )
    return stream_rows.read(stream_rows.bundled([block]), module.meaning(source), re.compile(stream.control))


def trade(number: int, field: str = "") -> dict[str, Any]:
    data = {"e": "trade", "E": 1700000000000, "s": "BTCUSDT", "t": number, "p": "100.00", "q": "1.0"}
    data |= {"T": 1700000000000 + number, "m": True, "M": True}
    if field:
        data[field] = BROKEN[field]
    return {"stream": "btcusdt@trade", "data": data}


@given(st.lists(st.sampled_from(["", "", "", *BROKEN]), min_size=1, max_size=60))
def test_each_broken_message_is_set_aside_and_every_other_one_is_read_in_order(fields: list[str]) -> None:
    found = read(
        "binance.spot", "crypto_trades", "BTC/USDT", [trade(at, one) for at, one in enumerate(fields)]
    )
    assert len(found.broken) == sum(bool(one) for one in fields)
    good = [str(at) for at, one in enumerate(fields) if not one]
    pieces = found.frames.get("crypto_trades", [])
    rows = pl.concat(pieces)["trade_id"].cast(pl.String).to_list() if pieces else []
    assert rows == good


def test_a_message_that_is_nested_too_deep_is_set_aside() -> None:
    deep: Any = 1
    for _ in range(900):
        deep = [deep]
    messages = [trade(1), trade(2, "p"), trade(3)]
    messages[1]["data"]["deep"] = deep
    found = read("binance.spot", "crypto_trades", "BTC/USDT", messages)
    assert len(found.broken) == 1
    assert pl.concat(found.frames["crypto_trades"])["trade_id"].cast(pl.String).to_list() == ["1", "3"]


def tick(at: int, subscription: str) -> dict[str, Any]:
    told = {"ask": 2.0, "bid": 1.0, "epoch": 1_700_000_000 + at, "id": subscription, "pip_size": 5}
    return {"msg_type": "tick", "req_id": 1, "tick": {**told, "quote": 1.5, "symbol": "R_100"}}


def test_what_a_second_subscription_tells_again_on_one_connection_is_there_once() -> None:
    messages = [tick(0, "a"), tick(1, "a"), tick(1, "a"), tick(1, "b"), tick(1, "b"), tick(2, "b")]
    found = read("deriv.synthetic", "synthetic_ticks", "R_100", messages)
    (frame,) = found.frames["synthetic_ticks"]
    rows = frame.with_columns(
        pl.lit("X").alias("instrument"), pl.from_epoch("timestamp", time_unit="us").alias("ts")
    )
    kept = captured.merged(rows.drop("timestamp", "timestamp_ns", strict=False), ())
    assert kept["ts"].dt.epoch("s").to_list() == [1_700_000_000 + at for at in (0, 1, 1, 2)], (
        "equal ticks of one subscription are genuine"
    )
    assert frame["connection"].n_unique() == 2
