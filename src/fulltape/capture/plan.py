"""When to connect, which streams to doubt, what to give up first. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from fulltape.contract.events import ConnectionEvent
from fulltape.contract.plans import Connecting
from fulltape.contract.streams import DETAILS, Detail

FIRST_WAIT = 0.5
LONGEST_WAIT = 60.0
"""Seconds between attempts: doubling, with full jitter, for as long as it takes."""
_USUAL = 0.2
"""Weight of the newest silence in the usual one."""
_KNOWN = 5
"""So often a channel has spoken before its silence says anything: two quick trades make no rhythm."""
_TIMES_USUAL = 20
_MOST_PATIENCE = 64


def wait_before(attempt: int, dice: float) -> float:
    """Seconds to wait before an attempt that follows `attempt` failed ones; `dice` in [0, 1) is the jitter."""
    return dice * min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(attempt, 16)) if attempt else 0.0


def room_for_attempt(earlier: Sequence[float], now: float, limits: Connecting) -> float:
    """Seconds until the vendor may be connected to once more, given the moments of earlier attempts, oldest first."""
    inside = [at for at in earlier if at > now - limits.seconds]
    if len(inside) < limits.attempts:
        return 0.0
    return inside[len(inside) - limits.attempts] + limits.seconds - now


SET = 2_000_000_000
"""Where the wall clock and the steady one come apart by so many nanoseconds, the wall clock was set."""
MOMENT = 200_000
"""Microseconds within which both clocks must be read, so that they tell of the same moment."""


@dataclass(slots=True)
class Clocks:
    """Notices that the wall clock is set, by the steady one: how far apart they are, and since when (UTC nanoseconds, as
    the wall clock told it)."""

    apart: int
    since: int

    def read(self, wall: int, steady: int) -> ConnectionEvent | None:
        """What the wall clock (UTC nanoseconds) and the steady one (microseconds) say; a mark where the first was set."""
        by = wall - 1_000 * steady - self.apart
        if abs(by) < SET:
            return None
        event = ConnectionEvent(what="clock", at=wall, since=self.since, by=by)
        self.apart, self.since = self.apart + by, wall
        return event


@dataclass(slots=True)
class SilenceMonitor:
    """How often a channel speaks: when it last did, the silence that is usual for it, and how patient we have become.

    Moments are seconds of a steady clock.
    """

    last: float
    usual: float = 0.0
    spoken: int = 0
    patience: int = 1

    def spoke(self, now: float) -> None:
        """It delivered data."""
        silence = now - self.last
        self.usual = silence if self.spoken < 2 else self.usual + _USUAL * (silence - self.usual)
        self.last = now
        self.spoken += 1
        self.patience = 1

    def doubted(self, now: float) -> None:
        """It was asked again; the next doubt takes twice as long."""
        self.last = now
        self.patience = min(2 * self.patience, _MOST_PATIENCE)

    def due(self, least: float, cadence: float) -> float:
        """When its silence becomes doubtful; never for one that has not shown how often it speaks."""
        if cadence:
            return self.last + max(least, _TIMES_USUAL * max(cadence, self.usual)) * self.patience
        if self.spoken < _KNOWN:
            return float("inf")
        return self.last + max(least, _TIMES_USUAL * self.usual) * self.patience


def doubtful(
    monitors: Mapping[str, SilenceMonitor], cadences: Mapping[str, float], now: float, least: float
) -> list[str]:
    """Channels whose silence is longer than is usual for them; quiet ones are given their time."""
    return [name for name, monitor in monitors.items() if now >= monitor.due(least, cadences.get(name, 0.0))]


def mute(monitors: Mapping[str, SilenceMonitor], doubted: Collection[str], now: float, least: float) -> bool:
    """Whether the connection itself must be doubted: some of its channels are, and no other has spoken lately."""
    if not doubted:
        return False
    return all(now - monitor.last > least for name, monitor in monitors.items() if name not in doubted)


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingMessages:
    """Messages of one kind in one block that waits for the disk."""

    block: int
    detail: Detail
    bytes: int


def to_drop(waiting: Sequence[WaitingMessages], allowed: int) -> list[WaitingMessages]:
    """What must go so that no more than `allowed` bytes wait: books before quotes before bars before trades, and the
    oldest first."""
    over = sum(messages.bytes for messages in waiting) - allowed
    gone: list[WaitingMessages] = []
    for detail in DETAILS:
        for candidate in waiting:
            if over <= 0:
                return gone
            if candidate.detail == detail:
                gone.append(candidate)
                over -= candidate.bytes
    return gone
