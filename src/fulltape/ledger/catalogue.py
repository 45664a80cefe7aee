"""The log of parts: which files exist, what is in them, which are current."""

from __future__ import annotations

import datetime as dt
import functools
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from fulltape.ledger.database import Database, Row
from fulltape.market.time import Instant

Layer = Literal["raw", "curated", "qc", "by_instrument"]
Cells = Mapping[str, Sequence[tuple[dt.date, dt.date]]]
"""Per instrument the ranges of sessions, inclusive."""
_EVER = ("", "~")
"""Before and after every session, as text."""


@dataclass(frozen=True, kw_only=True)
class _Described:
    """What a part is; `path` relative to the lake, stamps in microseconds."""

    layer: Layer
    source: str
    dataset: str
    folder: str
    path: str
    rows: int
    bytes: int
    sha256: str
    min_ts: Instant
    max_ts: Instant
    origin: Literal["fetched", "captured", "derived"]
    of_parts: int = 0
    """Of how many parts its folder consists, where it is one of several."""
    merged: int = 0
    """Of how many sealed raw parts it was made; 0 where it is one as it was sealed."""


@dataclass(frozen=True, kw_only=True)
class NewPart(_Described):
    """A part about to be registered; `symbols` are told of parts that are found by them."""

    cells: Cells
    symbols: tuple[str, ...] = ()
    replaces: tuple[dt.date, dt.date] | None = None
    """Of a curated or qc part, the days of its folder whose parts it replaces, inclusive; None: all of them."""


@dataclass(frozen=True, kw_only=True)
class Part(_Described):
    """A registered part and its place in the log; all of its sessions lie between `first` and `last`, inclusive."""

    part_id: int
    log_pos: int
    ingested_at: Instant
    first: str
    last: str
    replaced_by: int | None
    """The part that stands in its place."""
    packed: Callable[[], bytes] = field(repr=False, compare=False)

    @functools.cached_property
    def cells(self) -> Cells:
        """Sessions by instrument: read and unpacked when first asked for, as long as the ledger is open."""
        return msgspec.json.decode(
            zlib.decompress(self.packed()), type=dict[str, list[tuple[dt.date, dt.date]]]
        )


