"""What is played of a recording: each message once, in order, and a gap where nothing was received."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recorded import channel

from fulltape import errors
from fulltape.contract.events import ConnectionEvent
from fulltape.replay import plan
from fulltape.replay.plan import Heard, Key, Pace, Played, PlayOrder, Recorded, RecordedGap

CARRIED = (channel("a", "A"), channel("b", "B"))


class Letters:
    """Messages are `a1`, `b7`, or `ab3` for one about both."""

    def pieces(self, content: bytes) -> list[tuple[Key, bytes]]:
        letters = content.decode().rstrip("0123456789")
        number = content[len(letters) :]
        return [(((letter,), letter.upper()), letter.encode() + number) for letter in letters]

    def without(self, content: bytes, gone: Any) -> bytes:
        pieces = [piece for place, (_, piece) in enumerate(self.pieces(content)) if place not in gone]
        return b"".join(piece[:1] for piece in pieces) + pieces[0][1:]


def event(what: str, at: int, connection: int = 1, **more: object) -> ConnectionEvent:
    return ConnectionEvent(what=what, at=at, connection=connection, **more)  # type: ignore[arg-type]


def items_of(*recorded: Recorded) -> list[Any]:
    """What is played, with its moments."""
    return list(PlayOrder(Letters()).items(recorded))


def played(*recorded: Recorded) -> list[object]:
    """Contents, and gaps as (symbols, cut)."""
    return [
        item.content if isinstance(item, Played) else (item.symbols, item.cut)
        for item in PlayOrder(Letters()).items(recorded)
    ]


OPENED = event("opened", 0, 0, carried=CARRIED)
BOTH = event("confirmed", 1, channels=("a", "b"))


def test_messages_of_several_connections_come_in_time() -> None:
    assert played(
        OPENED, event("confirmed", 1, 1, channels=("a",)), event("confirmed", 1, 2, channels=("b",)),
        Heard(5, 1, b"a1"), Heard(9, 1, b"a3"), Heard(7, 2, b"b2"), Heard(11, 2, b"b4"),
    ) == [b"a1", b"b2", b"a3", b"b4"]  # fmt: skip


def test_what_came_before_its_confirmation_is_played_once_that_is_there() -> None:
    assert played(
        OPENED, event("confirmed", 1, 1, channels=("a",)), Heard(5, 2, b"b1"), Heard(6, 1, b"a1"),
        event("confirmed", 7, 2, channels=("b",)), Heard(8, 2, b"b2"),
    ) == [b"a1", b"b1", b"b2"]  # fmt: skip


def test_nothing_is_lost_of_a_connection_that_was_never_confirmed() -> None:
    assert played(
        OPENED,
        event("confirmed", 1, 1, channels=("a",)),
        Heard(5, 2, b"b1"),
        Heard(6, 1, b"a1"),
        Heard(8, 2, b"b2"),
    ) == [b"a1", b"b1", b"b2"]


def test_what_two_connections_carry_is_heard_once_and_a_renewal_is_no_gap() -> None:
    assert played(
        OPENED, BOTH, Heard(5, 1, b"a1"), event("confirmed", 6, 2, channels=("a", "b")), Heard(7, 1, b"a2"),
        Heard(8, 2, b"a2"), event("disconnected", 9, 1, since=9), Heard(10, 2, b"a3"),
    ) == [b"a1", b"a2", b"a3"]  # fmt: skip


def test_a_lost_connection_is_a_gap_of_what_no_other_carries() -> None:
    assert played(
        OPENED, event("confirmed", 1, 1, channels=("a",)), event("confirmed", 1, 2, channels=("b",)),
        Heard(5, 1, b"a1"), Heard(6, 2, b"b1"), event("disconnected", 9, 1, since=7), Heard(10, 2, b"b2"),
    ) == [b"a1", b"b1", (("A",), True), b"b2"]  # fmt: skip


def test_silence_and_drops_are_told_and_cut_nothing() -> None:
    assert played(
        OPENED, BOTH, Heard(5, 1, b"a1"), event("stale", 9, 1, channels=("b",), since=6),
        event("dropped", 12, 1, channels=("a",), since=10, count=3),
    ) == [b"a1", (("B",), False), (("A",), False)]  # fmt: skip


def test_a_file_that_goes_on_is_no_gap_and_one_that_does_not_is() -> None:
    first: list[Recorded] = [OPENED, BOTH, Heard(5, 1, b"a1")]
    goes_on = event("opened", 6, 0, carried=CARRIED, follows="x", live={1: ("a", "b")})
    half = event("opened", 6, 0, carried=CARRIED, follows="x", live={1: ("a",)})
    assert played(*first, goes_on, Heard(7, 1, b"a2")) == [b"a1", b"a2"]
    assert played(*first, half, Heard(7, 1, b"a2")) == [b"a1", (("B",), True), b"a2"]
    assert played(*first, event("opened", 6, 0, carried=CARRIED), BOTH, Heard(7, 1, b"a2")) == [
        b"a1", (("A", "B"), True), b"a2",
    ]  # fmt: skip


def test_what_was_confirmed_before_its_file_was_made_is_no_gap() -> None:
    late = event("opened", 50, 0, carried=CARRIED)
    assert played(late, BOTH, Heard(5, 1, b"a1"), Heard(60, 1, b"a2")) == [b"a1", b"a2"]


def test_what_only_concerned_the_connection_is_not_played() -> None:
    assert played(OPENED, Heard(1, 1, b"7"), BOTH, Heard(5, 1, b"a1")) == [b"a1"]


@given(
    st.lists(st.tuples(st.integers(1, 10), st.sampled_from(["a", "b", "ab"])), min_size=1, max_size=60),
    st.lists(st.tuples(st.integers(0, 60), st.integers(1, 12), st.integers(-30, 30)), max_size=4),
)
def test_whatever_is_renewed_every_message_is_played_once_and_in_order(
    ticks: list[tuple[int, str]], renewals: list[tuple[int, int, int]]
) -> None:
    """A venue that tells each of its connections everything, one of them later than the other; a connection takes over while both are there."""
    moments, at = [], 100
    for pause, _ in ticks:
        at += pause
        moments.append(at)
    sent = [f"{letters}{number}".encode() for number, (_, letters) in enumerate(ticks)]
    recorded: list[Recorded] = []
    connection, begin, skew = 1, 0, 0
    for start, overlap, after in sorted(renewals):
        if start <= begin or start + overlap >= len(ticks):
            continue
        stop = start + overlap
        recorded += [Heard(moments[n] + skew, connection, sent[n]) for n in range(begin, stop)]
        recorded.append(event("confirmed", moments[start] - 1, connection + 1, channels=("a", "b")))
        # It is noticed late, and says when it was heard last.
        end = max(moments[stop - 1] + skew, moments[stop - 1] + after) + 40
        recorded.append(event("disconnected", end, connection, since=moments[stop - 1] + skew))
        connection, begin, skew = connection + 1, start, after
    recorded += [Heard(moments[n] + skew, connection, sent[n]) for n in range(begin, len(ticks))]
    ordered = sorted(recorded, key=lambda each: each.at)
    assert played(OPENED, BOTH, *ordered) == sent


def test_two_connections_may_carry_the_same_for_minutes() -> None:
    second = 10**9
    both = [(number * second, f"a{number}".encode()) for number in range(1, 120)]
    recorded: list[Recorded] = [OPENED, BOTH, event("confirmed", 2, 2, channels=("a", "b"))]
    for at, content in both[:-2]:
        recorded += [Heard(at, 1, content), Heard(at + 7, 2, content)]
    recorded += [Heard(at, 2, content) for at, content in both[-2:]]
    recorded.append(event("disconnected", 130 * second, 1))
    assert played(*recorded) == [content for _, content in both]


def test_what_was_dropped_is_told_late_and_is_no_clock() -> None:
    second = 10**9
    recorded = [Heard(number * second, 1, f"a{number}".encode()) for number in range(1, 40)]
    dropped = event("dropped", 20 * second, 1, channels=("a",), since=10 * second, count=3)
    order = items_of(OPENED, BOTH, *recorded[:30], dropped, *recorded[30:])
    assert [item.at // second for item in order if isinstance(item, Played)] == list(range(1, 40))


def test_what_comes_late_by_a_lost_connection_is_played_where_it_is_new() -> None:
    assert played(
        OPENED, BOTH, Heard(5, 1, b"a1"), event("confirmed", 6, 2, channels=("a", "b")), Heard(7, 2, b"a2"),
        event("disconnected", 8, 1), Heard(9, 1, b"a2"), Heard(10, 2, b"a3"), Heard(11, 1, b"b1"),
    ) == [b"a1", b"a2", b"a3", b"b1"]  # fmt: skip


def test_one_connection_may_say_the_same_twice() -> None:
    assert played(OPENED, BOTH, Heard(5, 1, b"a1"), Heard(6, 1, b"a1")) == [b"a1", b"a1"]


@given(
    st.lists(st.integers(0, 1_000), min_size=2, max_size=40),
    st.integers(-600, 600),
    st.integers(0, 39),
    st.booleans(),
)
def test_a_clock_that_is_set_changes_no_order(pauses: list[int], by: int, at: int, marked: bool) -> None:
    """Seconds forward or back, told or not."""
    second, moment, recorded, sent = 10**9, 10**15, list[Recorded]([OPENED, BOTH]), []
    for number, pause in enumerate(pauses):
        moment += pause * 10**6
        if number == at:
            moment += by * second
            if marked or by > 0:
                recorded.append(event("clock", moment, 0, by=by * second, since=moment))
        content = f"a{number}".encode()
        sent.append(content)
        recorded.append(Heard(moment, 1, content))
    items = list(PlayOrder(Letters()).items(recorded))
    assert [item.content for item in items if isinstance(item, Played)] == sent
    whole = items[-1].at - items[0].at
    assert whole <= sum(pauses[1:]) * 10**6 + 6 * second, "no pause where there was none"


@given(st.lists(st.tuples(st.integers(0, 10**12), st.integers(1, 3)), max_size=50))
def test_moments_never_go_back(heard: list[tuple[int, int]]) -> None:
    recorded = [Heard(at, connection, f"{'abc'[connection - 1]}1".encode()) for at, connection in heard]
    items = list(PlayOrder(Letters()).items(recorded))
    assert len(items) == len(heard)
    assert [item.at for item in items] == sorted(item.at for item in items)


@given(st.integers(0, 10**15), st.integers(0, 10**6), st.floats(0.1, 1000))
def test_deadlines_do_not_drift(first: int, seconds: int, speed: float) -> None:
    pace = Pace(100.0, first, speed)
    assert pace.deadline(first + seconds * 10**9) == pytest.approx(100.0 + seconds / speed)


@pytest.mark.parametrize(
    ("begin", "end", "expected"),
    [
        ("", "", (0, 1 << 62)),
        ("1970-01-02", "1970-01-02", (86_400 * 10**9, 2 * 86_400 * 10**9 - 1)),
        ("1970-01-01T00:00:01Z", "1970-01-01T01:00:02+01:00", (10**9, 2 * 10**9)),
    ],
)
def test_a_window_is_of_days_or_moments(begin: str, end: str, expected: tuple[int, int]) -> None:
    assert plan.window(begin, end) == expected


@pytest.mark.parametrize(
    ("begin", "end"),
    [("yesterday", ""), ("2026-11-24T10:00", ""), ("2026-13-01", ""), ("2026-11-24", "2026-11-23")],
)
def test_what_is_no_window_is_refused(begin: str, end: str) -> None:
    with pytest.raises(errors.UsageError):
        plan.window(begin, end)


def test_files_are_chosen_by_what_they_may_hold() -> None:
    hour = 3_600 * 10**9
    begins = [10 * hour, 20 * hour, 30 * hour]
    assert plan.files_within(begins, 0, 1 << 62) == [0, 1, 2]
    assert plan.files_within(begins, 24 * hour, 26 * hour) == [1]
    assert plan.files_within(begins, 40 * hour, 50 * hour) == [2]
    assert plan.files_within(begins, 0, 12 * hour) == [0]


def test_gaps_name_symbols() -> None:
    (gap,) = [
        item
        for item in PlayOrder(Letters()).items(
            [OPENED, BOTH, Heard(5, 1, b"a1"), event("closed", 9, 1, reason="stopped")]
        )
        if isinstance(item, RecordedGap)
    ]
    assert gap == RecordedGap(9, ("A", "B"), "closed: stopped", True, ((("a",), "A"),))
    assert gap.concerns("a", "A", "*")
    assert gap.concerns("a", "*", "*")
    assert not gap.concerns("depth", "A", "*")
    assert gap.concerns("depth", "B", "*"), "of B nothing was heard: any subscription may have been lost"
    assert not gap.concerns("a", "C", "*")
