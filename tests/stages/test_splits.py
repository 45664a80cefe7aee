"""How a bundle is split for training: dates with purge and embargo, and what it tells of intervals."""

from __future__ import annotations

import datetime as dt
import itertools
import json
from pathlib import Path

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

import fulltape
from clocks import SkippingClock
from fulltape.calendars import tables
from fulltape.context import noted
from fulltape.export import run as export
from fulltape.export import splits
from fulltape.market import reference
from fulltape.node import nightly
from fulltape.simulator import market as markets
from nodes import Wish, opened, simulated

XNYS = tables.load("XNYS")
UNIVERSE = "symbol,listed_from,listed_to,instrument\nAAPL,1980-12-12,,\nIBM,1962-01-02,,\n"


@given(
    st.lists(st.integers(0, 500), min_size=1, max_size=5, unique=True),
    st.integers(0, 700),
    st.integers(0, 30),
    st.integers(0, 30),
)
def test_splits_never_share_a_session_and_keep_their_distance(
    begins: list[int], end: int, purge: int, embargo: int
) -> None:
    base = XNYS.between(dt.date(2012, 1, 3), dt.date(2012, 1, 3))[0]
    firsts = {f"part {begin}": XNYS.label(base + begin) for begin in begins}
    made = splits.of_dataset(
        XNYS, (XNYS.label(base), XNYS.label(base + end)), firsts, purge=purge, embargo=embargo
    )
    assert [each.name for each in made] == [f"part {begin}" for begin in sorted(begins)]
    spans = []
    for begin, each in zip(sorted(begins), made, strict=True):
        if each.first is None or each.last is None:
            assert each.sessions == 0
            continue
        start, stop = XNYS.between(each.first, each.last)
        assert (stop - start, stop <= base + end + 1) == (each.sessions, True)
        assert start == base + begin + (embargo if begin != min(begins) else 0)
        spans.append((start, stop))
    for (_, stop), (start, _) in itertools.pairwise(spans):
        assert start - stop >= purge + embargo


def test_a_bundle_has_its_splits_and_the_halts_of_its_sessions(tmp_path: Path) -> None:
    wishes = [
        Wish("equities_bars_day", "2012-10-01", "2012-12-20", ("alpaca.sip",)),
        Wish("equities_bars_minute", "2012-12-10", "2012-12-12", ("alpaca.sip",)),
    ]
    extra = "\n[export]\nsplits = { train = 2012-10-01, test = 2012-12-03 }\npurge = 2\nembargo = 1\n"
    with (
        simulated(tmp_path, markets.sample(), wishes, universe=UNIVERSE, extra=extra) as (folder, _),
        opened(folder) as context,
    ):
        nightly.run(context, SkippingClock())
        (bundle,) = context.layout.bundles()
        done = export.run_once(context, SkippingClock())
        assert done is not None
        assert not done.written
    told = json.loads((bundle / "splits.json").read_text())
    assert (told["purge"], told["embargo"]) == (2, 1)
    assert told["datasets"]["equities_bars_day"] == [
        {"name": "train", "first": "2012-10-01", "last": "2012-11-28", "sessions": 40},
        {"name": "test", "first": "2012-12-04", "last": "2012-12-20", "sessions": 13},
    ]
    # The minutes are wanted for three sessions only.
    assert told["datasets"]["equities_bars_minute"] == [
        {"name": "train", "first": None, "last": None, "sessions": 0},
        {"name": "test", "first": "2012-12-10", "last": "2012-12-12", "sessions": 3},
    ]
    assert not (bundle / "intervals.parquet").exists()
    assert fulltape.open(folder).intervals("equities_bars_minute").is_empty()


def test_market_wide_halts_are_intervals() -> None:
    table = noted.intervals("equities_bars_minute", XNYS, [], dt.date(2020, 3, 1), dt.date(2020, 3, 31))
    assert table["kind"].unique().to_list() == [noted.HALT]
    assert dt.date(2020, 3, 9) in table["session"].to_list()
    assert table.filter(pl.col("start") >= pl.col("end")).is_empty()
    assert table["instrument"].null_count() == table.height


def test_a_delisting_that_is_learned_makes_a_new_bundle(tmp_path: Path) -> None:
    wish = Wish("equities_bars_day", "2012-12-10", "2012-12-20", ("alpaca.sip",))
    universe = "symbol,listed_from,listed_to,instrument\nAAPL,1980-12-12,2012-12-19,\n"
    with (
        simulated(tmp_path, markets.sample(), [wish], universe=universe) as (folder, _),
        opened(folder) as context,
    ):
        nightly.run(context, SkippingClock())
        before = pl.read_parquet(context.layout.bundles()[-1] / "instruments.parquet")
        rows = [
            {
                "symbol": "AAPL",
                "listed_to": "2012-12-19",
                "delisting_reason": "merger",
                "delisting_return": "0.05",
            }
        ]
        with context.ledger.write():
            context.ledger.reference.add(reference.from_rows(rows, origin="f.csv", where="f.csv"), now=1)
        done = export.run_once(context, SkippingClock())
        assert done
        assert done.written
        after = pl.read_parquet(context.layout.bundles()[-1] / "instruments.parquet")
    assert after.drop("delisting_reason", "delisting_return").equals(before)
    assert after.select("delisting_reason", "delisting_return").row(0) == ("merger", 0.05)
