"""Jobs are found by being there, run in the order of their places, and hold what they say."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import fulltape
from clocks import SkippingClock
from fulltape import errors
from fulltape.cli import app
from fulltape.context import NodeContext, silent
from fulltape.context.jobs import Budget
from fulltape.node import jobs, nightly
from fulltape.simulator import market as markets
from nodes import DAYS_2012, opened, simulated


@pytest.fixture
def node(tmp_path: Path) -> Path:
    with simulated(tmp_path, markets.sample(), [DAYS_2012]) as (folder, _), opened(folder) as context:
        nightly.run(context, SkippingClock())
    return folder


def test_a_night_is_its_jobs_in_the_order_of_their_places() -> None:
    assert [job.name for job in jobs.night()] == [
        "verify", "seal", "gaps", "check", "audit", "export", "keep", "regroup", "compact", "keep", "sweep",
    ]  # fmt: skip
    assert set(jobs.everything()) == {job.name for job in jobs.night()} | {"backfill", "curate"}


def test_an_unknown_job_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(errors.UsageError, match="no job 'tidy'") as caught:
        jobs.get("tidy")
    assert caught.value.hint.startswith("Known jobs: audit, backfill, check, compact")


@pytest.mark.parametrize("name", sorted(jobs.everything()))
def test_a_job_holds_what_it_says(node: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    held = set()
    genuine = NodeContext._wait_for

    def noting(self: NodeContext, stage: str, *rest: object) -> None:
        held.add(stage)
        genuine(self, stage, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(NodeContext, "_wait_for", noting)
    job = jobs.get(name)
    with opened(node) as context:
        job.run(context, SkippingClock(), silent, Budget(seconds=1))
    assert held <= set(job.locks)


def test_a_new_folder_is_a_job_of_the_night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = tmp_path / "tidy"
    room.mkdir()
    (room / "__init__.py").touch()
    (room / "job.py").write_text(
        "from fulltape.context.jobs import Job\n\nDONE = []\n\n\n"
        "def _run(context, clock, progress, budget):\n    DONE.append(budget.seconds)\n\n\n"
        'JOB = Job(name="tidy", run=_run, locks=("tidy",), nights=(110,))\n'
    )
    monkeypatch.setattr(fulltape, "__path__", [*fulltape.__path__, str(tmp_path)])
    jobs.everything.cache_clear()
    try:
        assert jobs.night()[-1].name == "tidy"
        with simulated(tmp_path, markets.sample(), [DAYS_2012]) as (folder, _), opened(folder) as context:
            nightly.run(context, SkippingClock())
        assert sys.modules["fulltape.tidy.job"].DONE == [None]
    finally:
        jobs.everything.cache_clear()
        for name in ("fulltape.tidy", "fulltape.tidy.job"):
            sys.modules.pop(name, None)


def test_the_command_line_lists_and_runs_them(node: Path) -> None:
    runner = CliRunner()
    listed = runner.invoke(app, ["jobs"]).output.splitlines()
    assert [line.split()[0] for line in listed[:3]] == ["verify", "seal", "gaps"]
    done = runner.invoke(app, ["jobs", "run", "sweep", "--node", str(node)])
    assert (done.exit_code, done.output) == (0, "sweep: nothing to do\n")
