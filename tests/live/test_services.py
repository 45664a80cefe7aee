"""A capture process that ends is started again, however early it ended."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

from fulltape import clock
from fulltape.capture.config import CaptureConfig
from fulltape.lake import capture_state
from fulltape.lake.capture_state import CaptureState
from fulltape.node import capture_process, supervising


def test_a_process_that_dies_before_it_has_read_its_orders_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\nexec <&-\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    now = 0.0
    monkeypatch.setattr(clock, "steady_seconds", lambda: now)
    orders = CaptureConfig(
        lake=str(tmp_path), writer="node.capture", feeds=(), flush_interval=1, rotate_every=1, rotate_bytes=1,
        queue_bytes=1, stale_after=1, compress=True,
    )  # fmt: skip
    said: list[str] = []
    keeper = capture_process.CaptureProcess(orders, said.append, tmp_path / "state.json")
    keeper.start()
    assert not keeper.ready
    pauses = []
    for _ in range(12):
        assert keeper._process
        keeper._process._child.wait()
        keeper.look()
        pause = float(said[-1].split()[-2])
        pauses.append(pause)
        now += pause
        keeper.look()
    assert pauses[:4] == [1, 2, 4, 8]
    assert max(pauses) == pauses[-1] == 60
    assert keeper.stop(5)


class Counted:
    """A service that notes what is done with it."""

    def __init__(self, name: str, log: list[str], *, ends: bool = True, breaks: str = "") -> None:
        self.name, self._log, self._ends, self._breaks = name, log, ends, breaks
        self.ready = False

    def _do(self, what: str) -> None:
        self._log.append(f"{self.name} {what}")
        if what == self._breaks:
            raise RuntimeError(f"{self.name} cannot {what}")

    def start(self) -> None:
        self._do("start")
        self.ready = True

    def look(self) -> None:
        self._do("look")

    def stop(self, seconds: float) -> bool:
        assert 0 <= seconds <= 7
        self._do("stop")
        return self._ends


def test_services_are_started_looked_after_and_stopped_in_their_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(supervising, "_LOOK_EVERY", 0.0)
    log: list[str] = []
    stop = threading.Event()
    looks = iter(range(3))

    def each() -> None:
        if next(looks) == 2:
            stop.set()

    services = [Counted("one", log), Counted("two", log, ends=False)]
    assert supervising.supervise(services, stop, each=each, patience=7) == ("two",)
    assert log == ["one start", "two start", *["one look", "two look"] * 3, "one stop", "two stop"]


@pytest.mark.parametrize("breaks", ["start", "look", "stop"])
def test_all_services_are_stopped_where_one_breaks(monkeypatch: pytest.MonkeyPatch, breaks: str) -> None:
    monkeypatch.setattr(supervising, "_LOOK_EVERY", 0.0)
    log: list[str] = []
    services = [Counted("one", log, breaks=breaks), Counted("two", log)]
    stop = threading.Event()
    with pytest.raises(RuntimeError, match=f"one cannot {breaks}"):
        supervising.supervise(services, stop, each=stop.set, patience=7)
    assert log[-2:] == ["one stop", "two stop"]


def test_a_process_that_gives_no_sign_of_life_is_killed_and_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hung = tmp_path / "python"
    hung.write_text("#!/bin/sh\nexec sleep 600\n")
    hung.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(hung))
    now = 1_000.0
    monkeypatch.setattr(clock, "steady_seconds", lambda: now)
    orders = CaptureConfig(lake=str(tmp_path), writer="node.capture", feeds=())
    said: list[str] = []
    path = tmp_path / "state.json"
    keeper = capture_process.CaptureProcess(orders, said.append, path)
    keeper.start()
    first = keeper.id
    for moment in range(3):
        # It has said something: what counts is that it says something else than before.
        now += 40
        capture_state.write(path, CaptureState(at=moment, running=True, process=first, sources=()))
        keeper.look()
        assert not said
    now += 61
    keeper.look()
    assert said == ["the capture process gives no sign of life; it is killed"]
    assert keeper._process
    assert keeper._process._child.wait() < 0
    keeper.look()
    now += 60
    keeper.look()
    assert keeper.id != first
    keeper.end(5.0, now)  # whether it has ended at once is the machine's affair
    while not keeper.end(0.0, now):
        assert keeper.id
    # Orders that a hung process does not read keep nobody waiting, however long they are.
    keeper.start()
    long = CaptureConfig(lake="x" * 1_000_000, writer="node.capture", feeds=())
    keeper.configure(long)
    assert keeper.stop(0.1)
