"""The least time in which all tasks could be fetched: a linear programme over classes of tasks and vendors.

Requests carry whole tasks: at most so many symbols, and so many whole tasks as fit into whole pages. A vendor that
allows N requests a minute can send N × (1 + whole minutes) within a time, the first N at once. Latency is left out. What
the programme finds, no dispatcher can beat.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog

from fulltape.backfill.batching import MOST_PAGES


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A class of equal tasks: how many, their rows, how many windows of sessions each symbol has, the mean rows of all
    windows of the dataset, and who may take them."""

    tasks: int
    rows: float
    mean_rows: float
    windows: int
    eligible_sources: tuple[str, ...]
    dataset: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What a source may do: its vendor, requests a minute and a day, seconds in which it answers nobody."""

    source: str
    vendor: str
    per_minute: int
    per_day: int
    symbols_per_request: int
    rows_per_page: int
    down: float = 0.0


def tasks_per_request(work: Work, source: Allowance) -> float:
    """The most tasks that a request can bring on average. Where a request carries one symbol, its pages hold sessions
    that follow each other, whatever tasks they belong to."""
    if source.symbols_per_request == 1:
        whole = max(
            count / math.ceil(count * work.mean_rows / source.rows_per_page)
            for count in range(1, work.windows + 1)
        )
        return whole * work.mean_rows / work.rows
    most = source.symbols_per_request * work.windows
    return max(
        min(math.floor(pages * source.rows_per_page / work.rows), most) / pages
        for pages in range(1, MOST_PAGES + 1)
    )


def seconds(works: Sequence[Work], sources: Sequence[Allowance]) -> float:
    """The least seconds for all the work."""
    for days in range(1, 60):
        found = _solved(works, sources, days)
        if found is not None and (days == 1 or found <= days * 86_400):
            return math.ceil(found / 60) * 60.0
    raise ValueError("more than two months of work")


def _solved(works: Sequence[Work], sources: Sequence[Allowance], days: int) -> float | None:
    """The least seconds if it may reach into that many days; None if the daily caps do not allow it."""
    pairs = [
        (at, source)
        for at, work in enumerate(works)
        for source in sources
        if source.source in work.eligible_sources
    ]
    vendors: Mapping[str, Allowance] = {source.vendor: source for source in sources}
    limits, bounds = [], []
    for vendor, allowed in vendors.items():
        row = np.zeros(len(pairs) + 1)
        for column, (at, source) in enumerate(pairs):
            if source.vendor == vendor:
                row[column] = 1 / tasks_per_request(works[at], source)
        row[-1] = -allowed.per_minute / 60
        limits.append(row)
        bounds.append(allowed.per_minute * (1 - allowed.down / 60 if allowed.down else 1))
        if allowed.per_day:
            row = row.copy()
            row[-1] = 0
            limits.append(row)
            bounds.append(allowed.per_day * days)
    equal = np.zeros((len(works), len(pairs) + 1))
    for column, (at, _) in enumerate(pairs):
        equal[at, column] = 1
    goal = np.zeros(len(pairs) + 1)
    goal[-1] = 1
    least = max(0, days - 1) * 86_400.0 if days > 1 else 0.0
    found = linprog(
        goal,
        A_ub=np.array(limits),
        b_ub=np.array(bounds),
        A_eq=equal,
        b_eq=[work.tasks for work in works],
        bounds=[(0, None)] * len(pairs) + [(least, None)],
    )
    return float(found.x[-1]) if found.success else None
