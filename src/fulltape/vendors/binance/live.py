"""Binance's live streams: combined streams over one socket, subscribed by command.

A connection lives for a day and carries 1,024 streams; five messages a second may be sent, and a message of more than
4,088 bytes gets no answer. An unknown symbol is accepted in silence. Nothing is replayed: trade ids, which are contiguous for a symbol, show what was missed.
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
)
from fulltape.contract.subscribing import Subscribing
from fulltape.contract.vendor import RowFormat, WireField
from fulltape.market import assets

_PER_CONNECTION = 1_000
_PER_COMMAND, _MOST_BYTES = 100, 4_000
_DAY = 86_400
_STREAMS: dict[str, tuple[str, Detail]] = {
    "crypto_trades": ("trade", "trades"),
    "crypto_aggtrades": ("aggTrade", "trades"),
    "crypto_bars_minute": ("kline_1m", "bars"),
    "crypto_quotes": ("bookTicker", "quotes"),
    "crypto_books": ("depth@100ms", "books"),
}
_MAKER_IS_BUYER = {"true": "sell", "false": "buy"}


class _Reply(msgspec.Struct):
    id: int | None = None
    code: int = 0
    msg: str = ""
    error: dict[str, object] = {}
    e: str = ""
    stream: str = ""


_reply = msgspec.json.Decoder(_Reply)


def streams(source: str, subscriptions: Sequence[Subscription]) -> list[Stream]:
    """As few connections as carry them all; books by themselves, so that a flood of them delays no trade."""
    channels = [_channel(source, subscription) for subscription in subscriptions]
    books = [channel for channel in channels if channel.detail == "books"]
    others = [channel for channel in channels if channel.detail != "books"]
    return [
        Stream(
            source=source,
            host="stream",
            path="/stream",
            channels=tuple(some),
            control=rb'(?!\{"stream":"[^!])',
            route=rb'\{"stream":"([^"]+)"',
            data=(b'{"stream":"',),
            alert=b'{"stream":"!serverShutdown"',
            converse=_converse,
            lifetime=_DAY,
            say_per_second=3,
        )
        for group in (others, books)
        for some in batches(group, _PER_CONNECTION)
    ]


def _channel(source: str, subscription: Subscription) -> Channel:
    if subscription.dataset not in _STREAMS:
        raise ValueError(f"{source} streams {', '.join(_STREAMS)}, not {subscription.dataset}")
    name, detail = _STREAMS[subscription.dataset]
    wire = subscription.spelling or "".join(assets.pair(subscription.symbol)).upper()
    return Channel(
        name=f"{wire.lower()}@{name}",
        dataset=subscription.dataset,
        symbol=subscription.symbol,
        wire=wire,
        detail=detail,
    )


def _converse(channels: Sequence[Channel]) -> ProtocolSteps:
    subscribing = Subscribing(_subscribe, most=_PER_COMMAND, most_bytes=_MOST_BYTES)
    step = subscribing.subscribe([channel.name for channel in channels])
    while True:
        message = yield step
        step = (
            subscribing.subscribe(message.channels)
            if isinstance(message, Resubscribe)
            else _answered(message, subscribing)
        )


def _subscribe(names: Sequence[str], number: int) -> str:
    return msgspec.json.encode({"method": "SUBSCRIBE", "params": list(names), "id": number}).decode()


def _answered(message: bytes, subscribing: Subscribing) -> ProtocolStep:
    try:
        reply = _reply.decode(message)
    except msgspec.DecodeError:
        return NOTHING
    if reply.e == "serverShutdown" or reply.stream == "!serverShutdown":
        return ProtocolStep(end="reconnect", reason="the server goes down")
    if reply.code or reply.error:
        # A server that cannot read a command cannot tell its number either.
        if reply.id in (None, subscribing.number):
            subscribing.refuse(reply.msg or str(reply.error.get("msg", "refused")))
    elif reply.id == subscribing.number:
        subscribing.confirm(subscribing.outstanding)
    return subscribing.step()


_TRADE = (
    WireField(wire="s", column="symbol", kind="text"),
    WireField(wire="p", column="price", kind="decimal"),
    WireField(wire="q", column="size", kind="decimal"),
    WireField(wire="T", column="timestamp", kind="integer"),
    WireField(wire="m", column="aggressor", kind="boolean"),
)


def _trades(*more: WireField) -> RowFormat:
    return RowFormat(fields=(*_TRADE, *more), unit="epoch", renamed={"aggressor": _MAKER_IS_BUYER})


_SHAPES = (
    MessageFormat(
        kind="trade",
        marker=b'@trade","data":{',
        dataset="crypto_trades",
        inside="data",
        row_format=_trades(WireField(wire="t", column="trade_id", kind="integer")),
    ),
    MessageFormat(
        kind="aggTrade",
        marker=b'@aggTrade","data":{',
        dataset="crypto_aggtrades",
        inside="data",
        row_format=_trades(
            WireField(wire="a", column="trade_id", kind="integer"),
            WireField(wire="f", column="first_trade_id", kind="integer"),
            WireField(wire="l", column="last_trade_id", kind="integer"),
        ),
    ),
    MessageFormat(
        kind="kline_1m",
        dataset="crypto_bars_minute",
        inside="data.k",
        row_format=RowFormat(
            fields=(
                WireField(wire="s", column="symbol", kind="text"),
                WireField(wire="t", column="timestamp", kind="integer"),
                WireField(wire="o", column="open", kind="decimal"),
                WireField(wire="h", column="high", kind="decimal"),
                WireField(wire="l", column="low", kind="decimal"),
                WireField(wire="c", column="close", kind="decimal"),
                WireField(wire="v", column="volume", kind="decimal"),
                WireField(wire="q", column="quote_volume", kind="decimal"),
                WireField(wire="n", column="trade_count", kind="integer"),
                WireField(wire="V", column="taker_buy_volume", kind="decimal"),
                WireField(wire="x", column="closed", kind="boolean"),
            ),
            unit="epoch",
        ),
        only=("closed", True),
    ),
    MessageFormat(
        kind="bookTicker",
        marker=b'@bookTicker","data":{',
        dataset="crypto_quotes",
        inside="data",
        row_format=RowFormat(
            fields=(
                WireField(wire="s", column="symbol", kind="text"),
                WireField(wire="b", column="bid", kind="decimal"),
                WireField(wire="B", column="bid_size", kind="decimal"),
                WireField(wire="a", column="ask", kind="decimal"),
                WireField(wire="A", column="ask_size", kind="decimal"),
                WireField(wire="u", column="update_id", kind="integer"),
            ),
            unit="received",
        ),
    ),
)


def meaning(source: str) -> Meaning:  # noqa: ARG001
    """Messages of combined streams; books are kept as they came."""
    return Meaning(
        pattern=rb'\{"stream":"[^@"]+@([A-Za-z0-9_]+)',
        told_by="stream",
        formats=_SHAPES,
        contiguous={"crypto_trades": "trade_id", "crypto_aggtrades": "trade_id"},
        symbol=rb'"s":"([^"]+)"',
        recorded={
            "depth": "crypto_books",
            "depth5": "crypto_books",
            "depth10": "crypto_books",
            "depth20": "crypto_books",
        },
    )
