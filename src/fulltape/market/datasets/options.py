"""Options."""

from __future__ import annotations

from fulltape.market.assets import OPTIONS
from fulltape.market.columns import (
    CONTRACT,
    traded,
)
from fulltape.market.dataset import bars

DATASETS = (
    bars(
        OPTIONS,
        "options_bars_day",
        "day",
        (*traded("contracts"), *CONTRACT),
        "XNYS",
        "one bar a session with trades and contract; the instrument is the contract",
        learned=True,
    ),
    bars(
        OPTIONS,
        "options_bars_minute",
        "minute",
        (*traded("contracts"), *CONTRACT),
        "XNYS",
        "one bar a minute with trades and contract; the instrument is the contract",
        learned=True,
    ),
)
