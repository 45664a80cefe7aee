"""Progress: bars with counts, rate and time left on a terminal, plain lines elsewhere, nothing when quiet."""

from __future__ import annotations

import io
import sys
import time

import pytest

from fulltape.context import Event
from fulltape.terminal.progress import Watch


class Terminal(io.StringIO):
    """A text stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def tell(watch: Watch) -> None:
    watch(Event(stage="backfill", done=3, unit="pages"))
    watch(Event(stage="backfill", done=2, total=70, unit="tasks"))
    watch(Event(stage="backfill", done=4, unit="pages"))
    about: dict[str, str | int | float] = {"source": "a.sip", "seconds": 2.0, "reason": "429"}
    watch(Event(stage="backfill", kind="rate_limited", fields=about))
    watch(Event(stage="backfill", done=9, total=70, unit="tasks"))


def test_on_a_terminal_there_is_a_bar_with_what_is_done_of_how_much(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with Watch() as watch:
        tell(watch)
        assert watch._live
        watch._live.refresh()
    shown = screen.getvalue()
    assert "9/70" in shown
    assert "tasks, 7 pages" in shown
    assert "a.sip told to wait 2.0 s" in shown


def test_elsewhere_there_are_plain_lines_at_most_every_two_seconds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with Watch() as watch:
        tell(watch)
        now[0] = 2.5
        watch(Event(stage="backfill", done=10, total=70, unit="tasks"))
        watch(Event(stage="backfill", done=11, total=70, unit="tasks"))
    assert capsys.readouterr().err.splitlines() == [
        "backfill: a.sip told to wait 2.0 s: 429",
        "backfill: 10 of 70 tasks",
    ]


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with Watch(quiet=True) as watch:
        tell(watch)
    assert capsys.readouterr().err == ""
