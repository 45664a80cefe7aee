"""tiingo: day bars, raw and adjusted."""

from __future__ import annotations

import shown
from tiingo import TiingoClient
from tiingo.restclient import RestClientError

client = TiingoClient({"api_key": "KEY", "session": True})
client._base_url = shown.urls()["tiingo"]
found = client.get_ticker_price("IBM", startDate="2012-12-03", endDate="2012-12-07")
for dataset, opens, closes in (
    ("equities_bars_day", "open", "close"),
    ("equities_adjusted_evidence", "adjOpen", "adjClose"),
):
    shown.rows(
        "tiingo.eod", dataset, (("IBM", shown.micros(row["date"]), row[opens], row[closes]) for row in found)
    )
try:
    client.get_ticker_price("ZZZZ", startDate="2012-12-03")
except RestClientError as error:
    shown.refused("unknown ticker", "RestClientError" if "404" in str(error) else error)
shown.done("tiingo")
