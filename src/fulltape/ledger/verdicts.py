"""Verdicts on cells, as ranges of sessions: what is said now."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from fulltape.coverage import ranged
from fulltape.coverage.cell import Verdict
from fulltape.coverage.ranged import NextSession, Ranged
from fulltape.coverage.verdict_ranges import VerdictRange, same
from fulltape.ledger.changes import Changes
from fulltape.ledger.database import Database
from fulltape.ledger.rows import verdict_of, verdict_row


class Verdicts:
    """Verdicts by (dataset, instrument, source)."""

    def __init__(self, database: Database, changes: Changes) -> None:
        self._database = database
        self._changes = changes

    def of_dataset(self, dataset: str, source: str = "") -> list[VerdictRange]:
        """All verdicts about one source's cells of a dataset, or about the curated series."""
        return [
            verdict_of(row)
            for row in self._database.run("verdicts_of_dataset", dataset=dataset, source=source)
        ]

    def with_codes(self, dataset: str, codes: str) -> list[VerdictRange]:
        """Verdicts on the curated series with exactly these codes."""
        rows = self._database.run("verdicts_with_codes", dataset=dataset, codes=codes)
        return [verdict_of(row) for row in rows]

    def of_kind(self, dataset: str, verdict: Verdict) -> list[VerdictRange]:
        """Where the curated series have this verdict."""
        rows = self._database.run("verdicts_of_kind", dataset=dataset, verdict=verdict.value)
        return [verdict_of(row) for row in rows]

    def of_cell(self, dataset: str, instrument: str, session: dt.date) -> VerdictRange | None:
        """What holds for one session of a curated series."""
        day = session.isoformat()
        about = {"dataset": dataset, "instrument": instrument, "source": ""}
        rows = self._database.run("verdicts_touching", **about, first_session=day, last_session=day)
        return verdict_of(rows[0]) if rows else None

    def forget(self, dataset: str, codes: str) -> None:
        """Drop verdicts on the curated series with exactly these codes, inside a transaction."""
        self._changes.verdicts_forgotten(dataset, codes)
        self._database.run("forget_verdicts", dataset=dataset, codes=codes)

    def record(self, verdicts: Iterable[VerdictRange], next_session: NextSession) -> None:
        """Lay verdicts over what was said before, inside a transaction."""
        every = list(verdicts)
        self._changes.verdicts(every)
        for verdict in every:
            self._database.lock(f"verdicts {verdict.dataset} {verdict.instrument} {verdict.source}")
            series = {"dataset": verdict.dataset, "instrument": verdict.instrument, "source": verdict.source}
            stored = [
                Ranged(first=earlier.first, last=earlier.last, label=earlier)
                for earlier in (
                    verdict_of(row)
                    for row in self._database.run(
                        "verdicts_touching",
                        **series,
                        first_session=(verdict.first - ranged.REACH).isoformat(),
                        last_session=(verdict.last + ranged.REACH).isoformat(),
                    )
                )
            ]
            new = Ranged(first=verdict.first, last=verdict.last, label=verdict)
            removed, added = ranged.overlay(stored, new, same=same, next_session=next_session)
            for old in removed:
                self._database.run("drop_verdict", **series, first_session=old.first.isoformat())
            self._database.run_many("add_verdict", [verdict_row(verdict_range) for verdict_range in added])
