"""Massive's live trades, quotes and minute bars of stocks, forex and crypto, one connection a cluster.

Every message is an array. A bar is sent after its minute, and again for a quarter of an hour whenever a late trade
changes it: all versions are kept and the newest counts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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
)
from fulltape.contract.subscribing import Subscribing
from fulltape.contract.vendor import RowFormat, WireField
from fulltape.market import assets

_PER_COMMAND = 200


_LOT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cluster:
    """A cluster: its channels by dataset, whose symbols stand in which field, and how pairs are joined."""

    path: str
    channels: Mapping[str, tuple[str, str, Detail]]
    joint: str = ""

    @property
    def kinds(self) -> list[str]:
        """What the vendor calls its channels."""
        return [name for name, _, _ in self.channels.values()]


_CLUSTERS = {
    "massive.sip": _Cluster(
        path="/stocks",
        channels={
            "equities_bars_minute": ("AM", "sym", "bars"),
            "equities_trades": ("T", "sym", "trades"),
            "equities_quotes": ("Q", "sym", "quotes"),
        },
    ),
    "massive.forex": _Cluster(
        path="/forex",
        channels={"forex_bars_minute": ("CA", "pair", "bars"), "forex_quotes": ("C", "p", "quotes")},
        joint="/",
    ),
    "massive.crypto": _Cluster(
        path="/crypto",
        channels={
            "crypto_bars_minute": ("XA", "pair", "bars"),
            "crypto_trades": ("XT", "pair", "trades"),
            "crypto_quotes": ("XQ", "pair", "quotes"),
        },
        joint="-",
    ),
}


class _Status(msgspec.Struct):
    ev: str = ""
    status: str = ""
    message: str = ""


_LOG_IN = ProtocolStep(say=('{"action":"auth","params":"{key}"}',))
_statuses = msgspec.json.Decoder(list[_Status])


def streams(source: str, subscriptions: Sequence[Subscription]) -> list[Stream]:
    """One connection: an account has one a cluster."""
    if source not in _CLUSTERS:
        raise ValueError(f"{source} has no stream; {', '.join(_CLUSTERS)} have")
    cluster = _CLUSTERS[source]
    channels = tuple(_channel(source, cluster, subscription) for subscription in subscriptions)
    return [
        Stream(
            source=source,
            host="stream",
            path=cluster.path,
            channels=channels,
            control=rb'(?!\[\{"ev":"(?:%s)")' % b"|".join(name.encode() for name in cluster.kinds),
            data=tuple(b'[{"ev":"%s"' % name.encode() for name in cluster.kinds),
            route=rb'"ev":"(\w+)","(?:sym|pair|p)":"([^"]+)"',
            converse=_converse,
        )
    ]


def _channel(source: str, cluster: _Cluster, subscription: Subscription) -> Channel:
    if subscription.dataset not in cluster.channels:
        raise ValueError(f"{source} streams {', '.join(cluster.channels)}, not {subscription.dataset}")
    channel, _, detail = cluster.channels[subscription.dataset]
    wire = subscription.spelling or _wire(cluster, subscription.symbol)
    return Channel(
        name=f"{channel}|{wire}",
        dataset=subscription.dataset,
        symbol=subscription.symbol,
        wire=wire,
        detail=detail,
    )


def _wire(cluster: _Cluster, symbol: str) -> str:
    if cluster.joint == "-":
        return "-".join(assets.pair(symbol))
    return f"{symbol[:3]}/{symbol[3:]}" if cluster.joint else symbol


def _converse(channels: Sequence[Channel]) -> ProtocolSteps:
    subscribing = Subscribing(_subscribe, most=_PER_COMMAND)
    names = [channel.name for channel in channels]
    step = NOTHING
    while True:
        message = yield step
        if isinstance(message, Resubscribe):
            # Who was turned away at the door comes in first.
            step = subscribing.subscribe(message.channels) if subscribing.number else _LOG_IN
        else:
            step = _answered(message, names, subscribing)


def _subscribe(names: Sequence[str], _number: int) -> str:
    params = ",".join(name.replace("|", ".", 1) for name in names)
    return msgspec.json.encode({"action": "subscribe", "params": params}).decode()


def _answered(message: bytes, names: Sequence[str], subscribing: Subscribing) -> ProtocolStep:
    try:
        statuses = _statuses.decode(message)
    except msgspec.DecodeError:
        return NOTHING
    for status in statuses:
        if status.status == "connected":
            return _LOG_IN
        if status.status == "auth_success":
            return subscribing.subscribe(names)
        if status.status == "success" and status.message.startswith("subscribed"):
            confirmed = status.message.rpartition(": ")[2].split(",")
            subscribing.confirm(name.strip().replace(".", "|", 1) for name in confirmed)
        elif status.status == "auth_failed":
            return ProtocolStep(end="stop", reason=status.message)
        elif status.status == "max_connections":
            return ProtocolStep(end="wait", reason=status.message)
        elif status.status in ("auth_timeout", "slow_consumer", "force_disconnect"):
            return ProtocolStep(end="reconnect", reason=f"{status.status}: {status.message}")
        elif status.status == "error" and not subscribing.number:
            return ProtocolStep(refused=dict.fromkeys(names, status.message))
        elif status.status == "error":
            subscribing.refuse(
                status.message, [name for name in subscribing.outstanding if _named(name, status.message)]
            )
    # An array may hold rows beside a status: those are data.
    return subscribing.step(keep=not statuses or any(row.ev != "status" for row in statuses))


def _named(name: str, words: str) -> bool:
    """Whether a message is about a channel."""
    return re.search(rf"(?<![\w.]){re.escape(name.replace('|', '.', 1))}(?![\w./-])", words) is not None


def meaning(source: str) -> Meaning:
    """Events in their cluster's words. A stock's quote counts round lots here, unlike over REST."""
    cluster = _CLUSTERS[source]
    return Meaning(
        pattern=rb'"ev":"(\w+)"',
        formats=tuple(
            MessageFormat(
                kind=channel,
                dataset=dataset,
                rows="array",
                row_format=RowFormat(
                    fields=_fields(channel, symbol), unit="ms", renamed=_TAKER if channel == "XT" else {}
                ),
                fixed={"price_kind": "mid"} if channel == "CA" else {},
                scaled=dict.fromkeys(("bid_size", "ask_size"), _LOT) if channel == "Q" else {},
            )
            for dataset, (channel, symbol, _) in cluster.channels.items()
        ),
        told_by="ev",
        ignored=frozenset({"status"}),
    )


_TAKER = {"aggressor": {"1": "sell", "2": "buy"}}
_PRICES = (
    WireField(wire="s", column="timestamp", kind="integer"),
    WireField(wire="o", column="open"),
    WireField(wire="h", column="high"),
    WireField(wire="l", column="low"),
    WireField(wire="c", column="close"),
)
_BEST = (
    WireField(wire="t", column="timestamp", kind="integer"),
    WireField(wire="bp", column="bid"),
    WireField(wire="bs", column="bid_size"),
    WireField(wire="ap", column="ask"),
    WireField(wire="as", column="ask_size"),
)
_PRINT = (
    WireField(wire="t", column="timestamp", kind="integer"),
    WireField(wire="p", column="price"),
    WireField(wire="s", column="size"),
    WireField(wire="i", column="trade_id", kind="text"),
)
_FIELDS: dict[str, tuple[WireField, ...]] = {
    # `z` of a stock's bar is the average size of its trades, of a coin's their number.
    "AM": (*_PRICES, WireField(wire="v", column="volume"), WireField(wire="vw", column="vwap")),
    "XA": (
        *_PRICES,
        WireField(wire="v", column="volume"),
        WireField(wire="vw", column="vwap"),
        WireField(wire="z", column="trade_count", kind="integer"),
    ),
    "CA": (*_PRICES, WireField(wire="v", column="tick_count", kind="integer")),
    "T": (
        *_PRINT,
        WireField(wire="x", column="exchange", kind="text"),
        WireField(wire="c", column="conditions", kind="list"),
        WireField(wire="z", column="tape", kind="text"),
        WireField(wire="trfi", column="trf", kind="text"),
    ),
    "XT": (*_PRINT, WireField(wire="c", column="aggressor", kind="list")),
    "Q": (
        *_BEST,
        WireField(wire="bx", column="exchange", kind="text"),
        WireField(wire="ax", column="ask_exchange", kind="text"),
        WireField(wire="z", column="tape", kind="text"),
    ),
    "XQ": _BEST,
    "C": (
        WireField(wire="t", column="timestamp", kind="integer"),
        WireField(wire="b", column="bid"),
        WireField(wire="a", column="ask"),
    ),
}


def _fields(channel: str, symbol: str) -> tuple[WireField, ...]:
    return (WireField(wire=symbol, column="symbol", kind="text"), *_FIELDS[channel])
