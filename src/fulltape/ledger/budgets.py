"""Budgets: what a vendor allows, counted before sending, shared by all processes, kept across restarts.

Requests in a span are a sliding window over persisted send times, in buckets: a send counts until the end of its
bucket plus span plus margin, so no window of the span ever holds more than allowed, wherever it begins. Below ten a
minute requests are spaced exactly. Every refusal names the dimension, the limit, and when there will be room.

A scope is what a vendor counts: a key or an address, and beside it a class of endpoints. All instants are steady time
(`market.time.Clock.steady`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from fulltape.contract.plans import Limits
from fulltape.ledger import allowance
from fulltape.ledger.allowance import (
    LEARNED_FOR,
    MARGIN,
    SPACED_BELOW,
    Granted,
    Refused,
    Want,
    Window,
    kept_for_others,
)
from fulltape.ledger.boots import Boots
from fulltape.ledger.database import Database, Row
from fulltape.market.time import SECOND, Instant

_DAY = 86_400 * SECOND
LONGEST_CLOSED = 30 * _DAY
"""Ten times the longest ban that a vendor documents (Binance's 418): what is longer is a wrong clock."""
_POLL = SECOND // 20


class Budgets:
    """The budgets of every vendor's scopes."""

    def __init__(self, database: Database, boots: Boots) -> None:
        self._database = database
        self._boots = boots

    def room(self, vendor: str, limits: Limits, want: Want, *, now: Instant) -> Granted | Refused:
        """Whether this request could be sent now; counts nothing."""
        refusals = [
            refused
            for scope, of_scope in allowance.scopes(vendor, limits, want.endpoint)
            for refused in self._refusals(scope, of_scope, want, now)
        ]
        return max(refusals, key=lambda refusal: refusal.room_at) if refusals else Granted()

    def reserve(
        self, vendor: str, limits: Limits, want: Want, *, steady: Callable[[], Instant]
    ) -> Granted | Refused:
        """Count one request that is about to be sent, or say why not. `steady` is asked for the time only once no other process
        else is counting: who waited for others is counted when it sends, not when it came."""
        with self._database.write():
            for scope, _ in allowance.scopes(vendor, limits, want.endpoint):
                self._database.lock(f"budget {scope}")
            now = steady()
            answer = self.room(vendor, limits, want, now=now)
            if isinstance(answer, Granted):
                for scope, of_scope in allowance.scopes(vendor, limits, want.endpoint):
                    self._count(scope, of_scope, want, now)
            return answer

    def landed(self, limits: Limits, token: str) -> None:
        """A request is no longer in flight."""
        if limits.concurrency or any(of_endpoint.concurrency for of_endpoint in limits.endpoints.values()):
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
        scope, of_scope = allowance.scopes(vendor, limits, endpoint)[-1]
        with self._database.write():
            self._database.lock(f"budget {scope}")
            row = self._scope(scope)
            strikes = row["strikes"] + 1
            pause = max(1, 60 // (allowance.rate(row, of_scope, now) or 60)) * 2 ** min(strikes - 1, 10)
            # A time in the past or far in the future is a clock that differs from ours, not the vendor's will.
            believed = until is not None and now < until <= now + LONGEST_CLOSED
            opens = until if believed and until is not None else now + min(pause, 60) * SECOND
            opens = max(opens, int(row["closed_until"]))
            self._store(
                row, closed_until=opens, strikes=strikes, **allowance.learned(row, allowed, of_scope, now)
            )
            return opens

    def served(
        self, vendor: str, limits: Limits, *, allowed: int | None, now: Instant, endpoint: str = ""
    ) -> None:
        """An answer came: strikes are forgotten, and a limit in its headers that is lower than ours is learned."""
        scope, of_scope = allowance.scopes(vendor, limits, endpoint)[-1]
        row = self._scope(scope)
        if not row["strikes"] and not allowance.learned(row, allowed, of_scope, now):
            return
        with self._database.write():
            self._database.lock(f"budget {scope}")
            row = self._scope(scope)
            self._store(row, strikes=0, **allowance.learned(row, allowed, of_scope, now))

    def forget(self, *, now: Instant) -> None:
        """Drop what no window reaches any more, inside a transaction."""
        self._database.run("forget_sends", before=now - 3_700 * SECOND)
        self._database.run("forget_same_requests", before=now - 3_600 * SECOND)
        self._database.run("forget_in_flight", now=now)

    def scope_state(self, vendor: str, limits: Limits, *, now: Instant) -> Row:
        """What is counted of the vendor's own scope: sent in the last minute and in how many seconds each of them leaves
        the window, used today by kind, closed until when, what was learned."""
        scope, of_scope = allowance.scopes(vendor, limits, "")[0]
        row = self._scope(scope)
        sends = self._database.run("sends_since", scope=scope, since=now - 61 * SECOND)
        per_minute = allowance.rate(row, of_scope, now)
        span = 60 * SECOND // per_minute if 0 < per_minute < SPACED_BELOW else 60 * SECOND
        frees = [(send["at"] + send["width"] + span + MARGIN - now, send["requests"]) for send in sends]
        return {
            "scope": scope,
            "last_minute": sum(send["requests"] for send in sends if send["at"] > now - 60 * SECOND),
            "per_minute": per_minute,
            "frees": [wait / SECOND for wait, count in sorted(frees) for _ in range(count) if wait > 0],
            "learned": row["allowed"] if row["learned_at"] + LEARNED_FOR > now else 0,
            "closed_until": int(row["closed_until"]),
            "day_ends": self._boots.day_ends(now, of_scope.day_zone),
            "today": {
                dimension: self._used(scope, dimension, now)
                for dimension in {"requests_per_day", *(name for name, _, _ in allowance.days(of_scope))}
            },
        }

    def _refusals(self, scope: str, limits: Limits, want: Want, now: Instant) -> Iterator[Refused]:
        row = self._scope(scope)
        if row["closed_until"] > now:
            yield Refused(dimension="vendor_says_wait", room_at=int(row["closed_until"]))
        for dimension, cap, cost in allowance.days(limits, want.cost):
            yield from self._daily(scope, dimension, cap, cost, limits.day_zone, want, now)
        for window in allowance.windows(row, limits, now):
            cost = want.cost if window.unit == "weight" else 1
            room_at = window.room_at(self._sends(scope, window, now), cost)
            if room_at is not None:
                yield Refused(dimension="rate_window", room_at=room_at, limit=window.words)
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
            yield Refused(dimension="daily_cap", room_at=self._boots.day_ends(now, zone), limit=words)
        elif total + cost > cap - kept_for_others(
            want.kind,
            cap,
            used=used,
            shares=want.shares,
            demand={kind: need * cost for kind, need in want.demand.items()},
        ):
            words = f"{words}, the rest is kept for other kinds"
            yield Refused(dimension="kind_share", room_at=self._boots.day_ends(now, zone), limit=words)

    def _sends(self, scope: str, window: Window, now: Instant) -> list[tuple[Instant, int]]:
        """What is in a window: when each send leaves it, and what it cost."""
        since = now - window.span - MARGIN - SECOND
        return [
            (ends, int(send[window.unit]))
            for send in self._database.run("sends_since", scope=scope, since=since)
            if (ends := send["at"] + send["width"] + window.span + MARGIN) > now
        ]

    def _count(self, scope: str, limits: Limits, want: Want, now: Instant) -> None:
        width = allowance.width(allowance.rate(self._scope(scope), limits, now))
        self._database.run(
            "add_send", scope=scope, at=now // width * width, width=width, kind=want.kind, weight=want.cost
        )
        resets_at = self._boots.day_ends(now, limits.day_zone)
        counted = {
            "requests_per_day": 1,
            **{name: cost for name, _, cost in allowance.days(limits, want.cost)},
        }
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

    def _scope(self, scope: str) -> Row:
        rows = self._database.run("scope", scope=scope)
        return (
            rows[0]
            if rows
            else {"scope": scope, "allowed": 0, "learned_at": 0, "closed_until": 0, "strikes": 0}
        )

    def _store(self, row: Row, **changes: int) -> None:
        self._database.run("set_scope", **{**row, **changes})
