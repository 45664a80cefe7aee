"""Alpaca's live minute bars: closed bars, and the same again when a late trade has changed them.

Every message of the server is an array. One connection an endpoint and account; who comes second is refused. The
acknowledgement of a subscription is always all of it. Unknown symbols are accepted in silence.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from fulltape.core.streams import (
    NOTHING,
    Again,
    Channel,
    Dialogue,
    End,
    Meaning,
    MessageShape,
    Stream,
    Subscription,
    Turn,
)
from fulltape.core.vendor import Field, Shape

_PATHS = {
    "alpaca.sip": "/v2/sip",
    "alpaca.iex": "/v2/iex",
    "alpaca.crypto": "/v1beta3/crypto/us",
}
_DATASETS = {"alpaca.crypto": "crypto_bars_minute"}
_LISTS = ("bars", "updatedBars")
_ENDS: dict[int, End] = {
    401: "reconnect", 402: "stop", 404: "reconnect", 406: "wait", 407: "reconnect", 408: "stop", 409: "stop",
    411: "stop", 500: "reconnect",
}  # fmt: skip


class _Control(msgspec.Struct):
    T: str = ""
    msg: str = ""
    code: int = 0
    bars: list[str] = []


_controls = msgspec.json.Decoder(list[_Control])


def streams(source: str, subscriptions: Sequence[Subscription]) -> list[Stream]:
    """One connection: an account has no more."""
    dataset = _DATASETS.get(source, "equities_bars_minute")
    if source not in _PATHS:
        raise ValueError(f"{source} has no stream in JSON; {', '.join(_PATHS)} have")
    for one in subscriptions:
        if one.dataset != dataset:
            raise ValueError(f"{source} streams {dataset}, not {one.dataset}")
    channels = tuple(
        Channel(
            name=one.spelling or one.symbol,
            dataset=dataset,
            symbol=one.symbol,
            wire=one.spelling or one.symbol,
            detail="bars",
        )
        for one in subscriptions
    )
    return [
        Stream(
            source=source,
            host="stream",
            path=_PATHS[source],
            channels=channels,
            control=rb'\[\{"T":"(?:success|error|subscription)"',
            data=(b'[{"T":"b"', b'[{"T":"u"'),
            route=rb'"T":"[bu]","S":"([^"]+)"',
            converse=_converse,
            headers={"Content-Type": "application/json"},
        )
    ]


def _converse(channels: Sequence[Channel]) -> Dialogue:
    names = [channel.name for channel in channels]
    turn = NOTHING
    while True:
        message = yield turn
        turn = _subscribe(message.channels) if isinstance(message, Again) else _answered(message, names)


def _subscribe(names: Sequence[str]) -> Turn:
    request = {"action": "subscribe", **{kind: list(names) for kind in _LISTS}}
    return Turn(say=(msgspec.json.encode(request).decode(),))


def _answered(message: bytes, names: Sequence[str]) -> Turn:
    try:
        found = _controls.decode(message)
    except msgspec.DecodeError:
        return NOTHING
    for one in found:
        if one.T == "success" and one.msg == "connected":
            return Turn(say=('{"action":"auth","key":"{key}","secret":"{secret}"}',))
        if one.T == "success" and one.msg == "authenticated":
            return _subscribe(names)
        if one.T == "subscription":
            return Turn(confirmed=tuple(one.bars))
        if one.T == "error":
            reason = f"{one.code} {one.msg}"
            if one.code in _ENDS:
                return Turn(end=_ENDS[one.code], reason=reason)
            return Turn() if one.code == 403 else Turn(refused=dict.fromkeys(names, reason))
    return NOTHING


_BAR = Shape(
    fields=(
        Field(wire="S", column="symbol", kind="text"),
        Field(wire="t", column="stamp", kind="text"),
        Field(wire="o", column="open"),
        Field(wire="h", column="high"),
        Field(wire="l", column="low"),
        Field(wire="c", column="close"),
        Field(wire="v", column="volume"),
        Field(wire="n", column="trade_count", kind="integer"),
        Field(wire="vw", column="vwap"),
    ),
    unit="iso",
    stamp_kind="text",
)


def meaning(source: str) -> Meaning:
    """Bars and bars again; every version is kept, the newest counts."""
    dataset = _DATASETS.get(source, "equities_bars_minute")
    return Meaning(
        pattern=rb'"T":"(\w+)"',
        shapes=tuple(
            MessageShape(kind=kind, dataset=dataset, rows="array", shape=_BAR) for kind in ("b", "u")
        ),
        ignored=frozenset({"success", "subscription", "error"}),
    )
