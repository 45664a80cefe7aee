"""Verdicts on cells, as ranges of sessions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from fulltape.coverage.cell import Verdict
from fulltape.ledger import ranged
from fulltape.ledger.database import Database, Row
from fulltape.ledger.ranged import NextSession, Ranged
from fulltape.market.time import Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictRange:
    """What the checks said of sessions `first` to `last`; `source` '' is the curated series."""

    dataset: str
    instrument: str
    source: str
    first: dt.date
    last: dt.date
    verdict: Verdict
    codes: str
    since: Instant


class Verdicts:
    """Verdicts by (dataset, instrument, source)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of_dataset(self, dataset: str, source: str = "") -> list[VerdictRange]:
        """All verdicts about one source's cells of a dataset, or about the curated series."""
        return [
            _verdict(row) for row in self._database.run("verdicts_of_dataset", dataset=dataset, source=source)
        ]

    def with_codes(self, dataset: str, codes: str) -> list[VerdictRange]:
        """Verdicts on the curated series with exactly these codes."""
        found = self._database.run("verdicts_with_codes", dataset=dataset, codes=codes)
        return [_verdict(row) for row in found]

    def of_kind(self, dataset: str, verdict: Verdict) -> list[VerdictRange]:
        """Where the curated series have this verdict."""
        found = self._database.run("verdicts_of_kind", dataset=dataset, verdict=verdict.value)
        return [_verdict(row) for row in found]

    def of_cell(self, dataset: str, instrument: str, session: dt.date) -> VerdictRange | None:
        """What holds for one session of a curated series."""
        day = session.isoformat()
        about = {"dataset": dataset, "instrument": instrument, "source": ""}
        found = self._database.run("verdicts_touching", **about, first_session=day, last_session=day)
        return _verdict(found[0]) if found else None

    def spans(self, dataset: str) -> list[tuple[Verdict, dt.date, dt.date, int]]:
        """(verdict, first, last, number of curated series that have it there), in no order."""
        return [
            (
                Verdict(row["verdict"]),
                dt.date.fromisoformat(row["first_session"]),
                dt.date.fromisoformat(row["last_session"]),
                int(row["series"]),
            )
            for row in self._database.run("count_verdicts", dataset=dataset)
        ]

    def forget(self, dataset: str, codes: str) -> None:
        """Drop verdicts on the curated series with exactly these codes, inside a transaction."""
        self._database.run("forget_verdicts", dataset=dataset, codes=codes)

    def record(self, verdicts: Iterable[VerdictRange], next_session: NextSession) -> None:
        """Lay verdicts over what was said before, inside a transaction."""
        for verdict in verdicts:
            self._database.lock(f"verdicts {verdict.dataset} {verdict.instrument} {verdict.source}")
            series = {"dataset": verdict.dataset, "instrument": verdict.instrument, "source": verdict.source}
            stored = [
                Ranged(first=one.first, last=one.last, label=one)
                for one in (
                    _verdict(row)
                    for row in self._database.run(
                        "verdicts_touching",
                        **series,
                        first_session=(verdict.first - ranged.REACH).isoformat(),
                        last_session=(verdict.last + ranged.REACH).isoformat(),
                    )
                )
            ]
            new = Ranged(first=verdict.first, last=verdict.last, label=verdict)
            removed, added = ranged.overlay(stored, new, same=_same_verdict, next_session=next_session)
            for old in removed:
                self._database.run("drop_verdict", **series, first_session=old.first.isoformat())
            self._database.run_many("add_verdict", [_verdict_row(one) for one in added])


def _same_verdict(left: VerdictRange, right: VerdictRange) -> bool:
    return (left.verdict, left.codes) == (right.verdict, right.codes)


def _verdict(row: Row) -> VerdictRange:
    return VerdictRange(
        dataset=row["dataset"],
        instrument=row["instrument"],
        source=row["source"],
        first=dt.date.fromisoformat(row["first_session"]),
        last=dt.date.fromisoformat(row["last_session"]),
        verdict=Verdict(row["verdict"]),
        codes=row["codes"],
        since=row["since"],
    )


def _verdict_row(one: Ranged[VerdictRange]) -> dict[str, object]:
    verdict = one.label
    return {
        "dataset": verdict.dataset,
        "instrument": verdict.instrument,
        "source": verdict.source,
        "first_session": one.first.isoformat(),
        "last_session": one.last.isoformat(),
        "verdict": verdict.verdict.value,
        "codes": verdict.codes,
        "since": verdict.since,
    }
