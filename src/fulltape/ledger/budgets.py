"""Budgets: what a vendor allows, counted before sending, shared by all processes, kept across restarts.

Requests in a span are a sliding window over persisted send times, in buckets: a send counts until the end of its
bucket plus span plus margin, so no window of the span ever holds more than allowed, wherever it begins. Below ten a
minute requests are spaced exactly. Every refusal names the dimension, the limit, and when there will be room.

A scope is what a vendor counts: a key or an address, and beside it a class of endpoints. All instants are steady time
(`market.time.Clock.steady`).
"""

from __future__ import annotations

import datetime as dt
import socket
import zoneinfo
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from fulltape.contract.plans import Limits
from fulltape.ledger.database import Database, Row
from fulltape.market.time import SECOND, Instant, from_datetime, to_datetime

Dimension = Literal[
    "rate_window", "daily_cap", "kind_share", "vendor_says_wait", "concurrency", "identical_request"
]
MARGIN = SECOND // 4
"""A request may arrive later than it was sent, and its neighbour earlier."""
SPACED_BELOW = 10
_DAY = 86_400 * SECOND
LONGEST_CLOSED = 30 * _DAY
"""Ten times the longest ban that a vendor documents (Binance's 418): what is longer is a wrong clock."""
LEARNED_FOR = 86_400 * SECOND
_POLL = SECOND // 20


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


