"""python-deriv-api, official: ticks and candles over a websocket."""

from __future__ import annotations

import asyncio

import shown
from deriv_api import DerivAPI
from deriv_api.errors import ResponseError

START = 1730678400


async def main():
    api = DerivAPI(endpoint=shown.urls()["deriv"], app_id=1089)
    assert (await api.ping({"ping": 1}))["ping"] == "pong"
    for source, prefix, symbol, kind in (
        ("deriv.synthetic", "", "R_100", "synthetic"),
        ("deriv.forex", "frx", "EURUSD", "forex"),
    ):
        asked = {"ticks_history": prefix + symbol, "start": START, "end": str(START + 3599), "count": 5000}
        history = (await api.ticks_history({**asked, "style": "ticks"}))["history"]
        shown.rows(
            source,
            f"{kind}_ticks",
            ((symbol, at * 1_000_000, price, 0) for at, price in zip(history["times"], history["prices"])),
        )
        candles = (await api.ticks_history({**asked, "style": "candles", "granularity": 60}))["candles"]
        shown.rows(
            source,
            f"{kind}_bars_minute",
            ((symbol, one["epoch"] * 1_000_000, one["open"], one["close"]) for one in candles),
        )
    asked = {"ticks_history": "R_100", "start": START, "end": str(START + 3 * 86400 - 1), "count": 10}
    candles = (await api.ticks_history({**asked, "style": "candles", "granularity": 86400}))["candles"]
    shown.rows(
        "deriv.synthetic",
        "synthetic_bars_day",
        (("R_100", one["epoch"] * 1_000_000, one["open"], one["close"]) for one in candles),
    )
    try:
        await api.ticks_history({"ticks_history": "NOPE", "end": "latest"})
    except ResponseError as error:
        shown.refused("unknown symbol", f"{error.code}")
    await api.clear()


asyncio.run(main())
shown.done("python-deriv-api")
