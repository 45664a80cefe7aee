"""Who reads journals of messages behind their writer, and how far each has come."""

from __future__ import annotations

from dataclasses import dataclass

from fulltape.ledger.database import Database, Row
from fulltape.market.time import Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerState:
    """A consumer of one source, how far it has come (a journal's name without its ending, and an offset in it), and when it
    last said so."""

    name: str
    source: str
    file: str
    offset: int
    moved_at: Instant


class Consumers:
    """Consumers by name and source. Writing methods run inside `Database.write`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, name: str, source: str) -> ConsumerState | None:
        """One of them."""
        rows = self._database.run("consumer", name=name, source=source)
        return _state(rows[0]) if rows else None

    def of(self, source: str = "") -> list[ConsumerState]:
        """Those of a source, or all of them."""
        return [_state(row) for row in self._database.run("consumers", source=source)]

    def move(self, name: str, source: str, file: str, offset: int, *, now: Instant) -> None:
        """A consumer has come so far; it is registered by its first move."""
        self._database.run(
            "move_consumer",
            name=name,
            source=source,
            file=file,
            file_offset=offset,
            moved_at=now,
        )

    def drop(self, name: str) -> None:
        """Nothing is kept for a consumer any more."""
        self._database.run("drop_consumer", name=name)


def _state(row: Row) -> ConsumerState:
    return ConsumerState(
        name=row["name"],
        source=row["source"],
        file=row["file"],
        offset=row["file_offset"],
        moved_at=row["moved_at"],
    )
