"""Bundles whose cells were changed since are named, with what changed."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from laid import Laid

from clocks import SkippingClock
from fulltape.context import NodeContext
from fulltape.curate import run as curate
from fulltape.node import nightly
from fulltape.simulator.market import Action
from fulltape.views import bundles
from nodes import Wish, lean_days, merged, needs_data, opened, simulated

pytestmark = needs_data

FIRST, LAST = dt.date(2014, 1, 2), dt.date(2014, 12, 31)
SOURCE = "alpaca.sip"
WISHES = (
    Wish("equities_bars_day", FIRST.isoformat(), LAST.isoformat(), (SOURCE,)),
    Wish("corporate_actions", FIRST.isoformat(), LAST.isoformat(), (SOURCE,)),
)
PAID = Action(
    action_id="d", symbol="AAPL", ex_date=dt.date(2014, 5, 8), amount=3.29, declared=dt.date(2014, 4, 28)
)


def run(*args: str) -> subprocess.CompletedProcess[str]:
    """A command as a user runs it."""
    return subprocess.run([sys.executable, "-m", "fulltape", *args], capture_output=True, text=True, check=False)  # fmt: skip


@pytest.fixture
def node(tmp_path: Path) -> Iterator[tuple[Path, NodeContext]]:
    """A node of a year of two instruments, with its bundle."""
    days = merged(lean_days("AAPL", FIRST, LAST), lean_days("SPY", FIRST, LAST))
    with (
        simulated(tmp_path, replace(days, actions=(PAID,)), WISHES) as (folder, _),
        opened(folder) as context,
    ):
        nightly.run(context, SkippingClock())
        yield folder, context


def restate(context: NodeContext, **closes: float) -> None:
    """The source answers again: these closes (by d2014_05_07), and curation takes them."""
    days = {name.removeprefix("d").replace("_", "-"): close for name, close in closes.items()}
    Laid(context).answer("AAPL", days, source=SOURCE)
    curate.run_once(context, SkippingClock())


def test_a_fresh_bundle_is_as_the_node_has_it(node: tuple[Path, NodeContext]) -> None:
    (state,) = bundles.states(node[1])
    assert (state.superseded, state.problem, state.day) == ((), "", LAST.isoformat())
    assert state.rows > 500


def test_restated_cells_are_counted_and_named(node: tuple[Path, NodeContext]) -> None:
    folder, context = node
    restate(context, d2014_02_03=501.0, d2014_02_05=512.0)
    (state,) = bundles.states(context)
    (only,) = state.superseded
    assert (only.dataset, only.instrument, only.cells) == ("equities_bars_day", "AAPL", 2)
    assert (only.first, only.last) == (dt.date(2014, 2, 3), dt.date(2014, 2, 5))
    said = run("bundles", "--stale", "--node", str(folder))
    assert said.returncode == 1
    assert "stale: 2 cells of equities_bars_day changed since" in said.stdout
    assert "AAPL  2014-02-03 to 2014-02-05, 2" in said.stdout


def test_a_restated_close_makes_its_factors_stale_too(node: tuple[Path, NodeContext]) -> None:
    restate(node[1], d2014_05_07=600.0)
    (state,) = bundles.states(node[1])
    assert bundles.summed(state.superseded) == {"equities_bars_day": 1, bundles.FACTORS: 1}
    (factor,) = [each for each in state.superseded if each.dataset == bundles.FACTORS]
    assert (factor.instrument, factor.first, factor.last) == ("AAPL", PAID.ex_date, PAID.ex_date)


def test_an_action_that_was_taken_back_makes_its_factor_stale(node: tuple[Path, NodeContext]) -> None:
    _, context = node
    with context.ledger.write():
        for part in context.ledger.catalogue.current("raw", "corporate_actions"):
            context.ledger.catalogue.withdraw(part.part_id, now=1)
    (state,) = bundles.states(context)
    assert bundles.summed(state.superseded) == {bundles.FACTORS: 1}


def test_a_bundle_that_cannot_be_read_says_so(node: tuple[Path, NodeContext]) -> None:
    folder, context = node
    (path,) = context.layout.bundles()
    (path / "manifest.json").write_text("{")
    (state,) = bundles.states(context)
    assert "cannot be read" in state.problem
    said = run("bundles", "--json", "--node", str(folder))
    (shown,) = json.loads(said.stdout)["bundles"]
    assert (shown["day"], shown["superseded"]) == (LAST.isoformat(), [])
