"""yfinance: day bars, patched in the places where it keeps its address."""

from __future__ import annotations

import shown
import yfinance
from yfinance import base, const
from yfinance.scrapers import history

for module in (const, history, base):
    module._BASE_URL_ = shown.urls()["yahoo"]
found = yfinance.Ticker("IBM").history(start="2012-12-03", end="2012-12-08", interval="1d", auto_adjust=False)
shown.rows(
    "yahoo.chart",
    "equities_adjusted_evidence",
    (
        ("IBM", shown.micros(at.date()), float(row["Open"]), float(row["Close"]))
        for at, row in found.iterrows()
    ),
)
shown.done("yfinance")
