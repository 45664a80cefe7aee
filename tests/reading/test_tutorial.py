"""The tutorial is run, block by block, on a node with the demonstration's settings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from clocks import SkippingClock
from fulltape.demo import node as demo_node
from fulltape.node import nightly
from fulltape.simulator import market, run, scenario
from nodes import opened

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial.md"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("tutorial") / "fulltape-demo"
    with run.running(market.sample(), scenario.parse("", where="tutorial")) as vendors:
        demo_node.create(where, {name: server.url for name, server in vendors.servers.items()})
        with opened(where) as context:
            nightly.run(context, SkippingClock())
    return where


def test_every_block_of_the_tutorial_runs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", TUTORIAL.read_text(), flags=re.DOTALL)
    assert len(blocks) >= 8
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block.replace('"fulltape-demo"', repr(str(folder))), "tutorial.md", "exec"), names)
    assert names["bars"].collect().height == 7
    assert names["train"].height > names["test"].height > 1_000
    assert names["then"]["close"][-1] == pytest.approx(2 * names["same"]["close"][0], rel=1e-12)
    assert set(names["yearly"]["symbol"]) == {"AAPL", "FB", "GOOG", "IBM", "MSFT"}
    assert "shape" in capsys.readouterr().out
