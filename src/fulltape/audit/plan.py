"""What to ask for: missing cells as tasks-to-be, cut so that they can be asked for together."""

from __future__ import annotations

import bisect
import datetime as dt
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Literal

from fulltape.coverage.segments import Missing
from fulltape.coverage.series import Series
from fulltape.market import ranges
from fulltape.market.dataset import Folder
from fulltape.market.instruments import Instrument
from fulltape.market.ranges import Range, Ranges
from fulltape.market.sessions import Calendar

Kind = Literal["FORWARD", "GAP", "BOOTSTRAP"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingSessions:
    """Consecutive sessions to ask for, under the spelling valid on them; `eligible_sources` could answer all of it."""

    instrument: str
    symbol: str
    span: Range
    kind: Kind
    eligible_sources: tuple[str, ...]


def gaps(
    missing: Missing, instrument: Instrument, calendar: Calendar, folder: Folder, *, newest: int | None
) -> list[MissingSessions]:
    """What to ask for, cut at folders and at changes of symbol.

    What lies from `newest` on, the end of everything known of the series, is FORWARD.
    """
    edges = cuts(instrument, (missing.span,), calendar, folder)
    if newest is not None:
        edges.append(newest)
    return [
        MissingSessions(
            instrument=instrument.instrument,
            symbol=instrument.symbol_on(calendar.label(start)),
            span=(start, stop),
            kind="BOOTSTRAP" if newest is None else "FORWARD" if start >= newest else "GAP",
            eligible_sources=missing.eligible_sources,
        )
        for start, stop in ranges.split_at((missing.span,), edges)
    ]


def cuts(instrument: Instrument, gap: Ranges, calendar: Calendar, folder: Folder) -> list[int]:
    """Where tasks are cut: at raw folders and where the symbol changes."""
    return [*_folder_cuts(gap, calendar, folder), *_symbol_cuts(instrument, calendar)]


def again(series: Series, servable: Ranges, expired: Ranges, opened: Ranges) -> Ranges:
    """What to ask a source again: what its expired evidence says of wanted positions that no source holds."""
    due = ranges.intersect(ranges.intersect(expired, servable), series.wanted)
    return ranges.subtract(ranges.subtract(due, series.held), opened)


def due(series: Series, expired: Ranges, settled: Ranges) -> Ranges:
    """What of expired evidence is asked again; what is `settled`, shown four times, only where silence is not believed, or
    believed by a user's decision."""
    if not settled or series.events:
        return expired
    doubted = ranges.subtract(series.silent, ranges.union(*(silence.proved for silence in series.silences)))
    return ranges.union(expired, ranges.intersect(settled, ranges.union(doubted, series.accepted)))


def hopeless(series: Series, span: Ranges, *, refused: AbstractSet[str]) -> bool:
    """Whether no source is left that could answer for any of `span`; `refused` have refused just this task."""
    return not any(
        ranges.intersect(span, positions)
        for source, positions in series.left.items()
        if source not in refused
    )


def _folder_cuts(gap: Ranges, calendar: Calendar, folder: Folder) -> list[int]:
    if folder == "date":
        return list(ranges.points(gap))
    starts = calendar.month_starts if folder == "month" else calendar.year_starts
    return [
        starts[at]
        for start, stop in gap
        for at in range(bisect.bisect_right(starts, start), bisect.bisect_left(starts, stop))
    ]


def _symbol_cuts(instrument: Instrument, calendar: Calendar) -> list[int]:
    firsts: Sequence[dt.date] = [dated.first for dated in instrument.symbols if dated.first]
    return [calendar.between(first, first)[0] for first in firsts]
