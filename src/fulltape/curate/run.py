"""Reads touched raw folders, checks each source's cells, chooses, and rewrites the touched curated folders whole."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from fulltape.core import frames as frames_of
from fulltape.core.cell import FactKind, Verdict
from fulltape.core.checks import completeness, findings, registry
from fulltape.core.checks import rows as row_checks
from fulltape.core.checks.findings import Context
from fulltape.core.time import Clock, Instant
from fulltape.curate import plan
from fulltape.lake import layout, parquet, parts
from fulltape.ledger.catalogue import NewPart, Part
from fulltape.ledger.coverage import CoverageFact
from fulltape.ledger.verdicts import VerdictRange
from fulltape.stores import Event, Progress, Stores, Wanted, damage, day_bars, drafts, known, silent
from fulltape.stores.drafts import Draft
from fulltape.version import VERSION

STAGE = "curate"
_CELL = {"instrument": pl.String, "session": pl.Date, "source": pl.String}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Folders looked at and rewritten, rows in them, and source cells that turned out partial."""

    folders: int = 0
    written: int = 0
    rows: int = 0
    partial: int = 0

    def __add__(self, other: Report) -> Report:
        """Both together."""
        return Report(
            folders=self.folders + other.folders,
            written=self.written + other.written,
            rows=self.rows + other.rows,
            partial=self.partial + other.partial,
        )


def run_once(stores: Stores, clock: Clock, progress: Progress = silent) -> Report:
    """Curate what raw parts since the bookmark have touched."""
    with stores.stage(STAGE, clock, layer="curated"):
        latest = stores.ledger.catalogue.last_position("raw")
        touched: dict[str, set[str]] = {}
        redo: dict[str, set[str]] = {}
        for name, wanted in stores.wanted.items():
            # A bookmark for each dataset: one that is not wanted for a while is taken up where it was left.
            changed = stores.ledger.catalogue.since("raw", stores.ledger.bookmark(STAGE, name), dataset=name)
            touched[name] = {key for part in changed for key in _folders(part, wanted)}
            touched[name] |= _now_over(stores, wanted, clock.now())
            redo[name] = stores.ledger.damages.to_redo(STAGE, name)
            touched[name] |= redo[name]
        total = Report()
        verified: set[int] = set()
        todo = sum(map(len, touched.values()))
        for name, keys in sorted(touched.items()):
            for chunk in _chunks(keys, stores.wanted[name]):
                done = _Chunk(stores, stores.wanted[name], clock.now(), verified).curate(chunk)
                total += done
                progress(Event(stage=STAGE, done=total.folders, total=todo, unit="folders"))
        with stores.ledger.write():
            for name in touched:
                stores.ledger.set_bookmark(STAGE, name, latest)
                over = stores.wanted[name].final_until(clock.now())
                stores.ledger.set_bookmark(STAGE, f"{name} over", over)
                stores.ledger.damages.redone(STAGE, name, redo[name])
        return total


def _now_over(stores: Stores, wanted: Wanted, now: Instant) -> set[str]:
    """Curated folders of sessions that are over since the last time, of a dataset that will only ever have what was
    captured: its rows are final now."""
    before = stores.ledger.bookmark(STAGE, f"{wanted.dataset.name} over")
    over = range(before, wanted.final_until(now))
    if not wanted.live_only or not over:
        return set()
    held = {
        key
        for part in stores.ledger.catalogue.current("raw", wanted.dataset.name)
        for key in _folders(part, wanted)
    }
    days = (wanted.calendar.label(position) for position in over)
    return held & {layout.folder_key(wanted.dataset.curated_folder, day) for day in days}


def _folders(part: Part, wanted: Wanted) -> set[str]:
    calendar = wanted.calendar
    return {
        layout.folder_key(wanted.dataset.curated_folder, calendar.label(position))
        for spans in part.cells.values()
        for first, last in spans
        for position in range(*calendar.between(first, last))
    }


def _chunks(keys: Iterable[str], wanted: Wanted) -> list[list[str]]:
    """Curated folders that share a raw folder, so that its parts are read once."""
    if wanted.dataset.curated_folder == wanted.dataset.raw_folder:
        return [[key] for key in sorted(keys)]
    by_month: dict[str, list[str]] = defaultdict(list)
    for key in sorted(keys):
        by_month[key.partition("=")[2][:7]].append(key)
    return list(by_month.values())


