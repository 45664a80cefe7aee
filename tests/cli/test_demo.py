"""The demonstration is what it says: under a minute, under 300 MB, proved, and its last lines work."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.timeout(300)
def test_the_demo_proves_itself_and_its_suggestions_work(tmp_path: Path) -> None:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["fulltape", "demo", "--keep"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAIL" not in done.stdout
    assert done.stdout.count("  ok   ") == 5
    assert re.search(r"killed \(-9\) while a page of \w+,\w+", done.stdout)
    assert "equities_bars_day: 12,154 curated rows equal the real sample" in done.stdout
    assert "(synthetic)" in done.stdout
    largest = re.search(r"largest process (\d+) MB", done.stdout)
    assert largest
    assert int(largest[1]) < 300
    suggestions = done.stdout.split("What to try next:\n")[1].splitlines()
    assert len(suggestions) == 8
    for line in suggestions:
        tried = subprocess.run(
            ["bash", "-c", line.strip()],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert tried.returncode == 0, f"{shlex.quote(line)}: {tried.stdout}{tried.stderr}"


def test_a_demo_without_keep_leaves_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "fulltape", "demo"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert list(tmp_path.iterdir()) == []
