"""Classes of assets, and how the node writes their symbols."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

_FOREX = re.compile(r"[A-Z]{6}")
_TICKER = re.compile(r"[A-Za-z0-9]+([.-][A-Za-z0-9]+)*")
_CLASS_SHARE = re.compile(r"[A-Z]{1,5}-[A-Z]")
_OCC = re.compile(r"([A-Z]{1,6}\d?)(\d{2})(\d{2})(\d{2})([CP])(\d{8})")


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetClass:
    """What the instruments of a dataset are. `sample` is a symbol that is well written, `known` one that every vendor of the
    class has ('': none lives long enough); `spelling` raises `ValueError` where a symbol is not written as the node writes
    it."""

    name: str
    sample: str
    known: str
    spelling: Callable[[str], object] = str

    def meant(self, symbol: str) -> str:
        """How a symbol is written that no vendor's rule turns into its own spelling; '' where nothing is wrong with it."""
        hyphen = self.name == "equities" and _CLASS_SHARE.fullmatch(symbol)
        return symbol.replace("-", ".") if hyphen else ""


def pair(symbol: str) -> tuple[str, str]:
    """Base and quote of a crypto pair `BTC/USD`; `ValueError` for anything else."""
    base, slash, quote = symbol.partition("/")
    if not (base and slash and quote) or "/" in quote:
        raise ValueError(f"{symbol!r} is no pair; pairs are written {_slashed(symbol) or 'BTC/USD'}")
    return base, quote


_QUOTES = ("USDT", "USDC", "FDUSD", "USD", "EUR", "GBP", "BTC", "ETH")


def _slashed(symbol: str) -> str:
    """The pair that a venue's spelling such as BTCUSDT, BTC-USD or BTC_USD probably means; '' if none."""
    plain = symbol.upper().replace("-", "").replace("_", "")
    for quote in _QUOTES:
        if plain.isalnum() and plain.endswith(quote) and plain != quote:
            return f"{plain.removesuffix(quote)}/{quote}"
    return ""


LATE_UNDERLYINGS = frozenset(
    {"SPY", "QQQ", "SPX", "SPXW", "NDX", "NDXP", "XSP", "RUT", "RUTW", "VIX", "VIXW", "DJX", "OEX", "XEO"}
)
"""Underlyings whose options trade a quarter of an hour longer than stocks: two funds, and broad indices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """What an option's OCC symbol says."""

    underlying: str
    expiry: dt.date
    option_type: str
    strike: float


def contract(symbol: str) -> Contract:
    """An OCC symbol without spaces (`AAPL240419P00140000`: root, yymmdd, C or P, strike × 1000); `ValueError` if it is
    none. An adjusted root keeps its digit and is an underlying of its own."""
    match = _OCC.fullmatch(symbol)
    if not match:
        raise ValueError(f"{symbol!r} is no OCC symbol such as AAPL240419P00140000")
    root, year, month, day, kind, strike = match.groups()
    return Contract(
        underlying=root,
        expiry=dt.date(2000 + int(year), int(month), int(day)),
        option_type="call" if kind == "C" else "put",
        strike=int(strike) / 1_000,
    )


def contract_columns(symbol: str) -> dict[str, object]:
    """The columns of a contract's rows that its symbol gives; none where it is no OCC symbol."""
    try:
        parsed = contract(symbol)
    except ValueError:
        return {}
    return {
        "underlying": parsed.underlying,
        "expiry": parsed.expiry,
        "strike": parsed.strike,
        "option_type": parsed.option_type,
    }


def _crypto(symbol: str) -> None:
    base, quote = pair(symbol)
    if base.islower() or quote != quote.upper():
        raise ValueError(f"{symbol!r} is written {base.upper()}/{quote.upper()}")


def _forex(symbol: str) -> None:
    if not _FOREX.fullmatch(symbol):
        raise ValueError(f"{symbol!r} is no currency pair; they are written EURUSD")


def _ticker(symbol: str) -> None:
    if symbol.islower() or not _TICKER.fullmatch(symbol):
        raise ValueError(f"{symbol!r} is no ticker; they are written AAPL, BRK.B or 7203.T")


EQUITIES = AssetClass(name="equities", sample="A", known="AAPL", spelling=_ticker)
OPTIONS = AssetClass(name="options", sample="AAPL240419P00140000", known="", spelling=contract)
FOREX = AssetClass(name="forex", sample="EURUSD", known="EURUSD", spelling=_forex)
CRYPTO = AssetClass(name="crypto", sample="BTC/USD", known="BTC/USD", spelling=_crypto)
SYNTHETIC = AssetClass(name="synthetic", sample="R_100", known="R_100")
MACRO = AssetClass(name="macro", sample="DGS10", known="DGS10")


_PLAIN = ("equities", "synthetic", "macro")
"""Classes whose symbols may look like those of others: six capitals are a pair of currencies, and no stock."""


def fitting(symbol: str, classes: Iterable[AssetClass]) -> list[str]:
    """The classes that a symbol may be of, as it is written: those of a form of their own before those that take nearly anything."""
    fit = []
    for asset_class in classes:
        try:
            asset_class.spelling(symbol)
        except ValueError:
            continue
        fit.append(asset_class.name)
    own = [name for name in fit if name not in _PLAIN]
    return list(dict.fromkeys(own or fit))
