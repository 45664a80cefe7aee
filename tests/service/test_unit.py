"""The systemd unit: what it says, and what systemd itself thinks of it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fulltape.cli import app
from fulltape.simulator import market as markets
from nodes import CANARY, DAYS_2012, simulated

needs_systemd = pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed"
)
MOST_EXPOSED = 25
"""Tenths of systemd's own scale from 0 (safe) to 100."""


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A unit as `install-service --user` writes it, of a node whose path needs quoting."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    spaced = tmp_path / "a 100% node"
    with simulated(spaced, markets.sample(), [DAYS_2012]) as (folder, _):
        done = CliRunner().invoke(
            app, ["install-service", "--user", "--node", str(folder), "--memory", "512M"]
        )
    assert done.exit_code == 0, done.output
    assert "enable --now fulltape" in done.output
    return tmp_path / "config" / "systemd" / "user" / "fulltape.service"


def test_the_unit_holds_no_secret_and_quotes_its_paths(written: Path) -> None:
    text = written.read_text()
    assert CANARY not in text
    assert 'a 100%% node/node"' in text
    assert "MemoryMax=512M" in text
    assert "\nUser=" not in text


@needs_systemd
def test_systemd_takes_the_unit_and_finds_it_little_exposed(written: Path) -> None:
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--user", str(written)], capture_output=True, text=True, check=False
    )
    mine = [line for line in verified.stderr.splitlines() if "fulltape.service" in line]
    assert not [line for line in mine if "man systemd.service" not in line], verified.stderr
    exposed = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", f"--threshold={MOST_EXPOSED}", str(written)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert exposed.returncode == 0, exposed.stdout[-600:] + exposed.stderr


def test_uninstalling_removes_only_what_is_ours(written: Path) -> None:
    runner = CliRunner()
    other = written.with_name("other.service")
    other.write_text("[Service]\nExecStart=/bin/true\n")
    refused = runner.invoke(app, ["uninstall-service", "--user", "--name", "other"])
    assert refused.exit_code != 0
    assert other.exists()
    assert runner.invoke(app, ["uninstall-service", "--user"]).exit_code == 0
    assert not written.exists()
    assert runner.invoke(app, ["uninstall-service", "--user"]).exit_code != 0
    assert runner.invoke(app, ["uninstall-service", "--user", "--name", "../x"]).exit_code != 0
