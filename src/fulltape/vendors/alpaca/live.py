"""Alpaca's live trades, quotes and minute bars: closed bars, and the same again when a late trade has changed them.

Every message of the server is an array. One connection an endpoint and account; who comes second is refused. The
acknowledgement of a subscription is always all of it. Unknown symbols are accepted in silence.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from fulltape.contract.streams import (
    NOTHING,
    Channel,
    Detail,
    End,
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
from fulltape.vendors.alpaca import ticks

_PATHS = {
    "alpaca.sip": "/v2/sip",
    "alpaca.iex": "/v2/iex",
    "alpaca.crypto": "/v1beta3/crypto/us",
}
_KINDS: dict[str, tuple[str, Detail]] = {
    "bars_minute": ("b", "bars"),
    "trades": ("t", "trades"),
    "quotes": ("q", "quotes"),
}
_PER_COMMAND, _MOST_BYTES = 500, 32_000
"""The server takes frames of 32 KiB."""
_LISTS = {"b": ("bars", "updatedBars"), "t": ("trades",), "q": ("quotes",)}
_ENDS: dict[int, End] = {
    401: "reconnect", 402: "stop", 404: "reconnect", 406: "wait", 407: "reconnect", 408: "stop", 409: "stop",
    411: "stop", 500: "reconnect",
}  # fmt: skip
_AUTHENTICATED, _TOO_MANY = 403, 405
_LOG_IN = ProtocolStep(say=('{"action":"auth","key":"{key}","secret":"{secret}"}',))


class _Control(msgspec.Struct):
    T: str = ""
    msg: str = ""
    code: int = 0
    bars: list[str] | None = None
    trades: list[str] | None = None
    quotes: list[str] | None = None


_controls = msgspec.json.Decoder(list[_Control])


def streams(source: str, subscriptions: Sequence[Subscription]) -> list[Stream]:
    """One connection: an account has no more."""
    if source not in _PATHS:
        raise ValueError(f"{source} has no stream in JSON; {', '.join(_PATHS)} have")
    channels = tuple(_channel(source, subscription) for subscription in subscriptions)
    return [
        Stream(
            source=source,
            host="stream",
            path=_PATHS[source],
            channels=channels,
            control=rb'(?!\[\{"T":"[tqbucx]")',
            data=tuple(b'[{"T":"%s"' % letter for letter in (b"t", b"q", b"b", b"u", b"c", b"x")),
            route=rb'"T":"([tqb])","S":"([^"]+)"',
            converse=_converse,
            headers={"Content-Type": "application/json"},
        )
    ]


def _class(source: str) -> str:
    return "crypto" if source == "alpaca.crypto" else "equities"


def _channel(source: str, subscription: Subscription) -> Channel:
    kind, _, what = subscription.dataset.partition("_")
    if kind != _class(source) or what not in _KINDS:
        able = ", ".join(f"{_class(source)}_{name}" for name in _KINDS)
        raise ValueError(f"{source} streams {able}, not {subscription.dataset}")
    letter, detail = _KINDS[what]
    wire = subscription.spelling or subscription.symbol
    return Channel(
        name=f"{letter}|{wire}",
        dataset=subscription.dataset,
        symbol=subscription.symbol,
        wire=wire,
        detail=detail,
    )


def _converse(channels: Sequence[Channel]) -> ProtocolSteps:
    subscribing = Subscribing(_subscribe, most=_PER_COMMAND, most_bytes=_MOST_BYTES)
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
    request: dict[str, object] = {"action": "subscribe"}
    for letter, lists in _LISTS.items():
        wires = [wire for kind, _, wire in (name.partition("|") for name in names) if kind == letter]
        if wires:
            request |= dict.fromkeys(lists, wires)
    return msgspec.json.encode(request).decode()


def _answered(message: bytes, names: Sequence[str], subscribing: Subscribing) -> ProtocolStep:
    try:
        controls = _controls.decode(message)
    except msgspec.DecodeError:
        return NOTHING
    for control in controls:
        if control.T == "success" and control.msg == "connected":
            return _LOG_IN
        if control.T == "success" and control.msg == "authenticated":
            return subscribing.subscribe(names)
        if control.T == "subscription":
            listed = {"b": control.bars, "t": control.trades, "q": control.quotes}
            subscribing.confirm(f"{kind}|{wire}" for kind, wires in listed.items() for wire in wires or ())
        if control.T == "error":
            reason = f"{control.code} {control.msg}"
            if control.code in _ENDS:
                return ProtocolStep(end=_ENDS[control.code], reason=reason)
            if control.code == _AUTHENTICATED:
                return ProtocolStep() if subscribing.number else subscribing.subscribe(names)
            if not subscribing.number:
                return ProtocolStep(refused=dict.fromkeys(names, reason))
            if control.code == _TOO_MANY:
                subscribing.fill(reason)
            else:
                subscribing.refuse(reason)
    return subscribing.step()


_BAR = RowFormat(
    fields=(
        WireField(wire="S", column="symbol", kind="text"),
        WireField(wire="t", column="timestamp", kind="text"),
        WireField(wire="o", column="open"),
        WireField(wire="h", column="high"),
        WireField(wire="l", column="low"),
        WireField(wire="c", column="close"),
        WireField(wire="v", column="volume"),
        WireField(wire="n", column="trade_count", kind="integer"),
        WireField(wire="vw", column="vwap"),
    ),
    unit="iso",
    timestamp_kind="text",
)


_SYMBOL = WireField(wire="S", column="symbol", kind="text")


def meaning(source: str) -> Meaning:
    """Trades, quotes, bars and bars again: every version of a bar is kept, the newest counts. Corrections and cancels come
    with trades, and are versions of the trades that they are about."""
    kind = _class(source)
    bars, trades, quotes = (f"{kind}_{name}" for name in ("bars_minute", "trades", "quotes"))
    formats = [
        MessageFormat(kind=letter, dataset=bars, rows="array", row_format=_BAR) for letter in ("b", "u")
    ]
    formats += [
        MessageFormat(
            kind=letter, dataset=dataset, rows="array", row_format=ticks.row_format(dataset, _SYMBOL)
        )
        for letter, dataset in (("t", trades), ("q", quotes))
    ]
    if kind == "equities":
        taken_back = (("c", "incorrect"), ("c", "corrected"), ("x", "canceled"))
        formats += [
            MessageFormat(
                kind=letter, dataset=trades, rows="array", row_format=row_format, fixed={"correction": word}
            )
            for (letter, word), row_format in zip(
                taken_back, (*ticks.corrected(_SYMBOL), ticks.cancelled(_SYMBOL)), strict=True
            )
        ]
    return Meaning(
        pattern=rb'"T":"(\w+)"',
        formats=tuple(formats),
        told_by="T",
        ignored=frozenset({"success", "subscription", "error"}),
    )
