"""`fulltape init` as a person meets it: by questions on a real terminal, and by options."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

from fulltape.settings import load
from nodes import CANARY

PATIENCE = 60.0


def interview(folder: Path, answers: dict[str, str]) -> str:
    """What a terminal shows while each question, told by some words of it, is answered once."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "fulltape", "init", str(folder)],
        stdin=slave, stdout=slave, stderr=slave, close_fds=True,
    )  # fmt: skip
    os.close(slave)
    shown, answered, left = "", 0, dict(answers)
    deadline = time.monotonic() + PATIENCE
    while True:
        assert time.monotonic() < deadline, shown
        if not select.select([master], [], [], 0.1)[0]:
            if process.poll() is not None:
                break
            continue
        try:
            shown += os.read(master, 65_536).decode()
        except OSError:
            break
        for words in list(left):
            if words in shown[answered:] and shown.endswith(": "):
                os.write(master, f"{left.pop(words)}\n".encode())
                answered = len(shown)
                break
    os.close(master)
    process.wait(PATIENCE)
    assert process.returncode == 0, shown
    assert not left, (left, shown)
    return shown


def test_a_person_answers_and_has_a_node(tmp_path: Path) -> None:
    folder = tmp_path / "market"
    shown = interview(
        folder,
        {
            "Which vendors": "alpaca, binance",
            "Your plan at Alpaca": "",
            "Alpaca key": CANARY,
            "Alpaca secret": f"{CANARY}2",
            "Which datasets": "equities_bars_day crypto_aggtrades",
            "Which symbols": "AAPL SPY BTC/USDT",
            "Since when? [": "2026-02-30",
            "is no day": "2026-02-02",
            "Capture live": "y",
            "Where shall the data lie": "",
            "When shall the night's bundle": "06:30 Europe/Berlin",
        },
    )
    assert CANARY not in shown
    assert "GB free" in shown
    assert "fulltape run" in shown
    values = load.load(folder).values
    assert list(values.universe["equities"].symbols) == ["AAPL", "SPY"]
    assert list(values.dataset["crypto_aggtrades"].live) == ["binance.spot"]
    assert values.schedule["export"].cron == "30 6 * * *"
    assert values.vendor["alpaca"].key is not None


def init(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fulltape", "init", *arguments],
        capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def test_options_alone_make_a_node(tmp_path: Path) -> None:
    folder = str(tmp_path / "a")
    done = init(
        folder, "--vendor", "binance", "--dataset", "crypto_bars_day", "--symbols", "BTC/USDT,ETH/USDT"
    )
    assert done.returncode == 0, done.stderr
    assert list(load.load(tmp_path / "a").values.universe["crypto"].symbols) == ["BTC/USDT", "ETH/USDT"]
    again = init(folder, "--vendor", "binance", "--dataset", "crypto_bars_day", "--symbols", "BTC/USDT")
    assert again.returncode == 2
    assert "is a node already" in again.stderr


def test_what_options_leave_open_is_named(tmp_path: Path) -> None:
    done = init(str(tmp_path / "a"), "--vendor", "binance")
    assert done.returncode == 2
    assert "--dataset, --symbols" in done.stderr
    assert not (tmp_path / "a").exists()
    late = init(str(tmp_path / "a"), "--since", "someday")
    assert late.returncode == 2
    assert "is no day" in late.stderr
