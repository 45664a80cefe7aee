"""Silence that a user has decided to accept. Rows are added, never changed: the newest one holds for each session."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from fulltape.ledger.database import Database
from fulltape.market.time import Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """Sessions `first` to `last` (inclusive) of an instrument are accepted as empty, for a reason, or, `revoked`, are not
    any more."""

    dataset: str
    instrument: str
    first: dt.date
    last: dt.date
    reason: str
    at: Instant
    revoked: bool = False


class Acceptances:
    """Decisions by dataset and instrument."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of_dataset(self, dataset: str) -> Iterator[Acceptance]:
        """All decisions about a dataset in the order in which they were taken."""
        for row in self._database.run("acceptances", dataset=dataset):
            yield Acceptance(
                dataset=row["dataset"],
                instrument=row["instrument"],
                first=dt.date.fromisoformat(row["first_session"]),
                last=dt.date.fromisoformat(row["last_session"]),
                reason=row["reason"],
                at=row["at"],
                revoked=bool(row["revoked"]),
            )

    def add(self, acceptance: Acceptance) -> None:
        """Take a decision, inside a transaction."""
        self._database.run(
            "add_acceptance",
            seq=self._database.next("acceptance"),
            dataset=acceptance.dataset,
            instrument=acceptance.instrument,
            first_session=acceptance.first.isoformat(),
            last_session=acceptance.last.isoformat(),
            reason=acceptance.reason,
            revoked=int(acceptance.revoked),
            at=acceptance.at,
        )
