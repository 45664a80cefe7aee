"""cryptofeed's own capture of the same messages, in an environment of its own: PORT COUNT KIND [FILE].

KIND `memory`: its trades are kept in a list; `file`: its raw data collection writes a file. Prints like `clients.py`.
"""

import asyncio
import os
import resource
import sys
import time

import cryptofeed.connection as connections
from cryptofeed import FeedHandler
from cryptofeed.defines import TRADES
from cryptofeed.exchanges import Binance
from cryptofeed.raw_data_collection import AsyncFileCallback
from cryptofeed.symbols import Symbols

port, count, kind = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
names = {f"S{at:03d}-USDT": f"S{at:03d}USDT" for at in range(50)}
Symbols.set("BINANCE", names, {"instrument_type": dict.fromkeys(names, "spot")})
Binance.websocket_endpoints = [connections.WebsocketEndpoint(f"wss://127.0.0.1:{port}")]
genuine = connections.connect


def without_tls(address, **more):
    return genuine(address.replace("wss://", "ws://"), **more)


connections.connect = without_tls
kept = []
began = 0.0


async def trade(one, received):
    global began
    if not kept:
        began = time.perf_counter()
    kept.append(one)
    if len(kept) >= count:
        used = resource.getrusage(resource.RUSAGE_SELF)
        print(time.perf_counter() - began, used.ru_utime + used.ru_stime, flush=True)
        os._exit(0)


collection = AsyncFileCallback(sys.argv[4]) if kind == "file" else None
handler = FeedHandler(raw_data_collection=collection) if collection else FeedHandler()
asyncio.set_event_loop(asyncio.new_event_loop())
handler.add_feed(Binance(symbols=list(names), channels=[TRADES], callbacks={TRADES: trade}))
handler.run()