class Budgets:
    """The budgets of every vendor's scopes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._boot = ""

    @property
    def _ahead(self) -> int:
        """How far steady time is ahead of UTC: asked each time, since another process may have learned it meanwhile."""
        row = self._anchored(self._boot) if self._boot else None
        return int(row["ahead_us"]) if row else 0

    def day_ends(self, now: Instant, zone: str) -> Instant:
        """When the day of a zone ends, in steady time, which may be ahead of UTC (see `anchor`)."""
        ahead = self._ahead
        local = to_datetime(now - ahead).astimezone(zoneinfo.ZoneInfo(zone))
        following = (local + dt.timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        return from_datetime(following) + ahead

    def room(self, vendor: str, limits: Limits, want: Want, *, now: Instant) -> Granted | Refused:
        """Whether this request could be sent now; counts nothing."""
        refusals = [
            refused
            for scope, of_scope in _scopes(vendor, limits, want.endpoint)
            for refused in self._refusals(scope, of_scope, want, now)
        ]
        return max(refusals, key=lambda one: one.room_at) if refusals else Granted()

    def reserve(
        self, vendor: str, limits: Limits, want: Want, *, steady: Callable[[], Instant]
    ) -> Granted | Refused:
        """Count one request that is about to be sent, or say why not. `steady` is asked for the time only once no other process
        else is counting: who waited for others is counted when it sends, not when it came."""
        with self._database.write():
            for scope, _ in _scopes(vendor, limits, want.endpoint):
                self._database.lock(f"budget {scope}")
            now = steady()
            answer = self.room(vendor, limits, want, now=now)
            if isinstance(answer, Granted):
                for scope, of_scope in _scopes(vendor, limits, want.endpoint):
                    self._count(scope, of_scope, want, now)
            return answer

    def landed(self, limits: Limits, token: str) -> None:
        """A request is no longer in flight."""
        if limits.concurrency or any(one.concurrency for one in limits.endpoints.values()):
            with self._database.write():
                self._database.run("landed", token=token)

    def closed(
        self,
        vendor: str,
        limits: Limits,
        *,
        until: Instant | None,
        now: Instant,
        allowed: int | None = None,
        endpoint: str = "",
    ) -> Instant:
        """The vendor said that it was too much: closed until the time it gave, or for a growing share of the window.

        Returns when there will be room. A limit that it names is learned.
        """
        scope, of_scope = _scopes(vendor, limits, endpoint)[-1]
        with self._database.write():
            self._database.lock(f"budget {scope}")
            row = self._scope(scope)
            strikes = row["strikes"] + 1
            pause = max(1, 60 // (self._per_minute(row, of_scope, now) or 60)) * 2 ** min(strikes - 1, 10)
            # A time in the past or far in the future is a clock that differs from ours, not the vendor's will.
            believed = until is not None and now < until <= now + LONGEST_CLOSED
            opens = until if believed and until is not None else now + min(pause, 60) * SECOND
            opens = max(opens, int(row["closed_until"]))
            self._store(row, closed_until=opens, strikes=strikes, **_learned(row, allowed, of_scope, now))
            return opens

    def served(
        self, vendor: str, limits: Limits, *, allowed: int | None, now: Instant, endpoint: str = ""
    ) -> None:
        """An answer came: strikes are forgotten, and a limit in its headers that is lower than ours is learned."""
        scope, of_scope = _scopes(vendor, limits, endpoint)[-1]
        row = self._scope(scope)
        if not row["strikes"] and not _learned(row, allowed, of_scope, now):
            return
        with self._database.write():
            self._database.lock(f"budget {scope}")
            row = self._scope(scope)
            self._store(row, strikes=0, **_learned(row, allowed, of_scope, now))

    def forget(self, *, now: Instant) -> None:
        """Drop what no window reaches any more, inside a transaction."""
        self._database.run("forget_sends", before=now - 3_700 * SECOND)
        self._database.run("forget_same_requests", before=now - 3_600 * SECOND)
        self._database.run("forget_in_flight", now=now)

    def anchor(self, boot: str, offset: int, *, since_boot: int, synchronised: bool) -> int:
        """The offset (µs) from the time since boot to UTC that all processes of one boot count with.

        The first process of a boot brings it; later ones take it, whatever their wall clock says by then. It never puts
        steady time before what was sent last. A boot that began with a wrong clock, as machines without a battery do, is
        anchored anew once its time is `synchronised`; what was counted and is waited for moves with it. Where the clock was
        ahead, steady time stays ahead, since it must not step back under what runs; only days end by the true time.
        """
        row = self._anchored(boot)
        if not row or (synchronised and not row["synchronised"]):
            with self._database.write():
                self._database.lock("clock")
                row = self._anchored(boot)
                if not row or not row["synchronised"]:
                    row = self._anchor(row, boot, offset, since_boot=since_boot, synchronised=synchronised)
        self._boot = boot
        return int(row["offset_us"])

    def _anchor(self, row: Row | None, boot: str, told: int, *, since_boot: int, synchronised: bool) -> Row:
        before = int(row["offset_us"]) if row else None
        least = int(self._database.value("newest_send") or 0) - since_boot if before is None else before
        offset = max(told, least)
        ahead = offset - told if synchronised else 0
        if before is not None and offset > before:
            self._move(offset - before, since=before, now=before + since_boot)
        elif synchronised:
            # Days that were counted by a wrong midnight end later, never too early; once for each such clock.
            host = f"clock ahead {socket.gethostname()}"
            known = int(self._database.value("identity", name=host) or 0)
            if ahead > known:
                self._database.run("move_days", by=(ahead - known) % _DAY, now=offset + since_boot)
            self._database.run("set_identity", name=host, value=str(ahead))
        self._database.run(
            "set_clock", boot=boot, offset_us=offset, synchronised=int(synchronised), ahead_us=ahead
        )
        return {"offset_us": offset, "ahead_us": ahead}

    def _anchored(self, boot: str) -> Row | None:
        rows = self._database.run("clock", boot=boot)
        return rows[0] if rows else None

    def _move(self, by: int, *, since: Instant, now: Instant) -> None:
        """Steady time jumps: what was sent since the boot was sent later than it seemed, and waits last as long as they
        would have."""
        self._database.run("move_sends", by=by, since=since)
        self._database.run("moved_sends")
        self._database.run("move_identical", by=by, since=since)
        for name in ("move_closures", "move_in_flight", "move_breakers"):
            self._database.run(name, by=by, now=now)
        # A day ends at a midnight: at the next one, or the one after, never too early.
        self._database.run("move_days", by=-(-by // _DAY) * _DAY, now=now)

    def scope_state(self, vendor: str, limits: Limits, *, now: Instant) -> Row:
        """What is counted of the vendor's own scope: sent in the last minute and in how many seconds each of them leaves
        the window, used today by kind, closed until when, what was learned."""
        scope, of_scope = _scopes(vendor, limits, "")[0]
        row = self._scope(scope)
        sends = self._database.run("sends_since", scope=scope, since=now - 61 * SECOND)
        per_minute = self._per_minute(row, of_scope, now)
        span = 60 * SECOND // per_minute if 0 < per_minute < SPACED_BELOW else 60 * SECOND
        frees = [(one["at"] + one["width"] + span + MARGIN - now, one["requests"]) for one in sends]
        return {
            "scope": scope,
            "last_minute": sum(one["requests"] for one in sends if one["at"] > now - 60 * SECOND),
            "per_minute": per_minute,
            "frees": [wait / SECOND for wait, count in sorted(frees) for _ in range(count) if wait > 0],
            "learned": row["allowed"] if row["learned_at"] + LEARNED_FOR > now else 0,
            "closed_until": int(row["closed_until"]),
            "day_ends": self.day_ends(now, of_scope.day_zone),
            "today": {
                dimension: self._used(scope, dimension, now)
                for dimension in {"requests_per_day", *(name for name, _, _ in _days(of_scope))}
            },
        }

    def _refusals(self, scope: str, limits: Limits, want: Want, now: Instant) -> Iterator[Refused]:
        row = self._scope(scope)
        if row["closed_until"] > now:
            yield Refused(dimension="vendor_says_wait", room_at=int(row["closed_until"]))
        for dimension, cap, cost in _days(limits, want.cost):
            yield from self._daily(scope, dimension, cap, cost, limits.day_zone, want, now)
        for words, unit, span, allowed in self._windows(row, limits, now):
            yield from self._window(scope, words, unit, span, allowed, want, now)
        if limits.concurrency:
            flying = self._database.value("in_flight", scope=scope, now=now)
            if flying >= limits.concurrency:
                yield Refused(
                    dimension="concurrency", room_at=now + _POLL, limit=f"{limits.concurrency} at a time"
                )
        if limits.identical_after and want.same:
            sent = self._database.value("same_request", scope=scope, request=want.same)
            again = int((sent or 0) + limits.identical_after * SECOND + MARGIN)
            if sent is not None and again > now:
                words = f"identical requests {limits.identical_after:g} s apart"
                yield Refused(dimension="identical_request", room_at=again, limit=words)

    def _daily(
        self, scope: str, dimension: str, cap: int, cost: int, zone: str, want: Want, now: Instant
    ) -> Iterator[Refused]:
        used = self._used(scope, dimension, now)
        total = sum(used.values())
        words = f"{cap:,} {dimension.replace('_', ' ')}"
        if total + cost > cap:
            yield Refused(dimension="daily_cap", room_at=self.day_ends(now, zone), limit=words)
        elif total + cost > cap - kept_for_others(
            want.kind,
            cap,
            used=used,
            shares=want.shares,
            demand={kind: need * cost for kind, need in want.demand.items()},
        ):
            words = f"{words}, the rest is kept for other kinds"
            yield Refused(dimension="kind_share", room_at=self.day_ends(now, zone), limit=words)

    def _windows(self, row: Row, limits: Limits, now: Instant) -> list[tuple[str, str, int, int]]:
        """(words, unit, span in microseconds, allowed) of every window."""
        per_minute = self._per_minute(row, limits, now)
        found = [
            (f"{limits.per_second} requests per second", "requests", SECOND, limits.per_second),
            (f"{limits.per_hour} requests per hour", "requests", 3_600 * SECOND, limits.per_hour),
            (
                f"{limits.weight_per_minute} weight per minute",
                "weight",
                60 * SECOND,
                limits.weight_per_minute,
            ),
        ]
        words = f"{per_minute} requests per minute"
        if 0 < per_minute < SPACED_BELOW:
            found.append((words, "requests", 60 * SECOND // per_minute, 1))
        else:
            found.append((words, "requests", 60 * SECOND, per_minute))
        return [one for one in found if one[3]]

    def _window(
        self, scope: str, words: str, unit: str, span: int, allowed: int, want: Want, now: Instant
    ) -> Iterator[Refused]:
        sends = sorted(
            (ends, int(one[unit]))
            for one in self._database.run("sends_since", scope=scope, since=now - span - MARGIN - SECOND)
            if (ends := one["at"] + one["width"] + span + MARGIN) > now
        )
        # A request heavier than the window is sent when the window is empty.
        cost = min(want.cost, allowed) if unit == "weight" else 1
        surplus = sum(count for _, count in sends) + cost - allowed
        for ends, count in sends:
            if surplus <= 0:
                return
            surplus -= count
            if surplus <= 0:
                yield Refused(dimension="rate_window", room_at=ends, limit=words)

    def _count(self, scope: str, limits: Limits, want: Want, now: Instant) -> None:
        width = _width(self._per_minute(self._scope(scope), limits, now))
        self._database.run(
            "add_send", scope=scope, at=now // width * width, width=width, kind=want.kind, weight=want.cost
        )
        resets_at = self.day_ends(now, limits.day_zone)
        counted = {"requests_per_day": 1, **{name: cost for name, _, cost in _days(limits, want.cost)}}
        for dimension, cost in counted.items():
            self._database.run(
                "use_day",
                scope=scope,
                dimension=dimension,
                kind=want.kind,
                used=cost,
                resets_at=resets_at,
                now=now,
            )
        if limits.concurrency and want.token:
            self._database.run("take_off", scope=scope, token=want.token, until=want.until)
        if limits.identical_after and want.same:
            self._database.run("add_same_request", scope=scope, request=want.same, sent_at=now)

    def _used(self, scope: str, dimension: str, now: Instant) -> dict[str, int]:
        rows = self._database.run("day_used", scope=scope, dimension=dimension, now=now)
        return {str(row["kind"]): int(row["used"]) for row in rows}

    def _per_minute(self, row: Row, limits: Limits, now: Instant) -> int:
        learned = int(row["allowed"]) if row["learned_at"] + LEARNED_FOR > now else 0
        return min(learned, limits.per_minute or learned) if learned else limits.per_minute

    def _scope(self, scope: str) -> Row:
        found = self._database.run("scope", scope=scope)
        return (
            found[0]
            if found
            else {"scope": scope, "allowed": 0, "learned_at": 0, "closed_until": 0, "strikes": 0}
        )

    def _store(self, row: Row, **changes: int) -> None:
        self._database.run("set_scope", **{**row, **changes})


def _scopes(vendor: str, limits: Limits, endpoint: str) -> list[tuple[str, Limits]]:
    """What the vendor counts for a request: the whole, and the endpoint's class if that is limited by itself."""
    name = vendor if limits.counted_by == "key" else f"{vendor}@{socket.gethostname()}"
    found = [(name, limits)]
    if endpoint in limits.endpoints:
        found.append((f"{name}/{endpoint}", limits.endpoints[endpoint]))
    return found


def _days(limits: Limits, cost: int = 1) -> list[tuple[str, int, int]]:
    """(dimension, cap, what this request counts) of every daily cap."""
    found = [("requests_per_day", limits.per_day, 1), ("credits_per_day", limits.credits_per_day, cost)]
    return [one for one in found if one[1]]


def _width(per_minute: int) -> int:
    """The length of a bucket (µs): exact where requests are few."""
    return 1 if 0 < per_minute < 60 else SECOND // 20


def _learned(row: Row, allowed: int | None, limits: Limits, now: Instant) -> dict[str, int]:
    """What to store of a limit that an answer tells: the smallest one of the last day, if it is below the plan's."""
    if not allowed or (limits.per_minute and allowed >= limits.per_minute):
        return {}
    if 0 < row["allowed"] <= allowed and row["learned_at"] + LEARNED_FOR > now:
        return {}
    return {"allowed": allowed, "learned_at": now}
