"""Laying a range of sessions over stored ones: what must go and what must be added.

Used by every table that says something about consecutive sessions of one series.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

T = TypeVar("T")

ONE_DAY = dt.timedelta(days=1)
REACH = dt.timedelta(days=10)
"""Longer than any closure of a market, so that neighbours are found."""
NextSession = Callable[[dt.date], dt.date]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranged(Generic[T]):
    """Sessions `first` to `last`, inclusive, and what is said of them."""

    first: dt.date
    last: dt.date
    label: T


def overlay(
    stored: Sequence[Ranged[T]],
    new: Ranged[T],
    *,
    same: Callable[[T, T], bool],
    next_session: NextSession,
) -> tuple[list[Ranged[T]], list[Ranged[T]]]:
    """What to remove from `stored` and what to add, so that `new` holds on its sessions.

    `stored` are the ranges that overlap `new` or touch it, in any order. Neighbours of the `same` label, with no session
    between, grow together and take the new label. What is left of others is kept as far as it has a session.
    """
    others = list(stored)
    removed: list[Ranged[T]] = []
    grown = True
    while grown:
        alike = [
            other for other in others if same(other.label, new.label) and _joins(other, new, next_session)
        ]
        grown = bool(alike)
        if alike:
            removed += alike
            others = [other for other in others if not any(other is old for old in alike)]
            new = replace(
                new,
                first=min(new.first, *(neighbour.first for neighbour in alike)),
                last=max(new.last, *(neighbour.last for neighbour in alike)),
            )
    cut = [other for other in others if _overlap(other, new)]
    kept = [
        piece
        for old in cut
        for piece in (
            replace(old, last=min(old.last, new.first - ONE_DAY)),
            replace(old, first=max(old.first, new.last + ONE_DAY)),
        )
        if piece.first <= piece.last and next_session(piece.first - ONE_DAY) <= piece.last
    ]
    return [*removed, *cut], [*kept, new]


def _overlap(old: Ranged[T], new: Ranged[T]) -> bool:
    return old.first <= new.last and new.first <= old.last


def _joins(old: Ranged[T], new: Ranged[T], next_session: NextSession) -> bool:
    return _overlap(old, new) or _touch(old, new, next_session)


def _touch(old: Ranged[T], new: Ranged[T], next_session: NextSession) -> bool:
    """Whether no session lies between two ranges that do not overlap."""
    earlier, later = (old, new) if old.last < new.first else (new, old)
    return next_session(earlier.last) >= later.first
