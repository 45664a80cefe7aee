"""What follows from changes: coverage and verdicts of one dataset, laid one over the other in memory. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fulltape.coverage import facts as algebra
from fulltape.coverage import verdict_ranges
from fulltape.coverage.facts import CoverageFact
from fulltape.coverage.ranged import NextSession, Ranged
from fulltape.coverage.verdict_ranges import VerdictRange

_Series = tuple[str, str]
"""Instrument and source."""


class Projection:
    """Facts and verdicts by series, as the ledger's tables hold them."""

    def __init__(self, next_session: NextSession) -> None:
        self._next_session = next_session
        self._facts: dict[_Series, list[Ranged[CoverageFact]]] = {}
        self._verdicts: dict[_Series, list[Ranged[VerdictRange]]] = {}

    @property
    def facts(self) -> list[CoverageFact]:
        """All facts by instrument, source and first session."""
        return [
            algebra.on(fact_range)
            for series in sorted(self._facts)
            for fact_range in sorted(self._facts[series], key=lambda known: known.first)
        ]

    @property
    def verdicts(self) -> list[VerdictRange]:
        """All verdicts by instrument, source and first session."""
        return [
            verdict_ranges.on(verdict_range)
            for series in sorted(self._verdicts)
            for verdict_range in sorted(self._verdicts[series], key=lambda known: known.first)
        ]

    def put(self, facts: Iterable[CoverageFact]) -> None:
        """Take up facts as they stand."""
        for fact in facts:
            self._facts.setdefault((fact.instrument, fact.source), []).append(
                Ranged(first=fact.first, last=fact.last, label=fact)
            )

    def put_verdicts(self, verdicts: Iterable[VerdictRange]) -> None:
        """Take up verdicts as they stand."""
        for verdict in verdicts:
            self._verdicts.setdefault((verdict.instrument, verdict.source), []).append(
                Ranged(first=verdict.first, last=verdict.last, label=verdict)
            )

    def fact(self, kind: str, facts: Sequence[CoverageFact]) -> None:
        """Take up a change of coverage, of one or many instruments."""
        if kind == "row":
            self.put(facts)
            return
        for fact in facts:
            series = (fact.instrument, fact.source)
            known = self._facts.get(series, [])
            if kind == "laid":
                after = algebra.laid(fact, known, self._next_session)
            elif kind == "contradicted":
                after = algebra.contradicted(known, fact)
            else:
                after = algebra.without(known, fact.first, fact.last)
            self._facts[series] = after

    def verdict(self, kind: str, verdicts: Sequence[VerdictRange]) -> None:
        """Take up a change of verdicts, of one or many instruments."""
        if kind == "row":
            self.put_verdicts(verdicts)
            return
        for verdict in verdicts:
            series = (verdict.instrument, verdict.source)
            known = self._verdicts.get(series, [])
            self._verdicts[series] = verdict_ranges.laid(verdict, known, self._next_session)

    def forget_verdicts(self, codes: str) -> None:
        """Drop the verdicts on curated series that have just these codes."""
        for (instrument, source), known in self._verdicts.items():
            if not source:
                self._verdicts[instrument, source] = [
                    verdict_range for verdict_range in known if verdict_range.label.codes != codes
                ]
