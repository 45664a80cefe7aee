"""What the schedule remembers across restarts, and what editing it does."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from fulltape import errors
from fulltape.market.time import DAY, HOUR, MINUTE, SECOND, from_datetime
from fulltape.schedule.rules import ScheduleRule
from fulltape.service import memory, schedule
from fulltape.service.config import JobEnd, ScheduleEntry
from fulltape.service.memory import OutSource, RememberedEntry, RunRecord
from fulltape.service.plan import Moment
from fulltape.service.schedule import Schedule

NOON = from_datetime(dt.datetime(2026, 11, 30, 12, tzinfo=dt.UTC))
NIGHTLY = ScheduleEntry(name="export", job="export", lane="heavy", cron="30 2 * * *")
HOURLY = ScheduleEntry(name="audit", job="audit_changes", lane="fetch", every=3_600.0)


def at(wall: int, steady: float = 1_000.0) -> Moment:
    return Moment(wall=wall, steady=steady)


def begun(folder: Path, entries: list[ScheduleEntry], now: Moment) -> Schedule:
    """A schedule as a process that starts now has it."""
    made = Schedule(folder)
    made.configure(entries, (), now)
    made.keep()
    return made


def names(made: Schedule, now: Moment) -> list[str]:
    """The entries that begin now; they end at once, well."""
    made.look(now)
    out = []
    for state, order in made.starts(now, (), {}):
        made.ended(state, now, JobEnd(id=order.id, outcome="done", numbers={"files": 1}), now)
        out.append(state.entry.name)
    made.keep()
    return out


def test_what_was_due_while_nothing_ran_is_due_once(tmp_path: Path) -> None:
    begun(tmp_path, [NIGHTLY], at(NOON))
    later = begun(tmp_path, [NIGHTLY], at(NOON + 5 * DAY, 7.0))
    assert names(later, at(NOON + 5 * DAY, 7.0)) == ["export"]
    assert names(later, at(NOON + 5 * DAY + MINUTE, 67.0)) == []
    again = begun(tmp_path, [NIGHTLY], at(NOON + 5 * DAY + HOUR, 3.0))
    assert names(again, at(NOON + 5 * DAY + HOUR, 3.0)) == []


def test_a_run_that_a_crash_cut_off_is_not_forgotten(tmp_path: Path) -> None:
    made = begun(tmp_path, [NIGHTLY], at(NOON))
    night = NOON + 14 * HOUR + 30 * MINUTE
    made.look(at(night))
    assert [state.entry.name for state, _ in made.starts(at(night), (), {})] == ["export"]
    made.keep()
    # The power went: the run has begun, and never ended.
    again = begun(tmp_path, [NIGHTLY], at(night + MINUTE, 5.0))
    assert names(again, at(night + MINUTE, 5.0)) == ["export"]


def test_an_interval_goes_on_across_a_restart(tmp_path: Path) -> None:
    made = begun(tmp_path, [HOURLY], at(NOON))
    assert names(made, at(NOON)) == ["audit"], "a new node audits at once"
    again = begun(tmp_path, [HOURLY], at(NOON + 50 * MINUTE, 20.0))
    assert names(again, at(NOON + 50 * MINUTE, 20.0)) == []
    assert names(again, at(NOON + 60 * MINUTE, 20.0 + 600)) == ["audit"]
    back = begun(tmp_path, [HOURLY], at(NOON - DAY, 20.0))
    assert names(back, at(NOON - DAY, 20.0)) == [], "a clock that was set back counts as no time"


def test_editing_starts_nothing_and_what_is_new_is_due_at_its_next_moment(tmp_path: Path) -> None:
    begun(tmp_path, [NIGHTLY, HOURLY], at(NOON))
    entry = ScheduleEntry(name="export", job="export", lane="heavy", cron="0 9 * * *")
    often = ScheduleEntry(name="audit", job="audit_changes", lane="fetch", every=60.0)
    new = ScheduleEntry(name="mine", job="sweep", lane="heavy", every=60.0)
    edited = begun(tmp_path, [entry, often, new], at(NOON + 3 * DAY, 5.0))
    assert names(edited, at(NOON + 3 * DAY, 5.0)) == []
    assert names(edited, at(NOON + 3 * DAY + MINUTE, 65.0)) == ["audit", "mine"]
    morning = at(NOON + 3 * DAY + 21 * HOUR, 21 * 3_600.0)
    assert [names(edited, morning), names(edited, morning)] == [["audit", "mine"], ["export"]]
    edited.configure([NIGHTLY], (), at(NOON + 5 * DAY, 3 * 86_400.0))
    assert names(edited, at(NOON + 5 * DAY, 3 * 86_400.0)) == []


def test_what_is_shown_of_a_node_at_rest_stays_the_same(tmp_path: Path) -> None:
    """Else its state would be written, and its pages read, every second."""
    made = begun(tmp_path, [NIGHTLY, HOURLY], at(NOON))
    assert names(made, at(NOON)) == ["audit"]
    shown = [made.shown(at(NOON + step * SECOND + step * 7, 1_000.0 + step)) for step in range(1, 30)]
    assert all(entries == shown[0] for entries in shown)


def test_an_entry_that_is_off_never_runs_by_itself_but_when_a_person_asks(tmp_path: Path) -> None:
    off = ScheduleEntry(
        name="export", job="export", lane="heavy", cron="* * * * *", after=("checked",), enabled=False
    )
    made = begun(tmp_path, [off], at(NOON))
    made.trigger(["checked"], at(NOON + HOUR))
    assert names(made, at(NOON + HOUR)) == []
    assert made.request("export", at(NOON + HOUR))
    assert names(made, at(NOON + HOUR)) == ["export"]
    assert not made.request("nix", at(NOON))


def test_sources_are_left_alone_as_long_as_was_noted(tmp_path: Path) -> None:
    backfill = ScheduleEntry(name="backfill", job="backfill", lane="fetch", after=("tasks",))
    made = begun(tmp_path, [backfill], at(NOON))
    made.memory.out["a.x"] = OutSource(stopped=True, reason="401", until=NOON + HOUR)
    made.memory.out["b.y"] = OutSource(stopped=False, reason="no answer", until=NOON - 1)
    made.touch()
    made.trigger(["tasks"], at(NOON))
    ((state, order),) = made.starts(at(NOON), (), {})
    assert (order.stopped, order.unreachable) == ({"a.x": "401"}, {})
    made.ended(state, at(NOON), JobEnd(id=1, outcome="failed", error="why"), at(NOON + SECOND, 1_001.0))
    made.keep()
    kept = memory.read(tmp_path)
    assert kept.out["a.x"].until == NOON + HOUR
    assert (kept.entries["backfill"].last.outcome, kept.entries["backfill"].last.succeeded) == ("failed", 0)
    assert made.failing()[0][:2] == ("backfill", 1)


def test_the_log_of_runs_is_bounded_and_half_a_line_is_no_harm(tmp_path: Path) -> None:
    begun(tmp_path, [], at(NOON))
    for number in range(9_000):
        record = RunRecord(
            entry=f"{number}",
            job="seal",
            cause="event",
            due=None,
            started=NOON,
            took=1.0,
            outcome="done",
            error="x" * 200,
        )
        memory.note_run(tmp_path, record)
    size = sum(memory.runs_path(tmp_path, older=older).stat().st_size for older in (False, True))
    assert size < 2_100_000
    with memory.runs_path(tmp_path).open("ab") as file:
        file.write(b'{"entry": "ha')
    assert [run.entry for run in memory.runs(tmp_path, 1)] == ["8999"]
    assert [run.entry for run in memory.runs(tmp_path, 2)] == ["8999", "8998"]


def test_a_memory_that_is_not_whole_is_a_new_one(tmp_path: Path) -> None:
    begun(tmp_path, [NIGHTLY], at(NOON))
    memory.path(tmp_path).write_bytes(b"{")
    assert memory.read(tmp_path).entries == {}


def test_the_schedule_of_a_node_whose_service_does_not_run(tmp_path: Path) -> None:
    rules = {
        "export": ScheduleRule(job="export", cron="30 2 * * *"),
        "mine": ScheduleRule(job="sweep", every=86_400.0, after=("parts",)),
        "idle": ScheduleRule(job="sweep"),
    }
    shown = {entry.name: entry for entry in schedule.stored(tmp_path, rules, NOON)}
    assert shown["export"].next == NOON + 14 * HOUR + 30 * MINUTE
    assert [entry.when for entry in shown.values()] == [
        "30 2 * * * UTC",
        "every 1d; after parts",
        "only when asked",
    ]


def test_what_waited_for_its_lane_when_the_power_went_runs_after_it(tmp_path: Path) -> None:
    night = at(NOON + 14 * HOUR + 30 * MINUTE)
    entries = [
        ScheduleEntry(name=name, job=name, lane="heavy", cron="30 2 * * *")
        for name in ("verify", "export", "sweep")
    ]
    made = begun(tmp_path, entries, at(NOON))
    made.look(night)
    assert [state.entry.name for state, _ in made.starts(night, (), {})] == ["verify"]
    made.keep()
    later = at(night.wall + MINUTE, 5.0)
    begun(tmp_path, entries, at(night.wall + SECOND, 3.0))  # and the power goes once more
    again = begun(tmp_path, entries, later)
    again.look(later)
    assert {state.due for state, _ in again.starts(later, (), {})} == {NOON + 14 * HOUR + 30 * MINUTE}
    again = begun(tmp_path, entries, later)
    assert sorted(name for _ in entries for name in names(again, later)) == ["export", "sweep", "verify"]


def test_an_entry_that_was_taken_away_while_it_ran_runs_no_more(tmp_path: Path) -> None:
    made = begun(tmp_path, [ScheduleEntry(name="mine", job="sweep", lane="heavy", every=60.0)], at(NOON))
    made.look(at(NOON))
    ((state, order),) = made.starts(at(NOON), (), {})
    made.configure([NIGHTLY], (), at(NOON + SECOND, 1_001.0))
    made.ended(state, at(NOON), JobEnd(id=order.id, outcome="done"), at(NOON + MINUTE, 1_060.0))
    assert names(made, at(NOON + HOUR, 4_600.0)) == []
    assert "mine" not in made.memory.entries


def test_a_memory_of_a_clock_that_was_far_ahead_or_of_nonsense_is_no_harm(tmp_path: Path) -> None:
    begun(tmp_path, [NIGHTLY], at(NOON + 3_650 * DAY))
    made = begun(tmp_path, [NIGHTLY], at(NOON))
    assert names(made, at(NOON + DAY, 90_000.0)) == ["export"]
    for since in (2**62, -(2**62)):
        made.memory.entries["export"] = RememberedEntry(spec=NIGHTLY.spec, since=since)
        made.touch()
        made.keep()
        assert names(begun(tmp_path, [NIGHTLY], at(NOON)), at(NOON)) == []
    resting = OutSource(stopped=True, reason="401", until=NOON + 3_650 * DAY)
    assert not resting.rests(NOON)


def test_a_disk_that_is_full_does_not_end_the_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = begun(tmp_path, [NIGHTLY], at(NOON))

    def full(*_: object) -> None:
        raise errors.StorageError("memory.json could not be written: No space left on device.")

    monkeypatch.setattr(memory, "write", full)
    made.touch()
    made.keep()
    assert "No space" in made.problem
    monkeypatch.undo()
    made.keep()
    assert made.problem == ""
