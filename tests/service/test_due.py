"""What is due when: once for each moment, however long nothing looked and however the clock is set."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fulltape.market.time import HOUR, MINUTE, SECOND, from_datetime
from fulltape.schedule import cron
from fulltape.schedule.rules import SCHEDULE, Lane, Trigger
from fulltape.service import plan
from fulltape.service.config import ScheduleEntry
from fulltape.service.plan import EntryState, Moment

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
START = from_datetime(dt.datetime(2026, 3, 1, tzinfo=dt.UTC))


def entry(name: str = "export", lane: Lane = "heavy", **about: object) -> ScheduleEntry:
    return ScheduleEntry(name=name, job=str(about.pop("job", name)), lane=lane, **about)  # type: ignore[arg-type]


def state(what: ScheduleEntry, **about: object) -> EntryState:
    return EntryState(entry=what, since=START, **about)  # type: ignore[arg-type]


def at(wall: int, steady: float | None = None) -> Moment:
    return Moment(wall=wall, steady=(wall - START) / SECOND if steady is None else steady)


def berlin(*when: int) -> int:
    return from_datetime(dt.datetime(*when).replace(tzinfo=BERLIN))  # type: ignore[arg-type]


def runs(what: ScheduleEntry, looks: list[int], finals: tuple[int, ...] = ()) -> list[int]:
    """The moments for which an entry ran, looked at so often, where each run ends at once."""
    current, due = state(what), []
    for wall in looks:
        current = plan.looked(current, at(wall), finals)
        for begun in plan.starts([current], at(wall), busy=(), held={}):
            due.append(begun.due or wall)
            current = plan.ended(plan.begun(begun, at(wall)), at(wall), failed=False)
    return due


@pytest.mark.parametrize(
    ("expression", "day", "moments"),
    [
        (
            "30 2 * * *",
            (2026, 3, 29),
            [(2026, 3, 29, 3, 0)],
        ),  # the half hour that does not exist: made up for at once
        ("30 2 * * *", (2026, 10, 25), [(2026, 10, 25, 2, 30)]),  # the hour that comes twice counts once
        ("0 * * * *", (2026, 3, 29), [(2026, 3, 29, hour) for hour in range(24) if hour != 2]),
    ],
)
def test_on_both_nights_of_daylight_saving_a_moment_counts_once(
    expression: str, day: tuple[int, int, int], moments: list[tuple[int, ...]]
) -> None:
    what = entry(cron=expression, zone="Europe/Berlin")
    first = berlin(*day)
    looks = list(range(START, START + MINUTE, MINUTE)) + [
        first - MINUTE + step * MINUTE
        for step in range(26 * 60)
        if first + (step - 1) * MINUTE < berlin(*day, 23, 30) + HOUR
    ]
    mine = [due for due in runs(what, looks) if due >= first and due < first + 24 * HOUR]
    assert mine[: len(moments)] == [berlin(*moment) for moment in moments]


def test_what_was_missed_in_a_pause_is_due_once() -> None:
    what = entry(cron="30 2 * * *")
    days = [START + day * 24 * HOUR for day in range(30)]
    assert len(runs(what, [days[0], days[10]])) == 1
    assert len(runs(what, [days[0], days[10], days[10] + HOUR, days[11] + 3 * HOUR])) == 2


def test_a_clock_that_is_set_back_makes_nothing_due_again() -> None:
    what = entry(cron="30 2 * * *")
    night = START + 2 * HOUR + 30 * MINUTE
    assert runs(what, [night, night - HOUR, night - MINUTE, night, night + MINUTE]) == [night]


def test_sessions_that_become_final_are_moments() -> None:
    what = entry("forward", "fetch", after=("final",))
    finals = (START + HOUR, START + 2 * HOUR, START + 3 * HOUR)
    looks = [START + HOUR - 1, START + HOUR, START + HOUR + MINUTE, START + 3 * HOUR + MINUTE]
    assert len(runs(what, looks, finals)) == 2


@given(
    st.lists(st.integers(min_value=-3 * 24 * 60, max_value=3 * 24 * 60), min_size=1, max_size=60),
    st.sampled_from(["30 2 * * *", "*/7 * * * *", "0 0 1 * *", "15 3 * * 0"]),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo"]),
)
def test_however_clocks_jump_no_moment_counts_twice_and_none_runs_early(
    steps: list[int], expression: str, zone: str
) -> None:
    what = entry(cron=expression, zone=zone)
    wall, looks = START, [START]
    for step in steps:
        # Further back than a day a clock is taken to have been wrong before.
        wall = max(START, max(looks) - plan.MOST_AHEAD, wall + step * MINUTE)
        looks.append(wall)
    due = runs(what, looks)
    assert len(due) == len(set(due))
    assert due == sorted(due)
    assert all(any(moment <= look for look in looks) for moment in due)
    # A moment that has passed, and was looked at, has run or is covered by a later run.
    first = cron.following(expression, zone, START)
    assert bool(due) == any(look >= first for look in looks)


def test_an_interval_follows_steady_time() -> None:
    current = state(entry("audit", "fetch", every=3_600.0), started=0.0)
    assert plan.looked(current, Moment(wall=START + 9 * HOUR, steady=3_599), ()).ready is None
    assert plan.looked(current, Moment(wall=START - 9 * HOUR, steady=3_600), ()).ready == 3_600


def test_jitter_is_the_same_however_often_it_is_asked_and_within_its_bound() -> None:
    what = entry(cron="30 2 * * *", jitter=60.0)
    due = plan.next_due(what, START, ())
    assert due == plan.next_due(what, START, ())
    assert due is not None
    assert 0 <= due - (START + 2 * HOUR + 30 * MINUTE) < MINUTE


def test_events_begin_at_once_and_then_after_the_spacing_and_five_times_as_long_as_a_run_took() -> None:
    what = entry("curate", after=("parts",), spacing=30.0)
    (first,) = plan.triggered([state(what)], ["parts"], at(START, 100))
    assert first.ready == 100
    running = plan.begun(first, at(START, 100))
    over = plan.ended(running, at(START, 110), failed=False)
    (second,) = plan.triggered([over], ["parts", "tasks"], at(START, 111))
    assert second.ready == 150
    assert plan.triggered([over], ["tasks"], at(START, 111)) == [over]
    (again,) = plan.triggered([second], ["parts"], at(START, 112))
    assert again.ready == 150, "what is requested already comes no later"
    idle = plan.ended(running, at(START, 101), failed=False, did=False)
    (soon,) = plan.triggered([idle], ["parts"], at(START, 102))
    assert soon.ready == 105, "a run that did nothing delays none that has something to do"


def test_what_happens_while_a_job_runs_makes_it_run_once_more() -> None:
    what = entry("seal", "seal", after=("closed",))
    running = plan.begun(plan.triggered([state(what)], ["closed"], at(START, 1))[0], at(START, 1))
    (more,) = plan.triggered([running], ["closed"], at(START, 2))
    assert plan.starts([more], at(START, 2), busy={"seal"}, held={}) == []
    over = plan.ended(more, at(START, 3), failed=False)
    assert [begun.entry.name for begun in plan.starts([over], at(START, 3), busy=(), held={})] == ["seal"]


def test_a_failure_is_repeated_after_pauses_that_double_and_a_success_ends_them() -> None:
    current = state(entry())
    waits = []
    for second in range(9):
        current = plan.ended(plan.begun(current, at(START, second)), at(START, second), failed=True)
        assert current.ready is not None
        waits.append(current.ready - second)
    assert waits == [30, 60, 120, 240, 480, 960, 1_920, 3_600, 3_600]
    well = plan.ended(plan.begun(current, at(START, 20)), at(START, 20), failed=False)
    assert (well.failures, well.ready) == (0, None)
    busy = plan.ended(plan.begun(well, at(START, 30)), at(START, 30), failed=True, busy=True)
    assert (busy.failures, busy.ready) == (0, 60)


def test_of_a_lane_one_runs_and_the_one_that_waits_longest_comes_first() -> None:
    night = [
        plan.looked(state(entry(name, cron="30 2 * * *")), at(START + 3 * HOUR), ())
        for name in ("check", "export", "sweep")
    ]
    (first,) = plan.starts(night, at(START + 3 * HOUR), busy=(), held={})
    assert first.entry.name == "check"
    assert plan.starts(night, at(START + 3 * HOUR), busy={"heavy"}, held={}) == []
    seal = plan.request(state(entry("seal", "seal")), at(START + 3 * HOUR), "event")
    beside = plan.starts([*night, seal], at(START + 3 * HOUR), busy={"heavy"}, held={})
    assert [begun.entry.name for begun in beside] == ["seal"]


def test_what_is_held_waits_unless_a_person_asks() -> None:
    now = at(START, 10)
    held = {"backfill": "the disk is full"}
    wanted = plan.request(state(entry("backfill", "fetch")), now, "event")
    assert plan.starts([wanted], now, busy=(), held=held) == []
    assert plan.wait([wanted], now, (), busy=(), held=held) == plan.LONGEST_LOOK, "no busy loop"
    person = plan.request(state(entry("backfill", "fetch")), now, "person")
    assert plan.starts([person], now, busy=(), held=held)


@given(
    st.lists(
        st.tuples(st.sampled_from(["closed", "tasks", "parts", "curated"]), st.floats(0, 50), st.booleans()),
        max_size=40,
    )
)
def test_a_node_that_is_left_alone_comes_to_rest_and_never_waits_for_nothing(
    happenings: list[tuple[Trigger, float, bool]],
) -> None:
    """Whatever happens, and however jobs end: a wait of no time is followed by a start."""
    states = [
        state(
            ScheduleEntry(
                name=name,
                job=rule.job,
                lane="heavy" if rule.job in ("curate", "check") else "fetch",
                after=rule.after,
                spacing=rule.spacing,
            )
        )
        for name, rule in SCHEDULE.items()
        if rule.after
    ]
    steady = 0.0
    for event, wait, failed in happenings:
        steady += wait
        now = at(START, steady)
        states = plan.triggered(states, [event], now)
        begun = plan.starts(states, now, busy=(), held={})
        names = {one.entry.name for one in begun}
        states = [plan.begun(one, now) if one.entry.name in names else one for one in states]
        busy = {one.entry.lane for one in begun}
        assert plan.wait(states, now, (), busy=busy, held={}) > 0 or set(busy) < {"heavy", "fetch"}
        states = [plan.ended(one, now, failed=failed) if one.running else one for one in states]
    for _ in range(20_000):
        now = at(START, steady)
        begun = plan.starts(states, now, busy=(), held={})
        if not begun and all(one.ready is None for one in states):
            return
        if not begun:
            pause = plan.wait(states, now, (), busy=(), held={})
            assert pause > 0
            steady += pause
        names = {one.entry.name for one in begun}
        states = [
            plan.ended(plan.begun(one, now), now, failed=False) if one.entry.name in names else one
            for one in states
        ]
    raise AssertionError("it never comes to rest")


@pytest.mark.parametrize(
    ("expression", "zone", "day", "utc"),
    [
        ("30 2 * * *", "Europe/Berlin", (2026, 10, 25), 1),
        ("15 1 * * *", "America/New_York", (2026, 11, 1), 6),
    ],
)
def test_in_the_second_pass_of_an_hour_the_next_moment_lies_ahead(
    expression: str, zone: str, day: tuple[int, int, int], utc: int
) -> None:
    begin = from_datetime(dt.datetime(*day, utc, tzinfo=dt.UTC))
    for minute in range(60):
        now = begin + minute * MINUTE
        assert cron.following(expression, zone, now) > now


def test_a_moment_that_was_dealt_with_by_a_clock_far_ahead_counts_for_nothing() -> None:
    wrong = EntryState(entry=entry(cron="30 2 * * *"), since=START + 3_650 * 24 * HOUR)
    now = plan.looked(wrong, at(START), ())
    assert (now.since, now.ready) == (START, None)
    assert plan.looked(now, at(START + 3 * HOUR), ()).cause == "schedule"


def test_a_bundle_waits_until_what_has_come_is_checked_but_not_for_ever() -> None:
    now = at(START, 10)
    bundle = plan.request(state(entry()), now, "schedule")
    pending = plan.request(state(entry("check")), now, "event", wait=60)
    assert plan.starts([bundle, pending], now, busy=(), held={}) == []
    assert plan.wait([bundle, pending], now, (), busy=(), held={}) > 0
    late = at(START, 10 + plan.PATIENCE)
    assert [
        begun.entry.name for begun in plan.starts([bundle, state(entry("curate"))], now, busy=(), held={})
    ] == ["export"]
    busy = replace(pending, ready=None, running=True)
    assert [begun.entry.name for begun in plan.starts([bundle, busy], late, busy=(), held={})] == ["export"]


def test_a_person_who_asks_for_what_is_held_is_heard_also_where_it_was_requested_already() -> None:
    now, held = at(START, 10), {"backfill": "the disk is full"}
    requested = plan.request(state(entry("backfill", "fetch")), now, "event")
    assert plan.starts([plan.request(requested, now, "person")], now, busy=(), held=held)
