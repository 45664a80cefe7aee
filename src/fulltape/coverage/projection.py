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
            algebra.on(one)
            for series in sorted(self._facts)
            for one in sorted(self._facts[series], key=lambda one: one.first)
        ]

    @property
    def verdicts(self) -> list[VerdictRange]:
        """All verdicts by instrument, source and first session."""
        return [
            verdict_ranges.on(one)
            for series in sorted(self._verdicts)
            for one in sorted(self._verdicts[series], key=lambda one: one.first)
        ]

    def put(self, facts: Iterable[CoverageFact]) -> None:
        """Take up facts as they stand."""
        for one in facts:
            self._facts.setdefault((one.instrument, one.source), []).append(
                Ranged(first=one.first, last=one.last, label=one)
            )

    def put_verdicts(self, verdicts: Iterable[VerdictRange]) -> None:
        """Take up verdicts as they stand."""
        for one in verdicts:
            self._verdicts.setdefault((one.instrument, one.source), []).append(
                Ranged(first=one.first, last=one.last, label=one)
            )

    def fact(self, kind: str, facts: Sequence[CoverageFact]) -> None:
        """Take up a change of coverage, of one or many instruments."""
        if kind == "row":
            self.put(facts)
            return
        for one in facts:
            series = (one.instrument, one.source)
            known = self._facts.get(series, [])
            if kind == "laid":
                after = algebra.laid(one, known, self._next_session)
            elif kind == "contradicted":
                after = algebra.contradicted(known, one)
            else:
                after = algebra.without(known, one.first, one.last)
            self._facts[series] = after

    def verdict(self, kind: str, verdicts: Sequence[VerdictRange]) -> None:
        """Take up a change of verdicts, of one or many instruments."""
        if kind == "row":
            self.put_verdicts(verdicts)
            return
        for one in verdicts:
            series = (one.instrument, one.source)
            known = self._verdicts.get(series, [])
            self._verdicts[series] = verdict_ranges.laid(one, known, self._next_session)

    def forget_verdicts(self, codes: str) -> None:
        """Drop the verdicts on curated series that have just these codes."""
        for (instrument, source), known in self._verdicts.items():
            if not source:
                self._verdicts[instrument, source] = [one for one in known if one.label.codes != codes]
