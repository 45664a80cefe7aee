"""Which files were verified, which do not have the content that the ledger recorded, and what a stage must do once more because of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fulltape.ledger import part as described
from fulltape.ledger.database import Database
from fulltape.ledger.part import Layer, Part
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
    """What was verified, and damaged files until they are healed. Writing methods run inside `Database.write`."""

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
            "add_redo", [{"stage": stage, "dataset": dataset, "what": name} for name in what]
        )

    def to_redo(self, stage: str, dataset: str) -> set[str]:
        """What a stage must do once more."""
        return {row["what"] for row in self._database.run("redo", stage=stage, dataset=dataset)}

    def redone(self, stage: str, dataset: str, what: Iterable[str]) -> None:
        """A stage has done it."""
        self._database.run_many(
            "drop_redo", [{"stage": stage, "dataset": dataset, "what": name} for name in what]
        )

    def longest_unverified(self, most: int, *, skip: int, now: Instant) -> list[Part]:
        """Current parts in the order in which their files were verified, those never or by a clock that was ahead first; the
        first ones are skipped."""
        rows = self._database.run("longest_unverified", most=most, skip=skip, now=now)
        return [described.stored(self._database, row) for row in rows]

    def verified(self, parts: Iterable[Part], *, now: Instant) -> None:
        """The files of these parts have the content that was registered, inside a transaction."""
        self._database.run_many("verified_part", [{"part_id": part.part_id, "now": now} for part in parts])
