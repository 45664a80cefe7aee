"""The dated reference table: who was known by which symbol, when, where, and in which units. Pure."""

from __future__ import annotations

import datetime as dt
import itertools
import math
from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from fulltape import errors
from fulltape.market import symbols
from fulltape.market.instruments import DatedSymbol, Instrument


class ReferenceFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What else is known of an instrument while it bears a symbol. `price_unit` where prices are not in the currency
    itself (GBX is a hundredth of GBP); `spellings` by source or vendor; `conflict` says where dates contradict each other
    and the later one was taken. `delisting_return` is what a holder got after the last price, as a share of it less one (-1: nothing), where
    a source states it; null is unknown."""

    type: str = ""
    venue: str = ""
    currency: str = ""
    price_unit: str = ""
    lot: float | None = None
    tick: float | None = None
    multiplier: float | None = None
    delisting_reason: str = ""
    delisting_return: float | None = None
    spellings: dict[str, str] = {}
    conflict: str = ""


class ReferenceEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One symbol of one instrument, from and to a day (inclusive; None: unknown, or still valid), and who said so."""

    instrument: str
    symbol: str
    first: dt.date | None = None
    last: dt.date | None = None
    facts: ReferenceFacts = ReferenceFacts()
    origin: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """What a later row with the same key replaces."""
        return self.instrument, self.symbol, self.first.isoformat() if self.first else ""

    def covers(self, day: dt.date) -> bool:
        """Whether the symbol was valid on a day, as far as is known."""
        return (self.first is None or self.first <= day) and (self.last is None or day <= self.last)


def checked(listings: Sequence[ReferenceEntry]) -> Sequence[ReferenceEntry]:
    """The same listings, or a `ConfigError`: on no day may a symbol mean two instruments, or an instrument bear two."""
    for what in ("symbol", "instrument"):
        groups: dict[str, list[ReferenceEntry]] = {}
        for listing in listings:
            groups.setdefault(getattr(listing, what), []).append(listing)
        for name, entries in groups.items():
            entries.sort(key=lambda entry: entry.first or dt.date.min)
            for earlier, later in itertools.pairwise(entries):
                if (earlier.last or dt.date.max) >= (later.first or dt.date.min):
                    other = "instruments" if what == "symbol" else "symbols"
                    pair = [getattr(entry, other.removesuffix("s")) for entry in (earlier, later)]
                    raise errors.ConfigError(
                        f"the {what} {name} has two {other} at a time: {pair[0]} until {earlier.last or 'now'} "
                        f"and {pair[1]} from {later.first or 'ever'}.",
                        hint="Give listed_to to the earlier and listed_from to the later one.",
                    )
    return listings


def completed(before: ReferenceEntry | None, listing: ReferenceEntry) -> ReferenceEntry:
    """A listing with what an earlier word on the same symbol of the same instrument told and this one does not."""
    if before is None:
        return listing
    old, new = before.facts, listing.facts
    facts = ReferenceFacts(
        type=new.type or old.type,
        venue=new.venue or old.venue,
        currency=new.currency or old.currency,
        price_unit=new.price_unit or old.price_unit,
        lot=old.lot if new.lot is None else new.lot,
        tick=old.tick if new.tick is None else new.tick,
        multiplier=old.multiplier if new.multiplier is None else new.multiplier,
        delisting_reason=new.delisting_reason or old.delisting_reason,
        delisting_return=old.delisting_return if new.delisting_return is None else new.delisting_return,
        spellings={**old.spellings, **new.spellings},
        conflict=new.conflict,
    )
    return msgspec.structs.replace(listing, facts=facts)


def by_instrument(listings: Iterable[ReferenceEntry]) -> dict[str, list[ReferenceEntry]]:
    """The rows of each instrument, oldest first."""
    groups: dict[str, list[ReferenceEntry]] = {}
    for listing in listings:
        groups.setdefault(listing.instrument, []).append(listing)
    for rows in groups.values():
        rows.sort(key=lambda entry: entry.first or dt.date.min)
    return groups


def delistings(
    listings: Iterable[ReferenceEntry], names: Collection[str]
) -> dict[str, tuple[str, float | None]]:
    """Why some instruments ended, and what a holder got, by the newest word on each; only where anything is known."""
    known: dict[str, tuple[str, float | None]] = {}
    for name, rows in by_instrument(listings).items():
        for entry in rows:
            facts = entry.facts
            if name in names and (facts.delisting_reason or facts.delisting_return is not None):
                known[name] = facts.delisting_reason, facts.delisting_return
    return known


def instruments(listings: Iterable[ReferenceEntry]) -> dict[str, Instrument]:
    """Instruments with their dated symbols, as the stages know them."""
    return {
        name: Instrument(
            instrument=name,
            symbols=tuple(
                DatedSymbol(symbol=entry.symbol, first=entry.first, last=entry.last) for entry in rows
            ),
        )
        for name, rows in by_instrument(listings).items()
    }


