"""The log of parts: which files exist, what is in them, which are current."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

from fulltape.ledger import part as described
from fulltape.ledger.database import Database
from fulltape.ledger.part import Layer, NewPart, Part
from fulltape.market.time import Instant

_EVER = ("", "~")
"""Before and after every session, as text."""


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
            part_id = described.insert(self._database, part, log_pos, now)
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

    def merge(self, part: NewPart, originals: Sequence[Part], *, now: Instant) -> int:
        """Register a raw part that holds all rows of some others, which count no more, inside a transaction; returns its id.

        It takes the newest position of theirs, so that what is older or newer than all of them still is, and no stage takes
        its rows for new ones; a new one where it was made of more parts than these.
        """
        newest = max(originals, key=lambda original: original.log_pos)
        log_pos, fresh = newest.log_pos, self._database.next("parts_log")
        if part.merged > sum(max(1, original.merged) for original in originals):
            log_pos = fresh
        else:
            self._database.run("move_part", part_id=newest.part_id, log_pos=fresh)
        part_id = described.insert(
            self._database, part, log_pos, max(original.ingested_at for original in originals)
        )
        for replaced in originals:
            self._database.run("merge_part", part_id=replaced.part_id, merged_into=part_id, now=now)
        self._database.run("drop_intent", path=part.path)
        self._database.run("drop_damage", path=part.path)
        return part_id

    def originals(self, part_id: int) -> list[Part]:
        """The parts of which a merged one was made, as far as they are kept, in the order of the log."""
        return [
            described.stored(self._database, row) for row in self._database.run("originals", part_id=part_id)
        ]

    def unmerge(self, part: Part, originals: Sequence[Part]) -> None:
        """The parts of which one was made, in the order of the log, count again in their places, inside a transaction; the one,
        which is withdrawn, is forgotten."""
        self.forget(part.part_id)
        for original in originals:
            self._database.run("unmerge_part", part_id=original.part_id)
        # Its own place it had to give up to the one: behind all others it would be the newest of all.
        self._database.run("move_part", part_id=originals[-1].part_id, log_pos=part.log_pos)

    def stands(self, part: Part) -> Part | None:
        """The current part that holds the rows of one that was merged; None where there is none."""
        while part.replaced_by is not None:
            rows = self._database.run("part_by_id", part_id=part.replaced_by)
            if not rows:
                return None
            part = described.stored(self._database, rows[0])
            if rows[0]["replaced_at"] is None:
                return part
        return None

    def _regrouped(self, part: NewPart | Part, now: Instant) -> None:
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
        return [described.stored(self._database, row) for row in rows]

    def current_in(self, layer: Layer, dataset: str, folder: str) -> list[Part]:
        """Current parts of one folder, in the order of the log."""
        rows = self._database.run("current_parts_of_folder", layer=layer, dataset=dataset, folder=folder)
        return [described.stored(self._database, row) for row in rows]

    def all_current(self, layer: Layer) -> list[Part]:
        """Current parts of all datasets, also of those that are not wanted any more."""
        return [
            described.stored(self._database, row) for row in self._database.run("current_parts", layer=layer)
        ]

    def since(self, layer: Layer, position: int, *, dataset: str) -> list[Part]:
        """A dataset's current parts after a position of the log."""
        return [
            described.stored(self._database, row)
            for row in self._database.run("parts_since", layer=layer, dataset=dataset, position=position)
        ]

    def by_ids(self, ids: Iterable[int]) -> list[Part]:
        """Those of these parts that are current."""
        rows = (self._database.run("current_part", part_id=part_id) for part_id in ids)
        return [described.stored(self._database, row[0]) for row in rows if row]

    def by_path(self, path: str) -> Part | None:
        """A part by its path, current or not."""
        rows = self._database.run("part_by_path", path=path)
        return described.stored(self._database, rows[0]) if rows else None

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
        return [
            described.stored(self._database, row)
            for row in self._database.run("replaced_parts", before=before)
        ]

    def forget(self, part_id: int) -> None:
        """A part that does not count is gone for good, inside a transaction."""
        self._database.run("forget_part_symbols", part_id=part_id)
        self._database.run("forget_part", part_id=part_id)

    def last_position(self, layer: Layer) -> int:
        """The newest position of a layer, 0 without parts."""
        return int(self._database.value("last_log_position", layer=layer))

    def newest_session(self, layer: Layer, dataset: str) -> dt.date | None:
        """The newest session of current parts of a dataset."""
        newest = self._database.value("newest_session_of_parts", layer=layer, dataset=dataset)
        return dt.date.fromisoformat(newest) if newest else None

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
