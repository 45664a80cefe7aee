"""One bad name, one odd byte: what a venue refuses, calls otherwise or writes otherwise takes nothing else down."""

from __future__ import annotations

import json
import random
import re
import zlib
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fulltape import errors, vendors
from fulltape.capture.socket import Socket
from fulltape.contract.streams import ProtocolStep, Resubscribe, Stream, StreamingVendor, Subscription
from fulltape.decoding import stream_rows


def stream(vendor: str, source: str, dataset: str, *symbols: str) -> Stream:
    module = cast("StreamingVendor", vendors.load(vendor))
    return module.streams(source, [Subscription(dataset=dataset, symbol=one) for one in symbols])[0]


def said(turn: ProtocolStep) -> set[str]:
    return {
        product
        for text in turn.say
        for channel in json.loads(text)["channels"]
        for product in channel["product_ids"]
    }


def test_errors_about_names_that_are_asked_no_more_are_no_reason_to_ask() -> None:
    one = stream("coinbase", "coinbase.exchange", "crypto_trades", "BTC/USD", "LUNA/USD")
    talk = one.converse(one.channels)
    next(talk)
    error = b'{"type":"error","message":"Failed to subscribe","reason":"LUNA-USD is not a valid product"}'
    assert said(talk.send(error)) == {"BTC-USD"}
    assert talk.send(error).say == ()
    assert said(talk.send(Resubscribe(channels=("match|BTC-USD",)))) == {"BTC-USD"}


def test_an_acknowledgement_is_known_by_its_alias() -> None:
    one = stream("coinbase", "coinbase.exchange", "crypto_books", "BTC/USD")
    talk = one.converse(one.channels)
    next(talk)
    turn = talk.send(b'{"type":"subscriptions","channels":[{"name":"level2_50","product_ids":["BTC-USD"]}]}')
    assert turn.confirmed == ("l2update|BTC-USD",)


MESSAGES: list[tuple[str, str, str, dict[str, Any]]] = [
    (
        "coinbase", "coinbase.exchange", "crypto_trades",
        {"type": "match", "trade_id": 7, "maker_order_id": "m", "taker_order_id": "t", "side": "sell", "size": "0.1",
         "price": "10.5", "product_id": "BTC-USD", "sequence": 3, "time": "2026-01-02T03:04:05.123456Z"},
    ),
    (
        "binance", "binance.spot", "crypto_trades",
        {"stream": "btcusdt@trade", "data": {"e": "trade", "E": 1700000000000, "s": "BTCUSDT", "t": 7, "p": "10.5",
         "q": "0.1", "T": 1700000000000, "m": True, "M": True}},
    ),
    (
        "kraken", "kraken.spot", "crypto_trades",
        {"channel": "trade", "type": "update", "data": [{"symbol": "BTC/USD", "side": "buy", "price": 10.5, "qty": 0.1,
         "ord_type": "market", "trade_id": 7, "timestamp": "2026-01-02T03:04:05.123456Z"}]},
    ),
]  # fmt: skip


