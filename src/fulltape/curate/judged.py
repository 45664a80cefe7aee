"""What the sources' cells of a chunk have turned out to be, gathered as ranges and recorded together."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import polars as pl

from fulltape.checks import completeness
from fulltape.context import ConfiguredDataset, NodeContext, choice
from fulltape.coverage.cell import FactKind, Verdict
from fulltape.coverage.facts import CoverageFact
from fulltape.coverage.verdict_ranges import VerdictRange
from fulltape.decoding import frames
from fulltape.ledger.part import NewPart
from fulltape.market.time import Instant

STAGE = choice.STAGE
CELL = {"instrument": pl.String, "session": pl.Date, "source": pl.String}


class Judged:
    """Verdicts and facts of one dataset's cells in the sessions `days`, inclusive; `doubtful` cells are counted."""

    def __init__(
        self, context: NodeContext, wanted: ConfiguredDataset, days: tuple[dt.date, dt.date], now: Instant
    ) -> None:
        self._context, self._wanted, self._now = context, wanted, now
        self._before = self._partial_before(*days)
        self._verdicts: list[VerdictRange] = []
        self._facts: list[CoverageFact] = []
        self.doubtful = 0

    def add(self, judged: pl.DataFrame) -> None:
        """Cells (instrument, session, source, verdict, codes, provisional). Doubtful ones become `partial`, so that the next
        source is asked; those that were and are not any more become `present`."""
        judged = judged.filter(~pl.col("provisional"))
        doubtful = judged.filter(
            (pl.col("verdict") == Verdict.RED.value)
            | pl.col("codes")
            .str.replace(completeness.UNMEASURED, "", literal=True)
            .str.contains("completeness")
        )
        cell = list(CELL)
        healed = judged.join(doubtful, on=cell, how="anti").join(self._before, on=cell, how="semi")
        self._verdicts += self._verdicts_of(judged)
        self._facts += self._facts_of(doubtful, "partial") + self._facts_of(healed, "present")
        self.doubtful += doubtful.height

    def commit(self, written: Sequence[NewPart]) -> None:
        """Register what was written, and record everything."""
        ledger, following = self._context.ledger, self._wanted.next_session
        with ledger.write():
            for part in written:
                ledger.catalogue.register(part, now=self._now)
            ledger.verdicts.record(self._verdicts, following)
            ledger.coverage.record(self._facts, following)

    def _partial_before(self, first: dt.date, last: dt.date) -> pl.DataFrame:
        """Cells of these sessions that were called partial, which more neighbours or a better answer may have put right."""
        calendar = self._wanted.calendar
        cells = [
            (fact.instrument, calendar.label(position), fact.source)
            for fact in self._context.ledger.coverage.of_kind(
                self._wanted.dataset.name, "partial", first, last
            )
            for position in range(*calendar.between(max(first, fact.first), min(last, fact.last)))
        ]
        return pl.DataFrame(cells, schema=CELL, orient="row")

    def _verdicts_of(self, judged: pl.DataFrame) -> list[VerdictRange]:
        return [
            VerdictRange(
                dataset=self._wanted.dataset.name,
                instrument=instrument,
                source=str(source),
                first=first,
                last=last,
                verdict=Verdict(str(verdict)),
                codes=str(codes),
                since=self._now,
            )
            for (source, verdict, codes), same in judged.group_by(
                ["source", "verdict", "codes"], maintain_order=True
            )
            for instrument, first, last in self._spans(same)
        ]

    def _facts_of(self, cells: pl.DataFrame, kind: FactKind) -> list[CoverageFact]:
        return [
            CoverageFact(
                dataset=self._wanted.dataset.name,
                instrument=instrument,
                source=str(source),
                first=first,
                last=last,
                fact=kind,
                sound=True,
                final=True,
                since=self._now,
                evidence=STAGE,
                reason=str(codes) if kind == "partial" else "",
            )
            for (source, codes), same in cells.group_by(["source", "codes"], maintain_order=True)
            for instrument, first, last in self._spans(same)
        ]

    def _spans(self, cells: pl.DataFrame) -> list[tuple[str, dt.date, dt.date]]:
        """Consecutive sessions of each instrument."""
        by_instrument = frames.spans(cells, self._wanted.calendar)
        return [
            (instrument, first, last) for instrument, spans in by_instrument.items() for first, last in spans
        ]
