"""What to ask for: missing cells as tasks-to-be, cut so that they can be asked for together."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Literal

from fulltape.core import ranges
from fulltape.core.datasets import Folder
from fulltape.core.instruments import Instrument
from fulltape.core.ranges import Range, Ranges
from fulltape.core.series import Known, Series, to_ask
from fulltape.core.sessions import Calendar

Kind = Literal["FORWARD", "GAP", "BOOTSTRAP"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Consecutive sessions to ask for, under the spelling valid on them."""

    instrument: str
    symbol: str
    span: Range
    kind: Kind


def gaps(series: Series, calendar: Calendar, folder: Folder) -> list[Gap]:
    """What to ask for: cut at folders, at changes of symbol, and where different sources are left to ask."""
    open_gap = ranges.subtract(to_ask(series), series.open)
    if not open_gap:
        return []
    everything = ranges.union(*(known.answered for known in series.known.values()))
    newest = everything[-1][1] if everything else None
    cuts = [*_folder_cuts(open_gap, calendar, folder), *_symbol_cuts(series.instrument, calendar)]
    for source, positions in series.servable.items():
        left = ranges.subtract(positions, series.known.get(source, Known()).answered)
        cuts.extend(edge for span in left for edge in span)
    if newest is not None:
        cuts.append(newest)
    return [
        Gap(
            instrument=series.instrument.instrument,
            symbol=series.instrument.symbol_on(calendar.label(start)),
            span=(start, stop),
            kind="BOOTSTRAP" if newest is None else "FORWARD" if start >= newest else "GAP",
        )
        for start, stop in ranges.split_at(open_gap, cuts)
    ]


def hopeless(series: Series, span: Ranges, *, refused: AbstractSet[str]) -> bool:
    """Whether no source is left that could answer for any of `span`; `refused` have refused just this task."""
    return not any(
        ranges.subtract(ranges.intersect(span, positions), series.known.get(source, Known()).answered)
        for source, positions in series.servable.items()
        if source not in refused
    )


def _folder_cuts(gap: Ranges, calendar: Calendar, folder: Folder) -> list[int]:
    if folder == "date":
        return list(ranges.points(gap))

    def key(position: int) -> tuple[int, int]:
        label = calendar.label(position)
        return (label.year, label.month if folder == "month" else 0)

    return [
        position
        for start, stop in gap
        for position in range(start + 1, stop)
        if key(position) != key(position - 1)
    ]


def _symbol_cuts(instrument: Instrument, calendar: Calendar) -> list[int]:
    firsts: Sequence[dt.date] = [dated.first for dated in instrument.symbols if dated.first]
    return [calendar.between(first, first)[0] for first in firsts]
