"""Reading a node: just the rows that were meant, and no silence where nothing could be meant."""

from __future__ import annotations

import datetime as dt
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

import fulltape
from clocks import SkippingClock
from fulltape import errors
from fulltape.cli import app
from fulltape.node import nightly
from fulltape.simulator import market as markets
from nodes import CANARY, Wish, opened, simulated

UNIVERSE = "symbol,listed_from,listed_to,instrument\nAAPL,1980-12-12,,\nFB,2012-05-18,,\n"
WISH = Wish("equities_bars_day", "2011-01-03", "2012-12-31", ("alpaca.sip",))


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with (
        simulated(tmp_path_factory.mktemp("reader"), markets.sample(), [WISH], universe=UNIVERSE) as (
            folder,
            _,
        ),
        opened(folder) as context,
    ):
        nightly.run(context, SkippingClock())
    return folder


def test_a_node_says_what_it_has(node: Path) -> None:
    reader = fulltape.open(node)
    assert reader.datasets() == ("equities_bars_day",)
    assert reader.symbols("equities_bars_day") == ("AAPL", "FB")
    with pytest.raises(errors.UsageError, match=r"no dataset crypto_bars_day. It has equities_bars_day\."):
        reader.scan("crypto_bars_day")
    with pytest.raises(errors.UsageError, match="there is no dataset"):
        reader.symbols("nothing")


def test_no_moment_is_no_session(node: Path) -> None:
    import pandas as pd

    with pytest.raises(errors.UsageError, match="NaT is no date"):
        fulltape.open(node).scan("equities_bars_day", start=pd.NaT)


