"""What fetching writes into the journal: fetches, their pages and their ends, and fetches put together again.

A fetch that was interrupted goes on in a new file under the same id: its pages are then spread over several files and
are joined by number.
"""

from __future__ import annotations

import datetime as dt
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from fulltape.contract.vendor import CompleteThrough, Cursor, FetchRequest, Outcome
from fulltape.lake import compression, journal
from fulltape.lake.journal import JournalDamage, RecordKind

_HEAD = struct.Struct("<I")
_STORED = {"fetch_id": "ask_id", "fetch": "ask", "complete_through": "settled"}
"""How fields are called in journals."""


class FetchRecord(msgspec.Struct, frozen=True, kw_only=True, rename=_STORED):
    """The beginning (or the continuation) of a fetch: which tasks it serves, under which attempts."""

    fetch_id: str
    fetch: FetchRequest
    tasks: dict[int, int]
    instruments: dict[str, str]
    started_at: int


class PageRecord(msgspec.Struct, frozen=True, kw_only=True, rename=_STORED):
    """What is known of a page beside its bytes; a malformed one counts as the next number but does not take it."""

    fetch_id: str
    number: int
    status: int
    outcome: Outcome
    cursor: Cursor | None
    complete_through: tuple[CompleteThrough, ...]
    reason: str = ""
    memo: str = ""
    positional: bool = False


class EndRecord(msgspec.Struct, frozen=True, kw_only=True, rename=_STORED):
    """How a fetch ended; `symbols` are those that were refused on the way."""

    fetch_id: str
    outcome: Outcome
    ended_at: int
    refused: dict[str, str] = {}
    confirmed: tuple[str, ...] = ()
    reason: str = ""


@dataclass(slots=True, kw_only=True)
class StoredPage:
    """A page as it lies in the journal; `body` unpacks it."""

    record: PageRecord
    packed: bytes
    path: Path

    @property
    def body(self) -> bytes:
        """The bytes as they came."""
        return compression.unpack(self.packed)


@dataclass(slots=True, kw_only=True)
class StoredFetch:
    """A fetch as its journal files tell it; `pages` by number from 1, `malformed` those that could not be read."""

    record: FetchRecord
    pages: dict[int, StoredPage] = field(default_factory=dict)
    malformed: list[StoredPage] = field(default_factory=list)
    end: EndRecord | None = None
    paths: set[Path] = field(default_factory=set)

    def sound_pages(self) -> list[StoredPage]:
        """Pages 1, 2, … up to the first one that is lost."""
        out: list[StoredPage] = []
        while page := self.pages.get(len(out) + 1):
            out.append(page)
        return out

    @property
    def whole(self) -> bool:
        """Whether no page is lost."""
        return len(self.sound_pages()) == len(self.pages)

    @property
    def positional(self) -> bool:
        """Whether every sound page was limited by count, and none but the last was empty."""
        pages = self.sound_pages()
        return all(page.record.positional for page in pages) and all(
            page.record.outcome is Outcome.ROWS for page in pages[:-1]
        )

    def complete_through(self) -> dict[str, dt.date]:
        """Per symbol the last session that the sound pages prove complete."""
        through: dict[str, dt.date] = {}
        for page in self.sound_pages():
            for settled in page.record.complete_through:
                through[settled.symbol] = max(settled.through, through.get(settled.symbol, settled.through))
        return through


@dataclass(slots=True, kw_only=True)
class Contents:
    """All fetches in a set of journal files, and what was damaged in them."""

    fetches: dict[str, StoredFetch] = field(default_factory=dict)
    orphans: list[StoredPage] = field(default_factory=list)
    damage: list[tuple[Path, JournalDamage]] = field(default_factory=list)
    records: int = 0


def encode_fetch(record: FetchRecord) -> bytes:
    """The payload of a fetch record."""
    return msgspec.json.encode(record)


def encode_page(record: PageRecord, body: bytes) -> bytes:
    """The payload of a page record: a JSON head and the compressed bytes."""
    head = msgspec.json.encode(record)
    return _HEAD.pack(len(head)) + head + compression.pack(body)


def encode_end(record: EndRecord) -> bytes:
    """The payload of an end record."""
    return msgspec.json.encode(record)


def collect(paths: Iterable[Path]) -> Contents:
    """Put the fetches in these files together again."""
    contents = Contents()
    pages: list[StoredPage] = []
    ends: list[EndRecord] = []
    for path in paths:
        for item in journal.read(path):
            if isinstance(item, JournalDamage):
                contents.damage.append((path, item))
                continue
            contents.records += 1
            if item.kind is RecordKind.FETCH:
                record = msgspec.json.decode(item.payload, type=FetchRecord)
                stored = contents.fetches.setdefault(record.fetch_id, StoredFetch(record=record))
                stored.record = record
                stored.paths.add(path)
            elif item.kind is RecordKind.PAGE:
                pages.append(_page(item.payload, path))
            elif item.kind is RecordKind.END:
                ends.append(msgspec.json.decode(item.payload, type=EndRecord))
    for page in pages:
        owner = contents.fetches.get(page.record.fetch_id)
        if owner and page.record.outcome is Outcome.MALFORMED:
            owner.malformed.append(page)
        elif owner:
            owner.pages[page.record.number] = page
        else:
            contents.orphans.append(page)
    for end in ends:
        if owner := contents.fetches.get(end.fetch_id):
            owner.end = end
    return contents


def _page(payload: bytes, path: Path) -> StoredPage:
    (length,) = _HEAD.unpack_from(payload)
    head = payload[_HEAD.size : _HEAD.size + length]
    return StoredPage(
        record=msgspec.json.decode(head, type=PageRecord), packed=payload[_HEAD.size + length :], path=path
    )
