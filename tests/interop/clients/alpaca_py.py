"""alpaca-py, official: bars of stocks, options and crypto, trades and quotes of stocks, and corporate actions."""

from __future__ import annotations

import datetime as dt

import shown
from alpaca.common.exceptions import APIError
from alpaca.data.enums import Adjustment, DataFeed
from alpaca.data.historical import (
    CryptoHistoricalDataClient,
    OptionHistoricalDataClient,
    StockHistoricalDataClient,
)
from alpaca.data.historical.corporate_actions import CorporateActionsClient
from alpaca.data.requests import (
    CorporateActionsRequest,
    CryptoBarsRequest,
    OptionBarsRequest,
    StockBarsRequest,
    StockQuotesRequest,
    StockTradesRequest,
)
from alpaca.data.timeframe import TimeFrame

URL = shown.urls()["alpaca"]
DAY, MINUTE = TimeFrame.Day, TimeFrame.Minute
SPAN_2012 = {"start": dt.datetime(2012, 12, 3), "end": dt.datetime(2012, 12, 8)}
SPAN_2024 = {"start": dt.datetime(2024, 11, 4), "end": dt.datetime(2024, 11, 5, 23, 59)}


def bars(source, dataset, answer):
    shown.rows(
        source,
        dataset,
        (
            (symbol, shown.micros(bar.timestamp), bar.open, bar.close)
            for symbol, found in answer.data.items()
            for bar in found
        ),
    )


stocks = StockHistoricalDataClient("KEY", "SECRET", url_override=URL)
for feed in (DataFeed.SIP, DataFeed.IEX):
    for dataset, frame in (("equities_bars_day", DAY), ("equities_bars_minute", MINUTE)):
        asked = StockBarsRequest(
            symbol_or_symbols=["AAPL", "IBM"],
            timeframe=frame,
            adjustment=Adjustment.RAW,
            feed=feed,
            **SPAN_2012,
        )
        bars(f"alpaca.{feed.value}", dataset, stocks.get_stock_bars(asked))
SPAN_TICKS = {"start": dt.datetime(2012, 11, 1, 13), "end": dt.datetime(2012, 11, 2, 21)}
for feed in (DataFeed.SIP, DataFeed.IEX):
    asked = StockTradesRequest(symbol_or_symbols=["AAPL", "IBM"], feed=feed, **SPAN_TICKS)
    shown.rows(
        f"alpaca.{feed.value}",
        "equities_trades",
        (
            (symbol, shown.micros(one.timestamp), one.price, one.id)
            for symbol, found in stocks.get_stock_trades(asked).data.items()
            for one in found
        ),
    )
    asked = StockQuotesRequest(symbol_or_symbols="AAPL", feed=feed, **SPAN_TICKS)
    shown.rows(
        f"alpaca.{feed.value}",
        "equities_quotes",
        (
            (symbol, shown.micros(one.timestamp), one.bid_price, 0)
            for symbol, found in stocks.get_stock_quotes(asked).data.items()
            for one in found
        ),
    )
options = OptionHistoricalDataClient("KEY", "SECRET", url_override=URL)
for dataset, frame in (("options_bars_day", DAY), ("options_bars_minute", MINUTE)):
    asked = OptionBarsRequest(symbol_or_symbols="AAPL241115C00230000", timeframe=frame, **SPAN_2024)
    bars("alpaca.opra", dataset, options.get_option_bars(asked))
crypto = CryptoHistoricalDataClient("KEY", "SECRET", url_override=URL)
for dataset, frame in (("crypto_bars_day", DAY), ("crypto_bars_minute", MINUTE)):
    asked = CryptoBarsRequest(symbol_or_symbols="BTC/USD", timeframe=frame, **SPAN_2024)
    bars("alpaca.crypto", dataset, crypto.get_crypto_bars(asked))
actions = CorporateActionsClient("KEY", "SECRET", url_override=URL)
asked = CorporateActionsRequest(
    symbols=["AAPL", "NVDA"], start=dt.date(2024, 10, 28), end=dt.date(2024, 12, 31)
)
shown.rows(
    "alpaca.sip",
    "corporate_actions",
    (
        (action.symbol, str(action.id), action.ex_date.isoformat(), getattr(action, "rate", None))
        for found in actions.get_corporate_actions(asked).data.values()
        for action in found
    ),
)
try:
    stocks.get_stock_bars(StockBarsRequest(symbol_or_symbols="bad!", timeframe=DAY))
except APIError as error:
    shown.refused("malformed symbol", f"APIError {error.status_code}")
shown.done("alpaca-py")
