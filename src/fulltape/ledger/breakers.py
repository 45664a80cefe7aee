"""The breakers of all sources, as stored."""

from __future__ import annotations

from fulltape.contract.breaker import Breaker
from fulltape.ledger.database import Database


class Breakers:
    """The breakers of all sources."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, source: str) -> Breaker:
        """A source's breaker."""
        rows = self._database.run("breaker", source=source)
        return Breaker(**rows[0]) if rows else Breaker(source=source)

    def all(self) -> dict[str, Breaker]:
        """Every breaker that ever counted a failure, by source."""
        return {row["source"]: Breaker(**row) for row in self._database.run("breakers")}

    def record(self, breaker: Breaker) -> None:
        """Replace a breaker, inside a transaction."""
        self._database.run(
            "set_breaker",
            source=breaker.source,
            state=breaker.state,
            failures=breaker.failures,
            until=breaker.until,
            reason=breaker.reason,
        )
