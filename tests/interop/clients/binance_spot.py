"""binance-sdk-spot, official: klines and aggregate trades."""

from __future__ import annotations

import shown
from binance_common.configuration import ConfigurationRestAPI
from binance_common.errors import BadRequestError
from binance_sdk_spot.spot import Spot

api = Spot(config_rest_api=ConfigurationRestAPI(base_path=shown.urls()["binance"])).rest_api
START, END = 1730678400000, 1730764799999
for dataset, interval in (("crypto_bars_day", "1d"), ("crypto_bars_minute", "1m")):
    rows, start = [], START
    while start <= END:
        page = api.klines(
            symbol="BTCUSD", interval=interval, start_time=start, end_time=END, limit=1000
        ).data()
        if not page:
            break
        rows += page
        start = page[-1][0] + 1
    shown.rows(
        "binance.spot",
        dataset,
        (("BTC/USD", shown.micros(row[0]), float(row[1]), float(row[4])) for row in rows),
    )
trades, from_id = [], None
while True:
    more = {"from_id": from_id} if from_id else {"start_time": START}
    page = [one for one in api.agg_trades(symbol="BTCUSD", limit=1000, **more).data() if one.T <= END]
    trades += page
    if len(page) < 1000:
        break
    from_id = page[-1].a + 1
shown.rows(
    "binance.spot",
    "crypto_aggtrades",
    (("BTC/USD", shown.micros(one.T), float(one.p), one.a) for one in trades),
)
try:
    api.klines(symbol="NOPE", interval="1m")
except BadRequestError as error:
    shown.refused("unknown symbol", error)
shown.done("binance-sdk-spot")
