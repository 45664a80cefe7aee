"""Dates by which a bundle is split for training: dates, not copies. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import msgspec

from fulltape import errors
from fulltape.market.sessions import Calendar


class Split(msgspec.Struct, frozen=True, kw_only=True):
    """A split: its first and its last session, both inclusive, null where none is left, and how many sessions it has."""

    name: str
    first: dt.date | None
    last: dt.date | None
    sessions: int


class Splits(msgspec.Struct, frozen=True, kw_only=True):
    """How a bundle is split: by dataset, in the order of time. Of a split the last `purge` sessions, and of each but the first the first
    `embargo`, are left out."""

    purge: int
    embargo: int
    datasets: dict[str, list[Split]]


def chosen(splits: Sequence[Split], name: str, dataset: str) -> tuple[dt.date, dt.date]:
    """The first and the last session of a split, both inclusive; `UsageError` for one that there is not, and for one without sessions."""
    for split in splits:
        if split.name == name:
            if split.first is None or split.last is None:
                raise errors.UsageError(f"the split {name} of {dataset} has no sessions.")
            return split.first, split.last
    raise errors.UsageError(
        f"there is no split {name!r} of {dataset}.",
        hint=f"There are {', '.join(split.name for split in splits)}."
        if splits
        else "The node's [export] splits say which there are.",
    )


def of_dataset(
    calendar: Calendar,
    wanted: tuple[dt.date, dt.date],
    firsts: Mapping[str, dt.date],
    *,
    purge: int,
    embargo: int,
) -> list[Split]:
    """Each split, in the order of time.

    All of them lie in the sessions that are `wanted`, first and last, both inclusive. A split ends before the next one begins. Of each but
    the first the first `embargo` sessions, and of each but the last the last `purge` sessions, are in none.
    """
    ordered = sorted(firsts.items(), key=lambda split: split[1])
    edges = [calendar.between(first, calendar.known_to)[0] for _, first in ordered]
    begin, end = calendar.between(*wanted)
    splits: list[Split] = []
    for number, (name, _) in enumerate(ordered):
        is_last = number == len(ordered) - 1
        start = max(begin, edges[number] + (embargo if number else 0))
        stop = end if is_last else min(edges[number + 1] - purge, end)
        there = stop > start
        splits.append(
            Split(
                name=name,
                first=calendar.label(start) if there else None,
                last=calendar.label(stop - 1) if there else None,
                sessions=max(0, stop - start),
            )
        )
    return splits
