"""python-kraken-sdk: candles and trades."""

from __future__ import annotations

import shown
from kraken.exceptions import KrakenUnknownAssetError
from kraken.spot import Market

market = Market(url=shown.urls()["kraken"])
found = market.get_ohlc(pair="XBTUSD", interval=1440, since=1730073600 - 1)
shown.rows(
    "kraken.spot",
    "crypto_bars_day",
    (("BTC/USD", shown.micros(row[0] * 1000), float(row[1]), float(row[4])) for row in found["XXBTZUSD"]),
)
trades, since = [], 1730592000 * 10**9 - 1
while True:
    page = market.get_recent_trades(pair="XBTUSD", since=since)
    if not page["XXBTZUSD"] or int(page["last"]) == since:
        break
    trades += page["XXBTZUSD"]
    since = int(page["last"])
shown.rows(
    "kraken.spot",
    "crypto_trades",
    (("BTC/USD", round(row[2] * 1000) * 1000, float(row[0]), row[6]) for row in trades),
)
try:
    market.get_ohlc(pair="NOPE")
except KrakenUnknownAssetError as error:
    shown.refused("unknown pair", type(error).__name__)
shown.done("python-kraken-sdk")
