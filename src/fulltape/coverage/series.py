"""A series (one instrument of one dataset) in ranges: what is wanted, what each source showed, what that makes.

The same answers as `coverage.cell`, for many cells at once; a property test holds the two together.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property

from fulltape.coverage import silence
from fulltape.coverage.cell import FactKind
from fulltape.coverage.silence import Around, Empty, Silence
from fulltape.market import ranges
from fulltape.market.instruments import Instrument
from fulltape.market.ranges import Range, Ranges
from fulltape.market.sessions import Calendar


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceEvidence:
    """What one source showed of a series: positions by fact. Of the empties, `sound` are those that count as proof,
    `positional` and `repeated` those that count for more (see `coverage/silence.py`)."""

    present: Ranges = ()
    partial: Ranges = ()
    empty: Ranges = ()
    sound: Ranges = ()
    positional: Ranges = ()
    repeated: Ranges = ()
    refused: Ranges = ()
    spoiled: Ranges = ()
    """Of the refused, those of which rows came and were rejected: there was something."""

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
    known: Mapping[str, SourceEvidence]
    servable: Mapping[str, Ranges]
    """By source in order of preference: the positions that it serves and may be asked for."""
    open: Ranges
    """Positions that open tasks already ask for."""
    events: bool = False
    """Whether most sessions have no rows, so that silence needs neither a listing nor a second witness."""
    votes: bool = False
    """Whether every source is asked, since what they say is weighed against each other."""
    accepted: Ranges = ()
    """Positions whose silence the user has decided to accept."""
    around: Around = field(default_factory=Around)

    @cached_property
    def held(self) -> Ranges:
        """Positions that some source has shown whole, and for which none is left to ask where all of them are."""
        unasked = ranges.union(*self.left.values()) if self.votes else ranges.EMPTY
        return ranges.subtract(self._shown, unasked)

    @cached_property
    def _shown(self) -> Ranges:
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
        """Wanted positions that no source holds whole and that some source could still answer."""
        lacking = ranges.subtract(self.wanted, self.held)
        return ranges.union(*(ranges.intersect(lacking, positions) for positions in self.left.values()))

    @cached_property
    def rows(self) -> Ranges:
        """Wanted positions of which some source has shown rows, whole or in part."""
        shown = ranges.union(self._shown, *(evidence.partial for evidence in self.known.values()))
        return ranges.intersect(shown, self.wanted)

    @cached_property
    def known_life(self) -> Ranges:
        """Positions at which the instrument is known to have existed: all that are wanted where its listing is known, else those
        between its first rows and its last ones."""
        if self.instrument.listed_from is not None:
            return self.wanted
        return ((self.rows[0][0], self.rows[-1][1]),) if self.rows else ranges.EMPTY

    @cached_property
    def silent(self) -> Ranges:
        """Wanted positions without rows for which every source has answered, and some without a refusal."""
        settled = ranges.subtract(ranges.subtract(self.wanted, self.rows), self.to_ask)
        settled = ranges.subtract(settled, self.spoiled)
        return ranges.union(*(ranges.intersect(evidence.empty, settled) for evidence in self.known.values()))

    @cached_property
    def spoiled(self) -> Ranges:
        """Positions of which some source has sent rows that were rejected."""
        return ranges.union(*(evidence.spoiled for evidence in self.known.values()))

    @cached_property
    def silences(self) -> list[Silence]:
        """What the silent positions prove."""
        return silence.judge(
            wanted=self.wanted,
            held=self.rows,
            silent=self.silent,
            by_source={source: _empty(evidence) for source, evidence in self.known.items()},
            around=self.around,
        )

    def doubt(self, position: int) -> str:
        """Why silence is not believed at a position; '' where it is, or where there is none."""
        for judged in self.silences:
            if judged.span[0] <= position < judged.span[1] and ranges.contains(self.silent, position):
                return "" if ranges.contains(judged.proved, position) else judged.doubt
        return ""


def _empty(evidence: SourceEvidence) -> Empty:
    return Empty(
        held=ranges.union(evidence.present, evidence.partial),
        sound=evidence.sound,
        positional=evidence.positional,
        repeated=evidence.repeated,
    )


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


def nothing_lacks(wanted: Ranges) -> Picture:
    """The picture of a series of which every wanted position is held whole."""
    none = ranges.EMPTY
    return Picture(
        wanted=wanted,
        held=wanted,
        partial=none,
        empty=none,
        unobtainable=none,
        unknown_listing=none,
        missing=none,
    )


def sizes(shown: Picture) -> dict[str, int]:
    """How many positions are in each state."""
    return {field.name: ranges.size(getattr(shown, field.name)) for field in fields(shown)}


def life(instrument: Instrument, calendar: Calendar, first: dt.date, last: dt.date) -> Ranges:
    """Positions between two days on which the instrument may have traded; an unknown listing excludes nothing."""
    start = max(first, instrument.listed_from or first)
    stop = min(last, instrument.listed_to or last)
    return ranges.normalise([calendar.between(start, stop)]) if start <= stop else ranges.EMPTY


def known(facts: Iterable[tuple[FactKind, int, Range]]) -> SourceEvidence:
    """Gather a source's facts (fact, what it proves as bits of `coverage.silence`, positions)."""
    by_kind: dict[str, list[Range]] = {}
    for fact, proof, span in facts:
        by_kind.setdefault(fact, []).append(span)
        for bit, name in _PROOFS.get(fact, {}).items():
            if proof & bit:
                by_kind.setdefault(name, []).append(span)
    return SourceEvidence(**{name: ranges.normalise(spans) for name, spans in by_kind.items()})


_PROOFS = {
    "empty": {silence.SOUND: "sound", silence.POSITIONAL: "positional", silence.REPEATED: "repeated"},
    "refused": {silence.SPOILED: "spoiled"},
}


def picture(series: Series) -> Picture:
    """The availability of every wanted position; disjoint ranges that together are `wanted`."""
    present = ranges.intersect(series.held, series.wanted)
    partial = ranges.subtract(series.rows, present)
    rest = ranges.subtract(series.wanted, series.rows)
    settled = ranges.subtract(rest, series.to_ask)
    # A decision is about silence: where a source has refused there is none.
    accepted = ranges.intersect(series.accepted, series.silent)
    silent = ranges.subtract(series.silent, accepted)
    proved, unlisted = accepted, ranges.EMPTY
    if silent and series.events:
        proved = ranges.union(proved, silent)
    elif silent:
        believed = ranges.intersect(ranges.union(*(judged.proved for judged in series.silences)), silent)
        if series.instrument.listed_from is not None:
            proved = ranges.union(proved, believed)
        else:
            # Nothing is called empty before anybody knows when the instrument existed; between its rows it did.
            unlisted = ranges.subtract(silent, ranges.subtract(series.known_life, believed))
    doubtful = ranges.subtract(ranges.subtract(silent, proved), unlisted)
    return Picture(
        wanted=series.wanted,
        held=present,
        partial=partial,
        empty=proved,
        unobtainable=ranges.subtract(ranges.subtract(settled, accepted), silent),
        unknown_listing=unlisted,
        missing=ranges.union(ranges.intersect(rest, series.to_ask), doubtful),
    )
