"""What sources have said otherwise about sessions that they were asked about again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fulltape.ledger.database import Database
from fulltape.market.time import Instant

_MILLION = 1_000_000


def as_millionths(share: float) -> int:
    """A share as it is stored."""
    return round(share * _MILLION)


@dataclass(frozen=True, slots=True, kw_only=True)
class Restatement:
    """A session of which a source has changed, added or removed rows, at a moment; `largest` is by how much a price changed at most, as
    a share of what it was; infinite where rows have gone. `asked_at` is when the source was last asked to confirm it."""

    source: str
    instrument: str
    session: dt.date
    rows: int
    largest: float
    at: Instant = 0
    asked_at: Instant = 0


class Restatements:
    """Restatements until they are confirmed, and how often sources were asked again. Writing methods run inside
    `Database.write`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, dataset: str, restated: Iterable[Restatement], *, now: Instant) -> None:
        """Sources have changed what they had said of these sessions."""
        rows = [
            {
                "dataset": dataset,
                "source": each.source,
                "instrument": each.instrument,
                "session": each.session.isoformat(),
                "at": now,
                "rows_changed": each.rows,
                "largest": as_millionths(min(each.largest, _LARGEST)),
            }
            for each in restated
        ]
        self._database.run_many("confirm_restatements", [_key(row) for row in rows])
        self._database.run_many("add_restatement", rows)

    def confirm(
        self, dataset: str, source: str, cells: Iterable[tuple[str, dt.date]], *, now: Instant
    ) -> None:
        """A source has said the same again of these cells (instrument, session)."""
        self._database.run_many(
            "confirm_restatements",
            [
                {
                    "dataset": dataset,
                    "source": source,
                    "instrument": instrument,
                    "session": day.isoformat(),
                    "at": now,
                }
                for instrument, day in cells
            ],
        )

    def unconfirmed(self, dataset: str, *, beyond: float) -> list[Restatement]:
        """Those that changed a price by more than a share of it, and that no later answer has confirmed, by instrument and session."""
        rows = self._database.run("open_restatements", dataset=dataset, beyond=as_millionths(beyond))
        return [
            Restatement(
                source=row["source"],
                instrument=row["instrument"],
                session=dt.date.fromisoformat(row["session"]),
                rows=row["rows_changed"],
                largest=row["largest"] / _MILLION,
                at=row["at"],
                asked_at=row["asked_at"],
            )
            for row in rows
        ]

    def since(self, dataset: str, moment: Instant) -> list[tuple[str, str, dt.date]]:
        """Sources, instruments and sessions that were restated after a moment."""
        rows = self._database.run("restatements_since", dataset=dataset, moment=moment)
        return [(row["source"], row["instrument"], dt.date.fromisoformat(row["session"])) for row in rows]

    def asked(self, dataset: str, restated: Iterable[Restatement], *, now: Instant) -> None:
        """Sources are asked to confirm these."""
        self._database.run_many(
            "asked_to_confirm",
            [
                {
                    "dataset": dataset,
                    "source": each.source,
                    "instrument": each.instrument,
                    "session": each.session.isoformat(),
                    "now": now,
                }
                for each in restated
            ],
        )

    def count(self, dataset: str, source: str, *, cells: int, restated: int, now: Instant) -> None:
        """A source was asked again about so many cells, and restated some of them."""
        self._database.run(
            "count_rechecks", dataset=dataset, source=source, cells=cells, restated=restated, at=now
        )

    def counted(self, source: str) -> Mapping[str, tuple[int, int]]:
        """By dataset, about how many cells a source was asked again, and how many of them it restated."""
        rows = self._database.run("rechecks_of_source", source=source)
        return {row["dataset"]: (int(row["cells"]), int(row["restated"])) for row in rows}


_LARGEST = 1e6
"""Beyond any change of a price; what infinity is stored as."""


def _key(row: Mapping[str, object]) -> dict[str, object]:
    return {name: row[name] for name in ("dataset", "source", "instrument", "session", "at")}
