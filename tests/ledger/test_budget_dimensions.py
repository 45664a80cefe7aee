"""Over any window of any dimension what was sent is at most what is allowed: across restarts, two processes on one
ledger, and a wall clock that jumps while they run."""

from __future__ import annotations

import itertools
import uuid
from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clocks import at
from conftest import Opener
from fulltape.clock import SystemClock
from fulltape.contract.plans import Limits
from fulltape.ledger.allowance import Granted, Refused, Want, kept_for_others
from fulltape.ledger.ledger import Ledger
from fulltape.market.time import DAY, HOUR, SECOND

START = 1_800_000_000 * SECOND


@dataclass
class Machine:
    """True time since boot, and a wall clock that somebody sets."""

    since_boot: int = 5_000 * SECOND
    wall: int = START
    sent: list[tuple[int, int, str]] = field(default_factory=list)
    """(true time, weight, what)."""

    def pass_by(self, microseconds: int) -> None:
        self.since_boot += microseconds
        self.wall += microseconds

    def clock(self, ledger: Ledger) -> SystemClock:
        return SystemClock(
            ledger.boots.anchor,
            boot="boot",
            wall=lambda: self.wall * 1_000,
            since_boot=lambda: self.since_boot * 1_000,
        )


STEPS = st.lists(
    st.tuples(
        st.integers(0, 3 * SECOND),
        st.sampled_from([0, 0, 0, HOUR, -HOUR, 25 * HOUR, -3 * SECOND, DAY]),
        st.integers(0, 1),
        st.booleans(),
        st.integers(1, 4),
        st.sampled_from("pq"),
    ),
    min_size=10,
    max_size=60,
)
LIMITS = st.builds(
    Limits,
    per_minute=st.integers(1, 30),
    per_second=st.integers(0, 3),
    per_day=st.sampled_from([0, 25]),
    weight_per_minute=st.integers(4, 40),
    identical_after=st.sampled_from([0, 5]),
)


@settings(max_examples=25)
@given(LIMITS, STEPS)
def test_no_window_of_any_dimension_holds_too_much_whatever_the_clock_does(
    open_ledger: Opener, limits: Limits, steps: list[tuple[int, int, int, bool, int, str]]
) -> None:
    machine, name = Machine(), uuid.uuid4().hex
    ledgers = [open_ledger(name), open_ledger(name)]
    clocks = [machine.clock(ledger) for ledger in ledgers]
    for gap, jump, which, restarts, cost, same in steps:
        machine.pass_by(gap)
        machine.wall += jump
        if restarts:
            clocks[which] = machine.clock(ledgers[which])
        want = Want(kind="GAP", cost=cost, same=same)
        for _ in range(20):
            now = clocks[which].steady()
            answer = ledgers[which].budgets.reserve("key", limits, want, steady=at(now))
            if isinstance(answer, Granted):
                machine.sent.append((machine.since_boot, cost, same))
                break
            assert answer.room_at > now, "told to come back at once"
            machine.pass_by(answer.room_at - now)
        else:
            raise AssertionError("never room")
    for ledger in ledgers:
        ledger.close()
    _check(machine, limits)


