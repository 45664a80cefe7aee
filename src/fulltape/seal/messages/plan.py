"""What a journal says of each series: how far it is proved now, what may be missing, and what was meant to be captured. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from fulltape.context import ConfiguredDataset
from fulltape.coverage.live import CapturedDay, Interval, StreamSeries
from fulltape.market.time import LATEST, Instant
from fulltape.seal.messages import timeline
from fulltape.seal.messages.decode import DecodedJournal
from fulltape.seal.messages.timeline import Break, Doubt, Live


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What to write of one series: intervals, its sessions, and how far it is proved (None: no further than before);
    `cut_at` where a clock that was ahead had said more."""

    intervals: Sequence[Interval]
    days: Sequence[CapturedDay] = ()
    series: StreamSeries | None = None
    cut_at: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _JournalSeries:
    """One series of one journal."""

    decoded: DecodedJournal
    source: str
    wanted: ConfiguredDataset
    symbol: str
    instrument: str
    channel: str
    contiguous: str | None
    """The column of ids that prove something; None without any."""
    before: StreamSeries | None

    @property
    def dataset(self) -> str:
        return self.wanted.dataset.name

    @property
    def proving(self) -> str | None:
        """The column of ids that prove something of rows that have come."""
        return self.contiguous if self.dataset in self.decoded.frames else None


def steps(
    decoded: DecodedJournal,
    source: str,
    wanted: Mapping[str, ConfiguredDataset],
    before: Mapping[tuple[str, str], StreamSeries],
    *,
    contiguous: Mapping[str, str],
    tolerance: int,
    now: Instant,
) -> Iterator[Step]:
    """A step for each series of which a journal says anything. `before`: how far each is proved, by dataset and instrument;
    `contiguous`: by dataset the column of ids that follow each other; `tolerance` of clocks in microseconds."""
    for name, channel in decoded.channels.items():
        dataset = wanted.get(channel.dataset)
        if dataset is None or not (decoded.timeline.spans(name) or decoded.timeline.doubts(name)):
            continue
        instrument = next(
            (listed for listed in dataset.instruments.values() if listed.symbol == channel.symbol), None
        )
        if instrument is None:
            continue
        stream = _JournalSeries(
            decoded=decoded,
            source=source,
            wanted=dataset,
            symbol=channel.symbol,
            instrument=instrument.instrument,
            channel=name,
            contiguous=contiguous.get(channel.dataset),
            before=before.get((channel.dataset, instrument.instrument)),
        )
        yield _step(stream, tolerance, now)


def _step(stream: _JournalSeries, tolerance: int, now: Instant) -> Step:
    series, line = stream.before, stream.decoded.timeline
    spans, doubts = line.spans(stream.channel), line.doubts(stream.channel)
    if not spans:
        # Rows may have come all the same, where the record of what was live is damaged: their sessions were captured.
        return Step(intervals=_intervals(stream, doubts, set(), now), days=list(_days(stream, spans)))
    joined = series is not None and series.open and line.follows == series.file
    rule = stream.wanted.calendar.day_rule
    doubts = doubts + timeline.gaps(
        spans,
        before=series.live_to if series else None,
        joined=joined and stream.channel in line.live_at_first,
        why=series.why if series else "",
        tolerance=tolerance,
        begin=rule.begin(rule.session(spans[0].start)),
    )
    jumps, newest = _jumps(stream)
    doubts, proved = _judged(stream, doubts, jumps, tolerance)
    ahead = series is not None and series.live_to > line.last
    return Step(
        intervals=_intervals(stream, doubts, proved, now),
        days=list(_days(stream, spans)),
        cut_at=line.last if ahead else None,
        series=StreamSeries(
            source=stream.source,
            dataset=stream.dataset,
            instrument=stream.instrument,
            symbol=stream.symbol,
            file=stream.decoded.file,
            # A moment after the file's last one was told by a clock that was ahead.
            live_to=max(spans[-1].end, min(series.live_to, line.last) if series else 0),
            open=stream.channel in stream.decoded.still_live
            and not any(hole.torn for hole in stream.decoded.damage),
            why=spans[-1].why,
            last_id=str(newest[0]) if newest else "",
            last_ts=newest[1] if newest else 0,
        ),
    )


