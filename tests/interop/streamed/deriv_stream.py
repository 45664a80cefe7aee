"""python-deriv-api: ticks of one index by its observable."""

import asyncio
import json
import os
import sys

from deriv_api import DerivAPI

heard = []


def take(message):
    tick = message["tick"]
    heard.append([tick["symbol"], tick["epoch"], tick["quote"]])
    if len(heard) == int(sys.argv[2]):
        print(json.dumps(heard), flush=True)
        os._exit(0)


async def main():
    api = DerivAPI(endpoint=sys.argv[1], app_id=1089)
    ticks = await api.subscribe({"ticks": "R_100", "subscribe": 1})
    ticks.subscribe(take)
    await asyncio.sleep(60)


asyncio.run(main())
