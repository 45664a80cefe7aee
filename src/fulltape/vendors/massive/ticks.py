"""Trades and quotes of Massive's history: one ticker a request, nanoseconds, oldest first where one asks so."""

from __future__ import annotations

import urllib.parse

import msgspec

from fulltape.contract.vendor import FetchRequest, Request, RowFormat, WireField
from fulltape.market.time import LATEST

PATHS = {"equities_trades": "/v3/trades/", "equities_quotes": "/v3/quotes/", "forex_quotes": "/v3/quotes/"}
ROWS_PER_PAGE = 50_000
_SIP = WireField(wire="sip_timestamp", column="timestamp", kind="integer")
_QUOTE = (WireField(wire="bid_price", column="bid"), WireField(wire="ask_price", column="ask"))
_FIELDS = {
    "equities_trades": (
        _SIP,
        WireField(wire="price", column="price"),
        WireField(wire="size", column="size"),
        WireField(wire="id", column="trade_id", kind="text"),
        WireField(wire="exchange", column="exchange", kind="text"),
        WireField(wire="conditions", column="conditions", kind="list"),
        WireField(wire="tape", column="tape", kind="text"),
        WireField(wire="trf_id", column="trf", kind="text"),
        WireField(wire="correction", column="correction", kind="text"),
    ),
    "equities_quotes": (
        _SIP,
        *_QUOTE,
        WireField(wire="bid_size", column="bid_size"),
        WireField(wire="ask_size", column="ask_size"),
        WireField(wire="bid_exchange", column="exchange", kind="text"),
        WireField(wire="ask_exchange", column="ask_exchange", kind="text"),
        WireField(wire="tape", column="tape", kind="text"),
    ),
    "forex_quotes": (WireField(wire="participant_timestamp", column="timestamp", kind="integer"), *_QUOTE),
}
# What the numbers mean is not documented; 0 is what stands.
_TAKEN_BACK = {str(code): f"code {code}" for code in range(1, 100)}
_SIDES = frozenset({"bid", "ask", "bid_size", "ask_size"})
SHAPES = {
    dataset: RowFormat(
        fields=fields,
        unit="ns",
        # A side without an order has no fields at all.
        absent=dict.fromkeys((part.column for part in fields if part.column in _SIDES), 0.0),
        renamed={"correction": _TAKEN_BACK} if dataset == "equities_trades" else {},
    )
    for dataset, fields in _FIELDS.items()
}


class _Stamps(msgspec.Struct):
    sip_timestamp: int = 0
    participant_timestamp: int = 0


_stamps = msgspec.json.Decoder(list[_Stamps])


def request(fetch: FetchRequest, wire: str) -> Request:
    """The first page of a ticker's span. Only here a pair is written with a hyphen: `C:EUR-USD`."""
    if fetch.dataset.startswith("forex"):
        wire = f"{wire[:-3]}-{wire[-3:]}"
    return Request(
        path=PATHS[fetch.dataset] + urllib.parse.quote(wire, safe=":"),
        params={
            "timestamp.gte": str(fetch.start * 1_000),
            "timestamp.lt": str(fetch.end * 1_000),
            "order": "asc",
            "limit": str(fetch.rows_per_page or ROWS_PER_PAGE),
        },
    )


def timestamps(fetch: FetchRequest, rows: msgspec.Raw) -> list[int]:
    """The timestamps of a page, UTC microseconds; `ValueError` for one that no market data can have."""
    forex = fetch.dataset.startswith("forex")
    nanoseconds = [
        tick.participant_timestamp if forex else tick.sip_timestamp for tick in _stamps.decode(rows)
    ]
    if any(not 0 < timestamp < LATEST * 1_000 for timestamp in nanoseconds):
        raise ValueError("a stamp outside of 1970 to 2200")
    return [timestamp // 1_000 for timestamp in nanoseconds]
