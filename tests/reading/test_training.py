"""What the documents tell PyTorch and JAX to do is run, as it is written there."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pytest

import fulltape
from holed import holed
from nodes import needs_data

pytestmark = needs_data
DOCUMENT = Path(__file__).parents[2] / "docs" / "reading.md"
SPLITS = '\n[export]\nsplits = { train = "2012-01-03", test = "2012-11-16" }\n'


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with holed(tmp_path_factory.mktemp("trained"), extra=SPLITS) as node:
        (path,) = (node / "lake" / "exports" / "nightly").iterdir()
    return path


@pytest.mark.parametrize("library", ["torch", "jax"])
def test_the_documented_pipeline_runs(bundle: Path, library: str) -> None:
    pytest.importorskip(library)
    (code,) = re.findall(
        rf"```python\n((?:import \S+ as \w+\n|import )?{library}.*?)```", DOCUMENT.read_text(), re.DOTALL
    )
    assert len(code.splitlines()) <= 16
    names: dict[str, Any] = {"bundle": fulltape.open(bundle)}
    exec(compile(code, "reading.md", "exec"), names)
    assert len(names["windows"]) > 8
    loss = float(names["loss"])
    assert math.isfinite(loss)  # though the minutes have a hole
    assert loss > 0
