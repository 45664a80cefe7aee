"""alpaca-py: trades and quotes of one stock each, as handlers get them."""

import asyncio
import json
import sys

from alpaca.data.enums import DataFeed
from alpaca.data.live import StockDataStream

heard = []
stream = StockDataStream("key", "secret", feed=DataFeed.IEX, url_override=sys.argv[1])


async def on_trade(trade):
    heard.append(["trade", trade.symbol, trade.timestamp.isoformat(), trade.price, trade.size, str(trade.id)])
    ended()


async def on_quote(quote):
    heard.append(["quote", quote.symbol, quote.timestamp.isoformat(), quote.bid_price, quote.ask_price])
    ended()


def ended():
    if len(heard) == int(sys.argv[2]):
        print(json.dumps(heard), flush=True)
        sys.stdout.close()
        stream._should_run = False
        asyncio.get_running_loop().call_later(0.1, __import__("os")._exit, 0)


stream.subscribe_trades(on_trade, "AAPL")
stream.subscribe_quotes(on_quote, "MSFT")
stream.run()
