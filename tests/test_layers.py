"""The contracts of the architecture bite: breaches are planted in a copy, and each one is caught."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BREACHES = [
    ("a stage reads another stage", "audit/run.py", "from fulltape.backfill import plan as other"),
    ("the market reads the lake", "market/schema.py", "from fulltape.lake import files"),
    ("coverage reads the clock", "coverage/cell.py", "import time"),
    ("a plan does I/O through the ledger", "audit/plan.py", "from fulltape.ledger import queue"),
    ("a plan imports its own run", "check/plan.py", "from fulltape.check import run"),
    ("a plan opens a file", "context/choice.py", "import pathlib"),
    ("a plan opens a socket, lazily", "backfill/plan.py", "def f() -> None:\n    import socket"),
    ("a plan reads the settings", "audit/plan.py", "from fulltape.settings import model"),
    ("a vendor uses HTTP", "vendors/tiingo.py", "import httpx2"),
    ("a vendor uses another vendor", "vendors/tiingo.py", "from fulltape.vendors import massive"),
    ("a vendor added today uses another", "vendors/newcomer.py", "from fulltape.vendors import massive"),
    ("a vendor added today opens a socket", "vendors/newcomer.py", "import socket"),
    ("a stage names a vendor", "backfill/run.py", "from fulltape.vendors import alpaca"),
    ("the command line names a vendor", "cli/status.py", "from fulltape.vendors import alpaca"),
    ("sqlite outside its door", "ledger/queue.py", "import sqlite3"),
    ("PostgreSQL outside its door", "ledger/ledger.py", "import psycopg"),
    ("HTTP outside its door", "backfill/run.py", "import httpx2"),
    ("the lake knows the ledger", "lake/parts.py", "from fulltape.ledger import catalogue"),
    ("the ledger knows the lake", "ledger/catalogue.py", "from fulltape.lake import files"),
    ("a simulated vendor shares code with what it imitates", "simulator/vendors/alpaca.py", "from fulltape.vendors import names"),
    ("errors import the market", "errors.py", "from fulltape.market import time"),
    ("the market knows the vendors' contract", "market/datasets.py", "from fulltape.contract import plans"),
    ("decoding decides coverage", "decoding/rowwise.py", "from fulltape.coverage import cell"),
    ("a cycle, only for types", "market/time.py", "import typing\nif typing.TYPE_CHECKING:\n    from fulltape.contract import vendor"),
    ("a new folder that nobody placed", "extras/__init__.py", ""),
    ("the reader reads the node", "reader.py", "from fulltape.node import state"),
]  # fmt: skip


def broken(folder: Path) -> bool:
    """Whether import-linter finds a broken contract in a copy of the project."""
    command = [
        sys.executable,
        "-c",
        "from importlinter.cli import lint_imports_command as c; c(['--no-cache'])",
    ]
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Contracts:" in done.stdout, done.stdout + done.stderr
    return done.returncode != 0


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("layers")
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def test_as_it_stands_every_contract_is_kept(copy: Path) -> None:
    assert not broken(copy)


@pytest.mark.parametrize(("breach", "file", "line"), BREACHES, ids=[breach for breach, _, _ in BREACHES])
def test_a_planted_breach_is_caught(copy: Path, breach: str, file: str, line: str) -> None:
    path = copy / "src" / "fulltape" / file
    before = path.read_text() if path.exists() else None
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"{before or ''}\n{line}\n")
    try:
        assert broken(copy), breach
    finally:
        if before is None:
            path.unlink()
            if not any(path.parent.iterdir()):
                path.parent.rmdir()
        else:
            path.write_text(before)
