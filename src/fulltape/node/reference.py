"""The reference table: imported from files and vendors, and asked who is in a universe."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fulltape import errors
from fulltape.backfill import single
from fulltape.context import ConfiguredSource, Event, NodeContext, Progress, silent
from fulltape.contract.vendor import Conversation, Outcome
from fulltape.ledger.ledger import Ledger
from fulltape.market import reference
from fulltape.market.reference import ReferenceEntry
from fulltape.market.time import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import brought: rows added, the symbols that a vendor refused, with its reason, and by instrument where dates
    contradict each other."""

    added: int
    total: int
    refused: dict[str, str]
    conflicts: dict[str, str]


def from_file(ledger: Ledger, path: Path, clock: Clock) -> Imported:
    """Take in a CSV file of listings; all of it or nothing."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [
                {str(name).strip(): value or "" for name, value in row.items() if name is not None}
                for row in csv.DictReader(file, skipinitialspace=True)
            ]
    except (OSError, UnicodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise errors.ConfigError(f"cannot be read: {reason}.", where=str(path)) from error
    if not rows:
        raise errors.ConfigError("has no rows.", where=str(path))
    return _add(ledger, reference.from_rows(rows, origin=path.name, where=str(path)), clock, {})


def from_vendor(
    context: NodeContext, vendor: str, symbols: Sequence[str], clock: Clock, progress: Progress = silent
) -> Imported:
    """Ask a vendor who these symbols are; what it knows is added, what it does not know is told.

    What it told before an error ended the asking is added too.
    """
    feed = _feed(context, vendor)
    fetch = getattr(context.vendors[vendor], "reference", None)
    if fetch is None:
        able = [name for name, candidate in context.vendors.items() if hasattr(candidate, "reference")]
        raise errors.UsageError(
            f"{vendor} has no reference data.",
            hint=f"These have: {', '.join(able) or 'none that is configured'}.",
        )
    entries: list[ReferenceEntry] = []
    refused: dict[str, str] = {}
    try:
        for done, symbol in enumerate(symbols, start=1):
            entries += _told(context, feed, fetch([symbol]), clock, symbol, refused)
            progress(Event(stage="symbols", done=done, total=len(symbols), unit="symbols"))
    except errors.FulltapeError:
        _add(context.ledger, entries, clock, refused)
        raise
    return _add(context.ledger, entries, clock, refused)


def _told(
    context: NodeContext,
    feed: ConfiguredSource,
    conversation: Conversation,
    clock: Clock,
    symbol: str,
    refused: dict[str, str],
) -> Sequence[ReferenceEntry]:
    """What a vendor tells of one symbol; `refused` gets its reason where it has nothing."""
    entries: Sequence[ReferenceEntry] = ()
    for exchange in single.hold(context, feed, conversation, clock, kind="BOOTSTRAP"):
        answer = exchange.answer
        if answer.outcome is Outcome.BAD_CREDENTIALS:
            raise errors.CredentialsRefusedError(
                f"{feed.vendor} refused the credentials ({answer.reason}).",
                hint="Mend the key in fulltape.toml.",
            )
        entries = entries or answer.listings
        if answer.outcome not in (Outcome.ROWS, Outcome.EMPTY):
            refused[symbol] = answer.reason
    if entries:
        refused.pop(symbol, None)
    return entries


def refresh(context: NodeContext, vendor: str, clock: Clock, progress: Progress = silent) -> Imported:
    """Ask a vendor again about every instrument that it has told us about."""
    symbols = [
        entry.symbol
        for entry in context.ledger.reference.listings()
        if entry.origin == vendor and entry.last is None
    ]
    if not symbols:
        raise errors.UsageError(
            f"nothing in the reference table came from {vendor}.",
            hint=f"Start with fulltape symbols import --vendor {vendor} SYMBOL….",
        )
    return from_vendor(context, vendor, sorted(set(symbols)), clock, progress)


def _feed(context: NodeContext, vendor: str) -> ConfiguredSource:
    source = next((feed for feed in context.feeds.values() if feed.vendor == vendor), None)
    if source is None:
        known = sorted({feed.vendor for feed in context.feeds.values()})
        raise errors.UsageError(
            f"no dataset of this node asks {vendor}.", hint=f"Its vendors are {', '.join(known)}."
        )
    return source


def _add(
    ledger: Ledger, entries: Sequence[ReferenceEntry], clock: Clock, refused: dict[str, str]
) -> Imported:
    with ledger.write():
        known = {entry.key: entry for entry in ledger.reference.listings()}
        entries = [reference.completed(known.get(entry.key), entry) for entry in entries]
        for newer in entries:
            # A newer word on an open end closes it: the same symbol of the same instrument, from the same day.
            known[newer.key] = newer
        reference.checked(list(known.values()))
        conflicts = {entry.instrument: entry.facts.conflict for entry in entries if entry.facts.conflict}
        added = ledger.reference.add(entries, now=clock.now())
        return Imported(
            added=added, total=len(ledger.reference.listings()), refused=refused, conflicts=conflicts
        )
