"""Which raw parts become one. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

MANY = 16
"""So many parts of a folder that still grows are worth being one."""
SEVERAL = 8
"""So many beside the largest one of a folder that grows no more."""
_SHARE = 8
"""Or fewer, with an eighth of the rows of the largest one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallPart:
    """A part: its id, its rows, and its last session."""

    part_id: int
    rows: int
    last: str


def runs(
    pieces: Sequence[SmallPart], *, last: str, closed: bool, pinned: Collection[int]
) -> list[list[SmallPart]]:
    """Groups of parts that become one each; `pieces` are those of one source, folder and origin in the order of the log,
    `last` is the last session that is final, `closed` says that the folder's sessions all are. Those that are `pinned` stay.

    The parts of a group follow each other in the log: of two answers about one session the newer one must stay the newer.
    """
    return [
        worth
        for run in _settled(pieces, last, pinned)
        if (worth := run if closed and _pays(run) else _tail(run))
    ]


def _settled(pieces: Sequence[SmallPart], last: str, pinned: Collection[int]) -> Iterator[list[SmallPart]]:
    for settled, run in groupby(pieces, lambda piece: piece.last <= last and piece.part_id not in pinned):
        if settled:
            yield list(run)


def _pays(run: Sequence[SmallPart]) -> bool:
    """Whether it pays to write the largest part of a group once more."""
    largest = max(part.rows for part in run)
    rest = sum(part.rows for part in run) - largest
    return len(run) > SEVERAL or (len(run) > 1 and rest * _SHARE >= largest)


def _tail(run: list[SmallPart]) -> list[SmallPart]:
    """The longest end of a group of which no part has more rows than all others together; so each row is written again as
    often as the folder doubles. Nothing where those are not many."""
    for at in range(len(run) - MANY + 1):
        rows = [part.rows for part in run[at:]]
        if 2 * max(rows) <= sum(rows):
            return run[at:]
    return []
