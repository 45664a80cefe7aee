"""Which instruments are meant by symbols: a symbol means one instrument on a day, and another on another day."""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Iterable, Sequence

from fulltape import errors
from fulltape.market.instruments import DatedSymbol, Instrument

_FEW = 12
"""So many names are told in a hint; of more only how many there are."""


def of_symbols(
    known: Sequence[Instrument], symbols: Sequence[str], first: dt.date, last: dt.date, *, dataset: str
) -> list[Instrument]:
    """The instruments that bore these symbols in sessions from `first` to `last`, both inclusive.

    `UsageError` for a symbol that none bore, and for one that several did: their rows would look like one series.
    """
    bearers: dict[str, list[tuple[DatedSymbol, Instrument]]] = {}
    for instrument in known:
        for dated in instrument.symbols:
            bearers.setdefault(dated.symbol, []).append((dated, instrument))
    chosen: dict[str, Instrument] = {}
    for symbol in symbols:
        if symbol not in bearers:
            raise _stranger(symbol, bearers, dataset, "symbols")
        meant = [
            (dated, instrument)
            for dated, instrument in bearers[symbol]
            if (dated.first or dt.date.min) <= last and first <= (dated.last or dt.date.max)
        ]
        if len({instrument.instrument for _, instrument in meant}) > 1:
            raise _ambiguous(symbol, meant)
        chosen |= {instrument.instrument: instrument for _, instrument in meant}
    return list(chosen.values())


def ever(known: Sequence[Instrument], symbols: Sequence[str], *, dataset: str) -> list[str]:
    """The ids of all instruments that ever bore one of these symbols; `UsageError` for a symbol that none bore."""
    names: list[str] = []
    for symbol in symbols:
        mine = [
            instrument.instrument
            for instrument in known
            if symbol in {dated.symbol for dated in instrument.symbols} or symbol == instrument.instrument
        ]
        if not mine:
            every = {dated.symbol for instrument in known for dated in instrument.symbols}
            raise _stranger(symbol, every, dataset, "symbols")
        names += mine
    return list(dict.fromkeys(names))


def of_names(known: Sequence[Instrument], names: Sequence[str], *, dataset: str) -> list[Instrument]:
    """The instruments with these ids; `UsageError` for one that there is not."""
    table = {instrument.instrument: instrument for instrument in known}
    for name in names:
        if name not in table:
            raise _stranger(name, table, dataset, "instruments")
    return [table[name] for name in dict.fromkeys(names)]


def _stranger(name: str, known: Iterable[str], dataset: str, what: str) -> errors.UsageError:
    names = list(known)
    near = difflib.get_close_matches(name.upper(), names, n=1, cutoff=0.5)
    has = ", ".join(sorted(names)) if len(names) <= _FEW else f"{len(names)} {what}"
    hint = f"Did you mean {near[0]}?" if near else f"It has {has}."
    return errors.UsageError(f"there is no {name!r} in {dataset}.", hint=hint)


def _ambiguous(symbol: str, meant: Sequence[tuple[DatedSymbol, Instrument]]) -> errors.UsageError:
    ordered = sorted(meant, key=lambda pair: pair[0].first or dt.date.min)
    lives = [
        f"{instrument.instrument} ({dated.first or 'unknown'} to {dated.last or 'now'})"
        for dated, instrument in ordered
    ]
    return errors.UsageError(
        f"{symbol} means several instruments in these sessions: {', '.join(lives)}.",
        hint="Choose sessions of one of them with start and end, or name it with instruments=.",
    )
