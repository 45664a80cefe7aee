"""How everything is: what must wait and why, what needs a person, and what others see of it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from fulltape import clock
from fulltape.lake import capture_state, disk
from fulltape.lake.capture_state import CaptureState
from fulltape.lake.disk import Room
from fulltape.lake.layout import Layout
from fulltape.market.time import DAY, MINUTE, Instant
from fulltape.node.capture_process import CaptureProcess
from fulltape.service import conditions, pressure, shown
from fulltape.service.caller import Caller
from fulltape.service.conditions import Condition
from fulltape.service.config import JobEnd, ServiceConfig
from fulltape.service.memory import OutSource
from fulltape.service.plan import EntryState, Moment
from fulltape.service.schedule import Schedule
from fulltape.service.sentences import Say, resting_words
from fulltape.service.shown import RestingSource, ServiceState, ShownCondition, ShownRun
from fulltape.service.stream_watch import StreamWatch
from fulltape.service.web_process import WebProcess

_MEASURE_EVERY = 5.0
_SHOW_EVERY = 25.0
"""Seconds after which the state is written anew, also where nothing has changed: it tells that we live."""
_STOPPED_FOR, _UNREACHABLE_FOR = 6 * 60 * MINUTE, 15 * MINUTE
"""How long a source is left alone that refused our credentials, or that gave no answer."""
_MOST_STALLED = 0.25
"""Share of time in which everything waits for memory, beyond which nothing begins that can wait."""
_ALWAYS = ("seal",)
_WITH_LEAST = ("seal", "sweep", "keep")
"""What runs on a disk that has room for live capture only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What there is beside the schedule at a moment."""

    config: ServiceConfig
    capture: CaptureProcess | None
    web: WebProcess | None
    running: Sequence[ShownRun]
    workers: Mapping[str, int]
    stopping: bool
    message: str


class Outlook:
    """How everything is."""

    def __init__(self, folder: Path, schedule: Schedule, caller: Caller, began: Moment, say: Say) -> None:
        self._folder, self._schedule, self._caller, self._began = folder, schedule, caller, began
        self._say = say
        self._streams = StreamWatch()
        self._measured_at = float("-inf")
        self._shown_at = float("-inf")
        self._shown: ServiceState | None = None
        self._room: Room | None = None
        self._tier = "enough"
        self._stalled = 0.0
        self._right = False
        self._forgotten_at = float("-inf")
        self._expired: dict[str, Instant] = {}

    def measure(self, config: ServiceConfig, now: Moment) -> None:
        """Look at disk, memory and clock, not too often."""
        if now.steady - self._measured_at < _MEASURE_EVERY:
            return
        self._measured_at = now.steady
        places = (Path(config.lake), self._folder)
        rooms = [disk.measured(place, config.min_free) for place in places]
        self._room = min(rooms, key=lambda room: room.free - room.wanted)
        if self._room.tier != self._tier:
            if self._tier != "enough" and self._room.tier == "enough":
                self._schedule.trigger(["tasks"], now)
            if self._room.tier == "least":
                self._schedule.request("sweep", now)
            self._tier = self._room.tier
        self._stalled = pressure.stalled("memory")
        # Steady time is that since the machine's start.
        self._right = self._right or now.steady >= config.clock_wait or clock.synchronised()
        self._expire(now)

    @property
    def clock_is_right(self) -> bool:
        """Whether the clock is synchronised, or the machine has run long enough for it to be."""
        return self._right

    def held(self, config: ServiceConfig) -> dict[str, str]:
        """Jobs that are not begun now, and why."""
        jobs = {entry.job: entry.lane for entry in config.entries}
        if not self._right:
            return {job: "the clock is not synchronised" for job in jobs if job not in _ALWAYS}
        if self._room is not None and self._room.tier == "least":
            return {job: self._room.sentence for job in jobs if job not in _WITH_LEAST}
        if self._stalled >= _MOST_STALLED:
            why = f"the machine waits for memory {self._stalled:.0%} of the time"
            return {job: why for job, lane in jobs.items() if lane == "heavy" or job == "backfill"}
        return {}

    def learn(self, begun: EntryState, started: Moment, end: JobEnd, now: Moment) -> None:
        """What a job has found out about sources; nothing where it began with settings that have changed since."""
        outdated = started.steady < self._forgotten_at
        if outdated or end.outcome != "done" or begun.entry.job not in ("backfill", "gaps"):
            return
        out = self._schedule.memory.out
        kept = {}
        for reasons, stopped, wait in (
            (end.unreachable, False, _UNREACHABLE_FOR),
            (end.stopped, True, _STOPPED_FOR),
        ):
            for source, reason in reasons.items():
                before = out.get(source)
                resting = before is not None and before.rests(now.wall) and before.stopped == stopped
                until = before.until if before is not None and resting else now.wall + wait
                same = before is not None and before.stopped == stopped and before.since
                since = before.since if before is not None and same else now.wall
                kept[source] = OutSource(stopped=stopped, reason=reason, until=until, since=since)
        for source in sorted(kept.keys() - out.keys()):
            self._say(
                resting_words(source, kept[source].reason, kept[source].until), kind="resting", source=source
            )
        if kept != out:
            out.clear()
            out.update(kept)
            self._schedule.touch()

    def forget(self, now: Moment) -> None:
        """The settings have changed: every source may be asked again."""
        self._forgotten_at = now.steady
        if self._schedule.memory.out:
            self._schedule.memory.out.clear()
            self._schedule.touch()
            self._schedule.trigger(["tasks"], now)

    def call(self, beside: Surroundings, now: Moment) -> None:
        """Let a person know what needs one."""
        state = _capture_state(beside)
        wanted = tuple(feed.source for feed in beside.config.capture.feeds) if beside.config.capture else ()
        for line in self._streams.look(wanted, state, now):
            self._say(line, kind="stream")
        known = self._conditions(beside, now)
        durable = (
            not any(source.trouble for source in state.sources) if state else beside.config.capture is None
        )
        well = durable and self._streams.all_live and self._exported(now.wall)
        self._caller.look(beside.config.notify, known, now, well=well)

    def show(self, beside: Surroundings, now: Moment) -> None:
        """Write how everything is, where it has changed."""
        known = self._conditions(beside, now)
        sent = self._schedule.memory.sent
        state = ServiceState(
            at=now.wall,
            since=self._began.wall,
            process=os.getpid(),
            stopping=beside.stopping,
            running=tuple(beside.running),
            entries=self._schedule.shown(now),
            conditions=tuple(
                ShownCondition(
                    key=key,
                    title=condition.title,
                    text=condition.text,
                    since=sent[key].since if key in sent else now.wall,
                )
                for key, condition in known.items()
            ),
            capture="none" if beside.config.capture is None else "running" if beside.capture else "stopped",
            held=self.held(beside.config),
            resting={
                source: RestingSource(reason=out.reason, until=out.until)
                for source, out in self._schedule.memory.out.items()
                if out.rests(now.wall)
            },
            message=beside.message,
            workers=dict(beside.workers),
            capture_process=beside.capture.id if beside.capture else 0,
            web_process=beside.web.id if beside.web else 0,
        )
        alike = self._shown is not None and _still(self._shown) == _still(state)
        if not alike or now.steady - self._shown_at >= _SHOW_EVERY:
            self._shown, self._shown_at = state, now.steady
            shown.write(self._folder, state)

    def _expire(self, now: Moment) -> None:
        """Sources that have been left alone long enough are asked again."""
        resting = self._schedule.memory.out.items()
        over = {source: out.until for source, out in resting if not out.rests(now.wall)}
        if over.items() - self._expired.items():
            self._schedule.trigger(["tasks"], now)
        self._expired = over

    def _exported(self, now: Instant) -> bool:
        """Whether the last export has succeeded, not too long ago."""
        runs = [kept.last for name, kept in self._schedule.memory.entries.items() if name == "export"]
        return any(run.outcome == "done" and now - run.succeeded <= 3 * DAY for run in runs)

    def _conditions(self, beside: Surroundings, now: Moment) -> dict[str, Condition]:
        crashes = beside.capture.failures if beside.capture else 0
        known = conditions.of_sources(self._schedule.memory.out, now.wall)
        known |= self._streams.conditions(now)
        known |= conditions.of_capture(_capture_state(beside), crashes)
        web = beside.config.web
        if beside.web and web:
            known |= conditions.of_web(beside.web.failures, f"{web.host}:{web.port}")
        known |= conditions.of_disk(self._room) if self._room else {}
        for name, failures, run in self._schedule.failing():
            known |= conditions.of_entry(name, failures, run.error, run.hint)
        if problem := self._schedule.problem:
            text = f"{problem} What it has done may be done once more after a restart."
            known["memory"] = Condition(title="The service cannot write what it remembers", text=text)
        for sentence in beside.config.warnings:
            known[sentence] = Condition(title="A calendar ends", text=f"{sentence}.")
        return known


def _capture_state(beside: Surroundings) -> CaptureState | None:
    """What the capture process that runs now has told last."""
    path = Layout(root=Path(beside.config.lake)).capture_state(beside.config.writer)
    state = capture_state.read(path) if beside.capture else None
    return state if state is not None and beside.capture and state.process == beside.capture.id else None


def _still(state: ServiceState) -> ServiceState:
    """The state without what changes all the time."""
    return msgspec.structs.replace(
        state,
        at=0,
        conditions=tuple(msgspec.structs.replace(entry, since=0) for entry in state.conditions),
        entries=tuple(
            # What may begin at any moment moves with the clock.
            msgspec.structs.replace(entry, next=None) if entry.waiting else entry
            for entry in state.entries
        ),
    )
