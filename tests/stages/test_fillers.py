"""Minutes in which nothing traded: some venues send them as bars, and no curated table has them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cases
import polars as pl
import pytest
from test_every_dataset import node

import fulltape
from clocks import SkippingClock
from fulltape.coverage.cell import Verdict
from fulltape.node import nightly
from fulltape.simulator import run, scenario
from nodes import opened

WISH = ("crypto_bars_minute", "BTC/USD", ["alpaca.crypto"], "2024-11-04", "2024-11-05")


@pytest.mark.parametrize("every", [7, 1], ids=["some", "a whole day"])
def test_minutes_without_trades_are_raw_only(tmp_path: Path, every: int) -> None:
    market = cases.market()
    key = ("minute", "BTC/USD")
    bars = [
        replace(bar, volume=0.0, trades=0) if at % every == 0 and str(bar.session) == "2024-11-04" else bar
        for at, bar in enumerate(market.bars[key])
    ]
    empty = {bar.start for bar in bars if bar.volume == 0}
    market = replace(market, bars={**market.bars, key: bars})
    with run.running(market, scenario.Scenario()) as twins:
        folder = node(tmp_path / "node", twins, WISH)
        with opened(folder) as context:
            done = nightly.run(context, SkippingClock())
            verdicts = {one.verdict for one in context.ledger.verdicts.of_dataset(WISH[0])}
    raw = pl.read_parquet(folder / "lake" / "raw" / "**" / "*.parquet")
    curated = fulltape.open(folder).scan(WISH[0]).collect()
    assert empty <= set(raw["ts"].dt.epoch("us"))
    assert empty.isdisjoint(curated["ts"].dt.epoch("us"))
    assert curated.height == raw.height - len(empty)
    assert done.audit.missing == 0
    assert Verdict.RED not in verdicts
