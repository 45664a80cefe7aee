"""A capture process that ends is started again, however early it ended."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from fulltape import clock
from fulltape.capture.config import CaptureConfig
from fulltape.node import capturing


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
    keeper = capturing.CaptureProcess(orders, said.append)
    pauses = []
    for _ in range(12):
        keeper._process._child.wait()
        keeper.look()
        pause = float(said[-1].split()[-2])
        pauses.append(pause)
        now += pause
        keeper.look()
    assert pauses[:4] == [1, 2, 4, 8]
    assert max(pauses) == pauses[-1] == 60
    keeper.stop()
