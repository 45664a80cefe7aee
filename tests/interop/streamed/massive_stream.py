"""massive: trades of one stock, as handlers get them."""

import json
import os
import sys

from massive import WebSocketClient

heard = []


def handle(messages):
    heard.extend(
        [each.event_type, each.symbol, each.timestamp, each.price, each.size, each.id] for each in messages
    )
    if len(heard) == int(sys.argv[2]):
        print(json.dumps(heard), flush=True)
        os._exit(0)


client = WebSocketClient(
    api_key="key",
    feed=sys.argv[1].removeprefix("ws://"),
    market="stocks",
    secure=False,
    subscriptions=["T.AAPL"],
)
client.run(handle)
