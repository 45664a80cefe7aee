"""The vendors' own sample messages, as their documents print them, become the rows that they describe."""

from __future__ import annotations

import re
from typing import Any, cast

import polars as pl
import pytest

from fulltape import vendors
from fulltape.contract.streams import StreamingVendor, Subscription
from fulltape.decoding import captured, stream_rows
from fulltape.market import datasets

ALPACA_TRADE = b'[{"T":"t","S":"AAPL","i":96921,"x":"D","p":126.55,"s":1,"c":["@","I"],"t":"2021-02-22T15:51:44.208Z","z":"C"}]'
ALPACA_QUOTE = b'[{"T":"q","S":"AMD","bx":"U","bp":87.66,"bs":1,"ax":"Q","ap":87.68,"as":4,"c":["R"],"t":"2021-02-22T15:51:45.335689322Z","z":"C"}]'
ALPACA_BARS = b'[{"T":"b","S":"SPY","o":388.985,"h":389.13,"l":388.975,"c":389.12,"v":49378,"n":461,"vw":389.062639,"t":"2021-02-22T19:15:00Z"},{"T":"u","S":"SPY","o":388.985,"h":389.13,"l":388.975,"c":389.13,"v":50001,"n":466,"vw":389.0631,"t":"2021-02-22T19:15:00Z"}]'
ALPACA_COIN = b'[{"T":"t","S":"BTC/USD","i":7,"p":50000.5,"s":0.25,"tks":"B","t":"2021-02-22T15:51:44.208Z"}]'
ALPACA_CORRECTION = b'[{"T":"c","S":"EEM","x":"M","oi":52983525033527,"op":39.1582,"os":440000,"oc":[" ","7"],"ci":52983525034326,"cp":39.1582,"cs":440000,"cc":[" ","7"],"z":"B","t":"2023-04-06T14:25:06.542305024Z"}]'
ALPACA_CANCEL = b'[{"T":"x","S":"GOOGL","i":465,"x":"D","p":105.31,"s":300,"a":"C","z":"C","t":"2023-04-06T13:15:42.83540958Z"}]'
CASES: list[tuple[str, bytes, str, list[dict[str, object]]]] = [
    ("alpaca.iex", ALPACA_TRADE, "equities_trades",
     [{"symbol": "AAPL", "trade_id": "96921", "exchange": "D", "price": 126.55, "size": 1.0, "conditions": "@,I", "tape": "C"}]),
    ("alpaca.iex", ALPACA_QUOTE, "equities_quotes",
     [{"symbol": "AMD", "bid": 87.66, "bid_size": 1.0, "ask": 87.68, "ask_size": 4.0, "exchange": "U", "ask_exchange": "Q", "timestamp_ns": 1614009105335689322}]),
    ("alpaca.iex", ALPACA_BARS, "equities_bars_minute",
     [{"symbol": "SPY", "close": 389.12, "trade_count": 461}, {"symbol": "SPY", "close": 389.13, "trade_count": 466}]),
    ("alpaca.crypto", ALPACA_COIN, "crypto_trades", [{"symbol": "BTC/USD", "price": 50000.5, "aggressor": "buy"}]),
    ("massive.sip", b'[{"ev":"T","sym":"MSFT","x":4,"i":"12345","z":3,"p":114.125,"s":100,"c":[0,12],"t":1536036818784,"q":3681328}]',
     "equities_trades", [{"symbol": "MSFT", "trade_id": "12345", "exchange": "4", "price": 114.125, "conditions": "0,12", "timestamp": 1536036818784000}]),
    ("massive.sip", b'[{"ev":"Q","sym":"MSFT","bx":4,"bp":114.125,"bs":100,"ax":7,"ap":114.128,"as":160,"c":0,"i":[604],"t":1536036818784,"q":50385480,"z":3}]',
     "equities_quotes", [{"symbol": "MSFT", "bid_size": 10_000.0, "ask_size": 16_000.0, "ask_exchange": "7"}]),
    ("massive.sip", b'[{"ev":"AM","sym":"GTE","v":4110,"av":9470157,"op":0.4372,"vw":0.4488,"o":0.4488,"c":0.4486,"h":0.4489,"l":0.4486,"a":0.4352,"z":685,"s":1610144640000,"e":1610144700000}]',
     "equities_bars_minute", [{"symbol": "GTE", "volume": 4110.0, "timestamp": 1610144640000000}]),
    ("massive.forex", b'[{"ev":"C","p":"USD/CNH","x":"44","a":6.83366,"b":6.83363,"t":1536036818784}]', "forex_quotes",
     [{"symbol": "USD/CNH", "bid": 6.83363, "ask": 6.83366}]),
    ("massive.forex", b'[{"ev":"CA","pair":"USD/EUR","o":0.8687,"c":0.86889,"h":0.86889,"l":0.8686,"v":20,"s":1539145740000,"e":1539145800000}]',
     "forex_bars_minute", [{"symbol": "USD/EUR", "close": 0.86889, "tick_count": 20, "price_kind": "mid"}]),
    ("massive.crypto", b'[{"ev":"XT","pair":"BTC-USD","p":33021.9,"t":1610462007425,"s":0.01616617,"c":[2],"i":14272084,"x":3,"r":1610462007576}]',
     "crypto_trades", [{"symbol": "BTC-USD", "trade_id": "14272084", "aggressor": "buy", "size": 0.01616617}]),
    ("massive.crypto", b'[{"ev":"XQ","pair":"BTC-USD","bp":33052.79,"bs":0.48,"ap":33073.19,"as":0.601,"t":1610462411115,"x":1,"r":1610462411128}]',
     "crypto_quotes", [{"symbol": "BTC-USD", "bid": 33052.79, "ask_size": 0.601}]),
    ("binance.spot", b'{"stream":"bnbbtc@kline_1m","data":{"e":"kline","E":1672515782136,"s":"BNBBTC","k":{"t":1672515780000,"T":1672515839999,"s":"BNBBTC","i":"1m","f":100,"L":200,"o":"0.0010","c":"0.0020","h":"0.0025","l":"0.0015","v":"1000","n":100,"x":true,"q":"1.0000","V":"500","Q":"0.500","B":"123456"}}}',
     "crypto_bars_minute", [{"symbol": "BNBBTC", "open": 0.001, "close": 0.002, "trade_count": 100, "taker_buy_volume": 500.0}]),
    ("binance.spot", b'{"stream":"bnbbtc@kline_1m","data":{"e":"kline","E":1672515782136,"s":"BNBBTC","k":{"t":1672515780000,"T":1672515839999,"s":"BNBBTC","i":"1m","f":100,"L":200,"o":"0.0010","c":"0.0020","h":"0.0025","l":"0.0015","v":"1000","n":100,"x":false,"q":"1.0000","V":"500","Q":"0.500","B":"123456"}}}',
     "crypto_bars_minute", []),
    ("binance.spot", b'{"stream":"bnbusdt@bookTicker","data":{"u":400900217,"s":"BNBUSDT","b":"25.35190000","B":"31.21000000","a":"25.36520000","A":"40.66000000"}}',
     "crypto_quotes", [{"symbol": "BNBUSDT", "bid": 25.3519, "ask_size": 40.66, "update_id": 400900217}]),
    ("coinbase.exchange", b'{"type":"match","trade_id":10,"sequence":50,"maker_order_id":"m","taker_order_id":"t","time":"2014-11-07T08:19:27.028459Z","product_id":"BTC-USD","size":"5.23512","price":"400.23","side":"sell"}',
     "crypto_trades", [{"symbol": "BTC-USD", "trade_id": 10, "price": 400.23, "aggressor": "buy"}]),
    ("kraken.spot", b'{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"buy","price":27505.0,"qty":0.1,"ord_type":"market","trade_id":4665906,"timestamp":"2023-09-25T07:49:37.708706Z"}]}',
     "crypto_trades", [{"symbol": "BTC/USD", "trade_id": 4665906, "size": 0.1, "aggressor": "buy", "timestamp": 1695628177708706}]),
    ("kraken.spot", b'{"channel":"ohlc","type":"update","timestamp":"2023-10-04T16:25:30.5Z","data":[{"symbol":"BTC/USD","open":27500.0,"high":27510.0,"low":27490.0,"close":27505.0,"trades":12,"volume":1.5,"vwap":27500.1,"interval_begin":"2023-10-04T16:25:00.000000000Z","interval":1,"timestamp":"2023-10-04T16:26:00.000000Z"}]}',
     "crypto_bars_minute", [{"symbol": "BTC/USD", "open": 27500.0, "close": 27505.0, "trade_count": 12, "timestamp": 1696436700000000}]),
    ("deriv.synthetic", b'{"echo_req":{"ticks":"R_100","subscribe":1,"req_id":3},"msg_type":"tick","req_id":3,"subscription":{"id":"66"},"tick":{"ask":1558.69,"bid":1558.49,"epoch":1746777986,"id":"66","pip_size":2,"quote":1558.59,"symbol":"R_100"}}',
     "synthetic_ticks", [{"symbol": "R_100", "price": 1558.59, "timestamp": 1746777986000000}]),
    ("deriv.synthetic", b'{"echo_req":{"ticks_history":"R_100","style":"candles"},"msg_type":"ohlc","req_id":4,"subscription":{"id":"f5"},"ohlc":{"id":"f5","symbol":"R_100","epoch":1746777986,"open_time":1746777960,"granularity":60,"open":"1558.11","high":"1559.02","low":"1557.95","close":"1558.59","pip_size":2}}',
     "synthetic_bars_minute", [{"symbol": "R_100", "open": 1558.11, "timestamp": 1746777960000000}]),
]  # fmt: skip


