"""What a backfill of everything queued would take: requests, time, share of the daily caps, rows and disk. Asks no vendor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fulltape.backfill import allocation, batching, facts
from fulltape.backfill.allocation import Load, Seat
from fulltape.backfill.facts import Planner
from fulltape.backfill.throughput import Throughput
from fulltape.context import NodeContext
from fulltape.ledger.task import TaskClass
from fulltape.market.time import SECOND, Clock, Instant

_ALL = 10**9
_BYTES_A_ROW = 30.0
"""Raw and curated together, where nothing is held yet to learn it from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What one source is expected to do; `seconds` until its last request, `of_day` its share of the daily cap (None
    without one), `rows` at most."""

    source: str
    tasks: float
    requests: float
    seconds: float
    of_day: float | None
    rows: float
    bytes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """All of it: what each source does, when the last one is done, tasks that no source may take now, and the datasets
    whose rows and bytes are guessed, since nothing of them is held to learn from."""

    by_source: tuple[Expected, ...]
    seconds: float
    ends_at: Instant
    left_over: int
    guessed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Density:
    """Of a dataset as held: rows for each one expected at most, and bytes a row over both layers."""

    rows: float = 1.0
    bytes: float = _BYTES_A_ROW
    learned: bool = False


def run_once(context: NodeContext, clock: Clock) -> Estimate:
    """Share out everything that is queued, as the dispatcher would, and add up."""
    throughput = Throughput(context, clock)
    census = {
        of: counted for of, counted in context.ledger.tasks.census().items() if of.dataset in context.wanted
    }
    groups: dict[tuple[int, int], list[Load]] = {}
    for of, (tasks, rows) in census.items():
        requests = _requests(context, of, rows / tasks, clock.now())
        if requests:
            preference = facts.preferences(context, of.dataset, requests)
            load = Load(key=of, requests=requests, preference=preference)
            groups.setdefault((of.priority, of.batch), []).append(load)
    seats = throughput.seats(list(context.feeds))
    shared = allocation.share([groups[key] for key in sorted(groups)], seats)
    loads = {load.key: load for group in groups.values() for load in group}
    density = {name: _density(context, name) for name in context.wanted}
    by_source = []
    for seat in seats:
        total = sum(
            part * loads[key].requests[source]
            for key, parts in shared.items()
            for source, part in parts.items()
            if source in seat.sources
        )
        by_source += [
            _expected(context, source, seat, total, shared, loads, census, density) for source in seat.sources
        ]
    order = list(context.feeds)
    by_source.sort(key=lambda expected: order.index(expected.source))
    seconds = max((expected.seconds for expected in by_source if expected.requests), default=0.0)
    return Estimate(
        by_source=tuple(by_source),
        seconds=seconds,
        ends_at=clock.now() + int(seconds * SECOND),
        left_over=sum(tasks for of, (tasks, _) in census.items() if of not in shared),
        guessed=tuple(sorted({of.dataset for of in census if not density[of.dataset].learned})),
    )


def _expected(
    context: NodeContext,
    source: str,
    seat: Seat,
    total: float,
    shared: dict[object, dict[str, float]],
    loads: dict[object, Load],
    census: dict[TaskClass, tuple[int, int]],
    density: dict[str, _Density],
) -> Expected:
    """One source's part; its vendor's requests, all together, decide when it ends."""
    requests = tasks = rows = size = 0.0
    for of, (count, expected) in census.items():
        part = shared.get(of, {}).get(source, 0.0)
        if part:
            requests += part * loads[of].requests[source]
            tasks += part * count
            here = part * expected * density[of.dataset].rows
            rows += here
            size += here * density[of.dataset].bytes
    per_day = context.feeds[source].limits.per_day
    return Expected(
        source=source,
        tasks=tasks,
        requests=requests / seat.success,
        seconds=seat.ends(total) + seat.finish if requests else 0.0,
        of_day=requests / seat.success / per_day if per_day else None,
        rows=rows,
        bytes=size,
    )


def _requests(context: NodeContext, of: TaskClass, mean_rows: float, now: Instant) -> dict[str, float]:
    """How many requests each source would need for all of a class."""
    wanted = context.wanted[of.dataset]
    eligible_sources: Sequence[str] = of.eligible_sources or wanted.sources
    requests = {}
    for source in eligible_sources:
        if source not in context.feeds or source not in wanted.every_source:
            continue
        planner = Planner(context.feeds[source], wanted, now)
        tasks = context.ledger.tasks.candidates(source, of, first_day=planner.first_day, now=now, most=_ALL)
        candidates = [planner.candidate(task) for task in tasks if planner.knows(task)]
        if candidates:
            window = planner.enough(mean_rows)
            requests[source] = float(batching.requests(candidates, planner.capacity, window=window))
    return requests


def _density(context: NodeContext, dataset: str) -> _Density:
    wanted = context.wanted[dataset]
    raw = context.ledger.catalogue.current("raw", dataset)
    expected = sum(
        wanted.rows(wanted.calendar.between(first, last))
        for part in raw
        for spans in part.cells.values()
        for first, last in spans
    )
    rows = sum(part.rows for part in raw)
    if not rows or not expected:
        return _Density()
    curated = sum(part.bytes for part in context.ledger.catalogue.current("curated", dataset))
    size = sum(part.bytes for part in raw) + curated
    return _Density(rows=rows / expected, bytes=size / rows, learned=True)
