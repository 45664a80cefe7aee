"""The schedule of a running service: where each entry stands, and what of it is remembered."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import msgspec

from fulltape import errors
from fulltape.lake import files
from fulltape.market.time import SECOND, Instant, utc_date
from fulltape.schedule.rules import Lane, ScheduleRule, Trigger
from fulltape.service import memory, plan
from fulltape.service.config import JobEnd, RunOrder, ScheduleEntry
from fulltape.service.memory import LastRun, Memory, NightRecord, RememberedEntry, RunRecord
from fulltape.service.plan import EntryState, Moment
from fulltape.service.shown import ShownEntry


class Schedule:
    """The entries by name, and what is remembered of them."""

    def __init__(self, folder: Path) -> None:
        files.make_folder(folder / memory.FOLDER)
        self._folder = folder
        self.memory: Memory = memory.read(folder)
        self._states: dict[str, EntryState] = {}
        self._finals: tuple[Instant, ...] = ()
        self._configured: frozenset[str] = frozenset()
        self._orders = 0
        self.problem = ""
        """Why what is remembered could not be written, '' where it was."""
        self._changed = True

    def configure(self, entries: Iterable[ScheduleEntry], finals: tuple[Instant, ...], now: Moment) -> None:
        """Take entries from the settings. One that is as it was goes on where it stood, also before a restart: what was due
        meanwhile is due once. One that was edited, or is new, is due at its next moment only."""
        self._finals = finals
        states: dict[str, EntryState] = {}
        kept_before, new_node = self.memory.entries, not self.memory.entries
        for entry in entries:
            before, kept = self._states.get(entry.name), kept_before.get(entry.name)
            same = kept is not None and kept.spec == entry.spec
            since = kept.since if kept is not None and same else now.wall
            # A clock that was far ahead, or a damaged memory.
            since = since if 0 <= since <= now.wall + plan.MOST_AHEAD else now.wall
            state = before or EntryState(entry=entry, since=since, started=_started(kept, now))
            # What was edited begins to count now: an interval too.
            started = state.started if same or new_node else now.steady
            ready = state.ready if entry.enabled else None
            state = replace(state, entry=entry, since=since, started=started, ready=ready)
            cut_off = kept is not None and kept.last.started and kept.last.outcome != "done"
            if before is None and kept is not None and same and (cut_off or kept.pending):
                # A crash or a stop cut it off, or came before it began, or it had failed.
                due = kept.due if kept.pending else kept.last.due
                state = replace(plan.request(state, now, "retry"), due=due) if entry.enabled else state
            states[entry.name] = state
        configured = frozenset(states)
        # An entry that is gone, but whose job still runs, is forgotten when that has ended.
        states |= {
            name: state for name, state in self._states.items() if state.running and name not in states
        }
        self._states, self._configured = states, configured
        self.memory.entries = {
            name: RememberedEntry(
                spec=state.entry.spec,
                since=state.since,
                last=kept_before[name].last if name in kept_before else LastRun(),
            )
            for name, state in states.items()
        }
        self._changed = True

    def look(self, now: Moment) -> None:
        """Request what has become due."""
        for name, state in self._states.items():
            after = plan.looked(state, now, self._finals)
            if after.since != state.since:
                last = self.memory.entries[name].last
                self._remember(state.entry, after.since, last)
            self._states[name] = after

    def trigger(self, events: Collection[Trigger], now: Moment) -> None:
        """Something happened."""
        if events:
            states = plan.triggered(self._states.values(), events, now)
            self._states = {state.entry.name: state for state in states}

    def request(self, name: str, now: Moment) -> bool:
        """A person wants an entry to run now; False where there is none of that name."""
        if name not in self._states:
            return False
        self._states[name] = plan.request(self._states[name], now, "person")
        return True

    def starts(
        self, now: Moment, busy: Collection[Lane], held: Mapping[str, str]
    ) -> list[tuple[EntryState, RunOrder]]:
        """What begins now, each with its order; it counts as running from here on."""
        out = {source: state for source, state in self.memory.out.items() if state.rests(now.wall)}
        orders = []
        for state in plan.starts(list(self._states.values()), now, busy=busy, held=held):
            entry = state.entry
            self._orders += 1
            order = RunOrder(
                id=self._orders,
                job=entry.job,
                lane=entry.lane,
                budget=entry.budget,
                stopped={source: about.reason for source, about in out.items() if about.stopped},
                unreachable={source: about.reason for source, about in out.items() if not about.stopped},
            )
            orders.append((state, order))
            self._states[entry.name] = plan.begun(state, now)
            before = self.memory.entries[entry.name]
            last = LastRun(started=now.wall, due=state.due, succeeded=before.last.succeeded)
            self._remember(entry, before.since, last)
        return orders

    def ended(self, begun: EntryState, started: Moment, end: JobEnd, now: Moment) -> None:
        """A run has ended."""
        entry = begun.entry
        took = now.steady - started.steady
        record = RunRecord(
            entry=entry.name,
            job=entry.job,
            cause=begun.cause,
            due=begun.due,
            started=started.wall,
            took=round(took, 3),
            outcome=end.outcome,
            error=end.error,
            numbers=end.numbers,
        )
        with contextlib.suppress(OSError):  # a full disk: the run is remembered all the same
            memory.note_run(self._folder, record)
        if entry.job == "export" and (end.outcome != "done" or end.numbers):
            day = utc_date(now.wall).isoformat()
            nights = {**self.memory.nights, day: NightRecord(outcome=end.outcome, complete=end.complete)}
            self.memory.nights = dict(sorted(nights.items())[-memory.MOST_NIGHTS :])
        if entry.name not in self._configured:
            self._states.pop(entry.name, None)
            self.memory.entries.pop(entry.name, None)
            self._changed = True
            return
        failed = end.outcome not in ("done", "stopped", "busy")
        state = plan.ended(
            self._states[entry.name],
            now,
            failed=failed,
            busy=end.outcome == "busy",
            again_in=end.again_in,
            did=bool(end.numbers),
        )
        self._states[entry.name] = state
        before = self.memory.entries[entry.name]
        last = LastRun(
            started=started.wall,
            ended=now.wall,
            took=round(took, 3),
            outcome=end.outcome,
            error=end.error,
            hint=end.hint,
            due=begun.due,
            succeeded=now.wall if end.outcome == "done" else before.last.succeeded,
        )
        self._remember(state.entry, before.since, last)

    def wait(self, now: Moment, busy: Collection[Lane], held: Mapping[str, str]) -> float:
        """Seconds until something may begin."""
        return plan.wait(list(self._states.values()), now, self._finals, busy=busy, held=held)

    def failing(self) -> list[tuple[str, int, LastRun]]:
        """Entries that have failed, how often in a row, and their last run."""
        return [
            (name, state.failures, self.memory.entries[name].last)
            for name, state in self._states.items()
            if state.failures
        ]

    def shown(self, now: Moment) -> tuple[ShownEntry, ...]:
        """Every entry, for people."""
        return tuple(
            ShownEntry(
                name=name,
                job=state.entry.job,
                lane=state.entry.lane,
                when=when(state.entry),
                enabled=state.entry.enabled,
                next=_to_the_second(plan.next_at(state, now, self._finals)),
                waiting=state.cause if state.ready is not None else "",
                last=self.memory.entries[name].last,
            )
            for name, state in self._states.items()
        )

    def keep(self) -> None:
        """Make what changed durable. A disk that refuses is tried again: the service goes on."""
        for name, state in self._states.items():
            kept = self.memory.entries[name]
            pending = _pending(state)
            if (kept.pending, kept.due) != (pending, state.due):
                self.memory.entries[name] = msgspec.structs.replace(kept, pending=pending, due=state.due)
                self._changed = True
        if self._changed:
            try:
                memory.write(self._folder, self.memory)
            except errors.StorageError as error:
                self.problem = error.message
                return
            self._changed, self.problem = False, ""

    def touch(self) -> None:
        """Something else of the memory has changed."""
        self._changed = True

    def _remember(self, entry: ScheduleEntry, since: Instant, last: LastRun) -> None:
        self.memory.entries[entry.name] = RememberedEntry(spec=entry.spec, since=since, last=last)
        self._changed = True


def stored(folder: Path, rules: Mapping[str, ScheduleRule], now: Instant) -> tuple[ShownEntry, ...]:
    """The schedule of a node whose service does not run, as it would go on now."""
    kept = memory.read(folder).entries
    shown = []
    for name, rule in rules.items():
        entry = ScheduleEntry(name=name, lane="heavy", **dataclasses.asdict(rule))
        before = kept.get(name)
        same = before is not None and before.spec == entry.spec
        since = before.since if before is not None and same else now
        shown.append(
            ShownEntry(
                name=name,
                job=rule.job,
                lane="",
                when=when(entry),
                enabled=rule.enabled,
                next=plan.next_due(entry, since, ()),
                waiting="",
                last=before.last if before else LastRun(),
            )
        )
    return tuple(shown)


def _to_the_second(at: Instant | None) -> Instant | None:
    """A moment as it is shown: that of an interval is counted by another clock, and would differ a little at every look."""
    return None if at is None else round(at / SECOND) * SECOND


def _pending(state: EntryState) -> bool:
    """Whether a run is requested that a start would not request again by itself."""
    after = {"checked", "damaged", "final"} & set(state.entry.after)
    lasting = state.due is not None or state.cause == "retry" or bool(after)
    return state.ready is not None and lasting


def when(entry: ScheduleEntry) -> str:
    """When an entry runs, in words."""
    words = [f"{entry.cron} {entry.zone}"] if entry.cron else []
    words += [f"every {_spelled(entry.every)}"] if entry.every else []
    words += [f"after {', '.join(entry.after)}"] if entry.after else []
    return "; ".join(words) or "only when asked"


def _spelled(seconds: float) -> str:
    for unit, worth in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= worth and seconds % worth == 0:
            return f"{seconds / worth:g}{unit}"
    return f"{seconds:g}s"


def _started(kept: RememberedEntry | None, now: Moment) -> float:
    """When an earlier process last started an entry, in this one's steady time; a clock that was set back meanwhile counts as no
    time."""
    if kept is None or not kept.last.started:
        return float("-inf")
    return now.steady - max(0, now.wall - kept.last.started) / SECOND