def resolve(listings: Iterable[ReferenceEntry], symbol: str, day: dt.date | None = None) -> str:
    """The instrument that a symbol meant on a day, or means now; `UsageError` where it is not known or not clear."""
    matching = [listing for listing in listings if listing.symbol == symbol]
    if day is not None:
        matching = [listing for listing in matching if listing.covers(day)]
    elif len(matching) > 1:
        matching = [listing for listing in matching if listing.last is None] or [
            max(matching, key=lambda listing: listing.last or dt.date.max)
        ]
    if not matching:
        when = f" on {day}" if day else ""
        raise errors.UsageError(
            f"no instrument is known by the symbol {symbol}{when}.",
            hint="fulltape symbols show lists who is.",
        )
    if len({listing.instrument for listing in matching}) > 1:
        raise errors.UsageError(f"{symbol} means several instruments; say on which day.")
    return matching[0].instrument


def spelled(listings: Iterable[ReferenceEntry], source: str) -> dict[str, str]:
    """How a source (or its vendor) writes symbols, where that was said."""
    vendor = source.partition(".")[0]
    spellings: dict[str, str] = {}
    for listing in listings:
        spelling = listing.facts.spellings.get(source) or listing.facts.spellings.get(vendor)
        if spelling:
            spellings[listing.symbol] = spelling
    return spellings


def chosen(listings: Iterable[ReferenceEntry], query: str, where: str) -> set[str]:
    """Instruments that a query names: `type=ETF venue=XNAS`, all of which must hold; `active=yes|no` asks whether a symbol
    of it is still valid. Raises `ConfigError` for a field that there is not."""
    wanted: dict[str, str] = {}
    for part in query.split():
        name, equals, value = part.partition("=")
        if not equals or name not in ("type", "venue", "currency", "active", "origin"):
            raise errors.ConfigError(
                f"{part!r} is no condition.", where=where,
                hint="Conditions look like type=ETF, venue=XNAS, currency=USD, origin=NAME or active=yes.",
            )  # fmt: skip
        wanted[name] = value
    matching = set()
    for name, rows in by_instrument(listings).items():
        newest = rows[-1]
        facts: Mapping[str, str] = {
            "type": newest.facts.type, "venue": newest.facts.venue, "currency": newest.facts.currency,
            "origin": newest.origin, "active": "yes" if newest.last is None else "no",
        }  # fmt: skip
        if all(facts[field] == value for field, value in wanted.items()):
            matching.add(name)
    return matching


_COLUMNS = (
    "symbol", "listed_from", "listed_to", "instrument", "type", "venue", "currency", "price_unit", "lot", "tick", "multiplier",
    "delisting_reason", "delisting_return",
)  # fmt: skip


def from_rows(rows: Iterable[Mapping[str, str]], *, origin: str, where: str) -> list[ReferenceEntry]:
    """Listings out of the rows of a CSV file; beside the columns of `universe.csv` it may have type, venue, currency,
    price_unit, lot, tick, multiplier, delisting_reason, delisting_return, and `spelling:SOURCE`. `ConfigError` names the line."""
    entries = []
    for number, row in enumerate(rows, start=2):
        strange = [name for name in row if name not in _COLUMNS and not name.startswith("spelling:")]
        if strange or "symbol" not in row:
            raise errors.ConfigError(
                f"has the columns {', '.join(row)}.", where=where,
                hint=f"It may have {', '.join(_COLUMNS)} and spelling:SOURCE; only symbol is required.",
            )  # fmt: skip
        try:
            entries.append(_listing({name: value.strip() for name, value in row.items()}, origin))
        except (ValueError, errors.UsageError) as error:
            raise errors.ConfigError(
                str(error), where=f"{where}:{number}", hint="Dates are YYYY-MM-DD, sizes are numbers."
            ) from error
    return entries


def _listing(row: Mapping[str, str], origin: str) -> ReferenceEntry:
    symbol = symbols.validate(row["symbol"])
    first, last = (
        dt.date.fromisoformat(row[key]) if row.get(key) else None for key in ("listed_from", "listed_to")
    )
    if first and last and first > last:
        raise ValueError(f"{symbol} is listed from {first} to {last}")
    numbers = {
        name: float(row[name]) if row.get(name) else None
        for name in ("lot", "tick", "multiplier", "delisting_return")
    }
    _refuse_impossible(symbol, last, row.get("delisting_reason", ""), numbers["delisting_return"])
    spellings = {name.partition(":")[2]: value for name, value in row.items() if ":" in name and value}
    return ReferenceEntry(
        instrument=symbols.validate(row.get("instrument") or symbol),
        symbol=symbol,
        first=first,
        last=last,
        facts=ReferenceFacts(
            type=row.get("type", ""),
            venue=row.get("venue", ""),
            currency=row.get("currency", ""),
            price_unit=row.get("price_unit", ""),
            spellings=spellings,
            lot=numbers["lot"],
            tick=numbers["tick"],
            multiplier=numbers["multiplier"],
            delisting_reason=row.get("delisting_reason", ""),
            delisting_return=numbers["delisting_return"],
        ),
        origin=origin,
    )


def _refuse_impossible(symbol: str, last: dt.date | None, reason: str, returned: float | None) -> None:
    """A delisting has a day, and loses no more than everything."""
    if (reason or returned is not None) and last is None:
        raise ValueError(f"{symbol} has a delisting, and no listed_to")
    if returned is not None and not (math.isfinite(returned) and returned >= -1):
        raise ValueError(f"{symbol} has a delisting_return of {returned:g}: it is a share, -1 or more")
