"""Journals of messages that were sealed."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

from fulltape.ledger.database import Database, Row
from fulltape.market.time import Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class CapturedSpan:
    """A journal of messages that was sealed; `first` and `last` are None where it held no rows."""

    file: str
    source: str
    first: dt.date | None
    last: dt.date | None
    messages: int
    unknown: int
    broken: int
    parts: tuple[int, ...]
    software: str
    sealed_at: Instant
    bytes: int = 0
    edges: str = ""
    """As `lake.journal.edges` tells them; 0 and '' unknown."""


class Captures:
    """Journals of messages that were sealed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, file: str) -> CapturedSpan | None:
        """A sealed journal by its name."""
        rows = self._database.run("capture", file=file)
        return _capture(rows[0]) if rows else None

    def all(self, source: str = "") -> list[CapturedSpan]:
        """Every sealed journal of a source, or of all."""
        return [_capture(row) for row in self._database.run("captures", source=source)]

    def add(self, capture: CapturedSpan) -> None:
        """Note that a journal was sealed, or sealed again."""
        self._database.run(
            "add_capture",
            file=capture.file,
            source=capture.source,
            first_session=capture.first.isoformat() if capture.first else "",
            last_session=capture.last.isoformat() if capture.last else "",
            messages=capture.messages,
            unknown=capture.unknown,
            broken=capture.broken,
            parts=",".join(map(str, capture.parts)),
            software=capture.software,
            sealed_at=capture.sealed_at,
            byte_count=capture.bytes,
            edges=capture.edges,
        )

    def add_part(self, file: str, part_id: int) -> None:
        """A part was made of a journal, if that is known, inside a transaction."""
        known = self.get(file)
        if known:
            self.add(replace(known, parts=(*known.parts, part_id)))

    def forget(self, file: str) -> None:
        """A journal is gone for good."""
        self._database.run("forget_capture", file=file)

    def confirmed_at(self, capture: CapturedSpan) -> Instant | None:
        """When the last session of a journal was held against history, None while any is not."""
        if capture.first is None or capture.last is None:
            return capture.sealed_at
        span = {"first_session": capture.first.isoformat(), "last_session": capture.last.isoformat()}
        if self._database.value("uncompared", source=capture.source, **span):
            return None
        at = self._database.value("newest_comparison", source=capture.source, **span)
        return int(at) if at is not None else None


def _capture(row: Row) -> CapturedSpan:
    return CapturedSpan(
        file=row["file"],
        source=row["source"],
        first=dt.date.fromisoformat(row["first_session"]) if row["first_session"] else None,
        last=dt.date.fromisoformat(row["last_session"]) if row["last_session"] else None,
        messages=row["messages"],
        unknown=row["unknown"],
        broken=row["broken"],
        parts=tuple(int(part) for part in row["parts"].split(",") if part),
        software=row["software"],
        sealed_at=row["sealed_at"],
        bytes=row["byte_count"],
        edges=row["edges"],
    )
