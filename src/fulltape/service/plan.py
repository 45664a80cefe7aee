"""What is due, what runs now, and when to look again. Pure.

waiting --(a moment of its cron, its interval, an event, a person)--> requested --(its lane is free)--> running
running --(done)--> waiting
running --(failed, or its worker died)--> requested, after a pause that doubles
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from fulltape.market.time import DAY, SECOND, Instant
from fulltape.schedule import cron
from fulltape.schedule.rules import Lane, Trigger
from fulltape.service.config import ScheduleEntry

Cause = Literal["schedule", "interval", "event", "retry", "again", "person"]
FIRST_RETRY, LONGEST_RETRY = 30.0, 3_600.0
"""Seconds after which a job that failed is run again: doubling."""
_REST = 5
MOST_AHEAD = DAY
"""What was dealt with up to a moment that lies further ahead was dealt with by a clock that was wrong."""
PATIENCE = 900.0
"""Seconds for which a bundle waits at most for rows to be curated and checked."""
LONGEST_LOOK = 30.0
"""Seconds after which the clocks are compared, whatever is due."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryState:
    """An entry of the schedule and where it stands. `since` is the wall moment up to which its cron and its finals are dealt with;
    `steady` seconds are counted from this process's start. `ready` is from when on a requested run may begin, None where none is
    requested."""

    entry: ScheduleEntry
    since: Instant
    started: float = float("-inf")
    """When it was last started, in steady seconds: where it was by an earlier process, that is before 0."""
    worked: float = float("-inf")
    """The same of the last run that did anything."""
    ready: float | None = None
    cause: Cause = "event"
    due: Instant | None = None
    """The moment for which a run is requested, where it has one."""
    running: bool = False
    took: float = 0.0
    """Seconds that its last run took."""
    failures: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Now: wall time, and steady seconds."""

    wall: Instant
    steady: float


def next_due(entry: ScheduleEntry, since: Instant, finals: Sequence[Instant]) -> Instant | None:
    """The next moment at which an entry is due after another, by its cron and by sessions that become final; its jitter is in
    it."""
    if not entry.enabled:
        return None
    moments = [cron.following(entry.cron, entry.zone, since)] if entry.cron else []
    if "final" in entry.after:
        moments += [next(iter(at for at in finals if at > since), 0)]
    moments = [at for at in moments if at]
    return min((at + jitter(entry, at) for at in moments), default=None)


def jitter(entry: ScheduleEntry, at: Instant) -> int:
    """How much later than its moment an entry runs: the same however often it is asked (microseconds)."""
    share = zlib.crc32(f"{entry.name} {at}".encode()) / 2**32
    return int(share * entry.jitter * SECOND)


def looked(state: EntryState, now: Moment, finals: Sequence[Instant]) -> EntryState:
    """What has become due by now is requested: once, however many moments have passed. A clock that was set back makes nothing due
    a second time, since `since` stays."""
    entry = state.entry
    if state.since - now.wall > MOST_AHEAD:
        state = replace(state, since=now.wall)
    due = next_due(entry, state.since, finals)
    if due is not None and due <= now.wall:
        state = replace(state, since=now.wall, due=due)
        return request(state, now, "schedule")
    if entry.enabled and entry.every and not state.running and state.ready is None:
        at = state.started + entry.every + jitter(entry, state.since) / SECOND
        if now.steady >= at:
            return request(state, now, "interval")
    return state


def request(state: EntryState, now: Moment, cause: Cause, *, wait: float = 0.0) -> EntryState:
    """A run is requested, in so many seconds at the earliest; one that is requested already comes no later for it."""
    at = now.steady + wait
    if cause == "event" and state.entry.spacing:
        # However often something happens, such a job is at most a fifth of the time at it; a run that did nothing delays none
        # that has something to do.
        at = max(at, state.worked + state.entry.spacing, state.started + _REST * state.took)
    if state.ready is not None and state.ready <= at:
        return replace(state, cause=cause) if cause == "person" else state
    return replace(state, ready=at, cause=cause)


def triggered(states: Iterable[EntryState], events: Collection[Trigger], now: Moment) -> list[EntryState]:
    """Entries that are due after one of these events are requested."""
    return [
        request(state, now, "event")
        if state.entry.enabled and set(state.entry.after) & set(events)
        else state
        for state in states
    ]


def starts(
    states: Sequence[EntryState], now: Moment, *, busy: Collection[Lane], held: Mapping[str, str]
) -> list[EntryState]:
    """Entries that begin now: of each lane that is not busy the one that has been ready longest, of equals the first. `held` names
    jobs that wait, and why."""
    chosen: list[EntryState] = []
    for lane in ("seal", "fetch", "heavy"):
        if lane in busy:
            continue
        able = [
            state
            for state in states
            if state.entry.lane == lane
            and state.ready is not None
            and state.ready <= now.steady
            and not state.running
            and (state.entry.job not in held or state.cause == "person")
            and not _waits_for_rows(state, states, now)
        ]
        chosen += sorted(able, key=_rank)[:1]
    return chosen


def _waits_for_rows(state: EntryState, states: Sequence[EntryState], now: Moment) -> bool:
    """A bundle waits, not for ever, until what has come is curated and checked: else it would hold rows without a verdict."""
    assert state.ready is not None
    if state.entry.job != "export" or now.steady - state.ready >= PATIENCE:
        return False
    return any(
        other.entry.job in ("curate", "check") and (other.ready is not None or other.running)
        for other in states
    )


def _rank(state: EntryState) -> tuple[float, Instant]:
    assert state.ready is not None
    return state.ready, state.due or 0


def begun(state: EntryState, now: Moment) -> EntryState:
    """It runs."""
    return replace(state, running=True, started=now.steady, ready=None, due=None)


def ended(
    state: EntryState,
    now: Moment,
    *,
    failed: bool,
    busy: bool = False,
    again_in: float | None = None,
    did: bool = True,
) -> EntryState:
    """It has ended, and `did` something or nothing. One that failed is requested again after a pause; `busy`: another process was at
    it, which is no failure."""
    worked = state.started if did else state.worked
    state = replace(state, running=False, took=now.steady - state.started, worked=worked)
    if busy:
        return request(state, now, "retry", wait=FIRST_RETRY)
    if failed:
        wait = min(LONGEST_RETRY, FIRST_RETRY * 2 ** min(state.failures, 16))
        return request(replace(state, failures=state.failures + 1), now, "retry", wait=wait)
    state = replace(state, failures=0)
    return request(state, now, "again", wait=again_in) if again_in is not None else state


def next_at(state: EntryState, now: Moment, finals: Sequence[Instant]) -> Instant | None:
    """When an entry begins next by what is known now, in wall time; None where something has to happen first."""
    moments = []
    if state.ready is not None:
        moments.append(now.wall + math.ceil(max(0.0, state.ready - now.steady) * SECOND))
    if state.entry.enabled and state.entry.every:
        at = state.started + state.entry.every + jitter(state.entry, state.since) / SECOND
        moments.append(now.wall + math.ceil(max(0.0, at - now.steady) * SECOND))
    due = next_due(state.entry, state.since, finals)
    if due is not None:
        moments.append(max(due, now.wall))
    return min(moments, default=None)


def wait(
    states: Sequence[EntryState],
    now: Moment,
    finals: Sequence[Instant],
    *,
    busy: Collection[Lane],
    held: Mapping[str, str],
) -> float:
    """Seconds until something may begin, at most `LONGEST_LOOK`: what is requested and cannot begin, since its lane is busy or it is
    held, makes nothing look sooner."""
    soonest = LONGEST_LOOK
    for state in states:
        stuck = state.entry.lane in busy or state.entry.job in held
        stuck = stuck or (state.ready is not None and _waits_for_rows(state, states, now))
        if state.running or (state.ready is not None and state.ready <= now.steady and stuck):
            continue
        at = next_at(state, now, finals)
        if at is not None:
            soonest = min(soonest, (at - now.wall) / SECOND)
    return max(0.0, soonest)
