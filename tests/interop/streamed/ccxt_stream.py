"""ccxt.pro: trades of one pair at Binance."""

import asyncio
import json
import os
import sys

import ccxt.pro

heard = []


async def main():
    exchange = ccxt.pro.binance({"newUpdates": True})
    exchange.urls["api"]["ws"]["spot"] = f"{sys.argv[1]}/ws"
    exchange.set_markets(
        [
            exchange.safe_market_structure(
                {
                    "id": "BTCUSDT",
                    "lowercaseId": "btcusdt",
                    "symbol": "BTC/USDT",
                    "base": "BTC",
                    "quote": "USDT",
                    "type": "spot",
                    "spot": True,
                    "active": True,
                    "contract": False,
                    "precision": {"price": 0.01, "amount": 0.00001},
                }
            )
        ]
    )
    while len(heard) < int(sys.argv[2]):
        for trade in await exchange.watch_trades("BTC/USDT"):
            heard.append([trade["id"], trade["timestamp"], trade["price"], trade["amount"], trade["side"]])
    print(json.dumps(heard), flush=True)
    os._exit(0)


asyncio.run(main())