class Catalogue:
    """Parts of all layers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def register(self, part: NewPart, *, now: Instant) -> int:
        """Append a part to the log inside a transaction and return its id.

        A curated or qc part replaces what was current in its folder, or in a stretch of it. A file that was current
        before and is again (the same content has the same name) takes a new position. What was regrouped out of the curated
        sessions that it replaces counts no more.
        """
        log_pos = self._database.next("parts_log")
        earlier = self._database.run("part_by_path", path=part.path)
        if earlier:
            part_id = int(earlier[0]["part_id"])
            self._database.run("revive_part", part_id=part_id, log_pos=log_pos, of_parts=part.of_parts)
        else:
            part_id = self._insert(part, log_pos, now)
        if part.layer in ("curated", "qc"):
            first, last = part.replaces or (None, None)
            self._database.run(
                "replace_parts_of_folder",
                layer=part.layer,
                dataset=part.dataset,
                folder=part.folder,
                part_id=part_id,
                first_session=first.isoformat() if first else _EVER[0],
                last_session=last.isoformat() if last else _EVER[1],
                now=now,
            )
        self._regrouped(part, now)
        self._database.run("drop_intent", path=part.path)
        self._database.run("drop_damage", path=part.path)
        return part_id

    def _insert(self, part: NewPart, log_pos: int, ingested_at: Instant) -> int:
        part_id = self._database.next("part")
        days = [day for spans in part.cells.values() for span in spans for day in span]
        self._database.run(
            "register_part",
            part_id=part_id,
            log_pos=log_pos,
            layer=part.layer,
            source=part.source,
            dataset=part.dataset,
            folder=part.folder,
            path=part.path,
            row_count=part.rows,
            byte_count=part.bytes,
            sha256=part.sha256,
            min_ts=part.min_ts,
            max_ts=part.max_ts,
            ingested_at=ingested_at,
            origin=part.origin,
            cells=zlib.compress(msgspec.json.encode(part.cells)),
            first_session=min(days).isoformat(),
            last_session=max(days).isoformat(),
            of_parts=part.of_parts,
            merged=part.merged,
        )
        self._database.run_many(
            "add_part_symbol", [{"symbol": symbol, "part_id": part_id} for symbol in part.symbols]
        )
        return part_id

    def merge(self, part: NewPart, originals: Sequence[Part], *, now: Instant) -> int:
        """Register a raw part that holds all rows of some others, which count no more, inside a transaction; returns its id.

        It takes the newest position of theirs, so that what is older or newer than all of them still is, and no stage takes
        its rows for new ones; a new one where it was made of more parts than these.
        """
        newest = max(originals, key=lambda one: one.log_pos)
        log_pos, fresh = newest.log_pos, self._database.next("parts_log")
        if part.merged > sum(max(1, one.merged) for one in originals):
            log_pos = fresh
        else:
            self._database.run("move_part", part_id=newest.part_id, log_pos=fresh)
        part_id = self._insert(part, log_pos, max(one.ingested_at for one in originals))
        for one in originals:
            self._database.run("merge_part", part_id=one.part_id, merged_into=part_id, now=now)
        self._database.run("drop_intent", path=part.path)
        self._database.run("drop_damage", path=part.path)
        return part_id

    def originals(self, part_id: int) -> list[Part]:
        """The parts of which a merged one was made, as far as they are kept, in the order of the log."""
        return [self._part(row) for row in self._database.run("originals", part_id=part_id)]

    def unmerge(self, part: Part, originals: Sequence[Part]) -> None:
        """The parts of which one was made, in the order of the log, count again in their places, inside a transaction; the one,
        which is withdrawn, is forgotten."""
        self.forget(part.part_id)
        for one in originals:
            self._database.run("unmerge_part", part_id=one.part_id)
        # Its own place it had to give up to the one: behind all others it would be the newest of all.
        self._database.run("move_part", part_id=originals[-1].part_id, log_pos=part.log_pos)

    def stands(self, part: Part) -> Part | None:
        """The current part that holds the rows of one that was merged; None where there is none."""
        while part.replaced_by is not None:
            found = self._database.run("part_by_id", part_id=part.replaced_by)
            if not found:
                return None
            part = self._part(found[0])
            if found[0]["replaced_at"] is None:
                return part
        return None

    def _regrouped(self, part: _Described, now: Instant) -> None:
        """What was regrouped out of a curated day's month and year counts no more: it holds that day otherwise, or not."""
        kind, _, day = part.folder.partition("=")
        if part.layer == "curated" and kind == "date":
            self._database.run(
                "withdraw_regrouped",
                dataset=part.dataset,
                year=f"year={day[:4]}",
                month=f"month={day[:7]}",
                now=now,
            )

    def current(
        self, layer: Layer, dataset: str, *, first: dt.date | None = None, last: dt.date | None = None
    ) -> list[Part]:
        """Current parts of a dataset by folder, in the order of the log; of those that can hold sessions from `first` to
        `last`, both inclusive, if asked."""
        rows = self._database.run(
            "current_parts_between",
            layer=layer,
            dataset=dataset,
            first_session=first.isoformat() if first else _EVER[0],
            last_session=last.isoformat() if last else _EVER[1],
        )
        return [self._part(row) for row in rows]

    def current_in(self, layer: Layer, dataset: str, folder: str) -> list[Part]:
        """Current parts of one folder, in the order of the log."""
        rows = self._database.run("current_parts_of_folder", layer=layer, dataset=dataset, folder=folder)
        return [self._part(row) for row in rows]

    def all_current(self, layer: Layer) -> list[Part]:
        """Current parts of all datasets, also of those that are not wanted any more."""
        return [self._part(row) for row in self._database.run("current_parts", layer=layer)]

    def since(self, layer: Layer, position: int, *, dataset: str) -> list[Part]:
        """A dataset's current parts after a position of the log."""
        return [
            self._part(row)
            for row in self._database.run("parts_since", layer=layer, dataset=dataset, position=position)
        ]

    def by_ids(self, ids: Iterable[int]) -> list[Part]:
        """Those of these parts that are current."""
        rows = (self._database.run("current_part", part_id=one) for one in ids)
        return [self._part(row[0]) for row in rows if row]

    def by_path(self, path: str) -> Part | None:
        """A part by its path, current or not."""
        rows = self._database.run("part_by_path", path=path)
        return self._part(rows[0]) if rows else None

    def paths(self) -> dict[str, bool]:
        """Every path that was ever registered, and whether it is current."""
        return {str(row["path"]): row["replaced_at"] is None for row in self._database.run("all_paths")}

    def withdraw(self, part_id: int, *, now: Instant) -> None:
        """A part is current no more, inside a transaction; neither is what was regrouped out of it, nor the rest of a folder
        of several parts."""
        part = next(iter(self.by_ids([part_id])), None)
        self._database.run("withdraw_part", part_id=part_id, now=now)
        if part:
            self._regrouped(part, now)
        if part and part.of_parts:
            self.withdraw_folder(part.layer, part.dataset, part.folder, now=now)

    def withdraw_folder(self, layer: Layer, dataset: str, folder: str, *, now: Instant) -> None:
        """All parts of a folder are current no more, inside a transaction."""
        self._database.run("withdraw_folder", layer=layer, dataset=dataset, folder=folder, now=now)

    def with_symbols(self, symbols: Iterable[str]) -> set[int]:
        """The parts, current or not, that have rows of some symbols and are found by them."""
        return {
            row["part_id"]
            for symbol in symbols
            for row in self._database.run("parts_with_symbol", symbol=symbol)
        }

    def replaced(self, before: Instant) -> list[Part]:
        """Parts that have not counted since before a moment."""
        return [self._part(row) for row in self._database.run("replaced_parts", before=before)]

    def forget(self, part_id: int) -> None:
        """A part that does not count is gone for good, inside a transaction."""
        self._database.run("forget_part_symbols", part_id=part_id)
        self._database.run("forget_part", part_id=part_id)

    def last_position(self, layer: Layer) -> int:
        """The newest position of a layer, 0 without parts."""
        return int(self._database.value("last_log_position", layer=layer))

    def newest_session(self, layer: Layer, dataset: str) -> dt.date | None:
        """The newest session of current parts of a dataset."""
        found = self._database.value("newest_session_of_parts", layer=layer, dataset=dataset)
        return dt.date.fromisoformat(found) if found else None

    def grown(self, since: Instant) -> tuple[Instant | None, int]:
        """When the first part of all was registered, and the bytes of current parts that were since a moment."""
        (row,) = self._database.run("grown", since=since)
        return row["since"], int(row["bytes"])

    @property
    def position(self) -> int:
        """The newest position of all."""
        return int(self._database.value("counter", name="parts_log"))

    def raise_position(self, position: int) -> None:
        """Nothing gets a position up to this one any more, inside a transaction."""
        self._database.run("raise_counter", name="parts_log", value=position)

    def longest_unverified(self, most: int, *, skip: int, now: Instant) -> list[Part]:
        """Current parts in the order in which their files were verified, those never or by a clock that was ahead first; the
        first ones are skipped."""
        rows = self._database.run("longest_unverified", most=most, skip=skip, now=now)
        return [self._part(row) for row in rows]

    def verified(self, parts: Iterable[Part], *, now: Instant) -> None:
        """The files of these parts have the content that was registered, inside a transaction."""
        self._database.run_many("verified_part", [{"part_id": one.part_id, "now": now} for one in parts])

    def intend(self, paths: Iterable[str], *, layer: Layer, evidence: str, now: Instant) -> None:
        """Files will get these names, inside a transaction; `register` ends the intent."""
        self._database.run_many(
            "add_intent", [{"path": path, "layer": layer, "evidence": evidence, "at": now} for path in paths]
        )

    def intents(self, layer: Layer) -> list[tuple[str, list[str]]]:
        """Files of a layer that were about to get their names: their path, and the journals they were made of."""
        rows = self._database.run("intents", layer=layer)
        return [(row["path"], row["evidence"].splitlines()) for row in rows]

    def drop_intent(self, path: str) -> None:
        """Nothing is left of an intent, inside a transaction."""
        self._database.run("drop_intent", path=path)

    def _part(self, row: Row) -> Part:
        return Part(
            part_id=row["part_id"],
            log_pos=row["log_pos"],
            layer=row["layer"],
            source=row["source"],
            dataset=row["dataset"],
            folder=row["folder"],
            path=row["path"],
            rows=row["row_count"],
            bytes=row["byte_count"],
            sha256=row["sha256"],
            min_ts=row["min_ts"],
            max_ts=row["max_ts"],
            ingested_at=row["ingested_at"],
            origin=row["origin"],
            first=row["first_session"],
            last=row["last_session"],
            of_parts=row["of_parts"],
            merged=row["merged"],
            replaced_by=row["replaced_by"],
            packed=functools.partial(self._cells, row["part_id"]),
        )

    def _cells(self, part_id: int) -> bytes:
        return bytes(self._database.value("cells_of_part", part_id=part_id))
