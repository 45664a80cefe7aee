"""What is packed for a report of a defect holds no secret and no row, whatever state the node is in."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest
from test_cli import UNIVERSE, run

from fulltape.simulator import market as markets
from nodes import CANARY, DAYS_2012, simulated

HOOK = "https://hooks.example/T0KEN-x1y2"
MORE = f"""
[web]
enabled = false
token = "{CANARY}-of-the-pages-{"x" * 20}"
[notify]
webhook = "{HOOK}"
"""


def packed(folder: Path, out: Path) -> dict[str, bytes]:
    done = run("support", "--node", str(folder), "--out", str(out))
    assert done.returncode == 0, done.stderr
    with tarfile.open(out) as archive:
        contents = {}
        for about in archive:
            file = archive.extractfile(about)
            assert file is not None
            contents[about.name.removeprefix("fulltape-support/")] = file.read()
    return contents


def test_it_tells_of_the_node_and_no_secret(tmp_path: Path) -> None:
    with simulated(tmp_path, markets.sample(), [DAYS_2012], universe=UNIVERSE, extra=MORE) as (folder, _):
        assert run("nightly", "--node", str(folder)).returncode == 0
        contents = packed(folder, tmp_path / "support.tar.gz")
    everything = b"".join(contents.values())
    assert CANARY.encode() not in everything
    assert HOOK.encode() not in everything
    assert json.loads(contents["counts.json"])["cells"]["equities_bars_day"]["held"] > 0
    assert "[left out]" in json.loads(contents["settings.json"])["vendor.alpaca.key"]
    assert json.loads(contents["versions.json"])["packages"]["polars"]
    assert {entry["name"] for entry in json.loads(contents["doctor.json"])} >= {"clock", "ledger"}


@pytest.mark.parametrize("spoil", ["fulltape.toml", "ledger.db"])
def test_a_node_that_cannot_be_opened_is_told_of_too(tmp_path: Path, spoil: str) -> None:
    with simulated(tmp_path, markets.sample(), [DAYS_2012], universe=UNIVERSE) as (folder, _):
        (folder / spoil).write_bytes(b"[[[" * 100)
        contents = packed(folder, tmp_path / "support.tar.gz")
    assert "Error" in contents["problem.txt"].decode()
    assert CANARY.encode() not in b"".join(contents.values())
