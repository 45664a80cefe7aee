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
class _One:
    """One series of one journal."""

    told: DecodedJournal
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
        return self.contiguous if self.dataset in self.told.frames else None


def steps(
    told: DecodedJournal,
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
    for name, channel in told.channels.items():
        dataset = wanted.get(channel.dataset)
        if dataset is None or not (told.timeline.spans(name) or told.timeline.doubts(name)):
            continue
        instrument = next((one for one in dataset.instruments.values() if one.symbol == channel.symbol), None)
        if instrument is None:
            continue
        one = _One(
            told=told,
            source=source,
            wanted=dataset,
            symbol=channel.symbol,
            instrument=instrument.instrument,
            channel=name,
            contiguous=contiguous.get(channel.dataset),
            before=before.get((channel.dataset, instrument.instrument)),
        )
        yield _step(one, tolerance, now)


def _step(one: _One, tolerance: int, now: Instant) -> Step:
    series, line = one.before, one.told.timeline
    spans, doubts = line.spans(one.channel), line.doubts(one.channel)
    if not spans:
        return Step(intervals=_intervals(one, doubts, set(), now))
    joined = series is not None and series.open and line.follows == series.file
    rule = one.wanted.calendar.day_rule
    doubts = doubts + timeline.gaps(
        spans,
        before=series.live_to if series else None,
        joined=joined and one.channel in line.live_at_first,
        why=series.why if series else "",
        tolerance=tolerance,
        begin=rule.begin(rule.session(spans[0].start)),
    )
    jumps, newest = _jumps(one)
    doubts, proved = _judged(one, doubts, jumps, tolerance)
    ahead = series is not None and series.live_to > line.last
    return Step(
        intervals=_intervals(one, doubts, proved, now),
        days=list(_days(one, spans)),
        cut_at=line.last if ahead else None,
        series=StreamSeries(
            source=one.source,
            dataset=one.dataset,
            instrument=one.instrument,
            symbol=one.symbol,
            file=one.told.file,
            # A moment after the file's last one was told by a clock that was ahead.
            live_to=max(spans[-1].end, min(series.live_to, line.last) if series else 0),
            open=one.channel in one.told.still_live and not any(hole.torn for hole in one.told.damage),
            why=spans[-1].why,
            last_id=str(newest[0]) if newest else "",
            last_ts=newest[1] if newest else 0,
        ),
    )


def _jumps(one: _One) -> tuple[list[Break], tuple[int, Instant] | None]:
    """Ids that do not follow each other, and the newest one; nothing where ids prove nothing."""
    series = one.before
    after = (int(series.last_id), series.last_ts) if series and series.last_id else None
    if one.proving is None:
        return [], after
    ids = one.told.facts(one.dataset, one.proving).ids.get(one.instrument, [])
    return timeline.breaks(ids, after=after)


def _judged(
    one: _One, doubts: Sequence[Doubt], jumps: Sequence[Break], tolerance: int
) -> tuple[list[Doubt], set[Doubt]]:
    """Doubts with what the ids say of them, and those that the ids prove to be none."""
    if one.proving is None:
        return list(doubts), set()
    facts = one.told.facts(one.dataset, one.proving)
    newest = facts.newest.get(one.instrument, 0)
    # Nothing is proved by ids of which none is from before.
    oldest = facts.ids[one.instrument][0].start if one.instrument in facts.ids else LATEST
    if one.before and one.before.last_id:
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
        Doubt(start=jump.start, end=jump.end, kind="sequence break", told=jump.told)
        for jump in jumps
        if jump not in explained
    ]
    return out, proved


def _told(beside: Sequence[Break]) -> str:
    """What breaks say together."""
    lost = sum(one.lost for one in beside)
    words = [f"{lost:,} ids are missing"] if lost or not any(one.fell for one in beside) else []
    return "; ".join([*words, *(["the ids begin anew"] if any(one.fell for one in beside) else [])])


def _intervals(one: _One, doubts: Sequence[Doubt], proved: set[Doubt], now: Instant) -> list[Interval]:
    rule = one.wanted.calendar.day_rule
    pieces = [
        (day, piece, doubt in proved)
        for doubt in doubts
        for day, piece in timeline.by_session(doubt, session_of=rule.session, begin=rule.begin)
    ]
    return [
        Interval(
            source=one.source,
            dataset=one.dataset,
            instrument=one.instrument,
            symbol=one.symbol,
            session=day,
            start=piece.start,
            end=piece.end,
            kind=piece.kind,
            state="verified" if whole else "unverified",
            evidence=piece.told if whole else "",
            since=now,
            decided_at=now if whole else None,
        )
        for day, piece, whole in pieces
        if one.wanted.calendar.day(day) == "session"
    ]


def _days(one: _One, spans: Sequence[Live]) -> Iterator[CapturedDay]:
    rule = one.wanted.calendar.day_rule
    counts: Mapping[dt.date, int] = {}
    if one.dataset in one.told.frames:
        counts = one.told.facts(one.dataset, one.contiguous or "").counts.get(one.instrument, {})
    first, last = rule.session(spans[0].start), rule.session(spans[-1].end)
    reached = {first + dt.timedelta(days=offset) for offset in range((last - first).days + 1)}
    # A venue's clock may already be in another session than ours: its rows count there, though no time does.
    for day in sorted(reached | {day for day in counts if day >= one.wanted.first}):
        begin, end = rule.begin(day), rule.begin(day + dt.timedelta(days=1))
        inside = [span for span in spans if span.start < end and span.end >= begin]
        if not (inside or day in counts) or one.wanted.calendar.day(day) != "session":
            continue
        yield CapturedDay(
            source=one.source,
            dataset=one.dataset,
            instrument=one.instrument,
            symbol=one.symbol,
            session=day,
            start=max(begin, inside[0].start) if inside else begin,
            end=min(end, inside[-1].end) if inside else begin,
            rows=counts.get(day, 0),
            reconnects=max(0, len(inside) - 1),
        )