def shuffled(value: Any, dice: random.Random) -> Any:
    if isinstance(value, dict):
        items = list(value.items())
        dice.shuffle(items)
        return {name: shuffled(one, dice) for name, one in items}
    return [shuffled(one, dice) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize(("vendor", "source", "dataset", "message"), MESSAGES)
@given(seed=st.integers(0, 2**32), spaced=st.booleans())
def test_messages_are_told_by_their_fields_in_any_order(
    vendor: str, source: str, dataset: str, message: dict[str, Any], seed: int, spaced: bool
) -> None:
    text = json.dumps(
        shuffled(message, random.Random(seed)), separators=(", ", ": ") if spaced else (",", ":")
    ).encode()
    module = cast("StreamingVendor", vendors.load(vendor))
    one = stream(vendor, source, dataset, "BTC/USD")
    bundle = stream_rows.MessageBatch(text=text, lengths=[len(text)], received=[10**18], connections=[2**31])
    found = stream_rows.read(bundle, module.meaning(source), re.compile(one.control))
    assert (found.unknown, found.broken) == ([], [])
    (frame,) = found.frames[dataset]
    assert frame.select("price", "size", "trade_id").row(0) == (10.5, 0.1, 7)


def unpacking() -> Socket:
    one = Socket(
        data=(),
        control=re.compile(b"(?!)"),
        on_open=print,
        on_control=print,
        on_end=print,
        on_full=print,
        timestamp=lambda: 0,
    )
    one._inflate = zlib.decompressobj(-15)
    return one


@pytest.mark.parametrize("tail", [b"", b"\x00"])
def test_a_finished_deflate_stream_begins_anew(tail: bytes) -> None:
    one = unpacking()
    for number in range(5):
        packer = zlib.compressobj(wbits=-15)
        whole = packer.compress(b"message %d" % number) + packer.flush(zlib.Z_FINISH) + tail
        assert one._unpacked(whole) == b"message %d" % number
    packer = zlib.compressobj(wbits=-15)
    kept = packer.compress(b"one more") + packer.flush(zlib.Z_SYNC_FLUSH)
    assert one._unpacked(kept.removesuffix(b"\x00\x00\xff\xff")) == b"one more"


def test_a_payload_that_unpacks_to_nothing_is_an_error() -> None:
    one = unpacking()
    with pytest.raises(errors.TransportError, match="came to nothing"):
        one._unpacked(b"\x00\x00\x00\xff\xff\x00")


def test_a_status_is_known_in_any_order_of_its_fields() -> None:
    one = stream("massive", "massive.sip", "equities_trades", "AAPL")
    control = re.compile(one.control)
    assert control.match(b'[{"status":"connected","ev":"status","message":"Connected Successfully"}]')
    assert control.match(b'[ {"ev":"status","status":"connected"} ]')
    assert not control.match(b'[{"ev":"T","sym":"AAPL","p":1.5,"s":1,"t":1,"i":"1","x":4,"z":3}]')
    talk = one.converse(one.channels)
    next(talk)
    row = b'[{"sym":"AAPL","ev":"T","p":1.5,"s":1,"t":1,"i":"1","x":4,"z":3}]'
    assert control.match(row)
    assert talk.send(row) == ProtocolStep()
    assert talk.send(b"[]").keep


def test_a_refused_channel_of_a_product_leaves_its_others() -> None:
    module = cast("StreamingVendor", vendors.load("coinbase"))
    wanted = [Subscription(dataset=name, symbol="BTC/USD") for name in ("crypto_trades", "crypto_books")]
    one = module.streams("coinbase.exchange", wanted)[0]
    talk = one.converse(one.channels)
    next(talk)
    error = (
        b'{"type":"error","message":"Failed to subscribe","reason":"level2_batch of BTC-USD requires a key"}'
    )
    turn = talk.send(error)
    assert not turn.refused
    (text,) = turn.say
    (first, _) = json.loads(text)["channels"]
    confirmed = talk.send(
        json.dumps({"type": "subscriptions", "channels": [first]}, separators=(",", ":")).encode()
    )
    assert confirmed.confirmed == ("match|BTC-USD",)
    assert talk.send(error).refused.keys() == {"l2update|BTC-USD"}


def test_kraken_too_many_messages_refuse_no_name() -> None:
    one = stream("kraken", "kraken.spot", "crypto_trades", "BTC/USD", "ETH/USD")
    talk = one.converse(one.channels)
    next(talk)
    turn = talk.send(
        b'{"method":"subscribe","success":false,"error":"Exceeded msg rate","symbol":null,"req_id":1}'
    )
    assert (turn.end, turn.refused) == ("wait", {})
    talk = one.converse(one.channels)
    next(talk)
    done = b'{"method":"subscribe","success":true,"error":null,"req_id":1,"result":{"channel":"trade","symbol":"BTC/USD"}}'
    assert talk.send(done).confirmed == ("trade|BTC/USD",)
