"""Tiles: a byte for the state of each cell, by session and by month."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from fulltape.coverage.cell import Verdict
from fulltape.coverage.series import Picture
from fulltape.market.ranges import Range


class CellState(IntEnum):
    """What a byte of a tile says; of several cells the largest counts."""

    NOT_WANTED = 0
    GREEN = 1
    EMPTY = 2
    UNCHECKED = 3
    AMBER = 4
    UNKNOWN_LISTING = 5
    UNOBTAINABLE = 6
    PARTIAL = 7
    MISSING = 8
    RED = 9


_AVAILABILITY = {
    "held": CellState.UNCHECKED,
    "partial": CellState.PARTIAL,
    "empty": CellState.EMPTY,
    "unobtainable": CellState.UNOBTAINABLE,
    "unknown_listing": CellState.UNKNOWN_LISTING,
    "missing": CellState.MISSING,
}


def _table(becomes: dict[CellState, CellState]) -> bytes:
    return bytes(becomes.get(CellState(state), state) if state in _KNOWN else state for state in range(256))


_KNOWN = frozenset(int(state) for state in CellState)
_BECOMES = {
    Verdict.GREEN: _table({CellState.UNCHECKED: CellState.GREEN}),
    Verdict.AMBER: _table(
        {
            CellState.UNCHECKED: CellState.AMBER,
            CellState.GREEN: CellState.AMBER,
            CellState.EMPTY: CellState.AMBER,
        }
    ),
    Verdict.RED: _table({state: CellState.RED for state in CellState if state is not CellState.NOT_WANTED}),
}
"""A verdict says nothing of what lacks but that it is RED: a cell that is missing stays missing whatever was once said of it."""

Judged = tuple[Range, Verdict]
"""What the checks said of a range of positions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TileSpan:
    """Consecutive positions [start, stop) that share a tile or a column: a year or a month, by its name in ISO."""

    name: str
    start: int
    stop: int


def row(shown: Picture, judged: Iterable[Judged], axis: Range) -> bytes:
    """The states of a series at the positions [start, stop) of an axis."""
    start, stop = axis
    line = bytearray(stop - start)
    for name, state in _AVAILABILITY.items():
        for first, last in getattr(shown, name):
            low, high = max(first, start), min(last, stop)
            if low < high:
                line[low - start : high - start] = bytes([state]) * (high - low)
    for (first, last), verdict in judged:
        low, high = max(first, start), min(last, stop)
        if low < high and verdict in _BECOMES:
            inside = slice(low - start, high - start)
            line[inside] = line[inside].translate(_BECOMES[verdict])
    return bytes(line)


def worst(line: bytes, spans: Sequence[TileSpan], start: int) -> bytes:
    """The worst state of a row in each span; the row begins at position `start`."""
    return bytes(max(line[span.start - start : span.stop - start]) for span in spans)


def years(labels: Sequence[dt.date], start: int) -> list[TileSpan]:
    """The years of sessions, the first of which has position `start`."""
    return _grouped([f"{label:%Y}" for label in labels], start)


def months(labels: Sequence[dt.date], start: int) -> list[TileSpan]:
    """The months of sessions, the first of which has position `start`."""
    return _grouped([f"{label:%Y-%m}" for label in labels], start)


def _grouped(names: Sequence[str], start: int) -> list[TileSpan]:
    out, at = [], start
    for name, some in itertools.groupby(names):
        many = len(list(some))
        out.append(TileSpan(name=name, start=at, stop=at + many))
        at += many
    return out
