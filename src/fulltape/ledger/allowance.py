"""What a vendor's limits allow, as values: which windows and days a request counts in, and when one has room."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from fulltape.contract.plans import Limits
from fulltape.ledger.database import Row
from fulltape.market.time import SECOND, Instant

Dimension = Literal[
    "rate_window", "daily_cap", "kind_share", "vendor_says_wait", "concurrency", "identical_request"
]
MARGIN = SECOND // 4
"""A request may arrive later than it was sent, and its neighbour earlier."""
SPACED_BELOW = 10
LEARNED_FOR = 86_400 * SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """Send now; it is counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """No room: which dimension, which limit in words, and when there will be some."""

    dimension: Dimension
    room_at: Instant
    limit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """One request that a worker wants to send.

    `same` tells identical requests; `token` names the request while it is in flight, at most until `until`. Of a daily
    cap, each kind of `shares` may keep its share for itself as far as it has `demand` (requests still due today).
    """

    kind: str
    cost: int = 1
    endpoint: str = ""
    same: str = ""
    token: str = ""
    until: Instant = 0
    shares: Mapping[str, float] = field(default_factory=dict)
    demand: Mapping[str, int] = field(default_factory=dict)


def kept_for_others(
    kind: str, cap: int, *, used: Mapping[str, int], shares: Mapping[str, float], demand: Mapping[str, int]
) -> int:
    """Requests of a daily cap that `kind` must leave: for every other kind what it still needs of its floor."""
    return sum(
        min(max(0, int(share * cap) - used.get(other, 0)), demand.get(other, 0))
        for other, share in shares.items()
        if other != kind
    )


def scopes(vendor: str, limits: Limits, endpoint: str) -> list[tuple[str, Limits]]:
    """What the vendor counts for a request: the whole, and the endpoint's class if that is limited by itself."""
    name = vendor if limits.counted_by == "key" else f"{vendor}@{socket.gethostname()}"
    limited = [(name, limits)]
    if endpoint in limits.endpoints:
        limited.append((f"{name}/{endpoint}", limits.endpoints[endpoint]))
    return limited


def days(limits: Limits, cost: int = 1) -> list[tuple[str, int, int]]:
    """(dimension, cap, what this request counts) of every daily cap."""
    caps = [("requests_per_day", limits.per_day, 1), ("credits_per_day", limits.credits_per_day, cost)]
    return [cap for cap in caps if cap[1]]


def width(per_minute: int) -> int:
    """The length of a bucket (µs): exact where requests are few."""
    return 1 if 0 < per_minute < 60 else SECOND // 20


def learned(row: Row, allowed: int | None, limits: Limits, now: Instant) -> dict[str, int]:
    """What to store of a limit that an answer tells: the smallest one of the last day, if it is below the plan's."""
    if not allowed or (limits.per_minute and allowed >= limits.per_minute):
        return {}
    if 0 < row["allowed"] <= allowed and row["learned_at"] + LEARNED_FOR > now:
        return {}
    return {"allowed": allowed, "learned_at": now}


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """So much (requests or weight) in a span of microseconds; `words` say it."""

    words: str
    unit: Literal["requests", "weight"]
    span: int
    allowed: int

    def room_at(self, sends: Iterable[tuple[Instant, int]], cost: int) -> Instant | None:
        """When there is room for a cost; None if there is now. `sends`: when each leaves the window, and what it cost."""
        left = sorted(sends)
        # A request heavier than the window is sent when the window is empty.
        surplus = sum(count for _, count in left) + min(cost, self.allowed) - self.allowed
        if surplus <= 0:
            return None
        for ends, count in left:
            surplus -= count
            if surplus <= 0:
                return ends
        return None


def windows(row: Row, limits: Limits, now: Instant) -> list[Window]:
    """Every window that counts the requests of a scope."""
    a_minute = rate(row, limits, now)
    spaced = 0 < a_minute < SPACED_BELOW
    all_windows = [
        Window(
            words=f"{limits.per_second} requests per second",
            unit="requests",
            span=SECOND,
            allowed=limits.per_second,
        ),
        Window(
            words=f"{limits.per_hour} requests per hour",
            unit="requests",
            span=3_600 * SECOND,
            allowed=limits.per_hour,
        ),
        Window(
            words=f"{limits.weight_per_minute} weight per minute",
            unit="weight",
            span=60 * SECOND,
            allowed=limits.weight_per_minute,
        ),
        Window(
            words=f"{a_minute} requests per minute",
            unit="requests",
            span=60 * SECOND // a_minute if spaced else 60 * SECOND,
            allowed=1 if spaced else a_minute,
        ),
    ]
    return [window for window in all_windows if window.allowed]


def rate(row: Row, limits: Limits, now: Instant) -> int:
    """Requests a minute: the plan's, or what the vendor has said in the last day if that is less; 0 without a limit."""
    allowed = int(row["allowed"]) if row["learned_at"] + LEARNED_FOR > now else 0
    return min(allowed, limits.per_minute or allowed) if allowed else limits.per_minute
