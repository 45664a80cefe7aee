"""A series (one instrument of one dataset) in ranges: what is wanted, what each source showed, what that makes.

The same answers as `core.cell`, for many cells at once; a property test holds the two together.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One instrument of one dataset: what is wanted, what is known by source, who may be asked for which positions."""

    instrument: Instrument
    wanted: Ranges
    known: Mapping[str, Known]
    servable: Mapping[str, Ranges]
    """By source in order of preference: the positions that it serves and may be asked for."""
    open: Ranges
    """Positions that open tasks already ask for."""


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


def to_ask(series: Series) -> Ranges:
    """Wanted positions that nobody holds whole and that some source could still answer."""
    whole = ranges.union(*(known.present for known in series.known.values()))
    lacking = ranges.subtract(series.wanted, whole)
    askable = ranges.union(
        *(
            ranges.subtract(ranges.intersect(lacking, positions), series.known.get(source, Known()).answered)
            for source, positions in series.servable.items()
        )
    )
    return askable


def picture(series: Series, *, busy: bool) -> Picture:
    """The availability of every wanted position; disjoint ranges that together are `wanted`."""
    present = ranges.intersect(ranges.union(*(one.present for one in series.known.values())), series.wanted)
    partial = ranges.subtract(
        ranges.intersect(ranges.union(*(one.partial for one in series.known.values())), series.wanted),
        present,
    )
    rest = ranges.subtract(ranges.subtract(series.wanted, present), partial)
    unasked = to_ask(series)
    settled = ranges.subtract(rest, unasked)
    empty = ranges.union(*(ranges.intersect(one.empty, settled) for one in series.known.values()))
    proved = ranges.intersect(_proved_empty(series, busy=busy), empty)
    doubtful = ranges.subtract(empty, proved)
    unlisted: Ranges = ranges.EMPTY
    if series.instrument.listed_from is None:
        # Nothing can be empty, or missing for good, before anybody knows that the instrument existed.
        proved, doubtful, unlisted = ranges.EMPTY, ranges.EMPTY, empty
    return Picture(
        wanted=series.wanted,
        held=present,
        partial=partial,
        empty=proved,
        unobtainable=ranges.subtract(settled, empty),
        unknown_listing=unlisted,
        missing=ranges.union(ranges.intersect(rest, unasked), doubtful),
    )


def _proved_empty(series: Series, *, busy: bool) -> Ranges:
    """Positions that are soundly empty: one source's word, for a busy instrument two."""
    sound = [one.sound for one in series.known.values() if one.sound]
    if not busy:
        return ranges.union(*sound)
    return ranges.union(*(ranges.intersect(a, b) for at, a in enumerate(sound) for b in sound[at + 1 :]))


def is_busy(series: Series) -> bool:
    """Whether the instrument trades in at least 95 % of the sessions between its first and its last known row."""
    held = ranges.union(*(one.present for one in series.known.values()))
    if not held:
        return False
    return ranges.size(held) >= 0.95 * ranges.size(ranges.clip(series.wanted, held[0][0], held[-1][1]))
