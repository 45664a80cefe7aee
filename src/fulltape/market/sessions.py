"""Sessions of a market: a dated table with a position for every session, and what is expected in each."""

from __future__ import annotations

import bisect
import datetime as dt
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, overload

from fulltape.market import days
from fulltape.market.days import DayRule
from fulltape.market.ranges import Range
from fulltape.market.time import MINUTE, Instant, Span

Day = Literal["session", "closed", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One trading day: its label, the regular hours [open, close), UTC microseconds, and the midday break inside them."""

    label: dt.date
    open: Instant
    close: Instant
    pause: Span | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSessions(Sequence[Session]):
    """Sessions of whole trading days that follow from a rule, each made when it is asked for: a century of them takes more memory
    than a small machine has to give."""

    labels: Sequence[dt.date]
    rule: DayRule

    def __len__(self) -> int:
        return len(self.labels)

    @overload
    def __getitem__(self, at: int) -> Session: ...

    @overload
    def __getitem__(self, at: slice) -> Sequence[Session]: ...

    def __getitem__(self, at: int | slice) -> Session | Sequence[Session]:
        """One session, or several."""
        if isinstance(at, slice):
            return [self._session(label) for label in self.labels[at]]
        return self._session(self.labels[at])

    def _session(self, label: dt.date) -> Session:
        begin, end = self.rule.begin(label), self.rule.begin(label + dt.timedelta(days=1))
        return Session(label=label, open=begin, close=end)


@dataclass(frozen=True, kw_only=True)
class Calendar:
    """All sessions of one market between `known_from` and `known_to`; outside that nothing is known.

    Sessions are addressed by position, so that ranges of positions are ranges of consecutive sessions.
    `halts` are market-wide: minutes wholly inside one are not expected.
    """

    name: str
    version: str
    zone: str
    known_from: dt.date
    known_to: dt.date
    sessions: Sequence[Session]
    halts: Mapping[dt.date, tuple[Span, ...]] = field(default_factory=dict)

    @cached_property
    def _labels(self) -> Sequence[dt.date]:
        if isinstance(self.sessions, RuleSessions):
            return self.sessions.labels
        return [session.label for session in self.sessions]

    def __len__(self) -> int:
        return len(self.sessions)

    def day(self, label: dt.date) -> Day:
        """What kind of day `label` is; beyond the published horizon it is unknown, never open or closed."""
        if not self.known_from <= label <= self.known_to:
            return "unknown"
        return "closed" if self.position(label) is None else "session"

    def position(self, label: dt.date) -> int | None:
        """The position of that session, None if the market was closed or the day is unknown."""
        at = bisect.bisect_left(self._labels, label)
        return at if at < len(self._labels) and self._labels[at] == label else None

    def between(self, first: dt.date, last: dt.date) -> Range:
        """Positions [start, stop) of the sessions from `first` to `last`, both inclusive."""
        return bisect.bisect_left(self._labels, first), bisect.bisect_right(self._labels, last)

    @cached_property
    def _places(self) -> dict[str, Range]:
        """Of dates as ISO text that were asked for: where what lies from them on begins, and what lies up to them ends."""
        return {}

    def span_of(self, first: str, last: str) -> Range:
        """`between` for two dates as ISO text; quick for dates that come again, as they mostly do."""
        return self._place(first)[0], self._place(last)[1]

    def _place(self, text: str) -> Range:
        place = self._places.get(text)
        if place is None:
            day = dt.date.fromisoformat(text)
            place = self._places[text] = self.between(day, day)
        return place

    def label(self, position: int) -> dt.date:
        """The label of the session at a position."""
        return self._labels[position]

    def closed_by(self, instant: Instant) -> int:
        """How many sessions had closed at `instant`: the positions [0, n) are over."""
        return bisect.bisect_right(self.sessions, instant, key=lambda session: session.close)

    def expected_minutes(self, position: int) -> int:
        """Regular minutes of a session: close minus open, less the minutes wholly inside its break or a market-wide halt."""
        session = self.sessions[position]
        return (session.close - session.open) // MINUTE - len(self.halted_minutes(position))

    @cached_property
    def month_starts(self) -> list[int]:
        """Positions of the first session of each month."""
        labels = self._labels
        return [
            at
            for at in range(1, len(labels))
            if (labels[at].year, labels[at].month) != (labels[at - 1].year, labels[at - 1].month)
        ]

    @cached_property
    def year_starts(self) -> list[int]:
        """Positions of the first session of each year."""
        return [
            at for at in range(1, len(self._labels)) if self._labels[at].year != self._labels[at - 1].year
        ]

    @cached_property
    def _minutes_before(self) -> list[int]:
        each = (self.expected_minutes(position) for position in range(len(self.sessions)))
        return list(itertools.accumulate(each, initial=0))

    def expected_minutes_of(self, span: Range) -> int:
        """Regular minutes of the sessions of a span."""
        return self._minutes_before[span[1]] - self._minutes_before[span[0]]

    def span(self, first: dt.date, last: dt.date) -> Span:
        """The instants of the sessions from `first` to `last`: from the first one's beginning to the last one's end."""
        return Span(start=self.day_rule.begin(first), end=self.day_rule.begin(last + dt.timedelta(days=1)))

    @cached_property
    def day_rule(self) -> DayRule:
        """Where its sessions begin: by the rule that is written down for it, else at midnight of its zone, or at the
        earliest opening on the evening before."""
        midnights = days.zone_midnight(self.zone)
        early = (midnights.begin(session.label) - session.open for session in self.sessions)
        return days.rule(self.name) or DayRule(zone=self.zone, early=max(0, max(early, default=0)))

    @cached_property
    def interrupted(self) -> list[tuple[dt.date, int]]:
        """Every session and minute since its open in which nothing trades, by break or market-wide halt."""
        return [
            (session.label, minute)
            for at, session in enumerate(self.sessions)
            if session.pause or session.label in self.halts
            for minute in self.halted_minutes(at)
        ]

    def halted_minutes(self, position: int) -> tuple[int, ...]:
        """Minutes since the open that lie wholly inside the break or a market-wide halt."""
        session = self.sessions[position]
        minutes: list[int] = []
        for halt in (*((session.pause,) if session.pause else ()), *self.halts.get(session.label, ())):
            first = -(-(halt.start - session.open) // MINUTE)
            minutes.extend(range(first, (halt.end - session.open) // MINUTE))
        return tuple(minutes)
