"""Indicators are TA-Lib's where it defines them, and begin where there are enough bars."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest
import talib

from fulltape import errors
from fulltape.bars import indicators
from nodes import lean_days, needs_data

Array = Any


def days(symbol: str = "SPY") -> pl.DataFrame:
    """Four years of real day bars."""
    bars = lean_days(symbol, dt.date(2010, 1, 4), dt.date(2013, 12, 31))["day", symbol]
    return pl.DataFrame(
        {
            "instrument": symbol, "session": [bar.session for bar in bars], "ts": [bar.start for bar in bars],
            "open": [bar.open for bar in bars], "high": [bar.high for bar in bars], "low": [bar.low for bar in bars],
            "close": [bar.close for bar in bars], "volume": [float(bar.volume) for bar in bars],
        }
    )  # fmt: skip


def computed(rows: pl.DataFrame, name: str) -> pl.DataFrame:
    """Rows with one indicator."""
    indicator = indicators.parse(name)
    assert indicator
    return indicators.added(rows.lazy(), [indicator]).collect()


REFERENCES: dict[str, Callable[[Array, Array, Array], Array]] = {
    "sma_20": lambda high, low, close: talib.SMA(close, 20),
    "ema_20": lambda high, low, close: talib.EMA(close, 20),
    "rsi_14": lambda high, low, close: talib.RSI(close, 14),
    "atr_14": lambda high, low, close: talib.ATR(high, low, close, 14),
    "macd_12_26_9": lambda high, low, close: talib.MACD(close, 12, 26, 9)[0],
    "macd_signal_12_26_9": lambda high, low, close: talib.MACD(close, 12, 26, 9)[1],
    "macd_histogram_12_26_9": lambda high, low, close: talib.MACD(close, 12, 26, 9)[2],
    "bollinger_upper_20_2": lambda high, low, close: talib.BBANDS(close, 20, 2, 2)[0],
    "bollinger_middle_20_2": lambda high, low, close: talib.BBANDS(close, 20, 2, 2)[1],
    "bollinger_lower_20_2": lambda high, low, close: talib.BBANDS(close, 20, 2, 2)[2],
    "return_5": lambda high, low, close: talib.ROCP(close, 5),
}


@needs_data
@pytest.mark.parametrize("name", REFERENCES)
def test_values_are_those_of_ta_lib(name: str) -> None:
    rows = days()
    high, low, close = (rows[column].to_numpy() for column in ("high", "low", "close"))
    expected = REFERENCES[name](high, low, close)
    mine = computed(rows, name)[name]
    defined = ~np.isnan(expected)
    assert defined.sum() > 900
    assert np.allclose(mine.to_numpy()[defined], expected[defined], rtol=1e-9, atol=1e-9)
    if not name.startswith("macd_1"):  # TA-Lib leaves out what comes before the signal
        assert mine.is_null().to_numpy().tolist() == (~defined).tolist()


@needs_data
def test_instruments_do_not_touch_each_other() -> None:
    both = pl.concat([days("SPY"), days("AAPL")])
    shuffled = both.sample(fraction=1.0, shuffle=True, seed=1)
    for name in ("ema_20", "return_1", "macd_12_26_9"):
        apart = pl.concat([computed(days("AAPL"), name), computed(days("SPY"), name)])
        assert computed(shuffled, name).equals(apart)


@needs_data
@pytest.mark.parametrize("name", [*REFERENCES, "log_return_3", "realised_volatility_10"])
def test_what_lies_beyond_its_reach_changes_nothing(name: str) -> None:
    """A reader that begins so many bars before sees what one of the whole history sees."""
    rows = days()
    indicator = indicators.parse(name)
    assert indicator
    last = rows.height - 1
    for count in {min(indicator.reach + 1, rows.height)}:
        short = computed(rows[-count:], name)[name][-1]
        assert short == pytest.approx(computed(rows, name)[name][last], rel=1e-12)


def test_realised_volatility_and_vwap_by_their_formulas() -> None:
    rows = pl.DataFrame(
        {
            "instrument": ["X"] * 4, "session": [1, 1, 2, 2], "ts": [1, 2, 3, 4], "close": [1.0, 2.0, 4.0, 2.0],
            "vwap": [1.0, 3.0, 5.0, 7.0], "volume": [1.0, 3.0, 0.0, 2.0],
        }
    )  # fmt: skip
    step = math.log(2)
    assert computed(rows, "realised_volatility_2")["realised_volatility_2"].to_list() == [
        None, None, pytest.approx(math.sqrt(2) * step), pytest.approx(math.sqrt(2) * step),
    ]  # fmt: skip
    assert computed(rows, "vwap_session")["vwap_session"].to_list() == [1.0, 2.5, None, 7.0]


@pytest.mark.parametrize(
    "name", ["sma", "sma_0", "sma_20_2", "macd_12_26", "rsi_1.5", "vwap_session_3", "ema_99999"]
)
def test_wrong_numbers_are_refused_with_how_it_is_written(name: str) -> None:
    with pytest.raises(errors.UsageError) as refused:
        indicators.parse(name)
    assert "is written" in refused.value.hint


def test_other_names_are_no_indicators() -> None:
    assert [indicators.parse(name) for name in ("close", "volume", "trade_count", "Close_1")] == [None] * 4
    assert all(indicators.parse(name) for name in indicators.names())
