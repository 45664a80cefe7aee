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
from fulltape.decoding import frames
from fulltape.lake import journal, layout
from fulltape.lake.layout import JOURNAL, SEALED
from fulltape.ledger.captures import CapturedSpan
from fulltape.ledger.facts import CoverageFact
from fulltape.ledger.intervals import Interval
from fulltape.ledger.streams import Day, StreamSeries
from fulltape.market.time import LATEST, Clock, Instant
from fulltape.seal.messages import decode, gap_repair, packing, timeline
from fulltape.seal.messages.decode import DecodedJournal, SourceContext
from fulltape.seal.messages.timeline import Break, Doubt, Live
from fulltape.seal.messages.totals import CapturedTotals
from fulltape.seal.quarantine import SetAside
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
    found = [*kept, *(path for path in context.layout.captured_files() if not journal.in_use(path))]
    for done, path in enumerate(found, start=1):
        source = path.parent.name
        if source not in context.feeds or not any(source in one.live for one in context.wanted.values()):
            continue  # it waits until the source is captured again
        if source not in about:
            about[source] = decode.known(context, source)
        total += _File(context, clock.now(), path, about[source]).seal()
        redone.add(path.stem)
        progress(Event(stage=stage, done=done, total=len(found), unit="journals"))
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
        told = decode.read(self._context, self._path, self._about)
        if earlier and told.messages < earlier.messages:
            return self._fewer(earlier, told)
        written = [draft for name, frame in told.frames.items() for draft in self._drafts(name, frame)]
        parts_of = drafts.publish(self._context, written, journals=[self._path], now=self._now)
        self._set_aside(told)
        intervals: list[Interval] = []
        tasks = 0
        with self._context.ledger.write():
            ids = [self._context.ledger.catalogue.register(part, now=self._now) for part in parts_of]
            if earlier:
                for part_id in set(earlier.parts) - set(ids):
                    self._context.ledger.catalogue.withdraw(part_id, now=self._now)
            else:
                intervals = self._account(told)
                self._context.ledger.intervals.add(intervals)
                tasks = gap_repair.enqueue(self._context, self._source, self._now)
            for name in told.frames:
                wanted = self._context.wanted[name]
                if wanted.live_only:
                    self._context.ledger.coverage.record(self._held(told, wanted), wanted.next_session)
            capture = self._capture(told, ids)
            self._context.ledger.captures.add(capture)
            for rejection in self._aside.rejections:
                self._context.ledger.reject(rejection, now=self._now)
        packing.put_away(self._context, self._path, capture)
        return CapturedTotals(
            files=1,
            messages=told.messages,
            rows=sum(frame.height for frame in told.frames.values()),
            parts=len(parts_of),
            unknown=len(told.unknown),
            broken=len(told.broken) + sum(frame.height for frame, _ in told.refused),
            damaged=len(told.damage),
            intervals=len(intervals),
            proved=sum(1 for one in intervals if one.state == "verified"),
            tasks=tasks,
        )

    def _fewer(self, earlier: CapturedSpan, told: DecodedJournal) -> CapturedTotals:
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
            for name, frame in told.frames.items()
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

    def _held(self, told: DecodedJournal, wanted: ConfiguredDataset) -> list[CoverageFact]:
        """Of a dataset without a history what was captured is there: there will never be more."""
        cells = frames.spans(told.frames[wanted.dataset.name], wanted.calendar)
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
                evidence=told.file,
            )
            for instrument, spans in cells.items()
            for first, last in spans
        ]

    def _capture(self, told: DecodedJournal, ids: Sequence[int]) -> CapturedSpan:
        days = [day for frame in told.frames.values() if frame.height for day in frame["session"].unique()]
        size, edges = journal.edges(self._path)
        return CapturedSpan(
            file=told.file,
            source=self._source,
            first=min(days, default=None),
            last=max(days, default=None),
            messages=told.messages,
            unknown=len(told.unknown),
            broken=len(told.broken),
            parts=tuple(ids),
            software=f"fulltape {VERSION}",
            sealed_at=self._now,
            bytes=size,
            edges=edges,
        )

    def _set_aside(self, told: DecodedJournal) -> None:
        self._aside.messages(self._source, told.file, told.unknown, "messages of an unknown kind")
        self._aside.messages(
            self._source, told.file, [message for message, _ in told.broken], "messages that cannot be read"
        )
        for frame, reason in told.refused:
            lines = frame.write_ndjson().encode().splitlines()
            self._aside.messages(self._source, told.file, lines, reason)
        for stretch in told.damage:
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

    def _account(self, told: DecodedJournal) -> list[Interval]:
        """Move every series forward, and find what may be missing."""
        streams = self._context.ledger.streams
        before = streams.series(self._source)
        found: list[Interval] = []
        for name, channel in told.channels.items():
            wanted = self._context.wanted.get(channel.dataset)
            spans = told.timeline.spans(name)
            instrument = next(
                (one for one in wanted.instruments.values() if one.symbol == channel.symbol), None
            ) if wanted else None  # fmt: skip
            doubts = told.timeline.doubts(name)
            if wanted is None or instrument is None or not (spans or doubts):
                continue
            series = before.get((channel.dataset, instrument.instrument))
            joined = bool(
                series
                and series.open
                and told.timeline.follows == series.file
                and name in told.timeline.live_at_first
            )
            if not spans:
                found += self._intervals(wanted, channel.symbol, instrument.instrument, doubts, set())
                continue
            doubts = doubts + timeline.gaps(
                spans,
                before=series.live_to if series else None,
                joined=joined,
                why=series.why if series else "",
                tolerance=self._context.rules.clock_tolerance,
                begin=wanted.calendar.day_rule.begin(wanted.calendar.day_rule.session(spans[0].start)),
            )
            jumps, newest = self._jumps(told, channel.dataset, instrument.instrument, series)
            doubts, proved = self._judged(told, channel.dataset, instrument.instrument, doubts, jumps, series)
            found += self._intervals(wanted, channel.symbol, instrument.instrument, doubts, proved)
            if series and series.live_to > told.timeline.last:
                about = (self._source, channel.dataset, instrument.instrument)
                streams.cut_days(*about, at=told.timeline.last)
            self._days(told, wanted, channel.symbol, instrument.instrument, spans)
            streams.set_series(
                StreamSeries(
                    source=self._source,
                    dataset=channel.dataset,
                    instrument=instrument.instrument,
                    symbol=channel.symbol,
                    file=told.file,
                    # A moment after the file's last one was told by a clock that was ahead.
                    live_to=max(spans[-1].end, min(series.live_to, told.timeline.last) if series else 0),
                    open=name in told.still_live and not any(one.torn for one in told.damage),
                    why=spans[-1].why,
                    last_id=str(newest[0]) if newest else "",
                    last_ts=newest[1] if newest else 0,
                )
            )
        return found

    def _jumps(
        self, told: DecodedJournal, dataset: str, instrument: str, series: StreamSeries | None
    ) -> tuple[list[Break], tuple[int, Instant] | None]:
        """Ids that do not follow each other, and the newest one; nothing where ids prove nothing."""
        after = (int(series.last_id), series.last_ts) if series and series.last_id else None
        if dataset not in self._about.meaning.contiguous or dataset not in told.frames:
            return [], after
        ids = told.facts(dataset, self._about.meaning.contiguous[dataset]).ids.get(instrument, [])
        return timeline.breaks(ids, after=after)

    def _judged(
        self,
        told: DecodedJournal,
        dataset: str,
        instrument: str,
        doubts: Sequence[Doubt],
        jumps: Sequence[Break],
        series: StreamSeries | None,
    ) -> tuple[list[Doubt], set[Doubt]]:
        """Doubts with what the ids say of them, and those that the ids prove to be none."""
        if dataset not in self._about.meaning.contiguous or dataset not in told.frames:
            return list(doubts), set()
        facts = told.facts(dataset, self._about.meaning.contiguous[dataset])
        newest = facts.newest.get(instrument, 0)
        # Nothing is proved by ids of which none is from before.
        oldest = (
            0
            if series and series.last_id
            else facts.ids[instrument][0].start
            if instrument in facts.ids
            else LATEST
        )
        out: list[Doubt] = []
        proved: set[Doubt] = set()
        explained: set[Break] = set()
        for doubt in doubts:
            beside = [one for one in jumps if timeline.near(doubt, one, self._context.rules.clock_tolerance)]
            explained |= set(beside)
            if beside:
                out.append(doubt.saying(_told(beside)))
                continue
            whole = newest > doubt.end and oldest <= doubt.start
            out.append(doubt.saying("the ids before and after follow each other") if whole else doubt)
            proved |= {out[-1]} if whole else set()
        out += [
            Doubt(start=one.start, end=one.end, kind="sequence break", told=one.told)
            for one in jumps
            if one not in explained
        ]
        return out, proved

    def _intervals(
        self,
        wanted: ConfiguredDataset,
        symbol: str,
        instrument: str,
        doubts: Sequence[Doubt],
        proved: set[Doubt],
    ) -> list[Interval]:
        rule = wanted.calendar.day_rule
        pieces = [
            (day, piece, doubt in proved)
            for doubt in doubts
            for day, piece in timeline.by_session(doubt, session_of=rule.session, begin=rule.begin)
        ]
        return [
            Interval(
                source=self._source,
                dataset=wanted.dataset.name,
                instrument=instrument,
                symbol=symbol,
                session=day,
                start=piece.start,
                end=piece.end,
                kind=piece.kind,
                state="verified" if whole else "unverified",
                evidence=piece.told if whole else "",
                since=self._now,
                decided_at=self._now if whole else None,
            )
            for day, piece, whole in pieces
            if wanted.calendar.day(day) == "session"
        ]

    def _days(
        self,
        told: DecodedJournal,
        wanted: ConfiguredDataset,
        symbol: str,
        instrument: str,
        spans: Sequence[Live],
    ) -> None:
        rule = wanted.calendar.day_rule
        counts = {}
        if wanted.dataset.name in told.frames:
            column = self._about.meaning.contiguous.get(wanted.dataset.name, "")
            counts = told.facts(wanted.dataset.name, column).counts.get(instrument, {})
        first, last = rule.session(spans[0].start), rule.session(spans[-1].end)
        reached = {first + dt.timedelta(days=offset) for offset in range((last - first).days + 1)}
        # A venue's clock may already be in another session than ours: its rows count there, though no time does.
        for day in sorted(reached | {day for day in counts if day >= wanted.first}):
            begin, end = rule.begin(day), rule.begin(day + dt.timedelta(days=1))
            inside = [one for one in spans if one.start < end and one.end >= begin]
            if not (inside or day in counts) or wanted.calendar.day(day) != "session":
                continue
            self._context.ledger.streams.add_day(
                Day(
                    source=self._source,
                    dataset=wanted.dataset.name,
                    instrument=instrument,
                    symbol=symbol,
                    session=day,
                    start=max(begin, inside[0].start) if inside else begin,
                    end=min(end, inside[-1].end) if inside else begin,
                    rows=counts.get(day, 0),
                    reconnects=max(0, len(inside) - 1),
                )
            )


def _told(beside: Sequence[Break]) -> str:
    """What breaks say together."""
    lost = sum(one.lost for one in beside)
    words = [f"{lost:,} ids are missing"] if lost or not any(one.fell for one in beside) else []
    return "; ".join([*words, *(["the ids begin anew"] if any(one.fell for one in beside) else [])])
