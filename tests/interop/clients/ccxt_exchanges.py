"""ccxt: candles and trades of the exchanges that have a simulated vendor."""

from __future__ import annotations

import ccxt
import shown

START, DAY, MINUTE = 1730678400000, 86_400_000, 60_000


def pointed(name, vendor):
    exchange = getattr(ccxt, name)({"enableRateLimit": False})
    exchange.has["fetchCurrencies"] = False
    if name == "binance":
        exchange.options["fetchMarkets"] = {"types": ["spot"]}
    url = shown.urls()[vendor]
    for key, value in list(exchange.urls["api"].items()):
        if isinstance(value, str):
            parts = value.split("://", 1)[1].split("/", 1)
            exchange.urls["api"][key] = url + ("/" + parts[1] if len(parts) > 1 else "")
    return exchange


def candles(exchange, timeframe, step):
    rows, since = [], START
    while since < START + DAY:
        page = [
            row
            for row in exchange.fetch_ohlcv("BTC/USD", timeframe, since, 300)
            if since <= row[0] < START + DAY
        ]
        if not page:
            break
        rows += page
        since = page[-1][0] + step
    return (("BTC/USD", shown.micros(row[0]), row[1], row[4]) for row in rows)


for name, vendor, source in (
    ("binance", "binance", "binance.spot"),
    ("coinbaseexchange", "coinbase", "coinbase.exchange"),
    ("kraken", "kraken", "kraken.spot"),
):
    exchange = pointed(name, vendor)
    shown.rows(source, "crypto_bars_day", candles(exchange, "1d", DAY))
    if name != "kraken":
        shown.rows(source, "crypto_bars_minute", candles(exchange, "1m", MINUTE))
    trades = exchange.fetch_trades("BTC/USD", None if name == "coinbaseexchange" else START, 100)
    dataset = "crypto_aggtrades" if name == "binance" else "crypto_trades"
    shown.rows(
        source,
        dataset,
        (("BTC/USD", shown.micros(one["timestamp"]), one["price"], int(one["id"])) for one in trades),
    )
    try:
        exchange.fetch_ohlcv("NOPE/USD", "1d")
    except ccxt.BadSymbol as error:
        shown.refused(f"{name}: unknown symbol", type(error).__name__)
shown.done("ccxt")