TAKEN_BACK: list[tuple[str, bytes, str, list[dict[str, object]]]] = [
    ("alpaca.sip", ALPACA_CORRECTION, "equities_trades",
     [{"symbol": "EEM", "exchange": "M", "trade_id": "52983525033527", "price": 39.1582, "conditions": " ,7", "correction": "incorrect"},
      {"symbol": "EEM", "exchange": "M", "trade_id": "52983525034326", "price": 39.1582, "size": 440_000.0, "tape": "B", "correction": "corrected"}]),
    ("alpaca.sip", ALPACA_CANCEL, "equities_trades",
     [{"symbol": "GOOGL", "exchange": "D", "trade_id": "465", "price": 105.31, "size": 300.0, "correction": "canceled"}]),
]  # fmt: skip


def _vendor(source: str) -> StreamingVendor:
    return cast("StreamingVendor", vendors.load(source.partition(".")[0]))


@pytest.mark.parametrize(
    ("source", "message", "dataset", "rows"),
    CASES,
    ids=[f"{case[0]} {case[2]} {at}" for at, case in enumerate(CASES)],
)
def test_a_documented_message_becomes_its_rows(
    source: str, message: bytes, dataset: str, rows: list[dict[str, object]]
) -> None:
    stream = _vendor(source).streams(
        source, [Subscription(dataset=dataset, symbol=datasets.get(dataset).asset_class.sample)]
    )[0]
    assert not re.match(stream.control, message)
    assert not stream.data or message.startswith(stream.data)
    assert re.search(stream.route, message)
    read = stream_rows.read(
        stream_rows.MessageBatch(text=message, lengths=[len(message)], received=[1], connections=[2**31]),
        _vendor(source).meaning(source),
        re.compile(stream.control),
    )
    assert not read.unknown
    assert not read.broken
    found: list[dict[str, Any]] = [
        row for frame in read.frames.get(dataset, []) for row in frame.iter_rows(named=True)
    ]
    assert [{name: row[name] for name in wanted} for row, wanted in zip(found, rows, strict=True)] == rows
    for row in found:
        missing = {
            column.name
            for column in datasets.get(dataset).schema.columns
            if not column.nullable and column.name not in row
        } - {"instrument", "session", "ts", "ts_event", "phase"}
        assert not missing


