"""What needs a person, and when a person is told."""

from __future__ import annotations

import datetime as dt

import pytest

from fulltape.lake.capture_state import CapturedSource, CaptureState
from fulltape.lake.disk import Room
from fulltape.market.time import from_datetime
from fulltape.service import conditions
from fulltape.service.conditions import Condition
from fulltape.service.memory import OutSource, SentCondition


@pytest.mark.parametrize(
    ("hours", "zone", "clock", "quiet"),
    [
        ("", "UTC", "03:00", False),
        ("22:00-07:00", "UTC", "22:00", True),
        ("22:00-07:00", "UTC", "06:59", True),
        ("22:00-07:00", "UTC", "07:00", False),
        ("12:00-13:00", "UTC", "12:30", True),
        ("22:00-07:00", "Europe/Berlin", "21:30", True),
        ("22:00-07:00", "Europe/Berlin", "06:30", False),
    ],
)
def test_quiet_hours(hours: str, zone: str, clock: str, quiet: bool) -> None:
    hour, minute = map(int, clock.split(":"))
    now = from_datetime(dt.datetime(2026, 11, 30, hour, minute, tzinfo=dt.UTC))
    assert conditions.is_quiet(hours, zone, now) is quiet


def test_a_person_is_told_when_something_begins_and_when_it_is_over() -> None:
    disk = Condition(title="The disk is nearly full", text="…")
    sent = {"job export": SentCondition(title="export fails", text="…", since=1)}
    told = conditions.messages("node", {"disk": disk}, sent)
    assert [(message.key, message.state) for message in told] == [("disk", "begun"), ("job export", "over")]
    assert told[1].title == "Over: export fails"
    assert conditions.messages("node", {"job export": disk}, sent) == ()


def test_what_needs_a_person() -> None:
    out = {
        "a.x": OutSource(stopped=True, reason="401: no such key", until=1),
        "b.y": OutSource(stopped=False, reason="no answer", until=1),
    }
    assert list(conditions.of_sources(out, 0)) == ["credentials a.x"]
    assert "[vendor.a]" in conditions.of_sources(out, 0)["credentials a.x"].text
    assert conditions.of_disk(Room(free=10, total=100, wanted=10)) == {}
    assert "min_free" in conditions.of_disk(Room(free=9, total=100, wanted=10))["disk"].text
    assert conditions.of_entry("export", 2, "why", "") == {}
    assert (
        conditions.of_entry("export", 3, "why.", "Do so.")["job export"].text
        == "It has failed 3 times in a row: why. Do so."
    )
    source = CapturedSource(
        source="b.y", state="barred, live", reason="403", reconnects=0, messages=0, bytes=0, durable=0, lag=0.0, dropped=0,
        trouble="No space left", journal="", channels=(),
    )  # fmt: skip
    state = CaptureState(at=1, running=True, process=1, sources=(source,))
    assert set(conditions.of_capture(state, 3)) == {"capture", "journal b.y", "stream b.y"}
    assert conditions.of_capture(None, 0) == {}
