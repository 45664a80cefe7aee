"""`fulltape actions`: votes and factors as people and programs see them."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from clocks import SkippingClock
from fulltape import errors
from fulltape.cli import app
from fulltape.node import nightly
from fulltape.simulator.market import Action
from nodes import Wish, lean_days, merged, needs_data, opened, simulated

pytestmark = needs_data


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    market = replace(
        merged(lean_days("AAPL", dt.date(2014, 5, 1), dt.date(2014, 6, 30))),
        actions=(
            Action(action_id="d", symbol="AAPL", ex_date=dt.date(2014, 5, 8), amount=3.29, declared=dt.date(2014, 4, 28)),
            Action(action_id="s", symbol="AAPL", ex_date=dt.date(2014, 6, 9), ratio=(1, 7)),
        ),
    )  # fmt: skip
    wishes = (
        Wish("equities_bars_day", "2014-05-01", "2014-06-30", ("alpaca.sip",)),
        Wish("corporate_actions", "2014-05-01", "2014-06-30", ("alpaca.sip", "massive.sip")),
    )
    with (
        simulated(tmp_path_factory.mktemp("actions"), market, wishes) as (folder, _),
        opened(folder) as context,
    ):
        nightly.run(context, SkippingClock())
    return folder


def shown(*arguments: str) -> str:
    """What the command prints."""
    result = CliRunner().invoke(app, ["actions", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_people_see_the_sources_and_what_they_say(node: Path) -> None:
    first, second = shown("AAPL", "--node", str(node)).splitlines()
    assert first.split() == [
        "2014-05-08",
        "AAPL",
        "cash_dividend",
        "3.29",
        "USD",
        "agreed:",
        "alpaca.sip,",
        "massive.sip",
    ]
    assert second.split()[:5] == ["2014-06-09", "AAPL", "split", "7", "for"]
    lines = shown("--factors", "--node", str(node)).splitlines()
    assert [line.split("  ")[0] for line in lines] == ["2014-05-08", "2014-06-09"]
    assert lines[0].endswith("cash_dividend 3.29 USD")
    assert lines[1].split() == ["2014-06-09", "AAPL", "0.14285714", "split", "7", "for", "1"]
    assert max(map(len, lines)) <= 80


def test_programs_get_json(node: Path) -> None:
    told = json.loads(shown("AAPL", "--json", "--as-of", "2014-05-31", "--node", str(node)))
    assert [(row["ex_date"], row["amount"]) for row in told["actions"]] == [("2014-05-08", 3.29)]
    factors = json.loads(shown("--factors", "--json", "--convention", "ex_close", "--node", str(node)))[
        "factors"
    ]
    assert {row["convention"] for row in factors} == {"ex_close"}


def test_what_is_not_there_is_said(node: Path) -> None:
    assert shown("--as-of", "2014-01-01", "--node", str(node)) == "No corporate action is known.\n"
    result = CliRunner().invoke(app, ["actions", "APPL", "--node", str(node)])
    assert isinstance(result.exception, errors.UsageError)
    assert result.exception.hint == "Did you mean AAPL?"
