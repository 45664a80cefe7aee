"""Facts of single sources and verdicts, as ranges of sessions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import cast

from fulltape.core.cell import FactKind, Verdict
from fulltape.core.time import Instant
from fulltape.ledger import ranged
from fulltape.ledger.database import Database, Row
from fulltape.ledger.ranged import Ranged

NextSession = Callable[[dt.date], dt.date]
_REACH = dt.timedelta(days=10)
"""Longer than any closure of a market, so that neighbours are found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageFact:
    """What a source showed for sessions `first` to `last` of an instrument; `evidence` names the ask."""

    dataset: str
    instrument: str
    source: str
    first: dt.date
    last: dt.date
    fact: FactKind
    sound: bool
    final: bool
    since: Instant
    evidence: str
    reason: str = ""


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


class Coverage:
    """Facts by (dataset, instrument, source)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of_dataset(self, dataset: str) -> list[CoverageFact]:
        """All facts about a dataset, by instrument, source and session."""
        return [_fact(row) for row in self._database.run("coverage_of_dataset", dataset=dataset)]

    def spans(self, dataset: str) -> list[tuple[str, str, FactKind, int, str, str]]:
        """All facts about a dataset as (instrument, source, fact, sound, first, last), dates as ISO text."""
        return cast(
            "list[tuple[str, str, FactKind, int, str, str]]",
            self._database.tuples("coverage_spans", dataset=dataset),
        )

    def record(self, facts: Iterable[CoverageFact], next_session: NextSession) -> None:
        """Lay facts over what was known, inside a transaction."""
        for fact in facts:
            self._database.lock(f"coverage {fact.dataset} {fact.instrument} {fact.source}")
            series = {"dataset": fact.dataset, "instrument": fact.instrument, "source": fact.source}
            stored = [
                Ranged(first=one.first, last=one.last, label=one)
                for one in (
                    _fact(row)
                    for row in self._database.run(
                        "coverage_touching",
                        **series,
                        first_session=(fact.first - _REACH).isoformat(),
                        last_session=(fact.last + _REACH).isoformat(),
                    )
                )
            ]
            new = Ranged(first=fact.first, last=fact.last, label=fact)
            removed, added = ranged.overlay(stored, new, same=_same_fact, next_session=next_session)
            for old in removed:
                self._database.run("drop_coverage", **series, first_session=old.first.isoformat())
            self._database.run_many("add_coverage", [_fact_row(one) for one in added])


class Verdicts:
    """Verdicts by (dataset, instrument, source)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of_dataset(self, dataset: str, source: str = "") -> list[VerdictRange]:
        """All verdicts about one source's cells of a dataset, or about the curated series."""
        return [
            _verdict(row) for row in self._database.run("verdicts_of_dataset", dataset=dataset, source=source)
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
                        first_session=(verdict.first - _REACH).isoformat(),
                        last_session=(verdict.last + _REACH).isoformat(),
                    )
                )
            ]
            new = Ranged(first=verdict.first, last=verdict.last, label=verdict)
            removed, added = ranged.overlay(stored, new, same=_same_verdict, next_session=next_session)
            for old in removed:
                self._database.run("drop_verdict", **series, first_session=old.first.isoformat())
            self._database.run_many("add_verdict", [_verdict_row(one) for one in added])


def _same_fact(left: CoverageFact, right: CoverageFact) -> bool:
    """Rows that are there are found again through their parts; emptiness and refusal keep the ask that showed them."""
    if (left.fact, left.sound, left.final, left.reason) != (
        right.fact,
        right.sound,
        right.final,
        right.reason,
    ):
        return False
    return left.fact in ("present", "partial") or left.evidence == right.evidence


def _same_verdict(left: VerdictRange, right: VerdictRange) -> bool:
    return (left.verdict, left.codes) == (right.verdict, right.codes)


def _fact(row: Row) -> CoverageFact:
    return CoverageFact(
        dataset=row["dataset"],
        instrument=row["instrument"],
        source=row["source"],
        first=dt.date.fromisoformat(row["first_session"]),
        last=dt.date.fromisoformat(row["last_session"]),
        fact=row["fact"],
        sound=bool(row["sound"]),
        final=bool(row["final"]),
        since=row["since"],
        evidence=row["evidence"],
        reason=row["reason"],
    )


def _fact_row(one: Ranged[CoverageFact]) -> dict[str, object]:
    fact = one.label
    return {
        "dataset": fact.dataset,
        "instrument": fact.instrument,
        "source": fact.source,
        "first_session": one.first.isoformat(),
        "last_session": one.last.isoformat(),
        "fact": fact.fact,
        "sound": int(fact.sound),
        "final": int(fact.final),
        "since": fact.since,
        "evidence": fact.evidence,
        "reason": fact.reason,
    }


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
