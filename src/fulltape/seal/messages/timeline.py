"""From marks to time: when each channel was live, and when it may have missed something. Pure."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from fulltape.contract.events import ConnectionEvent
from fulltape.contract.streams import Channel
from fulltape.decoding.captured import FELL
from fulltape.market.time import MINUTE, SECOND, Instant

_NS = 1_000
_LOST = ("dropped", "damage")
"""Kinds of doubt about what was lost on the way to the disk, whatever the clock said."""
_LATE_BARS = 2 * MINUTE
"""A bar is sent after its minute: one that was missed may have begun so long before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """A channel was live from `start` to `end` (UTC microseconds); `why` it ended, '' if it had not when the file did."""

    start: Instant
    end: Instant
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """Something may be missing from `start` to `end`; `kind` says what happened, `detail` more of it."""

    start: Instant
    end: Instant
    kind: str
    detail: str = ""

    def saying(self, more: str) -> Doubt:
        """The same with something more to tell."""
        return replace(self, detail=f"{self.detail}; {more}".removeprefix("; "))


@dataclass(slots=True)
class Timeline:
    """Reads one file's marks in their order."""

    carried: dict[str, Channel] = field(default_factory=dict)
    follows: str = ""
    live_at_first: frozenset[str] = frozenset()
    software: str = ""
    tolerance: Instant = 5 * SECOND
    """A clock that goes back by more was put right."""
    delay: int = 0
    """By so many nanoseconds the data comes late: what is live now tells of that time ago, and so does what is missing."""
    _began: dict[tuple[int, str], int] = field(default_factory=dict)
    _last: int = 0
    _spans: dict[str, list[Live]] = field(default_factory=dict)
    _doubts: dict[str, list[Doubt]] = field(default_factory=dict)

    def event(self, event: ConnectionEvent) -> None:
        """Take in one mark; instants are UTC nanoseconds until here."""
        what = event.what
        if what == "opened":
            self.delay = event.delay
        if what != "dropped":
            # What was dropped is told together and may stand before what was kept: its moments are no clock's.
            self.heard(event.at)
        event = msgspec.structs.replace(
            event, at=event.at - self.delay, since=max(0, event.since - self.delay)
        )
        if what == "opened":
            self.carried = {channel.name: channel for channel in event.carried}
            self.follows, self.software = event.follows, event.software
            self.live_at_first = frozenset(name for names in event.live.values() for name in names)
            for connection, names in event.live.items():
                self._began.update({(connection, name): event.at for name in names})
        elif what == "confirmed":
            for name in event.channels:
                self._began.setdefault((event.connection, name), min(event.since or event.at, event.at))
        elif what == "stale":
            since = min(event.since or event.at, event.at)
            self._end(event.connection, event.channels, since, f"stale: {event.reason}")
        elif what in ("disconnected", "closed"):
            at = event.at if what == "closed" else min(event.since or event.at, event.at)
            self._end(event.connection, (), at, f"{what}: {event.reason}")
        elif what == "clock":
            self._set(event)
        elif what == "dropped":
            for name in event.channels or tuple(self.carried):
                self._doubt(name, event.since, event.at, "dropped", f"{event.count:,} messages did not fit")

    def _set(self, event: ConnectionEvent) -> None:
        """The clock was set: what it told since `event.since` lies elsewhere by as much, as does what was missed then."""
        if event.at < self._last:
            self._put_back(event.at)
        way = "forward" if event.by > 0 else "back"
        for name in self.carried:
            self._doubt(
                name,
                event.since + min(event.by, 0),
                event.at,
                "clock",
                f"the clock was put {way} by {abs(event.by) / 1e9:,.0f} s",
            )

    def heard(self, at: int) -> None:
        """Something was received or told at a moment (UTC nanoseconds). What is written later happened later: a moment that
        lies before the last one says that the clock was ahead."""
        at -= self.delay
        if at < self._last - self.tolerance * _NS:
            self._put_back(at)
        else:
            self._last = max(at, self._last)

    def _put_back(self, now: int) -> None:
        """The clock was ahead and has been put right: nothing has happened after now, and for as long as it was ahead
        it is unknown when a channel was live."""
        ahead = self._last - now
        words = f"the clock was put back by {ahead / 1e9:,.0f} s"
        for name in {name for _, name in self._began} | self._spans.keys():
            self._spans[name] = [
                replace(span, end=min(span.end, now // _NS))
                for span in self._spans.get(name, [])
                if span.start < now // _NS
            ]
            self._doubts[name] = [
                doubt if doubt.kind in _LOST else replace(doubt, end=min(doubt.end, now // _NS))
                for doubt in self._doubts.get(name, [])
                if doubt.kind in _LOST or doubt.start < now // _NS
            ]
            self._doubt(name, now - ahead, now, "clock", words)
        self._began = {key: min(at, now) for key, at in self._began.items()}
        self._last = now

    def damage(self, before: int, after: int) -> None:
        """What lay between two records of the file is lost."""
        before, after = (max(0, at - self.delay) for at in (before, after))
        for name in self.carried:
            self._doubt(
                name, before or after, after or before, "damage", "a stretch of the journal is damaged"
            )

    @property
    def last(self) -> Instant:
        """The last moment that the file tells of."""
        return self._last // _NS

    def finish(self) -> set[str]:
        """End what is still live where the file ends; returns those channels. Whatever is written is written together
        with all that any connection has delivered until then, so the last moment of the file is that of each."""
        still = {name for _, name in self._began}
        for connection, name in list(self._began):
            self._end(connection, (name,), self._last, "")
        return still

    def spans(self, name: str) -> list[Live]:
        """When a channel was live, over all of its connections: disjoint and in order."""
        out: list[Live] = []
        for live in sorted(self._spans.get(name, []), key=lambda span: (span.start, span.end)):
            if out and live.start <= out[-1].end:
                later = live if live.end > out[-1].end else out[-1]
                out[-1] = Live(start=out[-1].start, end=later.end, why=later.why)
            else:
                out.append(live)
        return out

    def doubts(self, name: str) -> list[Doubt]:
        """What was dropped or damaged while a channel was live."""
        return self._doubts.get(name, [])

    def _end(self, connection: int, names: Sequence[str], at: int, why: str) -> None:
        for number, name in list(self._began):
            if number == connection and (not names or name in names):
                start = self._began.pop((number, name))
                end = max(at, start)
                if 0 < at < start:  # it began in an earlier file, which took the channel for live
                    kind, _, detail = why.partition(": ")
                    self._doubt(name, at, start, kind or "not captured", detail)
                self._spans.setdefault(name, []).append(Live(start=start // _NS, end=end // _NS, why=why))

    def _doubt(self, name: str, start: int, end: int, kind: str, detail: str) -> None:
        self._doubts.setdefault(name, []).append(
            Doubt(start=start // _NS, end=max(start, end) // _NS + 1, kind=kind, detail=detail)
        )


def gaps(
    spans: Sequence[Live],
    *,
    before: Instant | None,
    joined: bool,
    why: str = "",
    tolerance: Instant = 5 * SECOND,
    begin: Instant = 0,
) -> list[Doubt]:
    """What lies between spans; `before` is until when the channel was live in an earlier file, and `why` no longer;
    `joined` that this file goes on where that one ended. An earlier file that ends after this one begins was written by a
    clock that was ahead: from `begin`, that of the session, on it is unknown when the channel was live."""
    doubts = []
    if spans and before is not None and before > spans[0].start + tolerance:
        detail = f"the clock was {(before - spans[0].start) / SECOND:,.0f} s ahead before"
        doubts.append(
            Doubt(start=min(begin, spans[0].start - 1), end=spans[0].start, kind="clock", detail=detail)
        )
    if spans and before is not None and not joined and spans[0].start > before:
        kind, _, detail = why.partition(": ")
        doubts.append(Doubt(start=before, end=spans[0].start, kind=kind or "not captured", detail=detail))
    for span, following in itertools.pairwise(spans):
        kind, _, detail = span.why.partition(": ")
        doubts.append(Doubt(start=span.end, end=following.start, kind=kind or "not captured", detail=detail))
    return doubts


def by_session(
    doubt: Doubt, *, session_of: Callable[[Instant], dt.date], begin: Callable[[dt.date], Instant]
) -> list[tuple[dt.date, Doubt]]:
    """A doubt cut at sessions. Those in its midst are left out where nothing of them was captured: they are missing as a
    whole, and the audit sees that."""
    first, last = session_of(doubt.start), session_of(max(doubt.start, doubt.end - 1))
    if first == last:
        return [(first, doubt)]
    if doubt.kind == "clock":
        days = [first + dt.timedelta(days=at) for at in range((last - first).days + 1)]
        edges = [max(doubt.start, begin(days[0])), *map(begin, days[1:]), doubt.end]
        return [
            (day, replace(doubt, start=start, end=end))
            for day, start, end in zip(days, edges, edges[1:], strict=False)
        ]
    head = Doubt(
        start=doubt.start, end=begin(first + dt.timedelta(days=1)), kind=doubt.kind, detail=doubt.detail
    )
    tail = Doubt(start=begin(last), end=doubt.end, kind=doubt.kind, detail=doubt.detail)
    return [(day, piece) for day, piece in ((first, head), (last, tail)) if piece.end > piece.start]


def span_to_fetch(start: Instant, end: Instant, *, bars: bool, tolerance: int) -> tuple[Instant, Instant]:
    """What to ask history for so that nothing of [start, end) is missed: whole seconds, or whole minutes of bars. The
    clocks of the venue and ours lie `tolerance` (microseconds) apart at most."""
    unit = MINUTE if bars else SECOND
    early = start - tolerance - (_LATE_BARS if bars else 0)
    return early // unit * unit, -(-(end + tolerance) // unit) * unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """Ids that do not follow each other: `lost` are missing between two rows with these stamps, or they `fell`: the venue
    has begun to count anew, and how many are missing is unknown."""

    start: Instant
    end: Instant
    lost: int
    fell: bool = False

    @property
    def sentence(self) -> str:
        """In words."""
        return "the ids begin anew" if self.fell else f"{self.lost:,} ids are missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Ids that follow each other without a hole, with the stamps of the first and of the last; `epoch` counts how often the
    ids have fallen in this file before."""

    first: int
    last: int
    start: Instant
    end: Instant
    epoch: int = 0


def breaks(
    runs: Iterable[Run], *, after: tuple[int, Instant] | None
) -> tuple[list[Break], tuple[int, Instant] | None]:
    """The holes between runs, which ascend within an epoch, and the newest (id, stamp) of the last epoch; `after` is that of
    an earlier file. What comes with older ids and older stamps is a repetition."""
    holes = []
    epoch = 0
    for run in runs:
        fell = after is not None and (
            run.epoch != epoch or (run.first <= after[0] and run.start > after[1] + FELL)
        )
        epoch = run.epoch
        if fell and after is not None:
            edges = sorted((after[1], run.start))
            holes.append(Break(start=edges[0], end=edges[1] + 1, lost=0, fell=True))
            after = None
        elif after is not None and run.first > after[0] + 1:
            edges = sorted((after[1], run.start))
            holes.append(Break(start=edges[0], end=edges[1] + 1, lost=run.first - after[0] - 1))
        if after is None or run.last > after[0]:
            after = (run.last, run.end)
    return holes, after


def near(doubt: Doubt, jump: Break, tolerance: int) -> bool:
    """Whether a jump may have happened in a doubtful span, by clocks that lie `tolerance` apart at most."""
    return jump.start < doubt.end + tolerance and doubt.start - tolerance < jump.end
