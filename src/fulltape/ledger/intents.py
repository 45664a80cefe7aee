"""Files that are about to get their names."""

from __future__ import annotations

from collections.abc import Iterable

from fulltape.ledger.database import Database
from fulltape.ledger.part import Layer
from fulltape.market.time import Instant


class Intents:
    """Files that are about to get their names."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, paths: Iterable[str], *, layer: Layer, evidence: str, now: Instant) -> None:
        """Files will get these names, inside a transaction; `register` ends the intent."""
        self._database.run_many(
            "add_intent", [{"path": path, "layer": layer, "evidence": evidence, "at": now} for path in paths]
        )

    def of_layer(self, layer: Layer) -> list[tuple[str, list[str]]]:
        """Files of a layer that were about to get their names: their path, and the journals they were made of."""
        rows = self._database.run("intents", layer=layer)
        return [(row["path"], row["evidence"].splitlines()) for row in rows]

    def drop(self, path: str) -> None:
        """Nothing is left of an intent, inside a transaction."""
        self._database.run("drop_intent", path=path)
