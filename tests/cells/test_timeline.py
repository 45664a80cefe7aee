"""What the events of one journal say of each channel: when it was live, and when something may be missing."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from fulltape.contract.events import ConnectionEvent
from fulltape.contract.streams import Channel
from fulltape.market.time import SECOND
from fulltape.seal.messages.timeline import Doubt, Live, Timeline, by_session

NS = 1_000
"""Nanoseconds of a microsecond."""
CHANNELS = tuple(
    Channel(name=name, dataset="crypto_trades", symbol=name, wire=name, detail="trades")
    for name in ("a", "b")
)


def at(second: float) -> int:
    """A moment in nanoseconds."""
    return int(second * SECOND) * NS


def event(what: Any, second: float, *, since: float = 0, **more: Any) -> ConnectionEvent:
    return ConnectionEvent(what=what, at=at(second), since=at(since), connection=1, **more)


def timeline(*events: ConnectionEvent) -> Timeline:
    """Of a file that begins at second 0 and whose channels a and b are confirmed at second 1."""
    found = Timeline()
    for one in (
        event("opened", 0, carried=CHANNELS),
        event("confirmed", 1, channels=("a", "b")),
        *events,
    ):
        found.event(one)
    return found


def live(found: Timeline, name: str) -> list[tuple[float, float, str]]:
    return [(one.start / SECOND, one.end / SECOND, one.why) for one in found.spans(name)]


def doubts(found: Timeline, name: str) -> list[tuple[float, float, str, str]]:
    return [(one.start / SECOND, (one.end - 1) / SECOND, one.kind, one.detail) for one in found.doubts(name)]


def test_a_stale_channel_was_live_until_its_last_message() -> None:
    found = timeline(event("stale", 30, since=12, channels=("a",), reason="silent"))
    found.heard(at(40))
    assert found.finish() == {"b"}
    assert live(found, "a") == [(1, 12, "stale: silent")]
    assert live(found, "b") == [(1, 40, "")]


def test_without_a_last_message_it_was_live_until_it_was_told() -> None:
    found = timeline(
        event("stale", 30, channels=("a",), reason="silent"), event("disconnected", 35, since=33)
    )
    assert live(found, "a") == [(1, 30, "stale: silent")]
    assert live(found, "b") == [(1, 33, "disconnected: ")]


def test_what_was_closed_was_live_until_then() -> None:
    found = timeline(event("closed", 20, since=12, reason="stopped"))
    assert live(found, "a") == live(found, "b") == [(1, 20, "closed: stopped")]


def test_a_channel_that_another_file_took_for_live_is_doubtful_since_then() -> None:
    found = timeline(
        event("disconnected", 10, since=10),
        event("confirmed", 20, since=20, channels=("a",)),
        event("stale", 25, since=15, channels=("a",), reason="silent"),
    )
    assert doubts(found, "a") == [(15, 20, "stale", "silent")]
    assert live(found, "a")[-1] == (20, 20, "stale: silent")


@pytest.mark.parametrize(("before", "after", "span"), [(5, 9, (5, 9)), (0, 9, (9, 9)), (5, 0, (5, 5))])
def test_damage_is_doubtful_for_every_channel(before: int, after: int, span: tuple[int, int]) -> None:
    found = timeline()
    found.damage(at(before), at(after))
    for name in ("a", "b"):
        assert doubts(found, name) == [(*span, "damage", "a stretch of the journal is damaged")]


def test_what_was_dropped_is_doubtful_for_its_channels() -> None:
    found = timeline(event("dropped", 9, since=4, channels=("b",), count=1_200))
    assert doubts(found, "a") == []
    assert doubts(found, "b") == [(4, 9, "dropped", "1,200 messages did not fit")]


def test_a_clock_that_is_put_back_makes_doubtful_what_it_was_ahead() -> None:
    """It was an hour ahead: at its 3,700 it was 100. What it told of later moments is cut, what was lost stays whole."""
    found = timeline(
        event("dropped", 3_650, since=3_640, channels=("a",), count=1),
        event("stale", 3_690, since=3_660, channels=("b",), reason="silent"),
    )
    found._doubts["b"] = [
        Doubt(start=50 * SECOND, end=150 * SECOND, kind="stale"),
        Doubt(start=120 * SECOND, end=130 * SECOND, kind="stale"),
    ]
    found.heard(at(3_700))
    found.heard(at(100))
    assert found.last == 100 * SECOND
    told = "the clock was put back by 3,600 s"
    assert doubts(found, "a") == [
        (3_640, 3_650, "dropped", "1 messages did not fit"),
        (-3_500, 100, "clock", told),
    ]
    assert [(one.start, one.end, one.kind, one.detail) for one in found.doubts("b")] == [
        (50 * SECOND, 100 * SECOND, "stale", ""),
        (-3_500 * SECOND, 100 * SECOND + 1, "clock", told),
    ]
    assert live(found, "b") == [(1, 100, "stale: silent")]
    assert found.finish() == {"a"}
    assert live(found, "a") == [(1, 100, "")]


def test_a_small_step_back_is_no_clock_that_was_put_right() -> None:
    found = timeline()
    found.heard(at(30))
    found.heard(at(25))
    assert found.last == 30 * SECOND
    assert doubts(found, "a") == []


def test_of_spans_that_end_together_the_first_says_why() -> None:
    found = Timeline()
    found._spans["a"] = [Live(start=0, end=30, why="stale: x"), Live(start=5, end=30, why="closed: y")]
    assert found.spans("a") == [Live(start=0, end=30, why="stale: x")]


def test_late_data_tells_of_an_earlier_time() -> None:
    found = Timeline()
    found.event(event("opened", 900, carried=CHANNELS, delay=at(900)))
    found.event(event("confirmed", 910, channels=("a",)))
    found.event(event("stale", 960, since=950, channels=("a",), reason="silent"))
    assert live(found, "a") == [(10, 50, "stale: silent")]


def test_what_is_damaged_in_late_data_happened_as_much_earlier() -> None:
    damaged = Timeline()
    damaged.event(event("opened", 900, carried=CHANNELS, delay=at(900)))
    damaged.damage(at(910), at(920))
    assert doubts(damaged, "a") == [(10, 20, "damage", "a stretch of the journal is damaged")]


def test_moments_are_whole_microseconds_whenever_the_clock_was_put_right() -> None:
    put_right = timeline(event("clock", 3_700, since=50, by=at(3_600)))
    put_right.heard(at(3_710))
    put_right.heard(at(100) + 1_999)
    put_right.finish()
    spans = [(span.start, span.end) for name in ("a", "b") for span in put_right.spans(name)]
    doubted = [(doubt.start, doubt.end) for name in ("a", "b") for doubt in put_right.doubts(name)]
    moments = [moment for both in (*spans, *doubted) for moment in both]
    assert {type(moment) for moment in (*moments, put_right.last)} == {int}
    assert put_right.last == max(span.end for span in put_right.spans("a")) == 100 * SECOND + 1


def test_each_session_of_a_doubt_tells_all_that_is_known_of_it() -> None:
    day = 86_400 * SECOND
    doubt = Doubt(start=day // 2, end=day * 3 // 2, kind="stale", detail="silent")
    epoch = dt.date(1970, 1, 1)
    pieces = by_session(
        doubt,
        session_of=lambda moment: epoch + dt.timedelta(days=moment // day),
        begin=lambda label: (label - epoch).days * day,
    )
    assert [(label.day, piece.kind, piece.detail) for label, piece in pieces] == [
        (1, "stale", "silent"),
        (2, "stale", "silent"),
    ]
