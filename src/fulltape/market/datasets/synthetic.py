"""A broker's synthetic indices."""

from __future__ import annotations

from fulltape.market import days
from fulltape.market.assets import SYNTHETIC
from fulltape.market.columns import (
    PRICES,
)
from fulltape.market.dataset import bars, ticks
from fulltape.market.schema import Column

DATASETS = (
    ticks(
        SYNTHETIC,
        "synthetic_ticks",
        (
            Column(name="ts", dtype="instant", unit="time of the tick, UTC"),
            Column(name="price", dtype="f64", sign="positive", unit="points"),
        ),
        days.ROUND_THE_CLOCK,
        86_400,
        "ticks of a broker's synthetic index",
        key=(),
    ),
    bars(SYNTHETIC, "synthetic_bars_day", "day", PRICES, days.ROUND_THE_CLOCK, "one candle a UTC day"),
    bars(SYNTHETIC, "synthetic_bars_minute", "minute", PRICES, days.ROUND_THE_CLOCK, "one candle a minute"),
)
