"""Files that do not have the content that the ledger recorded, and what a stage must do once more because of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fulltape.ledger.catalogue import Layer, Part
from fulltape.ledger.database import Database
from fulltape.market.time import Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """A file, relative to the lake, and what is wrong with it."""

    path: str
    layer: Layer
    dataset: str
    what: str
    found_at: Instant


class Damages:
    """Damaged files until they are healed. Writing methods run inside `Database.write`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[Damage]:
        """Every damage that is not healed yet, the oldest first."""
        return [Damage(**row) for row in self._database.run("damages")]

    def add(self, part: Part, what: str, *, now: Instant) -> None:
        """Note what is wrong with a part's file."""
        self._database.run(
            "add_damage", path=part.path, layer=part.layer, dataset=part.dataset, what=what, found_at=now
        )

    def healed(self, path: str) -> None:
        """A damage is healed, or nothing is left to heal."""
        self._database.run("drop_damage", path=path)

    def redo(self, stage: str, dataset: str, what: Iterable[str]) -> None:
        """Let a stage work on folders or journals once more."""
        self._database.run_many(
            "add_redo", [{"stage": stage, "dataset": dataset, "what": one} for one in what]
        )

    def to_redo(self, stage: str, dataset: str) -> set[str]:
        """What a stage must do once more."""
        return {row["what"] for row in self._database.run("redo", stage=stage, dataset=dataset)}

    def redone(self, stage: str, dataset: str, what: Iterable[str]) -> None:
        """A stage has done it."""
        self._database.run_many(
            "drop_redo", [{"stage": stage, "dataset": dataset, "what": one} for one in what]
        )
