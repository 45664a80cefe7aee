"""Checks what changed of one folder, a block of instruments at a time, and writes what was found of all of its cells."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from fulltape.check import plan
from fulltape.checks.findings import FACTS, CheckContext
from fulltape.checks.profiles import NEEDED_BY
from fulltape.checks.registry import Learned
from fulltape.context import ConfiguredDataset, NodeContext, damage, day_bars, drafts, profiles, scanning
from fulltape.context import spool as spooling
from fulltape.context.spool import Spool
from fulltape.context.stretches import Stretch
from fulltape.coverage.cell import Verdict
from fulltape.coverage.verdict_ranges import VerdictRange
from fulltape.decoding import frames
from fulltape.lake import parquet
from fulltape.ledger.part import Part
from fulltape.market.time import Instant
from fulltape.version import VERSION


class Folder:
    """A stretch of a folder of a dataset's checked cells; folders are those of raw parts."""

    def __init__(
        self, context: NodeContext, wanted: ConfiguredDataset, stretch: Stretch, now: Instant
    ) -> None:
        self._context, self._wanted, self._stretch, self._now = context, wanted, stretch, now
        self._root = context.layout.root
        self._checking = CheckContext(
            dataset=wanted.dataset,
            calendar=wanted.calendar,
            instruments=wanted.instruments,
            now=now,
            thresholds=context.rules.thresholds,
        )

    @property
    def _days(self) -> tuple[dt.date, dt.date]:
        return self._stretch.first, self._stretch.last

    @property
    def _mine(self) -> pl.Expr:
        return pl.col("session").is_between(pl.lit(self._stretch.first), pl.lit(self._stretch.last))

    def check(self, changed: Sequence[Part]) -> dict[Verdict, int]:
        """Check curated files, lay what is found over what is known, write and record it; how many cells were checked, by
        verdict. What was only captured so far is not over, and not judged."""
        dataset = self._wanted.dataset
        known = [
            self._root / part.path
            for part in self._context.ledger.catalogue.current_in("qc", dataset.name, self._stretch.key)
            if self._stretch.touches(part)
        ]
        counts: dict[Verdict, int] = {}
        verdicts: list[VerdictRange] = []
        facts = hashlib.sha256()
        folder = self._context.layout.folder("qc", dataset, "")
        with Spool(folder, self._wanted.calendar, cut=False) as spool:
            for cells, kept in self._blocks(changed, known):
                for verdict, count in cells.group_by("verdict").len().iter_rows():
                    counts[Verdict(verdict)] = counts.get(Verdict(verdict), 0) + count
                verdicts += self._verdicts(cells)
                whole = pl.concat([kept, cells]).sort("instrument", "session")
                facts.update(plan.facts(whole))
                spool.add(whole)
            rows = spool.between(*self._days)
            if rows is None or not counts:
                return {}
            draft = drafts.write(
                self._context,
                self._wanted,
                rows,
                layer="qc",
                folder=self._stretch.key,
                metadata={"software": f"fulltape {VERSION}", FACTS: facts.hexdigest()},
            )
        draft = dataclasses.replace(draft, part=dataclasses.replace(draft.part, replaces=self._days))
        (part,) = drafts.publish(self._context, [draft], now=self._now)
        with self._context.ledger.write():
            self._context.ledger.catalogue.register(part, now=self._now)
            self._context.ledger.verdicts.record(verdicts, self._wanted.next_session)
        return counts

    def _blocks(
        self, changed: Sequence[Part], known: list[Path]
    ) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
        """By blocks of instruments: the cells that were checked now, and those known before and not checked now."""
        root = self._root
        changed_rows = scanning.rows_of(self._context.layout, changed, "sha256")
        digests = changed_rows.select("session", pl.col("sha256").alias("digest")).unique().collect()
        days = _date(digests["session"].min()), _date(digests["session"].max())
        volumes = day_bars.volumes(self._context, self._wanted, *days)
        learned = Learned(self._around(changed, days), self._checking)
        for block in spooling.portions(self._weights(changed, known, days), profiles.BLOCK):
            rows = scanning.of_block(parquet.scan([root / part.path for part in changed]), block, self._mine)
            frame = rows.filter(pl.col("is_final")).sort("instrument", "ts")
            cells = (
                plan.none()
                if frame.is_empty()
                else plan.cells(frame, learned, volumes, digests, self._checking)
            )
            kept = (
                scanning.of_block(parquet.scan(known), block, self._mine).cast(pl.Schema(plan.CELLS))
                if known
                else plan.none()
            )
            yield cells, kept.join(cells, on=["instrument", "session"], how="anti")

    def _weights(
        self, changed: Sequence[Part], known: list[Path], days: tuple[dt.date, dt.date]
    ) -> dict[str, int]:
        """As how many rows each instrument counts: its known cells, and where it has changed what judging it takes."""
        names = {name for part in changed for name in part.cells}
        span = self._wanted.calendar.between(*days)
        size = max(sum(part.rows for part in changed), profiles.judged(self._wanted, len(names), span))
        weights = dict.fromkeys(names, -(-size // max(1, len(names))))
        if known:
            cells = parquet.scan(known).filter(self._mine).group_by("instrument").len().collect()
            for name, count in cells.iter_rows():
                weights[name] = weights.get(name, 0) + count
        return weights

    def _around(self, changed: Sequence[Part], days: tuple[dt.date, dt.date]) -> pl.DataFrame | None:
        """Profiles of the changed files' cells and, where completeness is judged, of those of the sessions around them."""
        if not NEEDED_BY.intersection(self._wanted.dataset.checks):
            return None
        first, last = profiles.around(self._context, self._wanted, *days)
        parts = self._context.ledger.catalogue.current(
            "curated", self._wanted.dataset.name, first=first, last=last
        )
        whole = {part.part_id for part in changed}

        def sound(some: Sequence[Part]) -> Sequence[Part]:
            new = [part for part in some if part.part_id not in whole]
            return [part for part in some if part.part_id in whole] + damage.sound(
                self._context, new, self._now
            )

        nearby = profiles.of_parts(self._context, self._checking, parts, sound)
        return nearby.filter(pl.col("session").is_between(first, last))

    def _verdicts(self, cells: pl.DataFrame) -> Iterator[VerdictRange]:
        for (verdict, codes), same in cells.group_by(["verdict", "codes"], maintain_order=True):
            for instrument, spans in frames.spans(same, self._wanted.calendar).items():
                for first, last in spans:
                    yield VerdictRange(
                        dataset=self._wanted.dataset.name,
                        instrument=instrument,
                        source="",
                        first=first,
                        last=last,
                        verdict=Verdict(str(verdict)),
                        codes=str(codes),
                        since=self._now,
                    )


def _date(value: object) -> dt.date:
    assert isinstance(value, dt.date)
    return value
