"""Jobs are found by being there, run in the order of their places, and hold what they say."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import fulltape
from clocks import SkippingClock
from fulltape import errors
from fulltape.audit.run import AuditReport
from fulltape.cli import app
from fulltape.context import Event, NodeContext, silent
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
    names = [job.name for job in jobs.night()]
    usual = ["verify", "seal", "gaps", "check", "audit", "export", "keep", "compact", "keep", "sweep"]
    assert [name for name in names if name in usual] == usual
    assert {"backfill", "curate"} <= set(jobs.everything()) - set(names)


def test_an_unknown_job_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(errors.UsageError, match="no job 'tidy'") as caught:
        jobs.get("tidy")
    assert caught.value.hint.startswith("Known jobs: audit, audit_changes, backfill, check")


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
        'JOB = Job(name="tidy", summary="tidy up", run=_run, locks=("tidy",), nights=(110,))\n'
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
    assert [line.split()[0] for line in listed[1:4]] == ["verify", "seal", "gaps"]
    done = runner.invoke(app, ["jobs", "run", "sweep", "--node", str(node)])
    assert (done.exit_code, done.output) == (0, "sweep: nothing to do\n")


def test_a_job_tells_when_it_begins_and_how_it_ended(node: Path) -> None:
    told: list[Event] = []
    with opened(node) as context:
        report = jobs.run(jobs.get("audit"), context, SkippingClock(), told.append, Budget())
    first, last = told[0], told[-1]
    assert (first.stage, first.kind, last.stage, last.kind) == ("audit", "started", "audit", "finished")
    assert isinstance(report, AuditReport)
    assert (last.fields["wanted"], last.fields["held"]) == (report.wanted, report.held)
    assert last.fields["complete"] is report.complete
    assert float(last.fields["seconds"]) >= 0


def test_what_is_not_complete_ends_with_1(node: Path) -> None:
    settings = node / "fulltape.toml"
    settings.write_text(settings.read_text().replace("2012-01-03", "2011-12-01"))
    assert "2011-12-01" in settings.read_text()
    runner = CliRunner()
    done = runner.invoke(app, ["jobs", "run", "audit", "--node", str(node)])
    assert done.exit_code == 1
    assert " missing" in done.output
    assert runner.invoke(app, ["audit", "--node", str(node)]).exit_code == 1
