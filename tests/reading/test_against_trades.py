"""A vendor's minutes are held against those that the node's own trades make."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from laid import MINUTES, Laid, laid

from clocks import SkippingClock
from curated import minutes, spy_trades
from fulltape.check import run as check
from fulltape.check import trades as against_trades
from fulltape.checks import trades as rules
from fulltape.decoding import frames
from fulltape.market import datasets
from nodes import needs_data

TRADES, DAY = "equities_trades", "2013-10-07"
pytestmark = needs_data


def node_of(folder: Path, bars: pl.DataFrame, trades: pl.DataFrame) -> Laid:
    """A node with the minutes and the trades of a session."""
    made = laid(folder, "SPY,1993-01-29,,\n", MINUTES, TRADES)
    wanted = {name: replace(each, sources=()) for name, each in made.context.wanted.items()}
    node = Laid(replace(made.context, wanted=wanted))
    node.lay(MINUTES, filled(bars), DAY)
    node.ticks(TRADES, trades)
    return node


def filled(bars: pl.DataFrame) -> pl.DataFrame:
    """Bars as curation writes them."""
    more = {"source": "alpaca.sip", "is_final": True, "flags": 0}
    frame = bars.with_columns(pl.lit(value).alias(name) for name, value in more.items())
    return frames.conform(frame, datasets.get(MINUTES).curated.columns)


def said(node: Laid) -> list[tuple[str, dt.date, str]]:
    """What is said of minutes because of their trades."""
    found = node.context.ledger.verdicts.with_codes(MINUTES, rules.CODE)
    return [(each.instrument, each.first, each.verdict.value) for each in found]


def test_real_minutes_agree_with_real_trades(tmp_path: Path) -> None:
    bars = minutes("SPY", DAY)
    node = node_of(tmp_path, bars, spy_trades(DAY))
    done = against_trades.compared(node.context, node.context.wanted[MINUTES], SkippingClock())
    assert done is not None
    assert done.cells == {("SPY", dt.date.fromisoformat(DAY))}
    check.run_once(node.context, SkippingClock())
    assert said(node) == []


late = pl.int_range(pl.len()) % 5 == 0
WRONG: dict[str, Callable[[pl.DataFrame], pl.DataFrame]] = {
    "prices": lambda bars: bars.with_columns(
        pl.when(late).then(pl.col("high") * 1.01).otherwise("high").alias("high")
    ),
    "volumes": lambda bars: bars.with_columns(
        pl.when(late).then(pl.col("volume") * 2).otherwise("volume").alias("volume")
    ),
    "missing": lambda bars: bars.filter(~late),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_other_minutes_are_doubted_until_they_agree(tmp_path: Path, wrong: str) -> None:
    bars = minutes("SPY", DAY)
    node = node_of(tmp_path, WRONG[wrong](bars), spy_trades(DAY))
    for _ in range(2):
        check.run_once(node.context, SkippingClock())
        assert said(node) == [("SPY", dt.date.fromisoformat(DAY), "AMBER")]
    node.lay(MINUTES, filled(bars), DAY)
    check.run_once(node.context, SkippingClock())
    assert said(node) == []


def test_trades_that_are_not_whole_accuse_no_minutes(tmp_path: Path) -> None:
    node = node_of(tmp_path, WRONG["volumes"](minutes("SPY", DAY)), spy_trades(DAY))
    node.fact(TRADES, "SPY", DAY, DAY, "partial")
    check.run_once(node.context, SkippingClock())
    assert said(node) == []


def test_minutes_whose_trades_are_kept_no_more_are_not_doubted(tmp_path: Path) -> None:
    node = node_of(tmp_path, WRONG["volumes"](minutes("SPY", DAY)), spy_trades(DAY))
    check.run_once(node.context, SkippingClock())
    assert said(node)
    alone = replace(node.context, wanted={MINUTES: node.context.wanted[MINUTES]})
    check.run_once(alone, SkippingClock())
    assert said(node) == []
    check.run_once(node.context, SkippingClock())
    assert said(node)
