"""Crypto."""

from __future__ import annotations

from fulltape.market import days
from fulltape.market.assets import CRYPTO
from fulltape.market.columns import (
    CRYPTO_MORE,
    EXACT,
    TRADE,
    best,
    traded,
)
from fulltape.market.dataset import bars, ticks
from fulltape.market.schema import Column

DATASETS = (
    bars(
        CRYPTO,
        "crypto_bars_day",
        "day",
        (*traded("base units"), *CRYPTO_MORE),
        days.ROUND_THE_CLOCK,
        "one bar a UTC day",
    ),
    bars(
        CRYPTO,
        "crypto_bars_minute",
        "minute",
        (*traded("base units"), *CRYPTO_MORE),
        days.ROUND_THE_CLOCK,
        "one bar a minute with trades",
    ),
    ticks(
        CRYPTO, "crypto_trades", TRADE, days.ROUND_THE_CLOCK, 200_000, "every trade, with the venue's own id"
    ),
    ticks(
        CRYPTO,
        "crypto_aggtrades",
        (
            *TRADE,
            Column(name="first_trade_id", dtype="str"),
            Column(name="last_trade_id", dtype="str"),
        ),
        days.ROUND_THE_CLOCK,
        100_000,
        "trades of one taker's order at one price, as the venue joins them",
    ),
    ticks(
        CRYPTO,
        "crypto_quotes",
        (
            *EXACT,
            *best("base units"),
            Column(name="update_id", dtype="str", nullable=True),
        ),
        days.ROUND_THE_CLOCK,
        1_000_000,
        "every best bid and ask that a venue sent, as captured live",
        key=(),
        live_only=True,
    ),
    ticks(
        CRYPTO,
        "crypto_books",
        (
            Column(name="ts", dtype="instant", unit="time of receipt, UTC"),
            Column(name="message", dtype="str", unit="as it came"),
        ),
        days.ROUND_THE_CLOCK,
        1_000_000,
        "messages about order books, recorded as they came",
        key=(),
        live_only=True,
    ),
)
