"""Curated folders of one dataset that are worked on together, a block of instruments at a time."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from fulltape.checks import findings, profiles, registry
from fulltape.checks import rows as row_checks
from fulltape.checks.findings import CheckContext
from fulltape.checks.registry import Learned
from fulltape.context import ConfiguredDataset, NodeContext, damage, day_bars, drafts, known, scanning
from fulltape.context import profiles as kept_profiles
from fulltape.context.drafts import Draft
from fulltape.context.spool import Spool
from fulltape.context.stretches import Stretch
from fulltape.coverage.cell import Verdict
from fulltape.curate import plan
from fulltape.curate.judged import CELL, Judged
from fulltape.decoding import frames as frames_of
from fulltape.lake import parquet, parts
from fulltape.ledger.part import Part
from fulltape.market.time import Instant
from fulltape.version import VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class CurateReport:
    """Folders looked at and rewritten, rows in them, and source cells that turned out partial."""

    folders: int = 0
    written: int = 0
    rows: int = 0
    partial: int = 0

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
        self._verified = verified
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

    def curate(self, stretches: Sequence[Stretch]) -> CurateReport:
        """Check, choose, write, commit."""
        labels = self._labels(stretches)
        found = self._all_sound(min(labels), max(labels))
        if not found:
            return CurateReport(folders=len(stretches))
        learned = self._learned(labels, {part.source for part in found if part.origin != "captured"})
        volumes = day_bars.volumes(self._context, self._wanted, min(labels), max(labels))
        there = self._there(stretches)
        judged, rows = Judged(self._context, self._wanted, (min(labels), max(labels)), self._now), 0
        with self._spool() as spool:
            for block in self._blocks(found, labels):
                raw = self._raw(found, labels, block)
                if raw.is_empty():
                    continue
                flagged = row_checks.flagged(raw, self._checking)
                cells = self._judge(flagged, learned, volumes)
                curated = self._curated(
                    flagged, plan.choose(cells, _present(there, labels, block), self._wanted.every_source)
                )
                judged.add(cells)
                rows += curated.height
                spool.add(curated)
            if not rows:
                return CurateReport(folders=len(stretches))
            ready = [draft for one in stretches if (draft := self._write(one, spool)) is not None]
        written = drafts.publish(self._context, ready, now=self._now)
        judged.commit(written)
        return CurateReport(folders=len(stretches), written=len(written), rows=rows, partial=judged.doubtful)

    def _spool(self) -> Spool:
        dataset = self._wanted.dataset
        folder = self._context.layout.folder("curated", dataset, "")
        cut = dataset.curated_folder != dataset.raw_folder
        return Spool(folder, self._wanted.calendar, cut=cut)

    def _curated(self, flagged: pl.DataFrame, chosen: pl.DataFrame) -> pl.DataFrame:
        wanted = self._wanted
        until = known.last_wanted(wanted, self._now) if wanted.live_only else None
        return plan.rows(flagged, chosen, wanted.dataset, wanted.calendar, captured_until=until)

    def _labels(self, stretches: Sequence[Stretch]) -> list[dt.date]:
        calendar = self._wanted.calendar
        return [
            calendar.label(position)
            for one in stretches
            for position in range(*calendar.between(one.first, one.last))
        ]

    def _parts(self, first: dt.date, last: dt.date) -> list[Part]:
        """Raw parts with sessions of a span, of all sources."""
        found = self._context.ledger.catalogue.current(
            "raw", self._wanted.dataset.name, first=first, last=last
        )
        return [part for part in found if part.source in self._wanted.every_source]

    def _blocks(self, found: Sequence[Part], labels: Sequence[dt.date]) -> list[list[str]]:
        names = _names(found)
        span = self._wanted.calendar.between(min(labels), max(labels))
        rows = max(self._rows_of(found, labels), kept_profiles.judged(self._wanted, len(names), span))
        return kept_profiles.blocks(names, rows)

    def _rows_of(self, found: Sequence[Part], labels: Sequence[dt.date]) -> int:
        """About how many rows these parts have in these sessions."""
        between = self._wanted.calendar.between
        inside = set(range(*between(min(labels), max(labels))))
        total = 0.0
        for part in found:
            own = range(*between(dt.date.fromisoformat(part.first), dt.date.fromisoformat(part.last)))
            total += part.rows * len(inside.intersection(own)) / max(1, len(own))
        return int(total)

    def _raw(self, found: Sequence[Part], labels: Sequence[dt.date], block: Sequence[str]) -> pl.DataFrame:
        """Rows of some instruments in these sessions, of all sources."""
        dataset = self._wanted.dataset
        mine = [part for part in found if not part.cells.keys().isdisjoint(block)]
        fetched = [part for part in mine if part.origin != "captured"]
        captured = [part for part in mine if part.origin == "captured"]
        declared = dataset.schema.columns
        pieces = [self._rows(fetched, columns=frames_of.schema(declared))] if fetched else []
        pieces += [frames_of.declared_types(self._rows([part]), declared) for part in captured]
        read = [scanning.of_block(rows, block, _within(labels)) for rows in pieces]
        chosen = pl.col("session").is_in(pl.Series(labels, dtype=pl.Date).implode())
        raw = pl.concat([pl.DataFrame(schema=CELL), *read], how="diagonal").filter(chosen)
        return frames_of.traded(plan.newest(raw, dataset.schema.key).lazy(), dataset).collect()

    def _rows(self, found: Sequence[Part], columns: Mapping[str, Any] | None = None) -> pl.LazyFrame:
        return scanning.rows_of(self._context, found, "source", "log_pos", "origin", columns=columns)

    def _learned(self, labels: Sequence[dt.date], sources: Collection[str]) -> dict[str, Learned]:
        """What each source's cells in these sessions and around them teach."""
        if not profiles.NEEDED_BY.intersection(self._wanted.dataset.checks):
            return {source: Learned(None, self._checking) for source in sources}
        found = self._profiles(labels, sources)
        return {
            source: Learned(found.filter(pl.col("source") == source), self._checking) for source in sources
        }

    def _profiles(self, labels: Sequence[dt.date], sources: Collection[str]) -> pl.DataFrame:
        """Profiles of these sources' cells in these sessions and, where completeness is judged, in those around them: of each
        cell that of its newest fetched part, or of all that was captured of it."""
        calendar = self._wanted.calendar
        first, last = kept_profiles.around(self._context, self._wanted, min(labels), max(labels))
        found = [part for part in self._parts(first, last) if part.source in sources]
        fetched = [part for part in found if part.origin != "captured"]
        cell = ["source", "instrument", "session"]
        newest = (
            kept_profiles.of_parts(self._context, self._checking, fetched, self._sound)
            .filter(pl.col("session").is_between(first, last))
            .sort("log_pos")
            .unique(cell, keep="last")
            .drop("log_pos")
        )
        captured = self._sound([part for part in found if part.origin == "captured"])
        days = [calendar.label(at) for at in range(*calendar.between(first, last))]
        live = [
            profiles.of(rows, self._checking).with_columns(pl.lit(source).alias("source"))
            for block in kept_profiles.blocks(_names(captured), sum(part.rows for part in captured))
            for (source,), rows in self._raw(captured, days, block).group_by(["source"])
        ]
        only = [one.join(newest, on=cell, how="anti") for one in live]
        return pl.concat([newest, *only]).sort(cell)

    def _all_sound(self, first: dt.date, last: dt.date) -> list[Part]:
        """Raw parts with sessions of a span whose files have the content that was recorded. In the place of one that has not
        those may count again of which it was made."""
        sound: list[Part] = []
        found = self._parts(first, last)
        while [part.part_id for part in found] != [part.part_id for part in sound]:
            sound = self._sound(found)
            found = self._parts(first, last)
        return sound

    def _sound(self, found: Sequence[Part]) -> list[Part]:
        """Parts whose files have the content that was recorded; each is looked at once a run."""
        new = [part for part in found if part.part_id not in self._verified]
        bad = {part.part_id for part in new} - {
            part.part_id for part in damage.sound(self._context, new, self._now)
        }
        self._verified |= {part.part_id for part in new} - bad
        return [part for part in found if part.part_id in self._verified]

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
            found = registry.run(ordered, beside, self._checking)
            counted = ordered.group_by("instrument", "session").len("rows").sort("instrument", "session")
            out.append(
                findings.verdicts(found, counted)
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
        found = {
            part.path
            for one in stretches
            for part in catalogue.current_in("curated", name, one.key)
            if one.touches(part)
        }
        return [self._context.layout.root / path for path in sorted(found)]

    def _write(self, one: Stretch, spool: Spool) -> Draft | None:
        """Write the rows of one stretch; None if the same rows are there already."""
        dataset = self._wanted.dataset
        rows = spool.between(one.first, one.last)
        if rows is None:
            return None
        draft = drafts.write(
            self._context,
            self._wanted,
            rows,
            layer="curated",
            folder=one.key,
            metadata={
                "schema_version": str(dataset.schema.version),
                "software": f"fulltape {VERSION}",
                "calendar": self._wanted.calendar.version,
            },
        )
        current = self._context.ledger.catalogue.current_in("curated", dataset.name, one.key)
        if [part.path for part in current if one.touches(part)] == [draft.part.path]:
            parts.discard(draft.file)
            return None
        return dataclasses.replace(
            draft, part=dataclasses.replace(draft.part, replaces=(one.first, one.last))
        )


def _names(found: Sequence[Part]) -> set[str]:
    return {name for part in found for name in part.cells}


def _within(labels: Sequence[dt.date]) -> pl.Expr:
    return pl.col("session").is_between(pl.lit(min(labels)), pl.lit(max(labels)))


def _present(there: Sequence[Path], labels: Sequence[dt.date], block: Sequence[str]) -> pl.DataFrame:
    """Which source each cell of some instruments has now, in these sessions."""
    if not there:
        return pl.DataFrame(schema=CELL)
    return scanning.of_block(parquet.scan(there).select(*CELL), block, _within(labels)).unique()