def test_kinds_of_one_array_are_told_apart() -> None:
    mixed = ALPACA_TRADE[:-1] + b"," + ALPACA_BARS[1:]
    read = stream_rows.read(
        stream_rows.MessageBatch(text=mixed, lengths=[len(mixed)], received=[5], connections=[2**31]),
        _vendor("alpaca.iex").meaning("alpaca.iex"),
        re.compile(rb"(?!)"),
    )
    assert sum(frame.height for frame in read.frames["equities_trades"]) == 1
    assert sum(frame.height for frame in read.frames["equities_bars_minute"]) == 2
    assert not read.unknown
    assert not read.broken


@pytest.mark.parametrize(("source", "message", "dataset", "rows"), TAKEN_BACK, ids=["correction", "cancel"])
def test_a_correction_is_a_version_of_its_trade(
    source: str, message: bytes, dataset: str, rows: list[dict[str, object]]
) -> None:
    read = stream_rows.read(
        stream_rows.MessageBatch(text=message, lengths=[len(message)], received=[5], connections=[2**31]),
        _vendor(source).meaning(source),
        re.compile(rb"(?!)"),
    )
    found = [row for frame in read.frames[dataset] for row in frame.iter_rows(named=True)]
    assert [{name: row[name] for name in wanted} for row, wanted in zip(found, rows, strict=True)] == rows


def test_what_takes_a_trade_back_counts_after_it_whatever_kind_came_first() -> None:
    def about(what: bytes, number: int) -> bytes:
        return (
            b'[{"T":"%s","S":"AAPL","i":%d,"x":"D","p":1.5,"s":3,"z":"C","t":"2023-04-06T13:15:42.8Z"}]'
            % (what, number)
        )

    told = [about(b"x", 1), about(b"t", 2), about(b"x", 2), about(b"t", 3)]
    read = stream_rows.read(
        stream_rows.MessageBatch(
            text=b"\n".join(told),
            lengths=[len(one) for one in told],
            received=range(4),
            connections=[2**31] * 4,
        ),
        _vendor("alpaca.iex").meaning("alpaca.iex"),
        re.compile(rb"(?!)"),
    )
    rows = pl.concat(read.frames["equities_trades"], how="diagonal_relaxed").with_columns(
        pl.col("symbol").alias("instrument"), pl.col("timestamp").alias("ts")
    )
    found = captured.merged(captured.as_received(rows), ("instrument", "exchange", "trade_id"))
    assert dict(found.select("trade_id", "correction").iter_rows()) == {
        "1": "canceled",
        "2": "canceled",
        "3": None,
    }


