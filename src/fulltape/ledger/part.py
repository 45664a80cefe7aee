"""Parts of the lake as the ledger describes them."""

from __future__ import annotations

import datetime as dt
import functools
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from fulltape.ledger.database import Database, Row
from fulltape.market.time import Instant

Layer = Literal["raw", "curated", "qc", "by_instrument"]
Cells = Mapping[str, Sequence[tuple[dt.date, dt.date]]]
"""Per instrument the ranges of sessions, inclusive."""


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


def insert(database: Database, part: NewPart, log_pos: int, ingested_at: Instant) -> int:
    """Write a part at a place of the log, inside a transaction; returns its id."""
    part_id = database.next("part")
    days = [day for spans in part.cells.values() for span in spans for day in span]
    database.run(
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
    database.run_many("add_part_symbol", [{"symbol": symbol, "part_id": part_id} for symbol in part.symbols])
    return part_id


def files(database: Database) -> list[tuple[str, int, str, bool]]:
    """Of every part: its path, bytes, digest, and whether it counts."""
    return [
        (row["path"], row["byte_count"], row["sha256"], row["replaced_at"] is None)
        for row in database.run("part_files")
    ]


def stored(database: Database, row: Row) -> Part:
    """A part as a row of the ledger describes it."""
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
        packed=functools.partial(_cells, database, row["part_id"]),
    )


def _cells(database: Database, part_id: int) -> bytes:
    return bytes(database.value("cells_of_part", part_id=part_id))
