"""Sessions are asked for again some time after they were final; what a source says otherwise is taken, counted, and doubted."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

import fulltape
from clocks import SkippingClock
from fulltape.checks import restatement
from fulltape.market.time import from_datetime
from fulltape.node import nightly
from fulltape.simulator import market as markets
from fulltape.simulator.market import Market
from fulltape.simulator.run import Running
from nodes import Wish, opened, simulated

DAYS, SOURCE = "equities_bars_day", "alpaca.sip"
WISH = Wish(DAYS, "2012-12-03", "2012-12-31", (SOURCE,))
RESTATED = dt.date(2012, 12, 11)
UNIVERSE = "symbol,listed_from,listed_to,instrument\nAAPL,1980-12-12,,\nIBM,1962-01-02,,\n"


class Night(SkippingClock):
    """A night of December 2012, at 22:00 New York."""

    def __init__(self, day: int) -> None:
        super().__init__()
        moment = dt.datetime(2012, 12, day, 3, 0, tzinfo=dt.UTC) + dt.timedelta(days=1)
        self._skipped = from_datetime(moment) - time.time_ns() // 1_000


def restated(market: Market) -> Market:
    """The same market, in which a close of AAPL is two percent higher."""
    told = {
        key: [
            dataclasses.replace(bar, close=round(bar.close * 1.02, 2), high=bar.high * 1.02)
            if key == ("day", "AAPL") and bar.session == RESTATED
            else bar
            for bar in bars
        ]
        for key, bars in market.bars.items()
    }
    return markets.market(told)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[tuple[Path, Running]]:
    """A node that asks again after one day and after two."""
    with simulated(tmp_path / "first", markets.sample(), [WISH], universe=UNIVERSE) as (folder, twins):
        settings = folder / "fulltape.toml"
        text = settings.read_text()
        text = text.replace(f"[dataset.{DAYS}]\n", f'[dataset.{DAYS}]\nrecheck = ["1d", "2d"]\n')
        settings.write_text(text)
        yield folder, twins


@pytest.fixture
def later(tmp_path: Path, node: tuple[Path, Running]) -> Iterator[Path]:
    """The same node, once `turn` was called, with a vendor that has restated a session."""
    with simulated(tmp_path / "second", restated(markets.sample()), [WISH], universe=UNIVERSE) as (other, _):
        yield other


def turn(folder: Path, other: Path) -> None:
    """Let a node ask another vendor's server."""
    (address,) = re.findall(
        r'\[vendor\.alpaca\][^[]*base_url = "(.*?)"', (other / "fulltape.toml").read_text()
    )
    settings = folder / "fulltape.toml"
    text = settings.read_text()
    settings.write_text(re.sub(r'(\[vendor\.alpaca\][^[]*base_url = ").*?"', rf'\g<1>{address}"', text))


def night(folder: Path, day: int) -> None:
    """A whole night."""
    with opened(folder) as context:
        nightly.run(context, Night(day))


def test_a_restated_session_is_taken_counted_and_doubted_until_it_is_confirmed(
    node: tuple[Path, Running], later: Path
) -> None:
    folder, _ = node
    night(folder, 11)
    turn(folder, later)
    with opened(folder) as context:
        before = len(context.ledger.catalogue.current("raw", DAYS))
        assert context.ledger.restatements.counted(SOURCE) == {}
    night(folder, 12)
    with opened(folder) as context:
        ledger = context.ledger
        # The 11th after one day, the 10th after two.
        assert ledger.restatements.counted(SOURCE) == {DAYS: (4, 1)}
        (only,) = ledger.restatements.unconfirmed(DAYS, beyond=0.005)
        assert (only.source, only.instrument, only.session, only.rows) == (SOURCE, "AAPL", RESTATED, 1)
        assert only.largest == pytest.approx(0.02, abs=1e-4)
        assert ledger.restatements.unconfirmed(DAYS, beyond=0.05) == []
        (said,) = ledger.verdicts.with_codes(DAYS, restatement.CODE)
        assert (said.instrument, said.first, said.last) == ("AAPL", RESTATED, RESTATED)
        # One answer is new, one is other than before; what was answered as before is not stored again.
        rows = [part.rows for part in ledger.catalogue.current("raw", DAYS)]
        assert sum(rows[before:]) == 2 + 1
    reader = fulltape.open(folder)
    bar = reader.scan(DAYS, symbols="AAPL", start=RESTATED, end=RESTATED).select("close").collect()
    changes = reader.diff(DAYS, "AAPL").filter(pl.col("column") == "close")
    assert [bar.item()] == [float(value) for value in changes["after"]]
    night(folder, 13)
    with opened(folder) as context:
        assert context.ledger.restatements.counted(SOURCE) == {DAYS: (8, 1)}
        assert context.ledger.restatements.unconfirmed(DAYS, beyond=0) == []
        assert context.ledger.verdicts.with_codes(DAYS, restatement.CODE) == []


def test_what_was_final_before_is_left_alone_and_nights_that_were_missed_ask_once(
    node: tuple[Path, Running],
) -> None:
    folder, twins = node
    night(folder, 7)
    asked = len(twins.log())
    night(folder, 7)
    assert len(twins.log()) == asked
    night(folder, 14)
    with opened(folder) as context:
        # Of the 7th both waits have run out, of the 6th one; all others were asked for the first time just now.
        assert context.ledger.restatements.counted(SOURCE) == {DAYS: (4, 0)}
    asked = len(twins.log())
    night(folder, 14)
    assert len(twins.log()) == asked


def test_without_waits_nothing_is_asked_again(node: tuple[Path, Running]) -> None:
    folder, twins = node
    settings = folder / "fulltape.toml"
    settings.write_text(re.sub("recheck = .*\n", "", settings.read_text()))
    for day in (11, 12, 13):
        night(folder, day)
    with opened(folder) as context:
        assert context.ledger.restatements.counted(SOURCE) == {}
    assert len(twins.log()) == 3
