"""The instruments of a universe: by list, by file, or by a query of the reference table."""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Iterable, Sequence
from dataclasses import replace

from fulltape import errors
from fulltape.market import assets, datasets, instruments, reference
from fulltape.market.instruments import Instrument
from fulltape.market.reference import ReferenceEntry
from fulltape.settings.load import Loaded

_MOST_TOLD = 10


def of_universe(
    loaded: Loaded, dataset: str, name: str, listings: Sequence[ReferenceEntry] | None
) -> tuple[Instrument, ...]:
    """The instruments of the universe `name` that a dataset covers; without `listings` the reference table was not read: the
    reference table yet. `ConfigError` names what cannot be meant, and where it is written."""
    key = f"dataset.{dataset}"
    covered = _members(loaded, key, name, listings)
    asset_class = datasets.get(dataset).asset_class
    wrong = []
    for instrument in covered:
        for dated in instrument.symbols:
            try:
                asset_class.spelling(dated.symbol)
            except ValueError as error:
                wrong.append((dated.symbol, str(error)))
    if wrong:
        more = f", and {len(wrong) - _MOST_TOLD} more" if len(wrong) > _MOST_TOLD else ""
        raise errors.ConfigError(
            f"{dataset} covers [universe.{name}], where {'; '.join(why for _, why in wrong[:_MOST_TOLD])}{more}.",
            where=_written(loaded, name, wrong[0][0]),
        )
    return tuple(map(_expiring, covered)) if asset_class is assets.OPTIONS else covered


def _written(loaded: Loaded, name: str, symbol: str) -> str:
    """Where a universe names a symbol: its list of symbols, else its file."""
    universe = loaded.values.universe[name]
    if symbol not in universe.symbols and universe.file:
        return str(loaded.folder / universe.file)
    return loaded.where(f"universe.{name}.symbols")


def _expiring(instrument: Instrument) -> Instrument:
    """A contract's symbol says when its life ends; a reference can only say that it ended earlier. An expiry on a day
    without a session (a Saturday before 2015, a holiday) is the session before it, as every last day is."""
    dated = tuple(
        replace(each, last=min(each.last or dt.date.max, assets.contract(each.symbol).expiry))
        for each in instrument.symbols
    )
    return replace(instrument, symbols=dated)


def _members(
    loaded: Loaded, key: str, name: str, listings: Sequence[ReferenceEntry] | None
) -> tuple[Instrument, ...]:
    where = loaded.where(f"{key}.universe")
    universe = loaded.values.universe.get(name)
    if universe is None:
        raise errors.ConfigError(
            f'{key}.universe = "{name}", but there is no [universe.{name}].{near(name, loaded.values.universe)}',
            where=where,
        )
    named: tuple[Instrument, ...] = ()
    if universe.symbols:
        try:
            named += _listed(instruments.of(*universe.symbols), listings or ())
        except errors.UsageError as error:
            raise errors.ConfigError(error.message, where=loaded.where(f"universe.{name}.symbols")) from error
    if universe.file:
        path = loaded.folder / universe.file
        try:
            named += instruments.parse_universe(path.read_text(encoding="utf-8-sig"), where=str(path))
        except (OSError, UnicodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            raise errors.ConfigError(
                f"universe.{name}.file = {universe.file} cannot be read: {reason}.",
                where=loaded.where(f"universe.{name}.file"),
            ) from error
    if universe.query:
        where_query = loaded.where(f"universe.{name}.query")
        chosen = reference.chosen(listings or (), universe.query, where_query)
        table = reference.instruments(listings or ())
        named += tuple(table[instrument] for instrument in sorted(chosen))
        return named  # it may be empty: the table is filled by a command of this very node
    if not named:
        raise errors.ConfigError(
            f"[universe.{name}] names no instrument.", where=loaded.where(f"universe.{name}")
        )
    return named


def _listed(named: Sequence[Instrument], listings: Sequence[ReferenceEntry]) -> tuple[Instrument, ...]:
    """The instruments that symbols mean, as the reference table knows them; unknown ones as they were named."""
    table = reference.instruments(listings)
    known = {entry.symbol for entry in listings}
    return tuple(
        table[reference.resolve(listings, instrument.symbol)] if instrument.symbol in known else instrument
        for instrument in named
    )


def near(name: str, known: Iterable[str]) -> str:
    """A sentence with the nearest known name, or nothing."""
    matches = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {matches[0]}?" if matches else ""
