"""Trades and quotes as Alpaca writes them, in its streams and in its history alike."""

from __future__ import annotations

import datetime as dt

from fulltape.contract.vendor import FormatChange, RowFormat, WireField
from fulltape.market.time import HOUR, midnight

_TIMESTAMP = WireField(wire="t", column="timestamp", kind="text")
_REPORTED = (
    WireField(wire="c", column="conditions", kind="list"),
    WireField(wire="z", column="tape", kind="text"),
)
_TRADE = (
    WireField(wire="i", column="trade_id", kind="text"),
    WireField(wire="p", column="price"),
    WireField(wire="s", column="size"),
)
_QUOTE = (
    WireField(wire="bp", column="bid"),
    WireField(wire="bs", column="bid_size"),
    WireField(wire="ap", column="ask"),
    WireField(wire="as", column="ask_size"),
)
_EXCHANGE = WireField(wire="x", column="exchange", kind="text")
_FIELDS = {
    "equities_trades": (*_TRADE, _EXCHANGE, *_REPORTED),
    "equities_quotes": (
        *_QUOTE,
        WireField(wire="bx", column="exchange", kind="text"),
        WireField(wire="ax", column="ask_exchange", kind="text"),
        *_REPORTED,
    ),
    "crypto_trades": (*_TRADE, WireField(wire="tks", column="aggressor", kind="text")),
    "crypto_quotes": _QUOTE,
}
_TAKER = {"aggressor": {"B": "buy", "S": "sell"}}


_ROUND_LOTS = FormatChange(
    until=midnight(dt.date(2025, 11, 3)) + 5 * HOUR,  # in New York
    scaled={"bid_size": 100.0, "ask_size": 100.0},
    evidence="quotes",
)
"""Sizes of quotes counted round lots; since then they count shares."""


def row_format(dataset: str, *more: WireField) -> RowFormat:
    """The fields of a row of trades or quotes, and `more`."""
    return RowFormat(
        fields=(*more, _TIMESTAMP, *_FIELDS[dataset]),
        unit="iso",
        timestamp_kind="text",
        renamed=_TAKER if dataset == "crypto_trades" else {},
        changes=(_ROUND_LOTS,) if dataset == "equities_quotes" else (),
    )


def corrected(*more: WireField) -> tuple[RowFormat, RowFormat]:
    """A message that corrects a trade, as two rows: the trade that it takes back and the one that stands instead."""
    return _half("o", *more), _half("c", *more)


def _half(which: str, *more: WireField) -> RowFormat:
    return RowFormat(
        fields=(
            *more,
            _TIMESTAMP,
            WireField(wire=f"{which}i", column="trade_id", kind="text"),
            WireField(wire=f"{which}p", column="price"),
            WireField(wire=f"{which}s", column="size"),
            WireField(wire=f"{which}c", column="conditions", kind="list"),
            _EXCHANGE,
            _REPORTED[1],
        ),
        unit="iso",
        timestamp_kind="text",
    )


def cancelled(*more: WireField) -> RowFormat:
    """A message that takes a trade back."""
    return RowFormat(
        fields=(*more, _TIMESTAMP, *_TRADE, _EXCHANGE, _REPORTED[1]), unit="iso", timestamp_kind="text"
    )
