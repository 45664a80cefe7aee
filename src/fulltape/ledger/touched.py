"""Instruments that the next incremental audit looks at."""

from __future__ import annotations

from collections.abc import Iterable

from fulltape.ledger.database import Database


class Touched:
    """Instruments that the next incremental audit looks at."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, dataset: str) -> list[str]:
        """Instruments about which something was recorded since `forget`."""
        return [row[0] for row in self._database.tuples("touched", dataset=dataset)]

    def add(self, dataset: str, instruments: Iterable[str]) -> None:
        """Something changed that concerns these: the next incremental audit looks at them. Inside a transaction."""
        self._database.run_many(
            "touch", [{"dataset": dataset, "instrument": instrument} for instrument in instruments]
        )

    def forget(self, dataset: str) -> None:
        """Everything that was touched has been looked at, inside a transaction."""
        self._database.run("forget_touched", dataset=dataset)
