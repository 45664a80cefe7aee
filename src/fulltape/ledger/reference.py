"""The reference table and the universes' membership, as stored: rows are added, never changed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable

import msgspec

from fulltape.ledger.database import Database, Row
from fulltape.market.reference import ReferenceEntry, ReferenceFacts
from fulltape.market.time import Instant


class Reference:
    """Listings of all instruments, and who was in which universe from which day on."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def listings(self, *, known: int | None = None) -> list[ReferenceEntry]:
        """What holds, or held at sequence number `known`."""
        newest = self._last("last_listing")
        by_key: dict[tuple[str, str, str], ReferenceEntry] = {}
        for row in self._database.run("listings", seq=newest if known is None else known):
            entry = _listing(row)
            if row["removed"]:
                by_key.pop(entry.key, None)
            else:
                by_key[entry.key] = entry
        return list(by_key.values())

    @property
    def sequence(self) -> int:
        """The sequence number of the newest listing; 0 while there is none."""
        return self._last("last_listing")

    def add(self, listings: Iterable[ReferenceEntry], *, now: Instant) -> int:
        """Add what is not known yet, inside a transaction; returns how many rows that made."""
        held = {entry.key: entry for entry in self.listings()}
        seq = self._last("last_listing")
        added = 0
        for listing in listings:
            if held.get(listing.key) == listing:
                continue
            seq, added = seq + 1, added + 1
            self._write(listing, seq, removed=0, now=now)
        return added

    def remove(self, listing: ReferenceEntry, *, now: Instant) -> None:
        """Say that a symbol of an instrument was a mistake, inside a transaction."""
        self._write(listing, self._last("last_listing") + 1, removed=1, now=now)

    def members(self, universe: str) -> dict[str, dt.date]:
        """Who is in a universe, and since when it is known."""
        inside: dict[str, dt.date] = {}
        for row in self._database.run("memberships"):
            if row["universe"] == universe and row["inside"]:
                inside[row["instrument"]] = dt.date.fromisoformat(row["day"])
            elif row["universe"] == universe:
                inside.pop(row["instrument"], None)
        return inside

    def memberships(self) -> list[Row]:
        """Every change of every universe, oldest first."""
        return self._database.run("memberships")

    def snapshot(self, universe: str, members: Collection[str], day: dt.date, *, now: Instant) -> int:
        """Write down who came and who went since the last snapshot, inside a transaction; returns how many."""
        before = self.members(universe)
        changes = [(name, 1) for name in sorted(set(members) - set(before))]
        changes += [(name, 0) for name in sorted(set(before) - set(members))]
        seq = self._last("last_membership")
        for at, (name, inside) in enumerate(changes, start=1):
            self._database.run(
                "add_membership",
                seq=seq + at,
                universe=universe,
                instrument=name,
                day=day.isoformat(),
                inside=inside,
                at=now,
            )
        return len(changes)

    def _write(self, entry: ReferenceEntry, seq: int, *, removed: int, now: Instant) -> None:
        self._database.run(
            "add_listing",
            seq=seq,
            instrument=entry.instrument,
            symbol=entry.symbol,
            valid_from=entry.first.isoformat() if entry.first else "",
            valid_to=entry.last.isoformat() if entry.last else "",
            facts=msgspec.json.encode(entry.facts).decode(),
            origin=entry.origin,
            removed=removed,
            at=now,
        )

    def _last(self, statement: str) -> int:
        return int(self._database.value(statement) or 0)


def _listing(row: Row) -> ReferenceEntry:
    first, last = (
        dt.date.fromisoformat(row[key]) if row[key] else None for key in ("valid_from", "valid_to")
    )
    facts = msgspec.json.decode(row["facts"], type=ReferenceFacts)
    return ReferenceEntry(
        instrument=row["instrument"],
        symbol=row["symbol"],
        first=first,
        last=last,
        facts=facts,
        origin=row["origin"],
    )
