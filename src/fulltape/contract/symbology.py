"""Symbols in a source's own spelling, and back."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fulltape.contract.vendor import FetchRequest

_FOREX = re.compile(r"[A-Z]{6}")
_TICKER = re.compile(r"[A-Za-z0-9]+([.-][A-Za-z0-9]+)*")
_CLASS_SHARE = re.compile(r"[A-Z]{1,5}-[A-Z]")
_EXCHANGES = frozenset("FLTV")
"""One-letter suffixes of exchanges: Frankfurt, London, Tokyo, TSX Venture."""
_OCC = re.compile(r"([A-Z]{1,6}\d?)(\d{2})(\d{2})(\d{2})([CP])(\d{8})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The symbols of one fetch: how the source writes each, and what we call what it writes."""

    vendor_symbols: Mapping[str, str]
    ours: Mapping[str, str]


def names(fetch: FetchRequest, rule: Callable[[str], str]) -> Names:
    """Both directions for a fetch; the reference table's spelling comes before the vendor's rule."""
    vendor_symbols = {symbol: _written(fetch, symbol, rule) for symbol in fetch.symbols}
    return Names(
        vendor_symbols=vendor_symbols, ours={theirs: ours for ours, theirs in vendor_symbols.items()}
    )


def vendor_symbol(fetch: FetchRequest, rule: Callable[[str], str] = str) -> str:
    """How the source writes the one symbol of a fetch."""
    (symbol,) = fetch.symbols
    return _written(fetch, symbol, rule)


def _written(fetch: FetchRequest, symbol: str, rule: Callable[[str], str]) -> str:
    return fetch.spellings.get(symbol) or rule(symbol)


def hyphenated(symbol: str) -> str:
    """Class shares with a hyphen: `BRK.B` is written `BRK-B`."""
    return symbol.replace(".", "-")


def suffixed(symbol: str) -> str:
    """As Yahoo writes it: class shares with a hyphen, and an exchange's suffix (`7203.T`, `VOD.L`, `SAP.DE`) as it is."""
    base, _, last = symbol.rpartition(".")
    exchange = len(last) > 1 or last in _EXCHANGES or any(map(str.isdigit, base))
    return symbol if exchange else hyphenated(symbol)


def of_class(dataset: str, symbol: str) -> None:
    """Raise `ValueError` where a symbol is not written as the node writes those of a dataset's class."""
    kind = dataset.partition("_")[0]
    if kind == "crypto":
        base, quote = pair(symbol)
        if base.islower() or quote != quote.upper():
            raise ValueError(f"{symbol!r} is written {base.upper()}/{quote.upper()}")
    elif kind == "options":
        contract(symbol)
    elif kind == "forex" and not _FOREX.fullmatch(symbol):
        raise ValueError(f"{symbol!r} is no currency pair; they are written EURUSD")
    elif kind == "equities" and (symbol.islower() or not _TICKER.fullmatch(symbol)):
        raise ValueError(f"{symbol!r} is no ticker; they are written AAPL, BRK.B or 7203.T")


def meant(dataset: str, symbol: str) -> str:
    """How a symbol is written that no vendor's rule turns into its own spelling; '' where nothing is wrong with it."""
    hyphen = dataset.startswith("equities") and _CLASS_SHARE.fullmatch(symbol)
    return symbol.replace("-", ".") if hyphen else ""


def sample(dataset: str) -> str:
    """A symbol that is well written for a dataset's class."""
    samples = {"crypto": "BTC/USD", "forex": "EURUSD", "options": "AAPL240419P00140000"}
    return samples.get(dataset.partition("_")[0], "A")


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
    found = _OCC.fullmatch(symbol)
    if not found:
        raise ValueError(f"{symbol!r} is no OCC symbol such as AAPL240419P00140000")
    root, year, month, day, kind, strike = found.groups()
    return Contract(
        underlying=root,
        expiry=dt.date(2000 + int(year), int(month), int(day)),
        option_type="call" if kind == "C" else "put",
        strike=int(strike) / 1_000,
    )


def contract_columns(symbol: str) -> dict[str, object]:
    """The columns of a contract's rows that its symbol gives; none where it is no OCC symbol."""
    try:
        found = contract(symbol)
    except ValueError:
        return {}
    return {
        "underlying": found.underlying,
        "expiry": found.expiry,
        "strike": found.strike,
        "option_type": found.option_type,
    }
