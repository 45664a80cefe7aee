"""massive, official: aggregates of all its classes, trades and quotes, grouped days, splits and dividends."""

from __future__ import annotations

import shown
from massive import RESTClient

CLIENT = RESTClient("KEY", base=shown.urls()["massive"])
ASKED = (
    ("massive.sip", "equities_bars_day", "AAPL", "AAPL", "day", "2012-12-03", "2012-12-07"),
    ("massive.sip", "equities_bars_minute", "IBM", "IBM", "minute", "2012-12-03", "2012-12-04"),
    ("massive.opra", "options_bars_day", "AAPL241115C00230000", "O:AAPL241115C00230000", "day", "2024-11-04", "2024-11-05"),
    ("massive.opra", "options_bars_minute", "AAPL241115C00230000", "O:AAPL241115C00230000", "minute", "2024-11-04", "2024-11-05"),
    ("massive.forex", "forex_bars_day", "EURUSD", "C:EURUSD", "day", "2024-11-04", "2024-11-05"),
    ("massive.forex", "forex_bars_minute", "EURUSD", "C:EURUSD", "minute", "2024-11-04", "2024-11-05"),
    ("massive.crypto", "crypto_bars_day", "BTC/USD", "X:BTCUSD", "day", "2024-11-04", "2024-11-05"),
    ("massive.crypto", "crypto_bars_minute", "BTC/USD", "X:BTCUSD", "minute", "2024-11-04", "2024-11-05"),
)  # fmt: skip
for source, dataset, symbol, ticker, span, first, last in ASKED:
    found = CLIENT.list_aggs(ticker, 1, span, first, last, adjusted=False, limit=700)
    shown.rows(source, dataset, ((symbol, shown.micros(bar.timestamp), bar.open, bar.close) for bar in found))
DAY_NS, MINUTE_NS = 86_400 * 10**9, 60 * 10**9
STOCKS_NS, FOREX_NS = 1_351_728_000 * 10**9, 1_730_721_600 * 10**9  # 2012-11-01, 2024-11-04T12:00
span = {"timestamp_gte": STOCKS_NS, "timestamp_lt": STOCKS_NS + DAY_NS, "order": "asc", "limit": 300}
shown.rows(
    "massive.sip",
    "equities_trades",
    (
        ("AAPL", one.sip_timestamp // 1_000, one.price, int(one.id))
        for one in CLIENT.list_trades("AAPL", **span)
    ),
)
shown.rows(
    "massive.sip",
    "equities_quotes",
    (("AAPL", one.sip_timestamp // 1_000, one.bid_price, 0) for one in CLIENT.list_quotes("AAPL", **span)),
)
span = {"timestamp_gte": FOREX_NS, "timestamp_lt": FOREX_NS + 30 * MINUTE_NS, "order": "asc", "limit": 70}
shown.rows(
    "massive.forex",
    "forex_quotes",
    (
        ("EURUSD", one.participant_timestamp // 1_000, one.bid_price, 0)
        for one in CLIENT.list_quotes("C:EUR-USD", **span)
    ),
)
grouped = CLIENT.get_grouped_daily_aggs("2012-12-03", adjusted=False)
shown.refused("grouped", ",".join(f"{bar.ticker}={bar.close}" for bar in grouped))
splits = CLIENT.list_stocks_splits(ticker_any_of="AAPL,NVDA", execution_date_gte="2024-10-28", limit=1)
dividends = CLIENT.list_stocks_dividends(
    ticker_any_of="AAPL,NVDA", ex_dividend_date_gte="2024-10-28", limit=1
)
shown.rows(
    "massive.sip",
    "corporate_actions",
    [
        *((one.ticker, one.id, one.execution_date, None) for one in splits),
        *((one.ticker, one.id, one.ex_dividend_date, one.cash_amount) for one in dividends),
    ],
)
shown.refused(
    "unknown ticker",
    f"{len(list(CLIENT.list_aggs('ZZZZ', 1, 'day', '2024-01-02', '2024-01-03', adjusted=False)))} rows",
)
try:
    CLIENT.get_ticker_details("ZZZZ")
except Exception as error:
    shown.refused("unknown details", error)
shown.done("massive")
