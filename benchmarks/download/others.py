"""A year of minutes by other people's clients, as a script of a few lines would fetch them; prints how many rows there were."""

from __future__ import annotations

import csv
import datetime as dt
import sys
import tempfile
from typing import Any


def alpaca(url: str, first: dt.datetime, symbols: list[str]) -> int:
    """alpaca-py, one symbol after the other, into CSV."""
    from alpaca.data.historical import StockHistoricalDataClient  # type: ignore[import-not-found]
    from alpaca.data.requests import StockBarsRequest  # type: ignore[import-not-found]
    from alpaca.data.timeframe import TimeFrame  # type: ignore[import-not-found]

    client, rows = StockHistoricalDataClient("k", "s", url_override=url), 0
    with tempfile.TemporaryFile("w") as file:
        writer = csv.writer(file)
        for symbol in symbols:
            request = StockBarsRequest(
                symbol_or_symbols=symbol,
                timeframe=TimeFrame.Minute,
                start=first,
                end=first.replace(year=first.year + 1),
            )
            for bar in client.get_stock_bars(request).data[symbol]:
                writer.writerow([symbol, bar.timestamp, bar.open, bar.high, bar.low, bar.close, bar.volume])
                rows += 1
    return rows


def ccxt(url: str, first: dt.datetime, symbols: list[str]) -> int:
    """ccxt, one page after the other, into CSV."""
    import ccxt as library

    exchange: Any = library.coinbaseexchange({"enableRateLimit": False})
    exchange.urls["api"] = {"public": url, "private": url}
    exchange.set_markets({symbol: _market(symbol) for symbol in symbols})
    rows = 0
    with tempfile.TemporaryFile("w") as file:
        writer = csv.writer(file)
        for symbol in symbols:
            at, end = (
                int(first.timestamp() * 1_000),
                int(first.replace(year=first.year + 1).timestamp() * 1_000),
            )
            while at < end:
                for candle in exchange.fetch_ohlcv(symbol, "1m", since=at, limit=300):
                    if at <= candle[0] < end:
                        writer.writerow([symbol, *candle])
                        rows += 1
                at += 300 * 60_000
    return rows


def _market(symbol: str) -> dict[str, Any]:
    base, quote = symbol.split("/")
    return {
        "id": f"{base}-{quote}", "symbol": symbol, "base": base, "quote": quote, "baseId": base, "quoteId": quote, "active": True,
        "type": "spot", "spot": True, "precision": {"amount": 1e-8, "price": 0.01}, "limits": {},
    }  # fmt: skip


if __name__ == "__main__":
    how, url, begin, *names = sys.argv[1:]
    start = dt.datetime.fromisoformat(f"{begin}-01").replace(tzinfo=dt.UTC)
    sys.stdout.write(str({"alpaca": alpaca, "ccxt": ccxt}[how](url, start, names)))
