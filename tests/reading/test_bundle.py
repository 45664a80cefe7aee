"""A bundle carries raw prices, and all that is needed to adjust them elsewhere."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

import fulltape
from clocks import SkippingClock
from fulltape.export import run as export
from fulltape.node import nightly
from fulltape.simulator.market import Action, Market
from nodes import Wish, lean_days, merged, needs_data, opened, simulated

pytestmark = needs_data

FIRST, LAST = dt.date(2014, 1, 2), dt.date(2014, 12, 31)
WISHES = (
    Wish("equities_bars_day", FIRST.isoformat(), LAST.isoformat(), ("alpaca.sip",)),
    Wish("corporate_actions", FIRST.isoformat(), LAST.isoformat(), ("alpaca.sip", "massive.sip")),
)
SPLIT = Action(action_id="s", symbol="AAPL", ex_date=dt.date(2014, 6, 9), ratio=(1, 7))
PAID = Action(
    action_id="d", symbol="AAPL", ex_date=dt.date(2014, 5, 8), amount=3.29, declared=dt.date(2014, 4, 28)
)


def market() -> Market:
    """Two instruments, one of which splits and pays."""
    days = merged(lean_days("AAPL", FIRST, LAST), lean_days("SPY", FIRST, LAST))
    return replace(days, actions=(SPLIT, PAID))


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with (
        simulated(tmp_path_factory.mktemp("bundle"), market(), WISHES) as (folder, _),
        opened(folder) as context,
    ):
        nightly.run(context, SkippingClock())
    return folder


def bundle(node: Path) -> Path:
    """The node's only one."""
    (path,) = (node / "lake" / "exports" / "nightly").iterdir()
    return path


def test_raw_rows_and_their_factors_give_what_a_reader_gets(node: Path) -> None:
    root = bundle(node)
    raw = pl.scan_parquet(root / "curated" / "equities_bars_day" / "**" / "*.parquet").collect()
    factors = pl.read_parquet(root / "adjustments.parquet")
    assert factors.filter(pl.col("instrument") == "SPY").height == 1
    manifest = json.loads((root / "manifest.json").read_text())
    assert manifest["adjustment"] == "raw: prices and volumes as traded"
    assert manifest["factors"] == {
        "convention": "prev_close",
        "anchor": "2014-12-31",
        "factors": {"complete": 2},
    }
    joined = raw.sort("session").join_asof(
        factors.with_columns(pl.col("first_session").fill_null(dt.date.min)).sort("first_session"),
        left_on="session",
        right_on="first_session",
        by="instrument",
        check_sortedness=False,
    )
    for mode in ("split", "split_spin", "total"):
        mine = joined.select(
            "instrument",
            "session",
            pl.col("close") * pl.col(f"cum_{mode}"),
            pl.col("volume") * pl.col("cum_shares"),
        )
        read = fulltape.open(node).scan(
            "equities_bars_day", adjust=mode, anchor="2014-12-31", columns=mine.columns
        )
        assert mine.sort("instrument", "session").equals(read.collect().sort("instrument", "session"))


def test_actions_and_factors_are_in_the_bundle(node: Path) -> None:
    root = bundle(node)
    reader = fulltape.open(node)
    assert pl.read_parquet(root / "actions.parquet").equals(reader.actions())
    assert pl.read_parquet(root / "factors.parquet").equals(reader.factors())


def test_a_second_export_changes_nothing(node: Path) -> None:
    root = bundle(node)
    before = {path: path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}
    with opened(node) as context:
        report = export.run_once(context, SkippingClock())
    assert report
    assert not report.written
    for path, content in before.items():
        assert path.read_bytes() == content


def test_a_flipped_file_of_actions_is_never_exported(tmp_path: Path) -> None:
    with simulated(tmp_path, market(), WISHES) as (folder, _), opened(folder) as context:
        nightly.run(context, SkippingClock())
        (whole,) = (folder / "lake" / "exports" / "nightly").iterdir()
        expected = {path.name: path.read_bytes() for path in whole.glob("*.parquet")}
        part = context.ledger.catalogue.current("raw", "corporate_actions")[0]
        path = folder / "lake" / part.path
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 0xFF
        path.write_bytes(content)
        (whole / "actions.parquet").unlink()
        night = nightly.run(context, SkippingClock())
        assert night.complete
        assert {path.name: path.read_bytes() for path in whole.glob("*.parquet")} == expected
