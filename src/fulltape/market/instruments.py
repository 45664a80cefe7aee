"""Instruments and their dated symbols, and the universe file that lists them."""

from __future__ import annotations

import csv
import datetime as dt
import functools
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fulltape import errors
from fulltape.market import symbols

if TYPE_CHECKING:
    from _csv import Reader as CsvReader

COLUMNS = ("symbol", "listed_from", "listed_to", "instrument")


@dataclass(frozen=True, slots=True, kw_only=True)
class DatedSymbol:
    """A symbol that an instrument was known by, from and to a session (inclusive; None is unknown)."""

    symbol: str
    first: dt.date | None
    last: dt.date | None

    def covers(self, session: dt.date) -> bool:
        """Whether the symbol was valid on that session, as far as is known."""
        return (self.first is None or self.first <= session) and (self.last is None or session <= self.last)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """What is traded: an opaque id and the symbols it was known by, oldest first."""

    instrument: str
    symbols: tuple[DatedSymbol, ...]

    @property
    def listed_from(self) -> dt.date | None:
        """First session of its life, None where no reference says so."""
        return self.symbols[0].first

    @property
    def listed_to(self) -> dt.date | None:
        """Last session of its life, None while it trades or where unknown."""
        return self.symbols[-1].last

    @property
    def symbol(self) -> str:
        """The symbol it is known by now."""
        return self.symbols[-1].symbol

    def symbol_on(self, session: dt.date) -> str:
        """The spelling valid on `session`: requests use it, raw rows keep it."""
        for dated in self.symbols:
            if dated.covers(session):
                return dated.symbol
        return self.symbol


def of(*names: str) -> tuple[Instrument, ...]:
    """Instruments of unknown listing, one per symbol."""
    return tuple(
        Instrument(
            instrument=symbols.validate(name), symbols=(DatedSymbol(symbol=name, first=None, last=None),)
        )
        for name in names
    )


def symbols_in(text: str, *, where: str) -> set[str]:
    """The symbols that a `universe.csv` names, whatever it says of them: for who only wants to know whether one is there."""
    _, *rows = [*_rows(csv.reader(text.splitlines()), where)] or [[]]
    return {cells[0].strip() for cells in rows if cells} - {""}


@functools.lru_cache(maxsize=8)  # datasets share universes, and pages ask again and again
def parse_universe(text: str, *, where: str) -> tuple[Instrument, ...]:
    """Instruments of a `universe.csv`; several rows with one instrument are its symbols over time.

    Raises `ConfigError` that names the line.
    """
    reader = csv.reader(text.splitlines())
    header = next(reader, [])
    if [name.strip() for name in header][:1] != ["symbol"] or set(header) - set(COLUMNS):
        raise errors.ConfigError(
            f"the header is {','.join(header) or 'missing'}.",
            where=f"{where}:1",
            hint=f"It should be {','.join(COLUMNS)}; only symbol is required.",
        )
    rows: dict[str, list[DatedSymbol]] = {}
    for cells in _rows(reader, where):
        line = reader.line_num
        if not any(cell.strip() for cell in cells):
            continue
        row = dict(zip(header, (cell.strip() for cell in cells), strict=False))
        dated = _dated_symbol(row, f"{where}:{line}")
        rows.setdefault(row.get("instrument") or dated.symbol, []).append(dated)
    return tuple(_instrument(name, dated, where) for name, dated in rows.items())


def _rows(reader: CsvReader, where: str) -> Iterator[list[str]]:
    try:
        yield from reader
    except csv.Error as error:
        raise errors.ConfigError(f"is no CSV: {error}.", where=f"{where}:{reader.line_num}") from error


def _dated_symbol(row: dict[str, str], where: str) -> DatedSymbol:
    try:
        symbol = symbols.validate(row.get("symbol", ""))
        first, last = (
            dt.date.fromisoformat(row[key]) if row.get(key) else None for key in ("listed_from", "listed_to")
        )
    except errors.UsageError as error:
        raise errors.ConfigError(error.message, where=where, hint=error.hint) from error
    except ValueError as error:
        days = f"{row.get('listed_from', '')} {row.get('listed_to', '')}".strip()
        raise errors.ConfigError(
            f"{days!r} is no day.", where=where, hint="A day is written YYYY-MM-DD."
        ) from error
    if first and last and first > last:
        raise errors.ConfigError(f"{symbol} is listed from {first} to {last}.", where=where)
    return DatedSymbol(symbol=symbol, first=first, last=last)


def _instrument(name: str, dated: Iterable[DatedSymbol], where: str) -> Instrument:
    ordered = sorted(dated, key=lambda symbol: symbol.first or dt.date.min)
    for earlier, later in itertools.pairwise(ordered):
        if earlier.last is None or later.first is None or earlier.last >= later.first:
            raise errors.ConfigError(
                f"{earlier.symbol} is there twice."
                if earlier.symbol == later.symbol
                else f"the symbols {earlier.symbol} and {later.symbol} of {name} overlap in time.",
                where=where,
                hint="Give listed_to and listed_from so that each session has one symbol.",
            )
    return Instrument(instrument=symbols.validate(name), symbols=tuple(ordered))
