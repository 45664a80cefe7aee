"""Run by another environment: ingests a csvdir with Zipline itself, and prints what it then has of SPY."""

from __future__ import annotations

import json
import os
import sys

import pandas as pd

os.environ["ZIPLINE_ROOT"] = sys.argv[2]

from zipline.data import bundles
from zipline.data.bundles.csvdir import csvdir_equities

bundles.register(
    "mine",
    csvdir_equities(["daily"], sys.argv[1]),
    calendar_name="NYSE",
    start_session=pd.Timestamp(sys.argv[3]),
    end_session=pd.Timestamp(sys.argv[4]),
)
bundles.ingest("mine", show_progress=False)
data = bundles.load("mine")
finder = data.asset_finder
asset = finder.lookup_symbol("SPY", None)
reader = data.equity_daily_bar_reader
days = reader.sessions
closes = reader.load_raw_arrays(["close", "volume"], days[0], days[-1], [asset.sid])
splits = [tuple(row) for row in data.adjustment_reader.conn.execute("select ratio from splits")]
dividends = [tuple(row) for row in data.adjustment_reader.conn.execute("select amount from dividend_payouts")]
print(
    json.dumps(
        {
            "days": [str(day.date()) for day in days],
            "close": [float(value) for value in closes[0][:, 0]],
            "volume": [float(value) for value in closes[1][:, 0]],
            "splits": splits,
            "dividends": dividends,
        }
    )
)
