"""Symbols in a source's own spelling, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fulltape.contract.vendor import FetchRequest

_EXCHANGES = frozenset("FLTV")
"""One-letter suffixes of exchanges: Frankfurt, London, Tokyo, TSX Venture."""


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
