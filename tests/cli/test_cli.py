"""The command line as users meet it: light, with examples, clear exit codes, and words instead of tracebacks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from fulltape import cli
from fulltape.cli import app
from fulltape.simulator import market as markets
from nodes import DAYS_2012, Wish, simulated

UNIVERSE = "symbol,listed_from,listed_to,instrument\nAAPL,1980-12-12,,\nFB,2012-05-18,,\n"


def run(*args: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fulltape", *args],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, "TERM": "dumb", "NO_COLOR": "1", "COLUMNS": "120", **environment},
    )


def commands() -> list[list[str]]:
    """Every command and sub-command."""
    found: list[list[str]] = []

    def walk(group: Any, path: list[str]) -> None:
        for name, command in group.commands.items():
            found.append([*path, name])
            if hasattr(command, "commands"):
                walk(command, [*path, name])

    walk(typer.main.get_command(app), [])
    return found


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom fulltape.cli import app\n"
        "try:\n    app(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'polars', 'pydantic', 'httpx2', 'sqlite3', 'msgspec', 'h11', 'asyncio'} & set(sys.modules)\n"
        "print('HEAVY', sorted(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "HEAVY []" in done.stdout


def test_importing_fulltape_and_conversing_with_a_vendor_imports_no_polars() -> None:
    code = (
        "import sys, fulltape\nfrom fulltape import vendors\nfrom fulltape.lake import fetches, journal\n"
        "[vendors.load(name) for name in vendors.names()]\nprint('polars' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_every_help_shows_an_example(command: list[str]) -> None:
    done = run(*command, "--help")
    assert done.returncode == 0
    assert "Example: fulltape" in done.stdout


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A node after a night."""
    with simulated(tmp_path_factory.mktemp("cli"), markets.sample(), [DAYS_2012], universe=UNIVERSE) as (
        folder,
        _,
    ):
        done = run("nightly", "--node", str(folder))
        assert done.returncode == 0, done.stderr
        assert "405 of 405 cells held" in done.stdout
        assert "survivorship: BIASED" in done.stdout
    return folder


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["status"], "equities_bars_day: 405 wanted, 405 held"),
        (["status", "--picture"], "█ held"),
        (["audit"], "405 held"),
        (["audit", "--explain", "equities_bars_day", "AAPL", "2012-10-29"], "closed: the market was closed"),
        (["audit", "--explain", "equities_bars_day", "FB", "2012-05-17"], "unlisted"),
        (["audit", "--explain", "equities_bars_day", "AAPL", "2012-10-26"], "held: rows from"),
        (["audit", "--explain", "equities_bars_day", "AAPL", "1999-10-26"], "not wanted"),
        (["backfill"], "0 open tasks left"),
        (["curate"], "0 folders written"),
        (["check"], "405 GREEN"),
        (["export"], "unchanged"),
        (["tasks"], "done"),
        (["tasks", "--state", "stalled"], "no stalled tasks"),
        (["config", "check"], "is good"),
        (["config", "show"], "vendor.alpaca.base_url"),
        (["nightly"], "0 requests"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_every_command_works_on_a_finished_node(finished: Path, args: list[str], words: str) -> None:
    done = run(*args, "--node", str(finished))
    assert done.returncode == 0, done.stderr
    assert words in done.stdout
    assert run(*args, cwd=finished).stdout
    assert run(*args, FULLTAPE_NODE=str(finished)).returncode == 0


@pytest.mark.parametrize(
    "command", ["status", "audit", "backfill", "curate", "check", "export", "tasks", "nightly"]
)
def test_json_is_json_and_quiet_is_quiet(finished: Path, command: str) -> None:
    done = run(command, "--json", "--node", str(finished))
    assert done.returncode == 0
    json.loads(done.stdout)
    assert not done.stderr
    if command not in ("status", "tasks"):
        quiet = run(command, "--quiet", "--node", str(finished))
        assert (quiet.stdout, quiet.stderr) == ("", "")


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["status", "--node", "/nowhere"], 2, "there is no fulltape.toml"),
        (["audit", "--explain", "equities_bars_day", "NOBODY", "2012-10-26"], 2, "is not in the universe"),
        (
            ["audit", "--explain", "equities_bars_dya", "AAPL", "2012-10-26"],
            2,
            "Did you mean equities_bars_day?",
        ),
        (["audit", "--explain", "equities_bars_minute", "AAPL", "2012-10-26"], 2, "does not want"),
        (["audit", "--explain", "equities_bars_day", "AAPL", "yesterday"], 2, "Sessions are dates"),
        (["tasks", "--state", "lost"], 2, "is no state"),
        (["tasks", "--most", "99999999999999999999"], 2, "--most"),
        (["simulate", "--scenario", "/nowhere.toml"], 2, "cannot be read"),
        (["nonsense"], 2, "No such command"),
        (["init", "fulltape.toml"], 2, "cannot be a folder"),
        (["init", "."], 2, "is a node already"),
        (["demo", "--folder", "."], 2, "is not empty"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_mistakes_end_in_a_sentence_and_exit_code_2(
    finished: Path, args: list[str], code: int, words: str
) -> None:
    before = sorted(finished.iterdir())
    done = run(*args, cwd=finished)
    assert done.returncode == code, done.stderr
    assert words in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert sorted(finished.iterdir()) == before


def test_what_exists_live_only_has_gaps_that_say_so(tmp_path: Path) -> None:
    (tmp_path / "fulltape.toml").write_text(
        '[universe.u]\nsymbols = ["BTC/USDT"]\n[dataset.crypto_quotes]\nuniverse = "u"\n'
        'live = ["binance.spot"]\nfrom = 2024-01-02\nuntil = 2024-01-05\n[vendor.binance]\n'
    )
    words = "binance.spot has no history of it: it exists live only"
    told = run("gaps", cwd=tmp_path)
    assert (told.returncode, words in told.stdout) == (1, True), told.stdout + told.stderr
    story = run("audit", "--explain", "crypto_quotes", "BTC/USDT", "2024-01-03", cwd=tmp_path)
    assert words.removeprefix("binance.spot ") in story.stdout, story.stdout + story.stderr


def test_gaps_end_with_exit_code_1_and_wrong_keys_with_3(tmp_path: Path) -> None:
    faults = '[[fault]]\nvendor = "alpaca"\ndo = "missing_days"\nsymbols = ["AAPL"]\nfirst = 2012-03-01\nlast = 2012-03-01\n'
    wish = Wish("equities_bars_day", "2012-01-03", "2012-12-31", ("alpaca.sip",))
    with simulated(tmp_path, markets.sample(), [wish], universe=UNIVERSE, faults=faults) as (folder, twins):
        assert run("nightly", "--node", str(folder)).returncode == 1
        from fulltape.simulator.server import Reply

        twins.servers["alpaca"]._handle = lambda _: Reply(status=401, body=b'{"message":"unauthorized"}')
        text = (folder / "fulltape.toml").read_text().replace("until = 2012-12-31", "until = 2013-01-31")
        (folder / "fulltape.toml").write_text(text)
        done = run("nightly", "--node", str(folder))
        assert done.returncode == 3
        assert "alpaca.sip refused the credentials" in done.stderr


def test_a_broken_ledger_is_exit_code_4(tmp_path: Path) -> None:
    with simulated(tmp_path, markets.sample(), [DAYS_2012], universe=UNIVERSE) as (folder, _):
        (folder / "ledger.db").write_bytes(b"this is no database" * 100)
        done = run("status", "--node", str(folder))
    assert done.returncode == 4
    assert "cannot be opened" in done.stderr


def test_init_makes_a_node_that_says_what_is_missing(tmp_path: Path) -> None:
    done = run("init", str(tmp_path / "new"))
    assert done.returncode == 0
    unset = run("config", "check", "--node", str(tmp_path / "new"))
    assert unset.returncode == 2
    assert "ALPACA_KEY" in unset.stderr
    good = run("config", "check", "--node", str(tmp_path / "new"), ALPACA_KEY="k", ALPACA_SECRET="s")
    assert good.returncode == 0, good.stderr


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_is_exit_code_130_and_goes_on_later(tmp_path: Path, stop: signal.Signals) -> None:
    faults = '[[fault]]\nvendor = "alpaca"\ndo = "hold"\n'
    wish = Wish("equities_bars_day", "2012-01-03", "2012-12-31", ("alpaca.sip",))
    with simulated(tmp_path, markets.sample(), [wish], universe=UNIVERSE, faults=faults) as (folder, twins):
        command = [sys.executable, "-m", "fulltape", "nightly", "--node", str(folder)]
        child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        server = twins.servers["alpaca"]
        assert server.held.wait(30)
        child.send_signal(stop)
        server.release()
        _, err = child.communicate(timeout=60)
        assert child.returncode == 130
        assert "Traceback" not in err
        assert "the next run goes on from there" in err
        asked = len(server.log)
        assert run("nightly", "--node", str(folder)).returncode == 0
        assert len(server.log) <= asked + 2


def test_every_file_of_the_folder_is_a_verb_under_a_panel() -> None:
    files = {path.stem for path in Path(cli.__file__).parent.glob("*.py") if not path.stem.startswith("_")}
    commands = {one.callback.__name__: one for one in app.registered_commands if one.callback}
    groups = {str(one.name): one for one in app.registered_groups}
    assert files == commands.keys() | groups.keys()
    panels = {str(one.rich_help_panel) for one in commands.values()}
    assert panels | {str(one.rich_help_panel) for one in groups.values()} == set(cli.PANELS)
