"""Thirteen years of real prices, adjusted by our factors, are the adjusted prices that were published."""

from __future__ import annotations

import gzip
from pathlib import Path

import polars as pl
import pytest

import fulltape
from clocks import SkippingClock
from fulltape.node import nightly
from fulltape.reader import Reader
from fulltape.simulator import market
from nodes import DATA, Wish, needs_data, opened, simulated

pytestmark = needs_data

SPAN = ("2000-03-01", "2013-03-01")
PUBLISHED = DATA / "wiki-prices-bokeh" / "stocks.csv.gz"


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    wishes = (
        Wish("equities_bars_day", *SPAN, ("alpaca.sip",)),
        Wish("corporate_actions", *SPAN, ("massive.sip",)),
    )
    with (
        simulated(
            tmp_path_factory.mktemp("published"), market.sample(), wishes, universe=market.sample_universe()
        ) as (folder, _),
        opened(folder) as context,
    ):
        nightly.run(context, SkippingClock())
    return fulltape.open(folder)


def published() -> pl.DataFrame:
    """Adjusted closes by symbol and session, brought to the basis of their last day here."""
    rows = pl.read_csv(gzip.decompress(Path(PUBLISHED).read_bytes()), try_parse_dates=True).sort("Date")
    basis = (pl.col("Close") / pl.col("Adj Close")).last().over("Ticker")
    return rows.select(symbol="Ticker", session="Date", published=pl.col("Adj Close") * basis)


def test_total_prices_on_the_close_of_the_ex_date_are_the_published_ones(reader: Reader) -> None:
    """12,154 closes of five instruments with 95 ex-dates; published were decimals, so they agree to about a millionth."""
    rows = reader.scan(
        "equities_bars_day", adjust="total", convention="ex_close", anchor="2013-03-01"
    ).collect()
    both = rows.join(published(), on=["symbol", "session"])
    assert both.height == rows.height == 12_154
    assert set(both["adjust_status"].cast(pl.String)) == {"complete"}
    off = both.filter((pl.col("close") / pl.col("published") - 1).abs() > 2e-5)
    assert off.is_empty(), off.select("symbol", "session", "close", "published")


def test_a_special_and_a_regular_dividend_of_a_day_are_one_factor(reader: Reader) -> None:
    factors = {row["ex_date"].isoformat(): row for row in reader.factors("MSFT").to_dicts()}
    assert factors["2004-11-15"]["total"] == pytest.approx(0.89723056, abs=5e-9)
    assert factors["2003-02-18"]["split"] == 0.5
    assert reader.factors("GOOG").is_empty()
