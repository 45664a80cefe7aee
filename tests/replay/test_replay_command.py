"""`fulltape replay` from the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from recorded import START, channel, tape

NAME = "btcusdt@trade"


def fulltape(*words: str, said: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fulltape", "replay", *words]
    return subprocess.run(command, input=said, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def journals(tmp_path: Path) -> Path:
    with tape(tmp_path, "binance.spot", [channel(NAME, "BTC/USDT")]) as made:
        made.event("confirmed", 1, channels=(NAME,))
        made.heard(
            *(
                (10 + number, b'{"stream":"%b","data":{"t":%d}}' % (NAME.encode(), number))
                for number in range(5)
            )
        )
        made.event("disconnected", 20, since=START + 15 * 10**6, reason="reset")
    return tmp_path / "journal"


def test_it_tells_addresses_gaps_and_what_was_played(journals: Path) -> None:
    done = fulltape("--journals", str(journals), "--start", "now")
    assert done.returncode == 0, done.stderr
    source, ends, begins, gap, played, sent, late = done.stdout.splitlines()
    assert source.startswith("binance.spot  ws://127.0.0.1:")
    assert source.endswith("  BTC/USDT")
    assert ends == "Any key is accepted. Ctrl-C ends."
    assert begins == "2023-11-14 22:13:20.010Z  the recording begins"
    assert gap == "2023-11-14 22:13:20.020Z  binance.spot  BTC/USDT: disconnected: reset"
    assert played == "played  5 messages of 2023-11-14 22:13:20.010Z to 2023-11-14 22:13:20.020Z, 1 gap"
    assert sent == "sent    0 to clients, as far as they had subscribed"
    assert late.startswith("late    ")


def test_programs_get_the_end_alone(journals: Path) -> None:
    done = fulltape("--journals", str(journals), "--start", "now", "--json")
    assert "ws://127.0.0.1:" in done.stderr, "clients must know where"
    told = json.loads(done.stdout)
    assert {name: told[name] for name in ("messages", "sent", "gaps")} == {
        "messages": 5,
        "sent": 0,
        "gaps": 1,
    }
    assert told["first"].startswith("2023-11-14T22:13:20.01")


def test_steps_are_asked_for(journals: Path) -> None:
    done = fulltape("--journals", str(journals), "--start", "now", "--step", said="\n2\n")
    assert done.returncode == 0, done.stderr
    assert "played  3 messages" in done.stdout
    assert "late" not in done.stdout
    again = fulltape("--journals", str(journals), "--start", "now", "--step", said="all\n2\n")
    assert again.returncode == 0
    assert "'all' is no number of messages" in again.stderr
    assert "played  2 messages" in again.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("kraken.spot",), "nothing was captured of kraken.spot"),
        (("--from", "2023-11-14T22:13"), "has no time zone"),
        (("--from", "tuesday"), "is no moment"),
        (("--writer", "other"), "by a writer 'other'"),
        (("--from", "2023-11-20"), "nothing was captured in this time"),
        (("--speed", "0"), "0.001"),
    ],
)
def test_what_cannot_be_played_is_one_sentence(journals: Path, words: tuple[str, ...], said: str) -> None:
    done = fulltape("--journals", str(journals), *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_where_nothing_was_captured_it_says_so(tmp_path: Path) -> None:
    done = fulltape("--journals", str(tmp_path))
    assert done.returncode == 2
    assert "nothing has been captured in" in done.stderr


def test_without_a_node_it_says_so(tmp_path: Path) -> None:
    done = fulltape("--node", str(tmp_path))
    assert done.returncode != 0
    assert "there is no fulltape.toml" in done.stderr
