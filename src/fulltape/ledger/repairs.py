"""What a person has changed of curated rows. Raw rows never change; a repair that is taken back is only marked so."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from fulltape.ledger.database import Database
from fulltape.market.time import Instant

DROP = ""
"""The column of a repair that takes the whole row out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """One value of one row, or (`column` empty) the row: of a source, an instrument and a session, at `ts` (UTC microseconds).

    It holds where the source's value is `was`: once the source says something else it does nothing. Values are numbers as text,
    '' for null; of a row that is taken out `was` is its close or price. `number` names it; `undone` is when it was taken back.
    """

    dataset: str
    instrument: str
    session: dt.date
    ts: Instant
    source: str
    column: str
    was: str
    becomes: str
    who: str
    reason: str
    at: Instant
    number: int = 0
    undone: Instant = 0


class Repairs:
    """Repairs by dataset. Writing methods run inside `Database.write`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[Repair]:
        """Every repair in the order in which they were made, those that were taken back among them."""
        return _with_undone(self._database.run("all_repairs"))

    def holding(self, dataset: str, first: dt.date, last: dt.date) -> list[Repair]:
        """Those of sessions from `first` to `last`, both inclusive, that hold."""
        rows = self._database.run(
            "repairs", dataset=dataset, first_session=first.isoformat(), last_session=last.isoformat()
        )
        return [repair for repair in _with_undone(rows) if not repair.undone]

    def add(self, repair: Repair) -> int:
        """Note a repair; returns its number."""
        return self._insert(repair, undoes=0)

    def undo(self, repair: Repair, *, who: str, reason: str, now: Instant) -> None:
        """Take a repair back."""
        self._insert(replace(repair, who=who, reason=reason, at=now), undoes=repair.number)

    def _insert(self, repair: Repair, *, undoes: int) -> int:
        number = self._database.next("repair")
        self._database.run(
            "add_repair",
            seq=number,
            dataset=repair.dataset,
            instrument=repair.instrument,
            session=repair.session.isoformat(),
            ts=repair.ts,
            source=repair.source,
            field=repair.column,
            was=repair.was,
            becomes=repair.becomes,
            who=repair.who,
            reason=repair.reason,
            at=repair.at,
            undoes=undoes,
        )
        return number


def _with_undone(rows: Iterable[Mapping[str, Any]]) -> list[Repair]:
    repairs: dict[int, Repair] = {}
    for row in rows:
        if row["undoes"]:
            repairs[row["undoes"]] = replace(repairs[row["undoes"]], undone=row["at"])
            continue
        kept = {name: row[name] for name in ("dataset", "instrument", "ts", "source", "was", "becomes", "who", "reason", "at")}  # fmt: skip
        repairs[row["seq"]] = Repair(
            session=dt.date.fromisoformat(row["session"]), number=row["seq"], column=row["field"], **kept
        )
    return list(repairs.values())
