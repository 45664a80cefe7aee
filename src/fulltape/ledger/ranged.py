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

    `stored` are the ranges that overlap `new` or touch it. Neighbours of the `same` label, with no session between,
    grow together and take the new label.
    """
    removed: list[Ranged[T]] = []
    kept: list[Ranged[T]] = []
    for old in stored:
        overlaps = old.first <= new.last and new.first <= old.last
        if same(old.label, new.label) and (overlaps or _touch(old, new, next_session)):
            removed.append(old)
            new = replace(new, first=min(old.first, new.first), last=max(old.last, new.last))
        elif overlaps:
            removed.append(old)
            if old.first < new.first:
                kept.append(replace(old, last=new.first - ONE_DAY))
            if old.last > new.last:
                kept.append(replace(old, first=new.last + ONE_DAY))
    return removed, [*kept, new]


def _touch(old: Ranged[T], new: Ranged[T], next_session: NextSession) -> bool:
    return next_session(old.last) == new.first or next_session(new.last) == old.first
