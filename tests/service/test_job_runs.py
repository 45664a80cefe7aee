"""Jobs and their workers: one that hangs as a whole is killed, and what it was at is run again."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from fulltape import clock
from fulltape.service.config import JobEnd, RunOrder, ScheduleEntry, Setup
from fulltape.service.job_runs import JobRuns
from fulltape.service.plan import EntryState, Moment

CHECK = EntryState(entry=ScheduleEntry(name="check", job="check", lane="heavy"), since=0)


def test_a_worker_that_says_nothing_is_killed_and_its_job_has_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hung = tmp_path / "python"
    hung.write_text('#!/bin/sh\necho \'{"type":"alive"}\'\nexec sleep 600\n')
    hung.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(hung))
    now = 1_000.0
    monkeypatch.setattr(clock, "steady_seconds", lambda: now)
    ended: list[JobEnd] = []
    runs = JobRuns(Setup(folder=str(tmp_path), text=""), lambda _begun, _started, end: ended.append(end))
    runs.begin(CHECK, RunOrder(id=1, job="check", lane="heavy"), Moment(wall=0, steady=0.0))
    (worker,) = runs.workers.all
    now += 100
    runs.spoke(worker)
    now += 100
    runs.look()
    assert worker.child.poll() is None, "a sign of life a hundred seconds ago is enough"
    assert runs.busy == {"heavy"}
    now += 100
    runs.look()
    runs.spoke(worker)
    assert [(end.outcome, end.error) for end in ended] == [("died", "its process ended with status -9")]
    assert runs.workers.all == []
    assert runs.busy == set()
