"""What is played of a recording: each message once, in order, and a gap where nothing was received."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recorded import channel

from fulltape import errors
from fulltape.contract.events import ConnectionEvent
from fulltape.replay import plan
from fulltape.replay.plan import Heard, Pace, Played, Recorded, RecordedGap, Sequence

CARRIED = (channel("a", "A"), channel("b", "B"))


def keys(content: bytes) -> list[tuple[tuple[str, ...], str]]:
    """Messages are `a1`, `b7`, or `ab3` for one about both."""
    return [((letter,), letter.upper()) for letter in content.decode().rstrip("0123456789")]


def event(what: str, at: int, connection: int = 1, **more: object) -> ConnectionEvent:
    return ConnectionEvent(what=what, at=at, connection=connection, **more)  # type: ignore[arg-type]


def played(*recorded: Recorded) -> list[object]:
    """Contents, and gaps as (symbols, cut)."""
    return [
        item.content if isinstance(item, Played) else (item.symbols, item.cut)
        for item in Sequence(keys).items(recorded)
    ]


OPENED = event("opened", 0, 0, carried=CARRIED)
BOTH = event("confirmed", 1, channels=("a", "b"))


def test_messages_of_several_connections_come_in_time() -> None:
    assert played(
        OPENED, BOTH, Heard(5, 1, b"a1"), Heard(9, 1, b"a3"), Heard(7, 2, b"b2"), Heard(11, 2, b"b4")
    ) == [b"a1", b"b2", b"a3", b"b4"]


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
    st.lists(st.tuples(st.integers(0, 10), st.sampled_from("ab")), max_size=60),
    st.lists(st.integers(0, 60), max_size=4),
)
def test_whatever_is_renewed_every_message_is_played_once(
    ticks: list[tuple[int, str]], renewals: list[int]
) -> None:
    """A venue that tells each of its connections everything; one connection takes over from the other while both are there."""
    recorded: list[Recorded] = [OPENED, BOTH]
    at, connection, overlap, sent = 10, 1, 0, []
    for number, (pause, letter) in enumerate(ticks):
        at += pause
        if number in renewals and not overlap:
            recorded.append(event("confirmed", at, connection + 1, channels=("a", "b")))
            overlap = 3
        content = f"{letter}{number}".encode()
        sent.append(content)
        recorded.append(Heard(at, connection, content))
        if overlap:
            recorded.append(Heard(at + 1, connection + 1, content))
            overlap -= 1
            if not overlap:
                recorded.append(event("disconnected", at + 1, connection, since=at + 1))
                connection += 1
                at += 1
    assert played(*recorded) == sent


@given(st.lists(st.tuples(st.integers(0, 10**12), st.integers(1, 3)), max_size=50))
def test_moments_never_go_back(heard: list[tuple[int, int]]) -> None:
    recorded = [Heard(at, connection, f"{'abc'[connection - 1]}1".encode()) for at, connection in heard]
    items = list(Sequence(keys).items(recorded))
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
    minute = 60 * 10**9
    begins = [10 * minute, 20 * minute, 30 * minute]
    assert plan.files_within(begins, 0, 1 << 62) == [0, 1, 2]
    assert plan.files_within(begins, 24 * minute, 26 * minute) == [1]
    assert plan.files_within(begins, 40 * minute, 50 * minute) == [2]
    assert plan.files_within(begins, 0, 12 * minute) == [0]


def test_gaps_name_symbols() -> None:
    (gap,) = [
        item
        for item in Sequence(keys).items(
            [OPENED, BOTH, Heard(5, 1, b"a1"), event("closed", 9, 1, reason="stopped")]
        )
        if isinstance(item, RecordedGap)
    ]
    assert gap == RecordedGap(9, ("A", "B"), "closed: stopped", True)
