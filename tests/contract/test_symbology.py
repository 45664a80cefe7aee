"""How the node writes symbols of each class."""

from __future__ import annotations

import pytest

from fulltape.contract import symbology
from fulltape.market import assets, datasets


@pytest.mark.parametrize("symbol", ["AAPL", "BRK.B", "BRK-B", "BACpA", "S0001", "A"])
def test_tickers_are_tickers(symbol: str) -> None:
    assets.EQUITIES.spelling(symbol)
    with pytest.raises(ValueError, match="no ticker"):
        assets.EQUITIES.spelling(symbol.lower())


@pytest.mark.parametrize(
    ("dataset", "symbol", "words"),
    [
        ("equities_bars_day", "aapl", "no ticker"),
        ("equities_bars_day", "BTC/USD", "no ticker"),
        ("equities_trades", "BTC/USDXX", "no ticker"),
        ("equities_quotes", "A B", "no ticker"),
        ("forex_quotes", "EUR/USD", "no currency pair"),
        ("crypto_trades", "btc/usd", "is written BTC/USD"),
    ],
)
def test_what_belongs_to_another_class_is_refused_by_its_name(dataset: str, symbol: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        datasets.get(dataset).asset_class.spelling(symbol)


@pytest.mark.parametrize(
    ("symbol", "written"),
    [("BRK.B", "BRK-B"), ("7203.T", "7203.T"), ("VOD.L", "VOD.L"), ("SAP.DE", "SAP.DE"), ("AAPL", "AAPL")],
)
def test_yahoo_hyphenates_class_shares_and_keeps_exchanges(symbol: str, written: str) -> None:
    assert symbology.suffixed(symbol) == written


@pytest.mark.parametrize("dataset", sorted(datasets.DATASETS))
def test_samples_are_well_written(dataset: str) -> None:
    asset_class = datasets.get(dataset).asset_class
    for symbol in filter(None, (asset_class.sample, asset_class.known)):
        asset_class.spelling(symbol)
    assert asset_class.sample


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("BTCUSDT", "BTC/USDT"),
        ("eth-usd", "ETH/USD"),
        ("SOL_EUR", "SOL/EUR"),
        ("XYZ", "BTC/USD"),
        ("USDT", "BTC/USD"),
    ],
)
def test_a_pair_in_a_venues_spelling_is_told_how_it_is_written(written: str, meant: str) -> None:
    with pytest.raises(ValueError, match=f"pairs are written {meant}$"):
        assets.pair(written)
