"""Streams that are down are told at once, and a person is called once it lasts."""

from __future__ import annotations

from fulltape.lake.capture_state import CapturedChannel, CapturedSource, CaptureState
from fulltape.service.plan import Moment
from fulltape.service.stream_watch import PATIENCE, StreamWatch


def captured(at: float, *, live: bool, reason: str = "") -> CaptureState:
    source = CapturedSource(
        source="a.x", state="live" if live else "connecting", reason=reason, reconnects=0, messages=0, bytes=0, durable=0,
        lag=0.0, dropped=0, trouble="", journal="", channels=(CapturedChannel(dataset="d", symbol="S", live=live, last=0),),
    )  # fmt: skip
    return CaptureState(at=int(at * 1e9), running=True, process=1, sources=(source,))


def moment(seconds: float) -> Moment:
    return Moment(wall=int(seconds * 1e6), steady=seconds)


def test_a_break_is_told_when_it_begins_and_when_it_ends() -> None:
    watch = StreamWatch()
    assert watch.look(("a.x",), None, moment(1)) == []
    assert watch.look(("a.x",), captured(2, live=True), moment(2)) == ["a.x: 1 streams are live"]
    assert watch.conditions(moment(1_000)) == {}
    down = captured(3, live=False, reason="refused")
    assert watch.look(("a.x",), down, moment(3)) == ["a.x: 1 of 1 streams are not live (connecting: refused)"]
    assert watch.look(("a.x",), captured(4, live=False, reason="refused"), moment(4)) == []
    assert watch.conditions(moment(3 + PATIENCE))
    assert watch.look(("a.x",), captured(9, live=True), moment(9)) == ["a.x: live again after 6 s"]


def test_a_person_is_called_when_it_lasts_also_where_capture_says_nothing() -> None:
    watch = StreamWatch()
    watch.look(("a.x",), captured(0, live=True), moment(0))
    assert watch.look(("a.x",), captured(0, live=True), moment(20)) == ["a.x: capture does not run"]
    assert watch.conditions(moment(20 + PATIENCE - 1)) == {}
    (condition,) = watch.conditions(moment(20 + PATIENCE)).values()
    assert condition.title == "a.x is not live"
    watch.look((), None, moment(400))
    assert watch.conditions(moment(900)) == {}


def test_a_stream_that_never_becomes_live_is_told_after_a_while() -> None:
    watch = StreamWatch()
    said = [
        line
        for second in range(40)
        for line in watch.look(("a.x",), captured(second, live=False), moment(second))
    ]
    assert said == ["a.x: 1 of 1 streams are not live (connecting)"]
