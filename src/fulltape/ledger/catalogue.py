"""The log of parts: which files exist, what is in them, which are current."""

from __future__ import annotations

import datetime as dt
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from fulltape.core.time import Instant
from fulltape.ledger.database import Database, Row

Layer = Literal["raw", "curated", "qc"]
Cells = Mapping[str, Sequence[tuple[dt.date, dt.date]]]
"""Per instrument the ranges of sessions, inclusive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPart:
    """A part about to be registered; `path` relative to the lake, stamps in microseconds."""

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
    cells: Cells


@dataclass(frozen=True, slots=True, kw_only=True)
class Part(NewPart):
    """A registered part and its place in the log."""

    part_id: int
    log_pos: int
    ingested_at: Instant


class Catalogue:
    """Parts of all layers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def register(self, part: NewPart, *, now: Instant) -> int:
        """Append a part to the log inside a transaction and return its id.

        A curated or qc part replaces what was current in its folder: there is exactly one. A file that was current
        before and is again (the same content has the same name) takes a new position.
        """
        log_pos = self._database.next("parts_log")
        earlier = self._database.run("part_by_path", path=part.path)
        if earlier:
            part_id = int(earlier[0]["part_id"])
            self._database.run("revive_part", part_id=part_id, log_pos=log_pos)
        else:
            part_id = self._database.next("part")
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
                ingested_at=now,
                origin=part.origin,
                cells=zlib.compress(msgspec.json.encode(part.cells)),
            )
        if part.layer != "raw":
            self._database.run(
                "replace_parts_of_folder",
                layer=part.layer,
                dataset=part.dataset,
                folder=part.folder,
                part_id=part_id,
                now=now,
            )
        return part_id

    def current(self, layer: Layer, *, dataset: str = "", folder: str = "") -> list[Part]:
        """Current parts by dataset and folder, in the order of the log."""
        return [
            _part(row)
            for row in self._database.run("current_parts", layer=layer, dataset=dataset, folder=folder)
        ]

    def since(self, layer: Layer, position: int, *, dataset: str) -> list[Part]:
        """A dataset's current parts after a position of the log."""
        return [
            _part(row)
            for row in self._database.run("parts_since", layer=layer, dataset=dataset, position=position)
        ]

    def by_ids(self, ids: Iterable[int]) -> list[Part]:
        """Those of these parts that are current."""
        rows = (self._database.run("current_part", part_id=one) for one in ids)
        return [_part(row[0]) for row in rows if row]

    def paths(self, layer: Layer) -> set[str]:
        """Every path that was ever registered in a layer."""
        return {str(row["path"]) for row in self._database.run("paths_of_layer", layer=layer)}

    def last_position(self, layer: Layer) -> int:
        """The newest position of a layer, 0 without parts."""
        return int(self._database.value("last_log_position", layer=layer))


def _part(row: Row) -> Part:
    cells = msgspec.json.decode(zlib.decompress(row["cells"]), type=dict[str, list[tuple[dt.date, dt.date]]])
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
        cells=cells,
    )