def test_a_correction_that_is_corrected_stays_where_it_was() -> None:
    """The size of trade 1 is corrected (trade 2), and that again (trade 4), which is cancelled: each stays at its first
    moment and has what the newest correction made of it."""

    def corrected(old: int, new: int, before: int, after: int, second: int) -> bytes:
        return (
            b'[{"T":"c","S":"BAC","x":"D","oi":%d,"op":44.5,"os":%d,"oc":["7"],"ci":%d,"cp":44.5,"cs":%d,"cc":["7"],"z":"A",'
            b'"t":"2026-11-27T15:00:%02dZ"}]' % (old, before, new, after, second)
        )

    told = [
        b'[{"T":"t","S":"BAC","i":1,"x":"D","p":44.5,"s":100,"c":["7"],"t":"2026-11-27T15:00:01Z","z":"A"}]',
        corrected(1, 2, 100, 200, 10),
        corrected(2, 4, 200, 150, 20),
        b'[{"T":"x","S":"BAC","i":4,"x":"D","p":44.5,"s":150,"a":"C","z":"A","t":"2026-11-27T15:00:30Z"}]',
    ]
    read = stream_rows.read(
        stream_rows.MessageBatch(
            text=b"\n".join(told),
            lengths=[len(one) for one in told],
            received=[9] * 4,
            connections=[2**31] * 4,
        ),
        _vendor("alpaca.sip").meaning("alpaca.sip"),
        re.compile(rb"(?!)"),
    )
    rows = pl.concat(read.frames["equities_trades"], how="diagonal_relaxed").with_columns(
        pl.col("symbol").alias("instrument"), pl.col("timestamp").alias("ts")
    )
    found = captured.merged(captured.as_received(rows), ("instrument", "exchange", "trade_id"))
    shown = found.select("trade_id", pl.col("ts") // 1_000_000 % 60, "size", "correction")
    assert shown.sort("trade_id").rows() == [
        ("1", 1, 100.0, "incorrect"),
        ("2", 10, 200.0, "incorrect"),
        ("4", 20, 150.0, "canceled"),
    ]


def test_a_message_of_several_unknown_kinds_is_kept_once() -> None:
    text = b'[{"ev":"LULD","T":"PAYC","h":300.0,"t":1},{"ev":"FMV","fmv":281.1,"sym":"PAYC","t":1}]'
    read = stream_rows.read(
        stream_rows.MessageBatch(text=text, lengths=[len(text)], received=[5], connections=[2**31]),
        _vendor("massive.sip").meaning("massive.sip"),
        re.compile(rb"(?!)"),
    )
    assert read.unknown == [text]


def test_a_correction_under_the_trades_own_id_replaces_it() -> None:
    told = [
        b'[{"T":"t","S":"BAC","i":1,"x":"D","p":10.0,"s":100,"c":["7"],"t":"2026-11-27T15:00:01Z","z":"A"}]',
        b'[{"T":"c","S":"BAC","x":"D","oi":1,"op":10.0,"os":100,"oc":["7"],"ci":1,"cp":11.0,"cs":90,"cc":["7"],"z":"A",'
        b'"t":"2026-11-27T15:00:10Z"}]',
    ]
    read = stream_rows.read(
        stream_rows.MessageBatch(
            text=b"\n".join(told),
            lengths=[len(one) for one in told],
            received=[5, 6],
            connections=[2**31] * 2,
        ),
        _vendor("alpaca.sip").meaning("alpaca.sip"),
        re.compile(rb"(?!)"),
    )
    rows = pl.concat(read.frames["equities_trades"], how="diagonal_relaxed").with_columns(
        pl.col("symbol").alias("instrument"), pl.col("timestamp").alias("ts")
    )
    found = captured.merged(captured.as_received(rows), ("instrument", "exchange", "trade_id"))
    shown = found.select(pl.col("ts") // 1_000_000 % 60, "price", "size", "correction")
    assert shown.rows() == [(1, 11.0, 90.0, "corrected")]
    answer = rows.head(1).with_columns(
        pl.lit(12.0).alias("price"), pl.lit(1, dtype=rows.schema["connection"]).alias("connection")
    )
    both = captured.as_received(pl.concat([rows, answer]))
    known = captured.merged(both, ("instrument", "exchange", "trade_id"))
    assert known["price"].to_list() == [12.0], "what history says counts"
