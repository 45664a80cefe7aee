"""A series (one instrument of one dataset) in ranges: what is wanted, what each source showed, what that makes.

The same answers as `core.cell`, for many cells at once; a property test holds the two together.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from fulltape.core import ranges
from fulltape.core.cell import FactKind
from fulltape.core.instruments import Instrument
from fulltape.core.ranges import Range, Ranges
from fulltape.core.sessions import Calendar


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What one source showed of a series: positions by fact; `sound` are the empties that count as proof."""

    present: Ranges = ()
    partial: Ranges = ()
    empty: Ranges = ()
    sound: Ranges = ()
    refused: Ranges = ()

    @property
    def answered(self) -> Ranges:
        """All positions about which the source has said anything."""
        return ranges.union(self.present, self.partial, self.empty, self.refused)


@dataclass(frozen=True, kw_only=True)
class Series:
    """One instrument of one dataset: what is wanted, what is known by source, who may be asked for which positions.

    What follows from that is computed once.
    """

    instrument: Instrument
    wanted: Ranges
    known: Mapping[str, Known]
    servable: Mapping[str, Ranges]
    """By source in order of preference: the positions that it serves and may be asked for."""
    open: Ranges
    """Positions that open tasks already ask for."""
    events: bool = False
    """Whether most sessions have no rows, so that silence needs neither a listing nor a second witness."""

    @cached_property
    def held(self) -> Ranges:
        """Positions that some source has shown whole."""
        return ranges.union(*(known.present for known in self.known.values()))

    @cached_property
    def left(self) -> Mapping[str, Ranges]:
        """By source in order of preference: the positions that it serves and has not answered for."""
        return {
            source: ranges.subtract(positions, self.known[source].answered)
            if source in self.known
            else positions
            for source, positions in self.servable.items()
        }

    @cached_property
    def to_ask(self) -> Ranges:
        """Wanted positions that nobody holds whole and that some source could still answer."""
        lacking = ranges.subtract(self.wanted, self.held)
        return ranges.union(*(ranges.intersect(lacking, positions) for positions in self.left.values()))

    @cached_property
    def busy(self) -> bool:
        """Whether the instrument trades in at least 95 % of the sessions between its first and its last known row."""
        if not self.held or self.events:
            return False
        life = ranges.clip(self.wanted, self.held[0][0], self.held[-1][1])
        return ranges.size(self.held) >= 0.95 * ranges.size(life)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A series in ranges, for counting and drawing."""

    wanted: Ranges
    held: Ranges
    partial: Ranges
    empty: Ranges
    unobtainable: Ranges
    unknown_listing: Ranges
    missing: Ranges


def life(instrument: Instrument, calendar: Calendar, first: dt.date, last: dt.date) -> Ranges:
    """Positions between two days on which the instrument may have traded; an unknown listing excludes nothing."""
    start = max(first, instrument.listed_from or first)
    stop = min(last, instrument.listed_to or last)
    return ranges.normalise([calendar.between(start, stop)]) if start <= stop else ranges.EMPTY


def known(facts: Iterable[tuple[FactKind, bool, Range]]) -> Known:
    """Gather a source's facts (fact, sound, positions)."""
    by_kind: dict[str, list[Range]] = {}
    for fact, sound, span in facts:
        by_kind.setdefault(fact, []).append(span)
        if fact == "empty" and sound:
            by_kind.setdefault("sound", []).append(span)
    return Known(**{name: ranges.normalise(spans) for name, spans in by_kind.items()})


def picture(series: Series, *, busy: bool | None = None) -> Picture:
    """The availability of every wanted position; disjoint ranges that together are `wanted`. `busy` None: as known."""
    present = ranges.intersect(series.held, series.wanted)
    partial = ranges.subtract(
        ranges.intersect(ranges.union(*(one.partial for one in series.known.values())), series.wanted),
        present,
    )
    rest = ranges.subtract(ranges.subtract(series.wanted, present), partial)
    settled = ranges.subtract(rest, series.to_ask)
    empty = ranges.union(*(ranges.intersect(one.empty, settled) for one in series.known.values()))
    proved, doubtful, unlisted = ranges.EMPTY, ranges.EMPTY, ranges.EMPTY
    if empty and series.events:
        proved = empty
    elif empty and series.instrument.listed_from is None:
        # Nothing can be empty, or missing for good, before anybody knows that the instrument existed.
        unlisted = empty
    elif empty:
        busy = series.busy if busy is None else busy
        proved = ranges.intersect(_proved_empty(series, busy=busy), empty)
        doubtful = ranges.subtract(empty, proved)
    return Picture(
        wanted=series.wanted,
        held=present,
        partial=partial,
        empty=proved,
        unobtainable=ranges.subtract(settled, empty),
        unknown_listing=unlisted,
        missing=ranges.union(ranges.intersect(rest, series.to_ask), doubtful),
    )


def _proved_empty(series: Series, *, busy: bool) -> Ranges:
    """Positions that are soundly empty: one source's word, for a busy instrument two."""
    sound = [one.sound for one in series.known.values() if one.sound]
    if not busy:
        return ranges.union(*sound)
    return ranges.union(*(ranges.intersect(a, b) for at, a in enumerate(sound) for b in sound[at + 1 :]))
