"""Budgets: what a vendor allows, counted before sending, shared by all processes, kept across restarts.

Requests per minute are a sliding window over persisted send times in buckets of a second: a send of bucket s counts
until s + 1 + span + margin, so no window of the span ever holds more than allowed, wherever it begins. Below ten a
minute requests are spaced exactly. Every refusal names the dimension and when there will be room.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from dataclasses import dataclass
from typing import Literal

from fulltape.core.time import SECOND, Instant, from_datetime, to_datetime
from fulltape.core.vendor import Limits
from fulltape.ledger.database import Database, Row

Dimension = Literal["rate_window", "daily_cap", "vendor_says_wait"]
MARGIN = SECOND // 4
"""A request may arrive later than it was sent, and its neighbour earlier."""
SPAN = 60
SPACED_BELOW = 10
LONGEST_CLOSED = 3_600 * SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """Send now; it is counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """No room: which dimension, and when there will be some."""

    dimension: Dimension
    room_at: Instant


class Budgets:
    """The budgets of every scope (a vendor's key)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def room(self, scope: str, limits: Limits, *, now: Instant) -> Granted | Refused:
        """Whether one request could be sent now; counts nothing."""
        return self._daily(scope, limits, now) or self._minute(scope, limits, now) or Granted()

    def reserve(self, scope: str, limits: Limits, *, kind: str, now: Instant) -> Granted | Refused:
        """Count one request that is about to be sent, or say why not. `now` is steady time."""
        with self._database.write():
            self._database.lock(f"budget {scope}")
            answer = self.room(scope, limits, now=now)
            if isinstance(answer, Granted):
                self._database.run("add_send", scope=scope, second=now // SECOND, kind=kind, sent=1)
                day = self._row(scope, "day", limits, now)
                self._store(day, used=day["used"] + 1)
            return answer

    def closed(self, scope: str, limits: Limits, *, until: Instant | None, now: Instant) -> Instant:
        """The vendor said that it was too much: closed until the time it gave, or for a growing share of the window.

        Returns when there will be room.
        """
        with self._database.write():
            self._database.lock(f"budget {scope}")
            row = self._row(scope, "minute", limits, now)
            strikes = row["strikes"] + 1
            pause = max(1, SPAN // (row["allowed"] or SPAN)) * 2 ** (strikes - 1)
            # A time in the past or far in the future is a clock that differs from ours, not the vendor's will.
            believed = until is not None and now < until <= now + LONGEST_CLOSED
            opens = until if believed and until is not None else now + min(pause, SPAN) * SECOND
            self._store(row, closed_until=max(opens, row["closed_until"]), strikes=strikes)
            return max(opens, int(row["closed_until"]))

    def served(self, scope: str, limits: Limits, *, allowed: int | None, now: Instant) -> None:
        """An answer came: strikes are forgotten, and a limit in its headers that is lower than ours is learned."""
        if self._unchanged(self._row(scope, "minute", limits, now), allowed or 0):
            return
        with self._database.write():
            self._database.lock(f"budget {scope}")
            row = self._row(scope, "minute", limits, now)
            self._store(row, allowed=_lower(row, allowed or 0), strikes=0)

    def _unchanged(self, row: Row, learned: int) -> bool:
        return not row["strikes"] and _lower(row, learned) == row["allowed"]

    def forget(self, *, now: Instant) -> None:
        """Drop sends that no window reaches any more, inside a transaction."""
        self._database.run("forget_sends", before=now // SECOND - 3_600)

    def all(self) -> list[Row]:
        """Every budget as stored."""
        return self._database.run("budgets")

    def sent_within(self, scope: str, *, since: Instant) -> int:
        """How many requests were counted since an instant."""
        return sum(
            row["sent"] for row in self._database.run("sends_since", scope=scope, since=since // SECOND)
        )

    def _daily(self, scope: str, limits: Limits, now: Instant) -> Refused | None:
        row = self._row(scope, "day", limits, now)
        if limits.per_day and row["used"] >= limits.per_day:
            return Refused(dimension="daily_cap", room_at=int(row["resets_at"]))
        return None

    def _minute(self, scope: str, limits: Limits, now: Instant) -> Refused | None:
        row = self._row(scope, "minute", limits, now)
        if row["closed_until"] > now:
            return Refused(dimension="vendor_says_wait", room_at=int(row["closed_until"]))
        allowed = int(row["allowed"])
        if not allowed:
            return None
        span = SPAN * SECOND
        if allowed < SPACED_BELOW:
            allowed, span = 1, span // allowed
        since = (now - span - MARGIN) // SECOND - 1
        sends = [
            (int(one["second"]), int(one["sent"]))
            for one in self._database.run("sends_since", scope=scope, since=since)
            if (one["second"] + 1) * SECOND + span + MARGIN > now
        ]
        surplus = sum(sent for _, sent in sends) - allowed + 1
        for second, sent in sends:
            if surplus <= 0:
                break
            surplus -= sent
            if surplus <= 0:
                return Refused(dimension="rate_window", room_at=(second + 1) * SECOND + span + MARGIN)
        return None

    def _row(self, scope: str, dimension: str, limits: Limits, now: Instant) -> Row:
        stored = self._database.run("budget", scope=scope, dimension=dimension)
        if dimension == "minute":
            fresh = {
                "scope": scope, "dimension": dimension, "span_s": SPAN, "allowed": limits.per_minute,
                "used": 0, "resets_at": 0, "closed_until": 0, "strikes": 0,
            }  # fmt: skip
            if stored and 0 < stored[0]["allowed"] <= (limits.per_minute or stored[0]["allowed"]):
                return stored[0]
            return {**(stored[0] if stored else fresh), "allowed": limits.per_minute}
        if stored and now < stored[0]["resets_at"]:
            return stored[0]
        return {
            "scope": scope, "dimension": dimension, "span_s": 86_400, "allowed": limits.per_day,
            "used": 0, "resets_at": _next_midnight(now, limits.day_zone), "closed_until": 0, "strikes": 0,
        }  # fmt: skip

    def _store(self, row: Row, **changes: int) -> None:
        self._database.run("set_budget", **{**row, **changes})


def _lower(row: Row, learned: int) -> int:
    """The smaller of a limit that we have and one that a header tells; 0 is no limit."""
    have = int(row["allowed"])
    return learned if 0 < learned < (have or learned + 1) else have


def _next_midnight(now: Instant, zone: str) -> Instant:
    local = to_datetime(now).astimezone(zoneinfo.ZoneInfo(zone))
    following = (local + dt.timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return from_datetime(following)