class _Chunk:
    """Curated folders of one dataset that are worked on together."""

    def __init__(self, stores: Stores, wanted: Wanted, now: Instant, verified: set[int]) -> None:
        self._verified = verified
        self._stores = stores
        self._wanted = wanted
        self._now = now
        self._context = Context(
            dataset=wanted.dataset,
            calendar=wanted.calendar,
            instruments=wanted.instruments,
            now=now,
            thresholds=stores.rules.thresholds,
        )

    def curate(self, keys: Sequence[str]) -> Report:
        """Check, choose, write, commit."""
        labels = self._labels(keys)
        raw = self._raw(labels)
        inside = raw.filter(pl.col("session").is_in(pl.Series(labels, dtype=pl.Date).implode()))
        if inside.is_empty():
            return Report(folders=len(keys))
        flagged = row_checks.flagged(inside, self._context)
        judged = self._judge(flagged, raw)
        chosen = plan.choose(judged, self._present(keys), self._wanted.everybody)
        curated = plan.rows(
            flagged,
            chosen,
            self._wanted.dataset,
            self._wanted.calendar,
            captured_until=known.last_wanted(self._wanted, self._now) if self._wanted.live_only else None,
        )
        ready = [draft for key in keys if (draft := self._write(key, curated)) is not None]
        written = drafts.publish(self._stores, ready, now=self._now)
        partial = self._commit(judged, written)
        return Report(folders=len(keys), written=len(written), rows=curated.height, partial=partial)

    def _labels(self, keys: Sequence[str]) -> list[dt.date]:
        calendar = self._wanted.calendar
        folder = self._wanted.dataset.curated_folder
        spans = [layout.days_of(folder, key) for key in keys]
        return [
            calendar.label(position)
            for first, last in spans
            for position in range(*calendar.between(first, last))
        ]

    def _raw(self, labels: Sequence[dt.date]) -> pl.DataFrame:
        """Rows of all sources for these sessions and, to learn occupancy from, for those around them."""
        calendar = self._wanted.calendar
        reach = (
            self._stores.rules.thresholds.baseline_sessions // 2
            if "completeness" in self._wanted.dataset.checks
            else 0
        )
        start, stop = calendar.between(min(labels), max(labels))
        first = calendar.label(max(0, start - reach))
        last = calendar.label(min(len(calendar) - 1, stop - 1 + reach))
        frames = []
        found = self._stores.ledger.catalogue.current(
            "raw", self._wanted.dataset.name, first=first, last=last
        )
        for part in self._sound(found):
            if part.source in self._wanted.everybody:
                rows = parquet.scan([self._stores.layout.root / part.path])
                rows = rows.filter(pl.col("session").is_between(first, last))
                if part.origin == "captured":
                    rows = frames_of.declared_types(rows, self._wanted.dataset.schema.columns)
                frames.append(
                    rows.with_columns(
                        pl.lit(part.source).alias("source"),
                        pl.lit(part.log_pos).alias("log_pos"),
                        pl.lit(part.origin).alias("origin"),
                    )
                )
        if not frames:
            return frames_of.empty(self._wanted.dataset.schema.columns).with_columns(
                pl.lit("").alias("source"), pl.lit("fetched").alias("origin")
            )
        raw = pl.concat(frames, how="diagonal").collect()
        return plan.traded(plan.newest(raw, self._wanted.dataset.schema.key), self._wanted.dataset)

    def _sound(self, found: Sequence[Part]) -> list[Part]:
        """Parts whose files have the content that was recorded; each is looked at once a run."""
        new = [part for part in found if part.part_id not in self._verified]
        bad = {part.part_id for part in new} - {
            part.part_id for part in damage.sound(self._stores, new, self._now)
        }
        self._verified |= {part.part_id for part in new} - bad
        return [part for part in found if part.part_id in self._verified]

    def _judge(self, flagged: pl.DataFrame, around: pl.DataFrame) -> pl.DataFrame:
        """Pass 1: every source's cells alone. Columns: instrument, session, source, rows, verdict, codes."""
        out = []
        first, last = flagged["session"].min(), flagged["session"].max()
        volumes = day_bars.volumes(self._stores, self._wanted, first, last)  # type: ignore[arg-type]
        final = pl.col("origin") != "captured"
        for (source,), frame in flagged.filter(final).group_by(["source"], maintain_order=True):
            same = around.filter(pl.col("source") == source)
            baseline = (
                completeness.occupancy(same, self._context)
                if "completeness" in self._wanted.dataset.checks
                else None
            )
            ordered = frame.sort("instrument", "ts")
            beside = registry.Beside(
                around=same, baseline=baseline, volumes=volumes.filter(pl.col("source") == source)
            )
            found = registry.run(ordered, beside, self._context)
            counted = ordered.group_by("instrument", "session").len("rows").sort("instrument", "session")
            out.append(
                findings.verdicts(found, counted)
                .join(counted, on=["instrument", "session"])
                .with_columns(pl.lit(source).alias("source"), pl.lit(value=False).alias("provisional"))
            )
        return pl.concat([*out, self._unchecked(flagged.filter(~final))], how="diagonal_relaxed")

    def _unchecked(self, captured: pl.DataFrame) -> pl.DataFrame:
        """Cells that were captured live and that no source has answered for yet: nobody judges a session that is not
        over."""
        counted = captured.group_by("instrument", "session", "source", maintain_order=True).len("rows")
        return counted.with_columns(
            pl.lit(Verdict.UNCHECKED.value).alias("verdict"),
            pl.lit("").alias("codes"),
            pl.lit(value=True).alias("provisional"),
        )

    def _present(self, keys: Sequence[str]) -> pl.DataFrame:
        paths = [
            self._stores.layout.root / part.path
            for key in keys
            for part in self._stores.ledger.catalogue.current_in("curated", self._wanted.dataset.name, key)
        ]
        columns = ["instrument", "session", "source"]
        if not paths:
            return pl.DataFrame(schema=_CELL)
        return parquet.scan(paths).select(columns).unique().collect()

    def _write(self, key: str, curated: pl.DataFrame) -> Draft | None:
        """Write one folder's rows; None if the same rows are there already."""
        dataset = self._wanted.dataset
        first, last = layout.days_of(dataset.curated_folder, key)
        frame = curated.filter(pl.col("session").is_between(first, last))
        if frame.is_empty():
            return None
        draft = drafts.write(
            self._stores,
            self._wanted,
            frame,
            layer="curated",
            folder=key,
            metadata={
                "schema_version": str(dataset.schema.version),
                "software": f"fulltape {VERSION}",
                "calendar": self._wanted.calendar.version,
            },
        )
        current = self._stores.ledger.catalogue.current_in("curated", dataset.name, key)
        if [part.path for part in current] == [draft.part.path]:
            parts.discard(draft.file)
            return None
        return draft

    def _commit(self, judged: pl.DataFrame, written: Sequence[NewPart]) -> int:
        """Register what was written, record verdicts of the sources' cells, and turn doubtful ones into `partial`
        facts so that the next source is asked."""
        judged = judged.filter(~pl.col("provisional"))
        doubtful = judged.filter(
            (pl.col("verdict") == Verdict.RED.value)
            | pl.col("codes")
            .str.replace(completeness.UNMEASURED, "", literal=True)
            .str.contains("completeness")
        )
        before = self._partial_before(judged)
        healed = judged.join(doubtful, on=["instrument", "session", "source"], how="anti").join(
            before, on=["instrument", "session", "source"], how="semi"
        )
        with self._stores.ledger.write():
            for part in written:
                self._stores.ledger.catalogue.register(part, now=self._now)
            self._stores.ledger.verdicts.record(self._verdicts(judged), self._wanted.next_session)
            self._stores.ledger.coverage.record(self._facts(doubtful, "partial"), self._wanted.next_session)
            self._stores.ledger.coverage.record(self._facts(healed, "present"), self._wanted.next_session)
        return doubtful.height

    def _partial_before(self, judged: pl.DataFrame) -> pl.DataFrame:
        """Cells of these sessions that were called partial, which more neighbours or a better answer may have put right."""
        if judged.is_empty():
            return pl.DataFrame(schema=_CELL)
        calendar = self._wanted.calendar
        first, last = judged["session"].min(), judged["session"].max()
        assert isinstance(first, dt.date)
        assert isinstance(last, dt.date)
        cells = [
            (fact.instrument, calendar.label(position), fact.source)
            for fact in self._stores.ledger.coverage.of_kind(
                self._wanted.dataset.name, "partial", first, last
            )
            for position in range(*calendar.between(max(first, fact.first), min(last, fact.last)))
        ]
        return pl.DataFrame(cells, schema=_CELL, orient="row")

    def _verdicts(self, judged: pl.DataFrame) -> list[VerdictRange]:
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

    def _facts(self, cells: pl.DataFrame, kind: FactKind) -> list[CoverageFact]:
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
        found = self._wanted.cells(cells.select("instrument", "session").iter_rows())
        return [(instrument, first, last) for instrument, spans in found.items() for first, last in spans]
