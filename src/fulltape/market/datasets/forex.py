"""Forex."""

from __future__ import annotations

from fulltape.market import days
from fulltape.market.assets import FOREX
from fulltape.market.columns import (
    EXACT,
    QUOTED,
)
from fulltape.market.dataset import bars, ticks
from fulltape.market.schema import Column

DATASETS = (
    ticks(
        FOREX,
        "forex_quotes",
        (
            *EXACT,
            Column(name="bid", dtype="f64", sign="not_negative", unit="price"),
            Column(name="ask", dtype="f64", sign="not_negative", unit="price"),
        ),
        days.FOREX,
        80_000,
        "bids and asks side by side; a side that was not told is 0",
        key=(),
    ),
    bars(
        FOREX,
        "forex_bars_day",
        "day",
        (*QUOTED, Column(name="day_boundary", dtype="cat", unit="session (17:00 New York) or utc")),
        days.FOREX,
        "one bar a day from quotes; ts is the session's begin at 17:00 New York",
    ),
    bars(FOREX, "forex_bars_minute", "minute", QUOTED, days.FOREX, "one bar a minute with quotes"),
    ticks(
        FOREX,
        "forex_ticks",
        (
            Column(name="ts", dtype="instant", unit="time of the quote, UTC"),
            Column(name="price", dtype="f64", sign="positive", unit="price"),
            Column(name="price_kind", dtype="cat", unit="bid, ask or mid"),
        ),
        days.FOREX,
        80_000,
        "a source's own quotes, one price each",
        key=(),
    ),
)
