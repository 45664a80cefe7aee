"""Massive's live minute bars of stocks, forex and crypto, one connection a cluster.

Every message is an array. A bar is sent after its minute, and again for a quarter of an hour whenever a late trade
changes it: all versions are kept and the newest counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from fulltape.core import spelling
from fulltape.core.streams import (
    NOTHING,
    Again,
    Channel,
    Dialogue,
    Meaning,
    MessageShape,
    Stream,
    Subscription,
    Turn,
    batches,
)
from fulltape.core.vendor import Field, Shape

_PER_COMMAND = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cluster:
    """A cluster's minute bars: its channel, whose symbol stands in which field, and how pairs are joined."""

    path: str
    dataset: str
    channel: str
    symbol: str
    joint: str = ""


_CLUSTERS = {
    "massive.sip": _Cluster(path="/stocks", dataset="equities_bars_minute", channel="AM", symbol="sym"),
    "massive.forex": _Cluster(
        path="/forex", dataset="forex_bars_minute", channel="CA", symbol="pair", joint="/"
    ),
    "massive.crypto": _Cluster(
        path="/crypto", dataset="crypto_bars_minute", channel="XA", symbol="pair", joint="-"
    ),
}


class _Status(msgspec.Struct):
    ev: str = ""
    status: str = ""
    message: str = ""


_statuses = msgspec.json.Decoder(list[_Status])


def streams(source: str, subscriptions: Sequence[Subscription]) -> list[Stream]:
    """One connection: an account has one a cluster."""
    if source not in _CLUSTERS:
        raise ValueError(f"{source} has no stream; {', '.join(_CLUSTERS)} have")
    cluster = _CLUSTERS[source]
    channels = tuple(_channel(source, cluster, one) for one in subscriptions)
    return [
        Stream(
            source=source,
            host="stream",
            path=cluster.path,
            channels=channels,
            control=rb'\[\{"ev":"status"',
            data=(b'[{"ev":"%s"' % cluster.channel.encode(),),
            route=b'"ev":"%s","%s":"([^"]+)"' % (cluster.channel.encode(), cluster.symbol.encode()),
            converse=_converse,
        )
    ]


def _channel(source: str, cluster: _Cluster, one: Subscription) -> Channel:
    if one.dataset != cluster.dataset:
        raise ValueError(f"{source} streams {cluster.dataset}, not {one.dataset}")
    wire = one.spelling or _wire(cluster, one.symbol)
    return Channel(name=wire, dataset=one.dataset, symbol=one.symbol, wire=wire, detail="bars")


def _wire(cluster: _Cluster, symbol: str) -> str:
    if cluster.joint == "-":
        return "-".join(spelling.pair(symbol))
    return f"{symbol[:3]}/{symbol[3:]}" if cluster.joint else symbol


def _converse(channels: Sequence[Channel]) -> Dialogue:
    source = {channel.dataset for channel in channels}
    prefix = next(one.channel for one in _CLUSTERS.values() if one.dataset in source)
    names = [channel.name for channel in channels]
    turn = NOTHING
    while True:
        message = yield turn
        if isinstance(message, Again):
            turn = _subscribe(prefix, message.channels)
        else:
            turn = _answered(message, prefix, names)


def _subscribe(prefix: str, names: Sequence[str]) -> Turn:
    return Turn(
        say=tuple(
            msgspec.json.encode(
                {"action": "subscribe", "params": ",".join(f"{prefix}.{name}" for name in some)}
            ).decode()
            for some in batches(names, _PER_COMMAND)
        )
    )


def _answered(message: bytes, prefix: str, names: Sequence[str]) -> Turn:
    try:
        found = _statuses.decode(message)
    except msgspec.DecodeError:
        return NOTHING
    confirmed: list[str] = []
    refused: dict[str, str] = {}
    for one in found:
        told = one.message.rpartition(": ")[2].removeprefix(f"{prefix}.")
        if one.status == "connected":
            return Turn(say=('{"action":"auth","params":"{key}"}',))
        if one.status == "auth_success":
            return _subscribe(prefix, names)
        if one.status == "success" and one.message.startswith("subscribed"):
            confirmed.append(told)
        elif one.status == "auth_failed":
            return Turn(end="stop", reason=one.message)
        elif one.status == "max_connections":
            return Turn(end="wait", reason=one.message)
        elif one.status in ("auth_timeout", "slow_consumer", "force_disconnect"):
            return Turn(end="reconnect", reason=f"{one.status}: {one.message}")
        elif one.status == "error":
            refused |= dict.fromkeys([told] if told in names else names, one.message)
    return Turn(confirmed=tuple(confirmed), refused=refused)


def meaning(source: str) -> Meaning:
    """Minute bars in their cluster's words."""
    cluster = _CLUSTERS[source]
    forex = cluster.dataset.startswith("forex")
    more = [Field(wire="v", column="tick_count", kind="integer")]
    if not forex:
        more = [Field(wire="v", column="volume"), Field(wire="vw", column="vwap")]
    if cluster.path == "/crypto":  # of a stock's bar `z` is the average size of its trades, not their number
        more.append(Field(wire="z", column="trade_count", kind="integer"))
    shape = Shape(
        fields=(
            Field(wire=cluster.symbol, column="symbol", kind="text"),
            Field(wire="s", column="stamp", kind="integer"),
            Field(wire="o", column="open"),
            Field(wire="h", column="high"),
            Field(wire="l", column="low"),
            Field(wire="c", column="close"),
            *more,
        ),
        unit="ms",
    )
    return Meaning(
        pattern=rb'"ev":"(\w+)"',
        shapes=(
            MessageShape(
                kind=cluster.channel,
                dataset=cluster.dataset,
                rows="array",
                shape=shape,
                fixed={"price_kind": "mid"} if forex else {},
            ),
        ),
        ignored=frozenset({"status"}),
    )
