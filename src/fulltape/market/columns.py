"""Columns that several datasets share."""

from __future__ import annotations

from fulltape.market.schema import Column

IDENTITY = (
    Column(name="instrument", dtype="cat"),
    Column(name="symbol", dtype="cat"),
    Column(name="session", dtype="date"),
)
START = Column(name="ts", dtype="instant", unit="start of the interval, UTC")
PRICES = (
    Column(name="open", dtype="f64", sign="positive", unit="price"),
    Column(name="high", dtype="f64", sign="positive", unit="price"),
    Column(name="low", dtype="f64", sign="positive", unit="price"),
    Column(name="close", dtype="f64", sign="positive", unit="price"),
)


def traded(unit: str) -> tuple[Column, ...]:
    """Columns of a bar made of trades."""
    return (
        *PRICES,
        Column(name="volume", dtype="f64", sign="not_negative", unit=unit),
        Column(name="vwap", dtype="f64", nullable=True, sign="not_negative", unit="price"),
        Column(name="trade_count", dtype="i64", nullable=True, sign="not_negative", unit="trades"),
    )


QUOTED = (
    *PRICES,
    Column(name="price_kind", dtype="cat", unit="trade, bid, ask or mid"),
    Column(name="tick_count", dtype="i64", nullable=True, sign="not_negative", unit="quotes"),
)
PHASE = Column(name="phase", dtype="cat")
MINUTE = Column(name="minute_of_session", dtype="i64", nullable=True, unit="minutes since the regular open")
PROVENANCE = (
    Column(
        name="available_at",
        dtype="instant",
        nullable=True,
        unit="earliest moment anybody could have had the row, UTC; null where nobody knows",
    ),
    Column(name="source", dtype="cat"),
    Column(name="is_final", dtype="bool"),
    Column(name="flags", dtype="u32", unit="bitmask of findings"),
)
CONTRACT = (
    Column(name="underlying", dtype="cat"),
    Column(name="expiry", dtype="date"),
    Column(name="strike", dtype="f64", sign="positive", unit="price"),
    Column(name="option_type", dtype="cat", unit="call or put"),
)
CRYPTO_MORE = (
    Column(name="quote_volume", dtype="f64", nullable=True, sign="not_negative", unit="quote currency"),
    Column(name="taker_buy_volume", dtype="f64", nullable=True, sign="not_negative", unit="base units"),
)
TRADE = (
    Column(name="ts", dtype="instant", unit="time of the trade, UTC"),
    Column(name="ts_event", dtype="nanos", unit="the same in full resolution"),
    Column(name="price", dtype="f64", sign="positive", unit="price"),
    Column(name="size", dtype="f64", sign="positive", unit="base units"),
    Column(name="aggressor", dtype="cat", nullable=True, unit="buy or sell: the taker's side"),
    Column(name="trade_id", dtype="str"),
)

EXACT = (
    Column(name="ts", dtype="instant", unit="time of the event, UTC; of its receipt where it bears none"),
    Column(name="ts_event", dtype="nanos", unit="the same in full resolution"),
)
REPORTED = (
    Column(name="exchange", dtype="cat", nullable=True, unit="as the source writes it"),
    Column(name="conditions", dtype="str", nullable=True, unit="the source's codes, with commas"),
    Column(name="tape", dtype="cat", nullable=True),
)
CORRECTION = Column(
    name="correction",
    dtype="cat",
    nullable=True,
    unit="canceled or incorrect: taken back; corrected: stands for one that was; code N: as the tape says; null: stands",
)


def best(unit: str) -> tuple[Column, ...]:
    """Columns of a best bid and ask; a side without an order has a price of 0."""
    return (
        Column(name="bid", dtype="f64", sign="not_negative", unit="price"),
        Column(name="bid_size", dtype="f64", sign="not_negative", unit=unit),
        Column(name="ask", dtype="f64", sign="not_negative", unit="price"),
        Column(name="ask_size", dtype="f64", sign="not_negative", unit=unit),
    )
