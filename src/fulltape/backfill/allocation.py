"""First refusal: how many tasks of each class which source takes. Pure.

Each class of tasks belongs to its best-scored source (score = preference ÷ expected seconds). That source keeps what it
will reach sooner than another one would finish it; what it would reach later goes to others, along the exchange that
costs least: perhaps a third source takes over another class, so that the tasks which only few can do find their source.
So a preferred source keeps its work, none idles beside a backlog, and all end together.

Budgets belong to vendors, so sources of one vendor share one `Seat`.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

_ROUNDS = 200
_ENOUGH = 0.002
"""Loads that differ by less than this share are even."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """A class of tasks: how many requests all of it would take from each source that may, and how much each is
    preferred there."""

    key: Hashable
    requests: Mapping[str, float]
    preference: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """A vendor's room: what its window still holds and when it frees again, and what is left of its day.

    `allowed` requests a `span` (seconds; 0 allowed: no window); `frees` are the seconds from now at which the requests
    now in the window leave it, ascending; `fast` is how many a second its workers manage. `opens` is when it may be asked
    at all, in seconds from now. `finish` is how long one fetch takes from its claim to its answer. `left_today` and
    `per_day` in requests, None without a cap.
    """

    sources: tuple[str, ...]
    fast: float
    allowed: int = 0
    span: float = 60.0
    frees: tuple[float, ...] = ()
    opens: float = 0.0
    finish: float = 0.0
    success: float = 1.0
    left_today: float | None = None
    per_day: float | None = None
    day_ends: float = 0.0

    @property
    def rate(self) -> float:
        """Requests a second over long."""
        return min(self.fast, self.allowed / self.span) if self.allowed else self.fast

    def ends(self, requests: float) -> float:
        """Seconds from now until it has sent so many requests; those that fail are sent again."""
        count = requests / max(self.success, 0.01)
        if count <= 0:
            return 0.0
        if self.left_today is None or self.per_day is None or count <= self.left_today:
            return self.opens + max(count / self.fast, self._slot(count))
        beyond = count - self.left_today
        days, rest = divmod(beyond, self.per_day)
        return max(self.opens, self.day_ends) + days * 86_400 + rest / self.rate

    def _slot(self, count: float) -> float:
        """When the window lets the last of `count` requests through."""
        if not self.allowed:
            return 0.0
        rounds, place = divmod(math.ceil(count) - 1, self.allowed)
        waiting = place - (self.allowed - len(self.frees))
        return rounds * self.span + (self.frees[waiting] if waiting >= 0 else 0.0)


@dataclass(slots=True)
class _Table:
    """The state of the balancing: requests of each seat, and what part of each class lies where."""

    seats: Sequence[Seat]
    total: list[float]
    parts: dict[Hashable, list[float]] = field(default_factory=dict)
    costs: dict[Hashable, list[float | None]] = field(default_factory=dict)


def share(loads: Iterable[Sequence[Load]], seats: Sequence[Seat]) -> dict[Hashable, dict[str, float]]:
    """The part (0 to 1) of each class that each source takes. `loads` are groups in order of dispatch: a later group
    is laid upon what the earlier ones leave."""
    table = _Table(seats=seats, total=[0.0] * len(seats))
    out: dict[Hashable, dict[str, float]] = {}
    for group in loads:
        table.parts.clear()
        table.costs.clear()
        chosen: dict[Hashable, list[str]] = {}
        for load in group:
            if not any(source in load.requests for seat in seats for source in seat.sources):
                continue
            chosen[load.key] = [_best(load, seat) for seat in seats]
            table.costs[load.key] = [load.requests.get(source) for source in chosen[load.key]]
            first = _favourite(load, chosen[load.key], seats)
            table.parts[load.key] = [float(at == first) for at in range(len(seats))]
            table.total[first] += load.requests[chosen[load.key][first]]
        _balance(table)
        for key, parts in table.parts.items():
            out[key] = {chosen[key][at]: part for at, part in enumerate(parts) if part > 0}
    return out


def _best(load: Load, seat: Seat) -> str:
    """The source of a seat that is best for a class; '' if none may."""
    own = [source for source in seat.sources if source in load.requests]
    return max(own, key=lambda source: load.preference[source] / load.requests[source], default="")


def _favourite(load: Load, chosen: Sequence[str], seats: Sequence[Seat]) -> int:
    """The seat whose source scores best."""

    def score(at: int) -> float:
        if not chosen[at]:
            return -1.0
        seconds = load.requests[chosen[at]] / seats[at].rate / max(seats[at].success, 0.01)
        return load.preference[chosen[at]] / max(seconds, 1e-9)

    return max(range(len(seats)), key=lambda at: (score(at), -at))


def _balance(table: _Table) -> None:
    for _ in range(_ROUNDS):
        ends = [seat.ends(total) for seat, total in zip(table.seats, table.total, strict=True)]
        if not any(
            _relieve(table, ends, busiest)
            for busiest in sorted(range(len(ends)), key=lambda at: -ends[at])
            if ends[busiest] > 0
        ):
            return


def _relieve(table: _Table, ends: Sequence[float], busiest: int) -> bool:
    """Move work away from a seat, along the cheapest exchange to one that would finish it sooner."""
    cost, steps = _exchanges(table, busiest)
    seats = table.seats
    better = [
        at
        for at in range(len(seats))
        if at != busiest
        and cost[at] < float("inf")
        and ends[at] + seats[at].finish < ends[busiest] * (1 - _ENOUGH)
    ]
    for target in sorted(better, key=lambda at: (cost[at] * seats[busiest].rate / seats[at].rate, at)):
        path = _path(steps, busiest, target)
        if path and _move(table, path, busiest, target):
            return True
    return False


def _exchanges(table: _Table, start: int) -> tuple[list[float], list[tuple[int, Hashable] | None]]:
    """For each seat the fewest requests that it must send for each one taken from `start`, and the last step there."""
    count = len(table.seats)
    edges: dict[tuple[int, int], tuple[float, Hashable]] = {}
    for key, parts in table.parts.items():
        costs = table.costs[key]
        for giver in range(count):
            have = costs[giver]
            if parts[giver] <= 1e-9 or not have:
                continue
            for taker in range(count):
                takes = costs[taker]
                if taker != giver and takes and takes / have < edges.get((giver, taker), (float("inf"),))[0]:
                    edges[giver, taker] = (takes / have, key)
    cost = [float("inf")] * count
    cost[start] = 1.0
    steps: list[tuple[int, Hashable] | None] = [None] * count
    for _ in range(count - 1):
        for (giver, taker), (ratio, key) in edges.items():
            if taker != start and cost[giver] * ratio < cost[taker] * (1 - 1e-9):
                cost[taker] = cost[giver] * ratio
                steps[taker] = (giver, key)
    return cost, steps


def _path(
    steps: Sequence[tuple[int, Hashable] | None], start: int, target: int
) -> list[tuple[int, int, Hashable]]:
    path: list[tuple[int, int, Hashable]] = []
    at = target
    while at != start:
        step = steps[at]
        if step is None or len(path) > len(steps):
            return []
        path.append((step[0], at, step[1]))
        at = step[0]
    return path[::-1]


def _move(table: _Table, path: Sequence[tuple[int, int, Hashable]], start: int, target: int) -> bool:
    """Move as much along the path as evens both ends, at most what each step has."""
    factors, factor, most = [], 1.0, float("inf")
    for giver, taker, key in path:
        have, takes = _cost(table, key, giver), _cost(table, key, taker)
        factors.append(factor)
        most = min(most, table.parts[key][giver] * have / factor)
        factor *= takes / have

    def early(amount: float) -> bool:
        """Whether the giver would still end later than the taker."""
        gives = table.seats[start].ends(table.total[start] - amount)
        return gives > table.seats[target].ends(table.total[target] + amount * factor)

    low, high = 0.0, most
    if not early(most):
        for _ in range(40):
            middle = (low + high) / 2
            low, high = (middle, high) if early(middle) else (low, middle)
    amount = high
    if amount <= 1e-6 * max(1.0, table.total[start]):
        return False
    for (giver, taker, key), passed in zip(path, factors, strict=True):
        have = _cost(table, key, giver)
        part = min(amount * passed / have, table.parts[key][giver])
        table.parts[key][giver] -= part
        table.parts[key][taker] += part
    table.total[start] -= amount
    table.total[target] += amount * factor
    return True


def _cost(table: _Table, key: Hashable, seat: int) -> float:
    cost = table.costs[key][seat]
    assert cost is not None, "a class moves only between seats that may take it"
    return cost
