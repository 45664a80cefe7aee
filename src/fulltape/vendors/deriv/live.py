"""Deriv's live ticks and candles: one subscription a symbol, acknowledged by its first answer.

Every answer repeats what was asked, so data and control messages begin alike and are told apart by what follows. The
first tick of a subscription is the newest one, which an earlier connection may have delivered too.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from fulltape.contract.streams import (
    NOTHING,
    Channel,
    Meaning,
    MessageFormat,
    ProtocolStep,
    ProtocolSteps,
    Resubscribe,
    Stream,
    Subscription,
    batches,
)
from fulltape.contract.vendor import RowFormat, WireField

_PER_CONNECTION = 100
_TICKS = {"synthetic_ticks", "forex_ticks"}
_CANDLES = {"synthetic_bars_minute", "forex_bars_minute"}
_CADENCES = {"R_": 2.0, "1HZ": 1.0, "stpRNG": 1.0}


class _Error(msgspec.Struct):
    code: str = ""
    message: str = ""


class _Reply(msgspec.Struct):
    msg_type: str = ""
    req_id: int = 0
    error: _Error | None = None


_reply = msgspec.json.Decoder(_Reply)


def streams(source: str, subscriptions: Sequence[Subscription]) -> list[Stream]:
    """At most a hundred subscriptions a connection."""
    channels = [_channel(source, subscription) for subscription in subscriptions]
    return [
        Stream(
            source=source,
            host="stream",
            path="",
            channels=tuple(some),
            control=rb'(?=.*"error":)|(?!.*"msg_type":"(?:tick|ohlc)")',
            route=rb'"msg_type":"(tick|ohlc)".*?"symbol":"([^"]+)"',
            converse=_converse,
            keepalive='{"ping":1}',
            keepalive_every=30,
            say_per_second=3,
            data_confirms=True,
        )
        for some in batches(channels, _PER_CONNECTION)
    ]


def _channel(source: str, subscription: Subscription) -> Channel:
    forex = source.endswith(".forex")
    able = sorted(name for name in _TICKS | _CANDLES if name.startswith("forex") == forex)
    if subscription.dataset not in able:
        raise ValueError(f"{source} streams {', '.join(able)}, not {subscription.dataset}")
    wire = subscription.spelling or (
        f"frx{subscription.symbol.replace('/', '')}" if forex else subscription.symbol
    )
    ticks = subscription.dataset in _TICKS
    cadence = next(
        (every for begin, every in _CADENCES.items() if subscription.symbol.startswith(begin)), 0.0
    )
    return Channel(
        name=f"{'tick' if ticks else 'ohlc'}|{wire}",
        dataset=subscription.dataset,
        symbol=subscription.symbol,
        wire=wire,
        detail="trades" if ticks else "bars",
        cadence=cadence,
    )


def _converse(channels: Sequence[Channel]) -> ProtocolSteps:
    asked: dict[int, str] = {}
    step = _subscribe([channel.name for channel in channels], asked)
    while True:
        message = yield step
        step = (
            _subscribe(message.channels, asked)
            if isinstance(message, Resubscribe)
            else _answered(message, asked)
        )


def _subscribe(names: Sequence[str], asked: dict[int, str]) -> ProtocolStep:
    say = []
    for name in names:
        kind, _, wire = name.partition("|")
        number = len(asked) + 1
        asked[number] = name
        request: dict[str, object] = {"ticks": wire, "subscribe": 1, "req_id": number}
        if kind == "ohlc":
            request = {
                "ticks_history": wire, "style": "candles", "granularity": 60, "end": "latest", "count": 1,
                "subscribe": 1, "req_id": number,
            }  # fmt: skip
        say.append(msgspec.json.encode(request).decode())
    return ProtocolStep(say=tuple(say))


def _answered(message: bytes, asked: dict[int, str]) -> ProtocolStep:
    try:
        reply = _reply.decode(message)
    except msgspec.DecodeError:
        return NOTHING
    name = asked.get(reply.req_id, "")
    if reply.error is None:
        return ProtocolStep(
            confirmed=(name,) if reply.msg_type == "candles" else (), keep=reply.msg_type != "ping"
        )
    words = f"{reply.error.code}: {reply.error.message}"
    if reply.error.code == "AlreadySubscribed":
        return ProtocolStep(confirmed=(name,))
    if reply.error.code == "RateLimit":
        return ProtocolStep(end="wait", reason=words)
    if reply.error.code in ("InvalidAppID", "InvalidToken"):
        return ProtocolStep(end="stop", reason=words)
    return ProtocolStep(refused={name: words} if name else {})


_MID = {"price_kind": "mid"}
_TICK = RowFormat(
    fields=(
        WireField(wire="symbol", column="symbol", kind="text"),
        WireField(wire="epoch", column="timestamp", kind="integer"),
        WireField(wire="quote", column="price"),
        WireField(wire="id", column="delivery", kind="text"),
    ),
    unit="s",
)
_OHLC = RowFormat(
    fields=(
        WireField(wire="symbol", column="symbol", kind="text"),
        WireField(wire="open_time", column="timestamp", kind="integer"),
        WireField(wire="open", column="open", kind="decimal"),
        WireField(wire="high", column="high", kind="decimal"),
        WireField(wire="low", column="low", kind="decimal"),
        WireField(wire="close", column="close", kind="decimal"),
    ),
    unit="s",
)


def meaning(source: str) -> Meaning:
    """Ticks and candles of synthetic indices or of forex."""
    forex = source.endswith(".forex")
    fixed: dict[str, object] = dict(_MID) if forex else {}
    return Meaning(
        pattern=rb'"msg_type":"(\w+)"',
        formats=(
            MessageFormat(
                kind="tick",
                dataset="forex_ticks" if forex else "synthetic_ticks",
                inside="tick",
                row_format=_TICK,
                fixed=fixed,
            ),
            MessageFormat(
                kind="ohlc",
                dataset="forex_bars_minute" if forex else "synthetic_bars_minute",
                inside="ohlc",
                row_format=_OHLC,
                fixed=fixed,
            ),
        ),
        told_by="msg_type",
        ignored=frozenset({"candles", "ping"}),
    )