def test_rows_as_a_pandas_frame(node: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: Any = {"symbols": "AAPL", "start": "2011-12-29", "end": "2012-01-04"}
    frame = fulltape.open(node).to_pandas("equities_bars_day", **asked)
    rows = fulltape.open(node).scan("equities_bars_day", **asked).collect()
    assert frame["close"].tolist() == rows["close"].to_list()
    assert str(frame["ts"].dt.tz) == "UTC"

    def absent(_: pl.DataFrame) -> None:
        raise ModuleNotFoundError(name="pandas")

    monkeypatch.setattr(pl.DataFrame, "to_pandas", absent)
    with pytest.raises(errors.UsageError, match="extra pandas"):
        fulltape.open(node).to_pandas("equities_bars_day", **asked)


def test_rows_by_symbol_and_dates_also_across_years(node: Path) -> None:
    rows = fulltape.open(node).scan(
        "equities_bars_day", symbols=["AAPL"], start="2011-12-29", end=dt.date(2012, 1, 4)
    )
    assert isinstance(rows, pl.LazyFrame)
    sessions = rows.collect()["session"].to_list()
    assert sessions == [
        dt.date(2011, 12, 29),
        dt.date(2011, 12, 30),
        dt.date(2012, 1, 3),
        dt.date(2012, 1, 4),
    ]


def test_one_symbol_may_be_a_plain_string_and_all_are_the_default(node: Path) -> None:
    scan = fulltape.open(str(node)).scan
    assert scan("equities_bars_day", symbols="FB").collect().height == 155
    assert scan("equities_bars_day").collect().height == 155 + 502
    assert scan("equities_bars_day", symbols=[]).collect().is_empty()
    assert scan("equities_bars_day", symbols="FB", end="2012-05-17").collect().is_empty()


def test_only_the_files_that_can_hold_wanted_rows_are_opened(node: Path) -> None:
    plan = fulltape.open(node).scan("equities_bars_day", start="2012-02-01").explain()
    assert "year=2012" in plan
    assert "year=2011" not in plan


@pytest.mark.parametrize("start", ["2012-05-17", dt.date(2012, 5, 17)])
def test_dates_are_sessions_both_inclusive(node: Path, start: str | dt.date) -> None:
    rows = fulltape.open(node).scan("equities_bars_day", symbols="AAPL", start=start, end=start).collect()
    assert rows["session"].to_list() == [dt.date(2012, 5, 17)]


def test_moments_are_half_open(node: Path) -> None:
    """`ts` of a day bar is its open, 13:30 UTC in summer."""
    scan = fulltape.open(node).scan
    end = dt.datetime(2012, 5, 18, 13, 30, tzinfo=dt.UTC)
    rows = scan("equities_bars_day", symbols="AAPL", start="2012-05-16T09:30:00-04:00", end=end).collect()
    assert rows["session"].to_list() == [dt.date(2012, 5, 16), dt.date(2012, 5, 17)]


@pytest.mark.parametrize("moment", [dt.datetime(2012, 5, 17, 9, 30), "2012-05-17T09:30:00"])
def test_a_moment_without_a_zone_is_refused(node: Path, moment: str | dt.datetime) -> None:
    for name in ("start", "end", "as_of"):
        with pytest.raises(errors.UsageError, match="has no time zone"):
            fulltape.open(node).scan("equities_bars_day", **{name: moment})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"dataset": "equities_bars_dya"}, "Did you mean equities_bars_day"),
        ({"symbols": "aapl"}, "Did you mean AAPL"),
        ({"symbols": ["AAPL", "XXXX"]}, "there is no 'XXXX'"),
        ({"start": "yesterday"}, "is no date"),
        ({"start": 20120103}, "is no date"),
        ({"start": "2012-01-33T10:00"}, "is no date"),
        ({"start": "2012-02-01", "end": "2012-01-03"}, "lies after"),
    ],
)
def test_what_cannot_be_meant_is_refused(node: Path, arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(errors.UsageError, match=words):
        fulltape.open(node).scan(**{"dataset": "equities_bars_day", **arguments})


def test_reading_needs_no_vendor_keys(node: Path) -> None:
    settings = node / "fulltape.toml"
    good = settings.read_text()
    settings.write_text(good.replace(f'key = "{CANARY}"', 'key = "${KEY_THAT_IS_NOT_SET}"'))
    try:
        assert fulltape.open(node).scan("equities_bars_day", symbols="FB").collect().height == 155
        for command in (
            ["status"],
            ["tasks"],
            ["audit", "--explain", "equities_bars_day", "FB", "2012-05-18"],
        ):
            assert CliRunner().invoke(app, [*command, "--node", str(node)]).exit_code == 0
        asked = CliRunner().invoke(app, ["nightly", "--node", str(node)])
        assert "KEY_THAT_IS_NOT_SET" in str(asked.exception)
    finally:
        settings.write_text(good)


def test_a_node_that_holds_nothing_yet_says_so(tmp_path: Path) -> None:
    (tmp_path / "fulltape.toml").write_text("")
    with pytest.raises(errors.NodeNotFoundError, match="holds nothing yet"):
        fulltape.open(tmp_path).scan("equities_bars_day")


def test_reading_changes_nothing_and_brings_no_ledger_forward(node: Path, tmp_path: Path) -> None:
    shutil.copytree(node, tmp_path / "node", copy_function=shutil.copy2)
    folder = tmp_path / "node"

    def files() -> dict[str, int]:
        return {
            str(path): path.stat().st_mtime_ns
            for path in folder.rglob("*")
            if path.is_file() and not path.name.endswith(("-shm", "-wal"))
        }

    before = files()
    assert fulltape.open(folder).scan("equities_bars_day").collect().height > 0
    assert files() == before
    older = sqlite3.connect(folder / "ledger.db")
    older.execute("DELETE FROM schema_version WHERE version = (SELECT MAX(version) FROM schema_version)")
    older.commit()
    older.close()
    before = files()
    with pytest.raises(errors.StorageError, match=r"has version \d+, this fulltape reads \d+"):
        fulltape.open(folder).scan("equities_bars_day")
    assert files() == before


@pytest.mark.parametrize("damage", ["gone", "cut off"])
def test_a_file_that_is_damaged_is_named_with_the_command(node: Path, tmp_path: Path, damage: str) -> None:
    shutil.copytree(node, tmp_path / "node")
    path = next((tmp_path / "node" / "lake" / "curated").rglob("*.parquet"))
    content = path.read_bytes()
    path.unlink()
    if damage == "cut off":
        path.write_bytes(content[:-5])
    with pytest.raises(errors.CorruptPartError, match=rf"{path.name}.*verify --repair"):
        fulltape.open(tmp_path / "node").scan("equities_bars_day")
