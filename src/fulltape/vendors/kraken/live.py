"""Kraken's live streams, version 2 of the protocol: trades, tickers, minutes and books.

Every symbol is acknowledged by itself. `ohlc` repeats a minute with every trade and never says that it is over: it is
once the next one begins. `side` is the taker's.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from fulltape.contract.streams import (
    NOTHING,
    Channel,
    Detail,
    Meaning,
    MessageFormat,
    ProtocolStep,
    ProtocolSteps,
    Resubscribe,
    Stream,
    Subscription,
    batches,
    begins,
)
from fulltape.contract.subscribing import Subscribing
from fulltape.contract.vendor import RowFormat, WireField
from fulltape.market import assets

_PER_CONNECTION = 500
_PER_COMMAND = 100
_CHANNELS: dict[str, tuple[str, Detail]] = {
    "crypto_trades": ("trade", "trades"),
    "crypto_bars_minute": ("ohlc", "bars"),
    "crypto_quotes": ("ticker", "quotes"),
    "crypto_books": ("book", "books"),
}
_MORE: dict[str, dict[str, object]] = {
    "ticker": {"event_trigger": "bbo"},
    "book": {"depth": 10},
    "ohlc": {"interval": 1},
}


class _Result(msgspec.Struct):
    channel: str = ""
    symbol: str = ""


class _Reply(msgspec.Struct):
    method: str = ""
    channel: str = ""
    success: bool = True
    error: str | None = None
    symbol: str | None = None
    result: _Result | None = None
    req_id: int = 0


_reply = msgspec.json.Decoder(_Reply)


def streams(source: str, subscriptions: Sequence[Subscription]) -> list[Stream]:
    """Connections by symbols."""
    channels = [_channel(source, subscription) for subscription in subscriptions]
    return [
        Stream(
            source=source,
            host="stream",
            path="/v2",
            channels=tuple(some),
            control=rb'(?!\{"channel":"(?:trade|ticker|book|ohlc)")',
            data=tuple(b'{"channel":"%s"' % kind.encode() for kind, _ in _CHANNELS.values()),
            route=begins(b'{"channel":"') + rb'(trade|ticker|book|ohlc)".*?"symbol":"([^"]+)"',
            converse=_converse,
            keepalive='{"method":"ping"}',
            keepalive_every=30,
        )
        for some in batches(channels, _PER_CONNECTION)
    ]


def _channel(source: str, subscription: Subscription) -> Channel:
    if subscription.dataset not in _CHANNELS:
        raise ValueError(f"{source} streams {', '.join(_CHANNELS)}, not {subscription.dataset}")
    wire = (
        subscription.spelling if "/" in subscription.spelling else "/".join(assets.pair(subscription.symbol))
    )
    name, detail = _CHANNELS[subscription.dataset]
    return Channel(
        name=f"{name}|{wire}",
        dataset=subscription.dataset,
        symbol=subscription.symbol,
        wire=wire,
        detail=detail,
    )


def _converse(channels: Sequence[Channel]) -> ProtocolSteps:
    subscribing = Subscribing(_subscribe, most=_PER_COMMAND, apart=_kind)
    step = subscribing.subscribe([channel.name for channel in channels])
    while True:
        message = yield step
        step = (
            subscribing.subscribe(message.channels)
            if isinstance(message, Resubscribe)
            else _answered(message, subscribing)
        )


def _kind(name: str) -> str:
    return name.partition("|")[0]


def _subscribe(names: Sequence[str], number: int) -> str:
    kind = _kind(names[0])
    params = {
        "channel": kind,
        "symbol": [name.partition("|")[2] for name in names],
        "snapshot": kind == "book",
        **_MORE.get(kind, {}),
    }
    return msgspec.json.encode({"method": "subscribe", "params": params, "req_id": number}).decode()


def _answered(message: bytes, subscribing: Subscribing) -> ProtocolStep:
    try:
        reply = _reply.decode(message)
    except msgspec.DecodeError:
        return NOTHING
    if reply.method != "subscribe":
        return ProtocolStep(keep=reply.channel == "status")
    if reply.success and reply.result:
        subscribing.confirm([f"{reply.result.channel}|{reply.result.symbol}"])
    elif reply.req_id in (0, subscribing.number):
        error = reply.error or "refused"
        named = [name for name in subscribing.outstanding if name.partition("|")[2] == reply.symbol]
        if "rate" in error.lower().replace("/", " ").split():
            return ProtocolStep(end="wait", reason=error)
        if named and "already subscribed" in error.lower():
            subscribing.confirm(named)
        elif named or not reply.symbol:
            subscribing.refuse(error, named)
    return subscribing.step()


_TRADE = RowFormat(
    fields=(
        WireField(wire="symbol", column="symbol", kind="text"),
        WireField(wire="timestamp", column="timestamp", kind="text"),
        WireField(wire="price", column="price"),
        WireField(wire="qty", column="size"),
        WireField(wire="side", column="aggressor", kind="text"),
        WireField(wire="trade_id", column="trade_id", kind="integer"),
    ),
    unit="iso",
    timestamp_kind="text",
    renamed={"aggressor": {"buy": "buy", "sell": "sell"}},
)
_OHLC = RowFormat(
    fields=(
        WireField(wire="symbol", column="symbol", kind="text"),
        WireField(wire="interval_begin", column="timestamp", kind="text"),
        WireField(wire="open", column="open"),
        WireField(wire="high", column="high"),
        WireField(wire="low", column="low"),
        WireField(wire="close", column="close"),
        WireField(wire="volume", column="volume"),
        WireField(wire="vwap", column="vwap"),
        WireField(wire="trades", column="trade_count", kind="integer"),
    ),
    unit="iso",
    timestamp_kind="text",
)
_TICKER = RowFormat(
    fields=(
        WireField(wire="symbol", column="symbol", kind="text"),
        WireField(wire="bid", column="bid"),
        WireField(wire="bid_qty", column="bid_size"),
        WireField(wire="ask", column="ask"),
        WireField(wire="ask_qty", column="ask_size"),
    ),
    unit="received",
)


def meaning(source: str) -> Meaning:  # noqa: ARG001
    """Trades, minutes and tickers; books are kept as they came."""
    return Meaning(
        pattern=rb'\{"channel":"(\w+)"',
        formats=(
            MessageFormat(
                kind="trade",
                marker=b'{"channel":"trade",',
                dataset="crypto_trades",
                rows="object_of_rows",
                inside="data",
                row_format=_TRADE,
            ),
            MessageFormat(
                kind="ohlc",
                marker=b'{"channel":"ohlc",',
                dataset="crypto_bars_minute",
                rows="object_of_rows",
                inside="data",
                row_format=_OHLC,
            ),
            MessageFormat(
                kind="ticker",
                marker=b'{"channel":"ticker",',
                dataset="crypto_quotes",
                rows="object_of_rows",
                inside="data",
                row_format=_TICKER,
            ),
        ),
        contiguous={"crypto_trades": "trade_id"},
        symbol=rb'"symbol":"([^"]+)"',
        recorded={"book": "crypto_books"},
        told_by="channel",
        ignored=frozenset({"heartbeat", "status"}),
    )
