"""Dates by which a bundle is split for training: dates, not copies. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from fulltape.market.sessions import Calendar


def of_dataset(
    calendar: Calendar,
    wanted: tuple[dt.date, dt.date],
    firsts: Mapping[str, dt.date],
    *,
    purge: int,
    embargo: int,
) -> list[dict[str, object]]:
    """Each split in the order of time: its name, its first and last session, both inclusive (null where none is left), and how many
    sessions it has.

    All of them lie in the sessions that are `wanted`, first and last, both inclusive. A split ends before the next one begins. Of each but
    the first the first `embargo` sessions, and of each but the last the last `purge` sessions, are in none.
    """
    ordered = sorted(firsts.items(), key=lambda split: split[1])
    edges = [calendar.between(first, calendar.known_to)[0] for _, first in ordered]
    begin, end = calendar.between(*wanted)
    splits: list[dict[str, object]] = []
    for number, (name, _) in enumerate(ordered):
        is_last = number == len(ordered) - 1
        start = max(begin, edges[number] + (embargo if number else 0))
        stop = end if is_last else min(edges[number + 1] - purge, end)
        there = stop > start
        splits.append(
            {
                "name": name,
                "first": calendar.label(start).isoformat() if there else None,
                "last": calendar.label(stop - 1).isoformat() if there else None,
                "sessions": max(0, stop - start),
            }
        )
    return splits
