"""Curated folders of one dataset that are worked on together, a block of instruments at a time."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from fulltape.checks import findings, registry
from fulltape.checks.findings import CheckContext
from fulltape.checks.registry import Learned
from fulltape.context import (
    ConfiguredDataset,
    NodeContext,
    choice,
    day_bars,
    drafts,
    known,
    repaired,
    scanning,
)
from fulltape.context.drafts import Draft
from fulltape.context.jobs import StageReport
from fulltape.context.spool import Spool
from fulltape.context.stretches import Stretch
from fulltape.coverage.cell import Verdict
from fulltape.curate import raw
from fulltape.curate.judged import CELL, Judged
from fulltape.curate.raw import RawRows
from fulltape.lake import parquet, parts
from fulltape.market.time import Instant
from fulltape.schedule.rules import Trigger
from fulltape.version import VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class CurateReport(StageReport):
    """Folders looked at and rewritten, rows in them, and source cells that turned out partial."""

    folders: int = 0
    written: int = 0
    rows: int = 0
    partial: int = 0

    @property
    def triggers(self) -> tuple[Trigger, ...]:
        """See `StageReport`."""
        return ("curated",) if self.written else ()

    def __add__(self, other: CurateReport) -> CurateReport:
        """Both together."""
        return CurateReport(
            folders=self.folders + other.folders,
            written=self.written + other.written,
            rows=self.rows + other.rows,
            partial=self.partial + other.partial,
        )


class Chunk:
    """Curated folders of one dataset that are worked on together; `verified` are the parts that were looked at in this
    run."""

    def __init__(
        self, context: NodeContext, wanted: ConfiguredDataset, now: Instant, verified: set[int]
    ) -> None:
        self._context = context
        self._wanted = wanted
        self._now = now
        self._checking = CheckContext(
            dataset=wanted.dataset,
            calendar=wanted.calendar,
            instruments=wanted.instruments,
            now=now,
            thresholds=context.rules.thresholds,
        )
        self._raw = RawRows(context, self._checking, wanted, verified)

    def curate(self, stretches: Sequence[Stretch]) -> CurateReport:
        """Check, choose, write, commit."""
        labels = self._labels(stretches)
        raw_parts = self._raw.all_sound(min(labels), max(labels))
        if not raw_parts:
            return CurateReport(folders=len(stretches))
        learned = self._raw.learned(labels, {part.source for part in raw_parts if part.origin != "captured"})
        volumes = day_bars.volumes(self._context, self._wanted, min(labels), max(labels))
        there = self._there(stretches)
        judged, rows = Judged(self._context, self._wanted, (min(labels), max(labels)), self._now), 0
        mended = self._context.ledger.repairs.holding(self._wanted.dataset.name, min(labels), max(labels))
        with self._spool() as spool:
            for block in self._raw.blocks(raw_parts, labels):
                read = self._raw.rows(raw_parts, labels, block)
                if read.is_empty():
                    continue
                flagged = repaired.laid_over(read, mended, self._checking)
                cells = self._judge(flagged, learned, volumes)
                curated = self._curated(
                    flagged, choice.choose(cells, _present(there, labels, block), self._wanted.every_source)
                )
                judged.add(cells)
                rows += curated.height
                spool.add(curated)
            if not rows:
                return CurateReport(folders=len(stretches))
            ready = [draft for stretch in stretches if (draft := self._write(stretch, spool)) is not None]
        written = drafts.publish(self._context, ready, now=self._now)
        judged.commit(written)
        return CurateReport(folders=len(stretches), written=len(written), rows=rows, partial=judged.doubtful)

    def judged(self, instrument: str, session: dt.date) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Each source's cell of an instrument and session, ranked as `choice.ranked` does, and its rows; nothing is written."""
        parts = [
            part
            for part in self._raw.all_sound(session, session)
            if not part.cells.keys().isdisjoint([instrument])
        ]
        read = self._raw.rows(parts, [session], [instrument]) if parts else pl.DataFrame()
        if read.is_empty():
            return pl.DataFrame(), read
        mended = self._context.ledger.repairs.holding(self._wanted.dataset.name, session, session)
        flagged = repaired.laid_over(read, mended, self._checking)
        learned = self._raw.learned([session], {part.source for part in parts if part.origin != "captured"})
        cells = self._judge(flagged, learned, day_bars.volumes(self._context, self._wanted, session, session))
        current = self._context.ledger.catalogue.current(
            "curated", self._wanted.dataset.name, first=session, last=session
        )
        there = [self._context.layout.root / part.path for part in current]
        present = _present(there, [session], [instrument])
        return choice.ranked(cells, present, self._wanted.every_source), flagged

    def _spool(self) -> Spool:
        dataset = self._wanted.dataset
        folder = self._context.layout.folder("curated", dataset, "")
        cut = dataset.curated_folder != dataset.raw_folder
        return Spool(folder, self._wanted.calendar, cut=cut)

    def _curated(self, flagged: pl.DataFrame, chosen: pl.DataFrame) -> pl.DataFrame:
        wanted = self._wanted
        until = known.last_wanted(wanted, self._now) if wanted.live_only else None
        return choice.rows(flagged, chosen, wanted.dataset, wanted.calendar, captured_until=until)

    def _labels(self, stretches: Sequence[Stretch]) -> list[dt.date]:
        calendar = self._wanted.calendar
        return [
            calendar.label(position)
            for stretch in stretches
            for position in range(*calendar.between(stretch.first, stretch.last))
        ]

    def _judge(
        self, flagged: pl.DataFrame, learned: Mapping[str, Learned], volumes: pl.DataFrame
    ) -> pl.DataFrame:
        """Pass 1: every source's cells alone. Columns: instrument, session, source, rows, verdict, codes."""
        out = []
        final = pl.col("origin") != "captured"
        for (source,), frame in flagged.filter(final).group_by(["source"], maintain_order=True):
            ordered = frame.sort("instrument", "ts")
            own = volumes.filter(pl.col("source") == source)
            beside = learned[str(source)].beside(ordered["instrument"], own)
            raised = registry.run(ordered, beside, self._checking)
            counted = ordered.group_by("instrument", "session").len("rows").sort("instrument", "session")
            out.append(
                findings.verdicts(raised, counted)
                .join(counted, on=["instrument", "session"])
                .with_columns(pl.lit(source).alias("source"), pl.lit(value=False).alias("provisional"))
            )
        return pl.concat([*out, self._unchecked(flagged.filter(~final))], how="diagonal_relaxed")

    def _unchecked(self, captured: pl.DataFrame) -> pl.DataFrame:
        """Cells that were captured live and that no source has answered for yet: a session that is not over is not
        judged."""
        counted = captured.group_by("instrument", "session", "source", maintain_order=True).len("rows")
        return counted.with_columns(
            pl.lit(Verdict.UNCHECKED.value).alias("verdict"),
            pl.lit("").alias("codes"),
            pl.lit(value=True).alias("provisional"),
        )

    def _there(self, stretches: Sequence[Stretch]) -> list[Path]:
        """The files that hold their rows now."""
        catalogue, name = self._context.ledger.catalogue, self._wanted.dataset.name
        paths = {
            part.path
            for stretch in stretches
            for part in catalogue.current_in("curated", name, stretch.key)
            if stretch.touches(part)
        }
        return [self._context.layout.root / path for path in sorted(paths)]

    def _write(self, stretch: Stretch, spool: Spool) -> Draft | None:
        """Write the rows of one stretch; None if the same rows are there already."""
        dataset = self._wanted.dataset
        rows = spool.between(stretch.first, stretch.last)
        if rows is None:
            return None
        draft = drafts.write(
            self._context,
            self._wanted,
            rows,
            layer="curated",
            folder=stretch.key,
            metadata={
                "schema_version": str(dataset.schema.version),
                "software": f"fulltape {VERSION}",
                "calendar": self._wanted.calendar.version,
            },
        )
        current = self._context.ledger.catalogue.current_in("curated", dataset.name, stretch.key)
        if [part.path for part in current if stretch.touches(part)] == [draft.part.path]:
            parts.discard(draft.file)
            return None
        return dataclasses.replace(
            draft, part=dataclasses.replace(draft.part, replaces=(stretch.first, stretch.last))
        )


def _present(there: Sequence[Path], labels: Sequence[dt.date], block: Sequence[str]) -> pl.DataFrame:
    """Which source each cell of some instruments has now, in these sessions."""
    if not there:
        return pl.DataFrame(schema=CELL)
    return scanning.of_block(parquet.scan(there).select(*CELL), block, raw.within(labels)).unique()