def _check(machine: Machine, limits: Limits) -> None:
    offset = START - 5_000 * SECOND
    for when, _, same in machine.sent:

        def within(span: int, now: int = when) -> list[tuple[int, int, str]]:
            return [one for one in machine.sent if now - span < one[0] <= now]

        assert len(within(60 * SECOND)) <= limits.per_minute
        assert sum(weight for _, weight, _ in within(60 * SECOND)) <= limits.weight_per_minute
        if limits.per_second:
            assert len(within(SECOND)) <= limits.per_second
        if limits.per_day:
            today = [one for one in machine.sent if (one[0] + offset) // DAY == (when + offset) // DAY]
            assert len(today) <= limits.per_day
        if limits.identical_after:
            span = int(limits.identical_after * SECOND)
            assert len([one for one in within(span) if one[2] == same]) == 1


def test_concurrency_is_shared_and_a_dead_process_gives_its_place_back(open_ledger: Opener) -> None:
    one, other = open_ledger("ledger"), open_ledger("ledger")
    limits = Limits(concurrency=2)

    def fetch(ledger: Ledger, token: str, now: int) -> Granted | Refused:
        want = Want(kind="GAP", token=token, until=now + 60 * SECOND)
        return ledger.budgets.reserve("key", limits, want, steady=at(now))

    assert isinstance(fetch(one, "a", START), Granted)
    assert isinstance(fetch(other, "b", START), Granted)
    refused = fetch(one, "c", START)
    assert isinstance(refused, Refused)
    assert (refused.dimension, refused.limit) == ("concurrency", "2 at a time")
    other.budgets.landed(limits, "b")
    assert isinstance(fetch(one, "c", START), Granted)
    assert isinstance(fetch(other, "d", START + 61 * SECOND), Granted)


def test_an_endpoint_class_is_limited_beside_the_whole(ledger: Ledger) -> None:
    limits = Limits(per_minute=10, endpoints={"slow": Limits(per_minute=2)})
    slow, quick = Want(kind="GAP", endpoint="slow"), Want(kind="GAP", endpoint="quick")
    assert isinstance(ledger.budgets.reserve("key", limits, slow, steady=at(START)), Granted)
    refused = ledger.budgets.reserve("key", limits, slow, steady=at(START))
    assert isinstance(refused, Refused)
    assert refused.limit == "2 requests per minute"
    granted = 0
    while isinstance(ledger.budgets.reserve("key", limits, quick, steady=at(START)), Granted):
        granted += 1
    assert granted == 9


def test_credits_count_the_cost_and_last_until_midnight(ledger: Ledger) -> None:
    limits = Limits(credits_per_day=10)
    assert isinstance(
        ledger.budgets.reserve("key", limits, Want(kind="GAP", cost=7), steady=at(START)), Granted
    )
    refused = ledger.budgets.reserve("key", limits, Want(kind="GAP", cost=7), steady=at(START))
    assert refused == Refused(
        dimension="daily_cap", room_at=(START // DAY + 1) * DAY, limit="10 credits per day"
    )
    assert isinstance(
        ledger.budgets.reserve("key", limits, Want(kind="GAP", cost=3), steady=at(START)), Granted
    )


SHARES = {"FORWARD": 0.4, "GAP": 0.3, "BOOTSTRAP": 0.25, "QC_PROBE": 0.05}


@given(
    st.dictionaries(st.sampled_from(list(SHARES)), st.integers(0, 60)),
    st.dictionaries(st.sampled_from(list(SHARES)), st.integers(0, 200)),
    st.sampled_from(list(SHARES)),
)
def test_what_is_kept_for_others_is_their_need_within_their_share(
    used: dict[str, int], demand: dict[str, int], kind: str
) -> None:
    kept = kept_for_others(kind, 100, used=used, shares=SHARES, demand=demand)
    others = [other for other in SHARES if other != kind]
    assert kept <= sum(demand.get(other, 0) for other in others)
    assert kept <= sum(int(SHARES[other] * 100) for other in others)
    assert kept_for_others(kind, 100, used=used, shares=SHARES, demand={}) == 0


@pytest.mark.parametrize(("demand", "granted"), [({}, 10), ({"FORWARD": 3}, 7), ({"FORWARD": 99}, 6)])
def test_a_kind_may_use_what_the_others_do_not_need(
    ledger: Ledger, demand: dict[str, int], granted: int
) -> None:
    limits = Limits(per_day=10)
    want = Want(kind="BOOTSTRAP", shares=SHARES, demand=demand)
    count = 0
    while isinstance(answer := ledger.budgets.reserve("key", limits, want, steady=at(START)), Granted):
        count += 1
    assert count == granted
    assert answer.dimension == ("daily_cap" if granted == 10 else "kind_share")
    forward = Want(kind="FORWARD", shares=SHARES, demand=demand)
    assert isinstance(ledger.budgets.reserve("key", limits, forward, steady=at(START)), Granted) == (
        granted < 10
    )


def test_a_boot_with_a_wrong_clock_is_anchored_anew_once_time_is_synchronised(ledger: Ledger) -> None:
    """A machine without a battery begins where it was switched off; the network tells it the time a minute later."""
    limits = Limits(per_minute=12, per_day=15)
    machine = Machine(since_boot=60 * SECOND, wall=START)
    right = {"synchronised": False}

    def clock() -> SystemClock:
        return SystemClock(
            ledger.boots.anchor, boot="pi", wall=lambda: machine.wall * 1_000,
            since_boot=lambda: machine.since_boot * 1_000, synchronised=lambda: right["synchronised"],
        )  # fmt: skip

    def send() -> Granted | Refused:
        return ledger.budgets.reserve("key", limits, Want(kind="GAP"), steady=clock().steady)

    assert [isinstance(send(), Granted) for _ in range(13)] == [True] * 12 + [False]
    banned = ledger.budgets.closed(
        "other", Limits(), until=clock().steady() + 72 * HOUR, now=clock().steady()
    )
    machine.wall += 3 * DAY + 5 * HOUR
    assert clock().steady() < START + DAY, "the wall clock was set: by whom, nobody knows"
    right["synchronised"] = True
    assert clock().steady() == machine.wall
    refused = send()
    assert isinstance(refused, Refused), "no window is refilled"
    assert refused.room_at <= machine.wall + 61 * SECOND
    waits = ledger.budgets.reserve("other", Limits(), Want(kind="GAP"), steady=clock().steady)
    assert isinstance(waits, Refused)
    assert waits.room_at == banned + 3 * DAY + 5 * HOUR
    machine.pass_by(61 * SECOND)
    assert [isinstance(send(), Granted) for _ in range(5)] == [True] * 3 + [False] * 2, "nor is the day"
    machine.wall += 40 * DAY
    assert clock().steady() == machine.wall - 40 * DAY, "it is anchored once"
    machine.wall -= 40 * DAY
    machine.pass_by(2 * DAY)
    assert isinstance(send(), Granted)


@pytest.mark.parametrize("ahead", [2 * HOUR, 23 * HOUR, 400 * DAY + 5 * HOUR])
def test_days_end_by_the_true_time_where_a_boot_began_ahead_of_it(ledger: Ledger, ahead: int) -> None:
    """A machine whose clock holds local time begins hours ahead; the network tells it the time a minute later."""
    limits = Limits(per_day=10)
    true = START
    machine = Machine(since_boot=60 * SECOND, wall=START + ahead)
    right = {"synchronised": False}
    sent: list[int] = []

    def clock(boot: str = "ahead") -> SystemClock:
        return SystemClock(
            ledger.boots.anchor, boot=boot, wall=lambda: machine.wall * 1_000,
            since_boot=lambda: machine.since_boot * 1_000, synchronised=lambda: right["synchronised"],
        )  # fmt: skip

    def send(boot: str = "ahead") -> bool:
        granted = ledger.budgets.reserve("key", limits, Want(kind="GAP"), steady=clock(boot).steady)
        sent.extend([true] * isinstance(granted, Granted))
        return isinstance(granted, Granted)

    for _ in range(4):
        send()
    machine.wall = true
    right["synchronised"] = True
    steady = clock().steady()
    assert steady == START + ahead, "what runs is not put back"
    for boot in ("ahead", "after"):
        for _ in range(5 * 24):
            while send(boot):
                pass
            true += HOUR
            machine.pass_by(HOUR)
        machine.since_boot = 60 * SECOND
    by_day = Counter(at // DAY for at in sent)
    assert max(by_day.values()) == 10
    assert len(by_day) >= 8, "nor does a day go by without a request"
    settled = sorted(by_day)[3:5]
    assert [by_day[day] for day in settled] == [10, 10]
    first = {day: min(at for at in sent if at // DAY == day) for day in settled}
    assert all(at % DAY < HOUR for at in first.values())


@dataclass
class Ahead(Machine):
    """A machine whose clock begins ahead of the true time, until the network tells it."""

    synchronised: bool = False

    def clock_of(self, ledger: Ledger, boot: str) -> SystemClock:
        return SystemClock(
            ledger.boots.anchor,
            boot=boot,
            wall=lambda: self.wall * 1_000,
            since_boot=lambda: self.since_boot * 1_000,
            synchronised=lambda: self.synchronised,
        )


def test_a_process_from_before_the_clock_was_put_right_counts_true_days(open_ledger: Opener) -> None:
    name, limits, true = uuid.uuid4().hex, Limits(per_day=5), START
    older, newer = open_ledger(name), open_ledger(name)
    machine = Ahead(since_boot=60 * SECOND, wall=START + 2 * HOUR)
    clock = machine.clock_of(older, "boot")
    machine.wall, machine.synchronised = true, True
    machine.clock_of(newer, "boot")
    sent: list[int] = []
    for _ in range(5 * 24):
        while isinstance(
            older.budgets.reserve("key", limits, Want(kind="GAP"), steady=clock.steady), Granted
        ):
            sent.append(true)
        true += HOUR
        machine.pass_by(HOUR)
    days = sorted({at // DAY for at in sent})[1:]
    assert [sum(at // DAY == day for at in sent) for day in days] == [5] * len(days)
    assert all(min(at % DAY for at in sent if at // DAY == day) < HOUR for day in days)


def test_days_move_once_however_often_the_machine_is_rebooted(ledger: Ledger) -> None:
    limits = Limits(per_day=5)
    machine = Ahead(since_boot=60 * SECOND, wall=START + 10 * HOUR)
    clock = machine.clock_of(ledger, "first")
    while isinstance(ledger.budgets.reserve("key", limits, Want(kind="GAP"), steady=clock.steady), Granted):
        pass
    machine.wall, machine.synchronised = START, True
    waits = []
    for number in range(5):
        clock = machine.clock_of(ledger, f"boot {number}")
        refused = ledger.budgets.reserve("key", limits, Want(kind="GAP"), steady=clock.steady)
        assert isinstance(refused, Refused)
        used = ledger.database.statement("SELECT MAX(resets_at) AS at FROM days")[0]["at"]
        waits.append(used - clock.steady())
        machine.pass_by(120 * SECOND)
        machine.since_boot = 60 * SECOND
    assert all(later <= earlier for earlier, later in itertools.pairwise(waits)), waits
