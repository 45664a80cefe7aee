"""Journals of messages become raw parts, doubtful intervals and tasks, each file in one transaction.

A sealed journal stays, under another name, until history has confirmed all of its sessions, and `keep_messages` longer:
a decoder that was mended can be run over it again.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl

from fulltape.context import ConfiguredDataset, Event, NodeContext, Progress, damage, drafts
from fulltape.context.drafts import Draft
from fulltape.context.quarantine import SetAside
from fulltape.coverage.facts import CoverageFact
from fulltape.decoding import frames
from fulltape.lake import journal, layout
from fulltape.lake.layout import JOURNAL, SEALED
from fulltape.ledger.captures import CapturedSpan
from fulltape.market.time import Clock, Instant
from fulltape.seal.messages import decode, gap_repair, packing, plan
from fulltape.seal.messages.decode import DecodedJournal, SourceContext
from fulltape.seal.messages.totals import CapturedTotals
from fulltape.version import VERSION


def run(
    context: NodeContext, clock: Clock, progress: Progress, *, stage: str, again: bool = False
) -> CapturedTotals:
    """Seal every journal that no process writes; with `again` those too that were sealed before and are still there. Called
    by the holder of the stage."""
    about: dict[str, SourceContext] = {}
    total = CapturedTotals()
    redo, redone = context.ledger.damages.to_redo(stage, ""), set[str]()
    kept = [path for path in context.layout.captured_files(SEALED) if again or path.stem in redo]
    journals = [*kept, *(path for path in context.layout.captured_files() if not journal.in_use(path))]
    for done, path in enumerate(journals, start=1):
        source = path.parent.name
        if source not in context.feeds or not any(
            source in dataset.live for dataset in context.wanted.values()
        ):
            continue  # it waits until the source is captured again
        if source not in about:
            about[source] = decode.known(context, source)
        total += _File(context, clock.now(), path, about[source]).seal()
        redone.add(path.stem)
        progress(Event(stage=stage, done=done, total=len(journals), unit="journals"))
    with context.ledger.write():
        context.ledger.damages.redone(stage, "", redo & redone)
        gap_repair.give_up(context, clock.now())
        for source in context.feeds:
            gap_repair.close_days(context, source, clock.now())
    gap_repair.expire(context, clock.now())
    return total


class _File:
    """One journal on its way into the lake."""

    def __init__(self, context: NodeContext, now: Instant, path: Path, about: SourceContext) -> None:
        self._context, self._now, self._path, self._about = context, now, path, about
        self._source = path.parent.name
        self._aside = SetAside(context.layout)

    def seal(self) -> CapturedTotals:
        """Decode, write parts, commit, and give the journal its new name."""
        earlier = self._context.ledger.captures.get(self._path.stem)
        if earlier and self._path.suffix == JOURNAL:
            packing.put_away(self._context, self._path, earlier)  # everything was committed before a crash
            return CapturedTotals()
        decoded = decode.read(self._context, self._path, self._about)
        if earlier and decoded.messages < earlier.messages:
            return self._fewer(earlier, decoded)
        written = [draft for name, frame in decoded.frames.items() for draft in self._drafts(name, frame)]
        parts_of = drafts.publish(self._context, written, journals=[self._path], now=self._now)
        self._set_aside(decoded)
        steps = [] if earlier else self._steps(decoded)
        intervals = [interval for step in steps for interval in step.intervals]
        tasks = 0
        with self._context.ledger.write():
            ids = [self._context.ledger.catalogue.register(part, now=self._now) for part in parts_of]
            if earlier:
                for part_id in set(earlier.parts) - set(ids):
                    self._context.ledger.catalogue.withdraw(part_id, now=self._now)
            else:
                for step in steps:
                    self._account(step)
                self._context.ledger.intervals.add(intervals)
                tasks = gap_repair.enqueue(self._context, self._source, self._now)
            for name in decoded.frames:
                wanted = self._context.wanted[name]
                if wanted.live_only:
                    self._context.ledger.coverage.record(self._held(decoded, wanted), wanted.next_session)
            capture = self._capture(decoded, ids)
            self._context.ledger.captures.add(capture)
            for rejection in self._aside.rejections:
                self._context.ledger.reject(rejection, now=self._now)
        packing.put_away(self._context, self._path, capture)
        return CapturedTotals(
            files=1,
            messages=decoded.messages,
            rows=sum(frame.height for frame in decoded.frames.values()),
            parts=len(parts_of),
            unknown=len(decoded.unknown),
            broken=len(decoded.broken) + sum(frame.height for frame, _ in decoded.refused),
            damaged=len(decoded.damage),
            intervals=len(intervals),
            proved=sum(1 for interval in intervals if interval.state == "verified"),
            tasks=tasks,
        )

    def _fewer(self, earlier: CapturedSpan, decoded: DecodedJournal) -> CapturedTotals:
        """A journal that has lost messages since it was sealed: parts that are still there hold more than it. Where one of
        them is gone, what is left is taken, and all of its time is doubtful."""
        catalogue, streams = self._context.ledger.catalogue, self._context.ledger.streams
        there = catalogue.by_ids(earlier.parts)
        lost = set(earlier.parts) - {part.part_id for part in there}
        if not lost or earlier.first is None or earlier.last is None:
            return CapturedTotals(damaged=1)
        held = {(part.dataset, part.folder) for part in there}
        written = [
            draft
            for name, frame in decoded.frames.items()
            for draft in self._drafts(name, frame)
            if (draft.part.dataset, draft.part.folder) not in held
        ]
        parts_of = drafts.publish(self._context, written, journals=[self._path], now=self._now)
        with self._context.ledger.write():
            ids = [catalogue.register(part, now=self._now) for part in parts_of]
            self._context.ledger.captures.add(
                replace(earlier, parts=(*(part.part_id for part in there), *ids))
            )
            days = streams.days(source=self._source, first=earlier.first, last=earlier.last)
            damage.doubt(self._context, days, self._now)
            damage.forget_without_rows(self._context, days)
            gap_repair.enqueue(self._context, self._source, self._now)
        return CapturedTotals(parts=len(parts_of), damaged=1, intervals=len(days))

    def _held(self, decoded: DecodedJournal, wanted: ConfiguredDataset) -> list[CoverageFact]:
        """Of a dataset without a history what was captured is there: there will never be more."""
        cells = frames.spans(decoded.frames[wanted.dataset.name], wanted.calendar)
        return [
            CoverageFact(
                dataset=wanted.dataset.name,
                instrument=instrument,
                source=self._source,
                first=first,
                last=last,
                fact="present",
                sound=True,
                final=False,
                since=self._now,
                evidence=decoded.file,
            )
            for instrument, spans in cells.items()
            for first, last in spans
        ]

    def _capture(self, decoded: DecodedJournal, ids: Sequence[int]) -> CapturedSpan:
        days = [day for frame in decoded.frames.values() if frame.height for day in frame["session"].unique()]
        size, edges = journal.edges(self._path)
        return CapturedSpan(
            file=decoded.file,
            source=self._source,
            first=min(days, default=None),
            last=max(days, default=None),
            messages=decoded.messages,
            unknown=len(decoded.unknown),
            broken=len(decoded.broken),
            parts=tuple(ids),
            software=f"fulltape {VERSION}",
            sealed_at=self._now,
            bytes=size,
            edges=edges,
        )

    def _set_aside(self, decoded: DecodedJournal) -> None:
        self._aside.messages(self._source, decoded.file, decoded.unknown, "messages of an unknown kind")
        self._aside.messages(
            self._source,
            decoded.file,
            [message for message, _ in decoded.broken],
            "messages that cannot be read",
        )
        for frame, reason in decoded.refused:
            lines = frame.write_ndjson().encode().splitlines()
            self._aside.messages(self._source, decoded.file, lines, reason)
        for stretch in decoded.damage:
            self._aside.damage(self._path, stretch)

    def _drafts(self, name: str, frame: pl.DataFrame) -> list[Draft]:
        wanted = self._context.wanted[name]
        spans = {"year": "1y", "month": "1mo", "date": "1d"}
        if frame.is_empty():
            return []
        first, last = frame["session"].min(), frame["session"].max()
        assert isinstance(first, dt.date)
        assert isinstance(last, dt.date)
        key = layout.folder_key(wanted.dataset.raw_folder, first)
        if key == layout.folder_key(wanted.dataset.raw_folder, last):
            return [self._draft(wanted, key, frame)]
        folder = pl.col("session").dt.truncate(spans[wanted.dataset.raw_folder]).alias("folder")
        out = []
        for piece in frame.with_columns(folder).partition_by("folder", maintain_order=True):
            key = layout.folder_key(wanted.dataset.raw_folder, piece["folder"][0])
            out.append(self._draft(wanted, key, piece.drop("folder")))
        return out

    def _draft(self, wanted: ConfiguredDataset, key: str, frame: pl.DataFrame) -> Draft:
        return gap_repair.draft(self._context, self._source, wanted, key, frame, evidence=self._path.stem)

    def _steps(self, decoded: DecodedJournal) -> list[plan.Step]:
        """How every series moves forward, and what may be missing."""
        before = self._context.ledger.streams.series(self._source)
        return list(
            plan.steps(
                decoded,
                self._source,
                self._context.wanted,
                before,
                contiguous=self._about.meaning.contiguous,
                tolerance=self._context.rules.clock_tolerance,
                now=self._now,
            )
        )

    def _account(self, step: plan.Step) -> None:
        streams, series = self._context.ledger.streams, step.series
        if series and step.cut_at is not None:
            streams.cut_days(self._source, series.dataset, series.instrument, at=step.cut_at)
        for day in step.days:
            streams.add_day(day)
        if series:
            streams.set_series(series)