def _jumps(stream: _JournalSeries) -> tuple[list[Break], tuple[int, Instant] | None]:
    """Ids that do not follow each other, and the newest one; nothing where ids prove nothing."""
    series = stream.before
    after = (int(series.last_id), series.last_ts) if series and series.last_id else None
    if stream.proving is None:
        return [], after
    ids = stream.decoded.facts(stream.dataset, stream.proving).ids.get(stream.instrument, [])
    return timeline.breaks(ids, after=after)


def _judged(
    stream: _JournalSeries, doubts: Sequence[Doubt], jumps: Sequence[Break], tolerance: int
) -> tuple[list[Doubt], set[Doubt]]:
    """Doubts with what the ids say of them, and those that the ids prove to be none."""
    if stream.proving is None:
        return list(doubts), set()
    facts = stream.decoded.facts(stream.dataset, stream.proving)
    newest = facts.newest.get(stream.instrument, 0)
    # Nothing is proved by ids of which none is from before.
    oldest = facts.ids[stream.instrument][0].start if stream.instrument in facts.ids else LATEST
    if stream.before and stream.before.last_id:
        oldest = 0
    out: list[Doubt] = []
    proved: set[Doubt] = set()
    explained: set[Break] = set()
    for doubt in doubts:
        beside = [jump for jump in jumps if timeline.near(doubt, jump, tolerance)]
        explained |= set(beside)
        if beside:
            out.append(doubt.saying(_told(beside)))
            continue
        whole = newest > doubt.end and oldest <= doubt.start
        out.append(doubt.saying("the ids before and after follow each other") if whole else doubt)
        proved |= {out[-1]} if whole else set()
    out += [
        Doubt(start=jump.start, end=jump.end, kind="sequence break", detail=jump.sentence)
        for jump in jumps
        if jump not in explained
    ]
    return out, proved


def _told(beside: Sequence[Break]) -> str:
    """What breaks say together."""
    lost = sum(jump.lost for jump in beside)
    words = [f"{lost:,} ids are missing"] if lost or not any(jump.fell for jump in beside) else []
    return "; ".join([*words, *(["the ids begin anew"] if any(jump.fell for jump in beside) else [])])


def _intervals(
    stream: _JournalSeries, doubts: Sequence[Doubt], proved: set[Doubt], now: Instant
) -> list[Interval]:
    rule = stream.wanted.calendar.day_rule
    pieces = [
        (day, piece, doubt in proved)
        for doubt in doubts
        for day, piece in timeline.by_session(doubt, session_of=rule.session, begin=rule.begin)
    ]
    return [
        Interval(
            source=stream.source,
            dataset=stream.dataset,
            instrument=stream.instrument,
            symbol=stream.symbol,
            session=day,
            start=piece.start,
            end=piece.end,
            kind=piece.kind,
            state="verified" if whole else "unverified",
            detail="" if whole else piece.detail,
            evidence=piece.detail if whole else "",
            since=now,
            decided_at=now if whole else None,
        )
        for day, piece, whole in pieces
        if stream.wanted.calendar.day(day) == "session"
    ]


def _days(stream: _JournalSeries, spans: Sequence[Live]) -> Iterator[CapturedDay]:
    rule = stream.wanted.calendar.day_rule
    counts: Mapping[dt.date, int] = {}
    if stream.dataset in stream.decoded.frames:
        counts = stream.decoded.facts(stream.dataset, stream.contiguous or "").counts.get(
            stream.instrument, {}
        )
    reached: set[dt.date] = set()
    if spans:
        first, last = rule.session(spans[0].start), rule.session(spans[-1].end)
        reached = {first + dt.timedelta(days=offset) for offset in range((last - first).days + 1)}
    # A venue's clock may already be in another session than ours: its rows count there, though no time does.
    for day in sorted(reached | {day for day in counts if day >= stream.wanted.first}):
        begin, end = rule.begin(day), rule.begin(day + dt.timedelta(days=1))
        inside = [span for span in spans if span.start < end and span.end >= begin]
        if not (inside or day in counts) or stream.wanted.calendar.day(day) != "session":
            continue
        yield CapturedDay(
            source=stream.source,
            dataset=stream.dataset,
            instrument=stream.instrument,
            symbol=stream.symbol,
            session=day,
            start=max(begin, inside[0].start) if inside else begin,
            end=min(end, inside[-1].end) if inside else begin,
            rows=counts.get(day, 0),
            reconnects=max(0, len(inside) - 1),
        )
