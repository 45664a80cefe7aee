"""The doctor finds what is wrong with a node and its machine, says what to do, and leaves everything as it is."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from test_cli import UNIVERSE, run

from fulltape import clock
from fulltape.doctor import machine, node
from fulltape.doctor.diagnosis import Diagnosis
from fulltape.lake import disk
from fulltape.simulator import market as markets
from nodes import DAYS_2012, simulated


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A node after a night; its vendors answer."""
    with simulated(
        tmp_path_factory.mktemp("doctor"),
        markets.sample(),
        [DAYS_2012],
        universe=UNIVERSE,
        extra="[web]\nenabled = false\n",
    ) as (folder, _):
        assert run("nightly", "--node", str(folder)).returncode == 0
        yield folder


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    """A copy of it that may be spoiled."""
    return Path(shutil.copytree(finished, tmp_path / "node"))


def seen(folder: Path, **how: bool) -> dict[str, list[Diagnosis]]:
    out: dict[str, list[Diagnosis]] = {}
    for entry in node.look(folder, **how):
        out.setdefault(entry.name, []).append(entry)
    return out


def states(entries: Sequence[Diagnosis]) -> list[str]:
    return [entry.state for entry in entries]


def test_a_healthy_node_is_fit_and_nothing_of_it_is_changed(folder: Path) -> None:
    before = {path: path.read_bytes() for path in (folder / "lake").rglob("*") if path.is_file()}
    done = run("doctor", "--node", str(folder))
    assert done.returncode == 0, done.stdout
    assert "0 failures" in done.stdout
    assert "restored for trial" in done.stdout
    assert before == {path: path.read_bytes() for path in (folder / "lake").rglob("*") if path.is_file()}
    assert not list(folder.glob(".doctor-*"))


def test_every_failure_says_what_to_do(folder: Path) -> None:
    part = next((folder / "lake" / "raw").rglob("*.parquet"))
    part.write_bytes(part.read_bytes()[:-1])
    copy = next((folder / "backups").glob("ledger-*.db"))
    copy.write_bytes(b"SQLite format 3\0" + b"\0" * 500)
    done = run("doctor", "--node", str(folder))
    assert done.returncode == 1
    found = seen(folder)
    assert states(found["files"]) == ["failure"]
    assert "verify --repair" in found["files"][0].cure
    assert states(found["copies"]) == ["failure"]
    for entries in found.values():
        assert all(entry.cure for entry in entries if entry.state != "ok")


def test_settings_that_cannot_work_and_keys_that_are_not_there(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = folder / "fulltape.toml"
    good = settings.read_text()
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    settings.write_text(good.replace('key = "', 'key = "${NO_SUCH_KEY}', 1))
    found = seen(folder)
    assert "NO_SUCH_KEY" in found["settings"][0].text
    assert states(found["ledger"]) == ["ok"], "what needs no key is looked at all the same"
    settings.write_text("[dataset")
    found = seen(folder)
    assert states(found["settings"]) == ["failure"]
    assert "ledger" not in found


def test_secrets_that_others_can_read(folder: Path) -> None:
    secrets = folder / "secrets.env"
    secrets.write_text("KEY=x\n")
    secrets.chmod(0o644)
    assert "chmod 600" in seen(folder)["secrets"][0].cure
    secrets.chmod(0o600)
    assert states(seen(folder)["secrets"]) == ["ok"]
    settings = folder / "fulltape.toml"
    text = settings.read_text()
    line = next(line for line in text.splitlines() if line.startswith("key = "))
    settings.write_text(text.replace(line, 'key_file = "key.txt"'))
    (folder / "key.txt").write_text("abc")
    (folder / "key.txt").chmod(0o640)
    assert "key.txt" in seen(folder)["secrets"][0].text


def test_a_port_that_is_taken(folder: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        settings = folder / "fulltape.toml"
        settings.write_text(
            settings.read_text().replace("enabled = false", f"port = {other.getsockname()[1]}")
        )
        assert states(seen(folder)["web"]) == ["warning"]


def test_vendors_are_asked_only_when_that_is_wanted(folder: Path) -> None:
    assert "alpaca" not in seen(folder)
    assert states(seen(folder, asking=True)["alpaca"]) == ["ok"]


def test_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "wall_ns", lambda: 10**18)  # 2001
    assert machine.time_of_day().state == "failure"
    monkeypatch.setattr(clock, "wall_ns", lambda: 1_796_000_000 * 10**9)
    monkeypatch.setattr(clock, "synchronised", lambda: False)
    assert machine.time_of_day().state == "warning"
    monkeypatch.setattr(clock, "synchronised", lambda: True)
    assert machine.time_of_day().state == "ok"
    for free, state in ((10, "ok"), (9, "warning"), (1, "failure")):
        room = disk.Room(free=free, total=100, wanted=10)
        monkeypatch.setattr(disk, "measured", lambda *_, here=room: here)
        assert machine.room(tmp_path, None).state == state
    mounts, meminfo = tmp_path / "mounts", tmp_path / "meminfo"
    mounts.write_text(f"/dev/a / ext4 rw 0 0\nhost:/x {tmp_path} nfs4 rw 0 0\n")
    monkeypatch.setattr(machine, "_MOUNTS", mounts)
    assert machine.local(tmp_path / "node", "node").state == "failure"
    assert machine.local(Path("/"), "node").state == "ok"
    meminfo.write_text("MemTotal: 900000 kB\nMemAvailable: 400000 kB\n")
    monkeypatch.setattr(machine, "_MEMORY", meminfo)
    assert machine.memory().state == "warning"


@pytest.mark.parametrize(("seconds", "state"), [(0.005, "ok"), (0.2, "warning"), (0.000_001, "warning")])
def test_how_long_the_disk_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, state: str
) -> None:
    now = iter(step // 2 * 10.0 + (seconds if step % 2 else 0.0) for step in range(100))
    monkeypatch.setattr(clock, "steady_seconds", lambda: next(now))
    assert machine.syncing(tmp_path).state == state
    assert not list(tmp_path.iterdir())
