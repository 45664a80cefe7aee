"""Coinbase Exchange's live trades: the channel `matches`, with heartbeats.

A trade's id follows the one before it, and `last_match` repeats the newest trade when a subscription begins. `side` is
the maker's, so the taker's is the other one.
"""

from __future__ import annotations

import re
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

_PER_CONNECTION = 200
_CHANNELS: dict[str, tuple[str, str, Detail]] = {
    "crypto_trades": ("matches", "match", "trades"),
    "crypto_quotes": ("ticker", "ticker", "quotes"),
    "crypto_books": ("level2_batch", "l2update", "books"),
}
_HEARTBEAT = "heartbeat"
_ALIASES = dict.fromkeys(("level2", "level2_50"), "l2update")
"""What acknowledgements call channels that were asked for by another name."""


class _Listed(msgspec.Struct):
    name: str = ""
    product_ids: list[str] = []


class _Reply(msgspec.Struct):
    type: str = ""
    message: str = ""
    reason: str = ""
    channels: list[_Listed] = []


_reply = msgspec.json.Decoder(_Reply)
_PRODUCT = re.compile(r"[A-Za-z0-9]+-[A-Za-z0-9]+")


def streams(source: str, subscriptions: Sequence[Subscription]) -> list[Stream]:
    """Connections by products."""
    channels = [_channel(source, subscription) for subscription in subscriptions]
    return [
        Stream(
            source=source,
            host="stream",
            path="/",
            channels=tuple(some),
            control=rb'(?!\{"type":"(?:match|last_match|ticker|l2update|snapshot)")',
            data=(b'{"type":"match"', b'{"type":"ticker"', b'{"type":"l2update"'),
            route=rb'\{"type":"(?:last_)?(match|ticker|l2update|snapshot)".*?"product_id":"([^"]+)"',
            converse=_converse,
            say_per_second=8,
        )
        for some in batches(channels, _PER_CONNECTION)
    ]


def _channel(source: str, subscription: Subscription) -> Channel:
    if subscription.dataset not in _CHANNELS:
        raise ValueError(f"{source} streams {', '.join(_CHANNELS)}, not {subscription.dataset}")
    wire = subscription.spelling or "-".join(assets.pair(subscription.symbol))
    _, kind, detail = _CHANNELS[subscription.dataset]
    return Channel(
        name=f"{kind}|{wire}",
        dataset=subscription.dataset,
        symbol=subscription.symbol,
        wire=wire,
        detail=detail,
    )


def _converse(channels: Sequence[Channel]) -> ProtocolSteps:
    subscribing = Subscribing(_subscribe, most=_PER_CONNECTION)
    step = subscribing.subscribe([channel.name for channel in channels])
    while True:
        message = yield step
        step = (
            subscribing.subscribe(message.channels)
            if isinstance(message, Resubscribe)
            else _answered(message, subscribing)
        )


def _subscribe(names: Sequence[str], _number: int) -> str:
    wanted: dict[str, list[str]] = {}
    for name in names:
        kind, _, wire = name.partition("|")
        wanted.setdefault(
            next(channel for channel, message_type, _ in _CHANNELS.values() if message_type == kind), []
        ).append(wire)
    wanted[_HEARTBEAT] = sorted({wire for wires in wanted.values() for wire in wires})
    asked = [{"name": name, "product_ids": wires} for name, wires in wanted.items()]
    return msgspec.json.encode({"type": "subscribe", "channels": asked}).decode()


def _answered(message: bytes, subscribing: Subscribing) -> ProtocolStep:
    try:
        reply = _reply.decode(message)
    except msgspec.DecodeError:
        return NOTHING
    if reply.type == _HEARTBEAT:
        return ProtocolStep(keep=False)
    if reply.type == "error":
        _refused(f"{reply.message}: {reply.reason}".rstrip(": "), subscribing)
    kinds = {channel: kind for channel, kind, _ in _CHANNELS.values()} | _ALIASES
    subscribing.confirm(
        f"{kinds[channel.name]}|{wire}"
        for channel in reply.channels
        if channel.name in kinds
        for wire in channel.product_ids
    )
    return subscribing.step()


def _refused(words: str, subscribing: Subscribing) -> None:
    """One unknown product refuses a whole message: the others are asked for without it. Of a product that was asked for in
    several channels only one may be meant: then it is found by halves."""
    about = set(_PRODUCT.findall(words))
    meant = [
        wire for _, _, wire in (name.partition("|") for name in subscribing.outstanding) if wire in about
    ]
    rest = [name for name in subscribing.outstanding if name.partition("|")[2] not in about]
    if meant and len(meant) == len(set(meant)):
        subscribing.part(words, rest)
    elif meant or not about & {name.partition("|")[2] for name in subscribing.refused}:
        subscribing.refuse(words)


_TRADE = RowFormat(
    fields=(
        WireField(wire="product_id", column="symbol", kind="text"),
        WireField(wire="time", column="timestamp", kind="text"),
        WireField(wire="price", column="price", kind="decimal"),
        WireField(wire="size", column="size", kind="decimal"),
        WireField(wire="side", column="aggressor", kind="text"),
        WireField(wire="trade_id", column="trade_id", kind="integer"),
    ),
    unit="iso",
    timestamp_kind="text",
    renamed={"aggressor": {"buy": "sell", "sell": "buy"}},
)
_QUOTE = RowFormat(
    fields=(
        WireField(wire="product_id", column="symbol", kind="text"),
        WireField(wire="time", column="timestamp", kind="text"),
        WireField(wire="best_bid", column="bid", kind="decimal"),
        WireField(wire="best_bid_size", column="bid_size", kind="decimal"),
        WireField(wire="best_ask", column="ask", kind="decimal"),
        WireField(wire="best_ask_size", column="ask_size", kind="decimal"),
        WireField(wire="sequence", column="update_id", kind="integer"),
    ),
    unit="iso",
    timestamp_kind="text",
)


def meaning(source: str) -> Meaning:  # noqa: ARG001
    """Matches, tickers; books are kept as they came."""
    return Meaning(
        pattern=rb'\{"type":"(\w+)"',
        formats=(
            MessageFormat(
                kind="match", dataset="crypto_trades", row_format=_TRADE, marker=b'{"type":"match",'
            ),
            MessageFormat(kind="last_match", dataset="crypto_trades", row_format=_TRADE),
            MessageFormat(
                kind="ticker", dataset="crypto_quotes", row_format=_QUOTE, marker=b'{"type":"ticker",'
            ),
        ),
        contiguous={"crypto_trades": "trade_id"},
        symbol=rb'"product_id":"([^"]+)"',
        recorded={"l2update": "crypto_books", "snapshot": "crypto_books"},
        ignored=frozenset({"subscriptions", "heartbeat", "error"}),
        told_by="type",
    )
