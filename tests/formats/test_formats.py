"""Rows in the formats of other software, held against what that software makes of them."""

from __future__ import annotations

import datetime as dt
import json
import re
import subprocess
import zipfile
from pathlib import Path

import polars as pl
import pytest
from laid import ACTIONS, DAY, laid
from polars.testing import assert_frame_equal
from typer.testing import CliRunner

import fulltape
from clocks import SkippingClock
from fulltape import errors
from fulltape.adopt import mapping
from fulltape.adopt import run as adopt
from fulltape.adopt.adopted import Adoption
from fulltape.cli import app
from fulltape.formats import plan, run
from fulltape.formats.plan import Format, PriceStep
from fulltape.lake import files
from fulltape.node import nightly
from fulltape.reader import Reader
from nodes import LEAN, needs_data, opened

ROOT = Path(__file__).parents[2]
ZIPLINE = ROOT / ".interop" / "formats" / "bin" / "python"


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    """SPY with a split of two for one and a dividend."""
    node = laid(tmp_path / "node", "SPY,1993-01-29,,\n", DAY, ACTIONS)
    node.days("SPY", "2024-01-02", "2024-01-12", lambda day: 400.0 if day.day < 8 else 200.0)
    node.actions(
        {
            "instrument": "SPY",
            "ex_date": "2024-01-08",
            "action_type": "split",
            "ratio_old": 1.0,
            "ratio_new": 2.0,
        },
        {"instrument": "SPY", "ex_date": "2024-01-10", "action_type": "cash_dividend", "amount": 2.0},
        asked=("2024-01-02", "2024-01-12"),
    )
    return node.read()


def written(reader: Reader, tmp_path: Path, name: Format, **more: object) -> Path:
    asked = run.FormatRequest(format=name, datasets=(DAY,), **more)  # type: ignore[arg-type]
    run.run(reader, tmp_path / "out", asked)
    return tmp_path / "out"


def test_csv_and_parquet_hold_the_same_rows(reader: Reader, tmp_path: Path) -> None:
    mine = reader.scan(DAY).collect().sort("ts")
    out = written(reader, tmp_path, "csv")
    read = pl.read_csv(out / DAY / "SPY.csv")
    assert read["close"].to_list() == mine["close"].to_list()
    assert read["ts"][0] == "2024-01-02T14:30:00.000000Z"
    run.run(reader, tmp_path / "hive", run.FormatRequest(format="parquet", datasets=(DAY,)))
    hive = pl.scan_parquet(tmp_path / "hive" / DAY / "**" / "*.parquet", hive_partitioning=True).collect()
    assert_frame_equal(hive.select("ts", "close"), mine.select("ts", "close"))
    assert set(hive["symbol"]) == {"SPY"}


@pytest.mark.parametrize("name", ["zipline", "lean"])
def test_prices_that_no_source_has_answered_for_are_named(tmp_path: Path, name: Format) -> None:
    node = laid(tmp_path / "node", "SPY,1993-01-29,,\n", DAY, ACTIONS)
    node.days("SPY", "2024-01-02", "2024-01-12", lambda _: 400.0)
    node.asked("SPY", "2024-01-08", "2024-01-12")
    asked = run.FormatRequest(format=name, datasets=(DAY,))
    report = run.run(node.read(), tmp_path / "out", asked)
    assert "incomplete" in report.doubtful["SPY"]


@pytest.mark.parametrize("name", ["zipline", "lean"])
def test_certain_actions_name_no_symbol(reader: Reader, tmp_path: Path, name: Format) -> None:
    asked = run.FormatRequest(format=name, datasets=(DAY,))
    assert run.run(reader, tmp_path / "out", asked).doubtful == {}


def test_zipline_has_raw_prices_splits_and_dividends(reader: Reader, tmp_path: Path) -> None:
    out = written(reader, tmp_path, "zipline")
    read = pl.read_csv(out / "daily" / "SPY.csv")
    about = {row["date"]: row for row in read.iter_rows(named=True)}
    assert (about["2024-01-08"]["split"], about["2024-01-08"]["dividend"]) == (2.0, 0.0)
    assert (about["2024-01-10"]["split"], about["2024-01-10"]["dividend"]) == (1.0, 2.0)
    assert about["2024-01-05"]["close"] == 400.0


@pytest.mark.skipif(not ZIPLINE.exists(), reason="make .interop/.formats installs Zipline")
def test_zipline_itself_ingests_it(reader: Reader, tmp_path: Path) -> None:
    out = written(reader, tmp_path, "zipline")
    script = Path(__file__).with_name("zipline_reads.py")
    done = subprocess.run(
        [ZIPLINE, script, out, tmp_path / "root", "2024-01-02", "2024-01-12"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    said = json.loads(done.stdout.splitlines()[-1])
    mine = reader.scan(DAY).collect().sort("ts")
    assert said["days"] == [str(day) for day in mine["session"]]
    assert said["close"] == mine["close"].to_list()
    assert said["splits"] == [[0.5]]
    assert said["dividends"] == [[2.0]]


SNIPPETS = re.findall(
    r'```python title="(\w+)"\n(.*?)```', (ROOT / "docs" / "formats.md").read_text(), re.DOTALL
)


@pytest.mark.skipif(not ZIPLINE.exists(), reason="make .interop/.formats installs the libraries")
@pytest.mark.parametrize(("name", "text"), SNIPPETS, ids=[name for name, _ in SNIPPETS])
def test_what_the_documentation_shows_runs(reader: Reader, tmp_path: Path, name: str, text: str) -> None:
    for folder, chosen in (("hive", "parquet"), ("csv", "csv")):
        run.run(reader, tmp_path / folder, run.FormatRequest(format=chosen, datasets=(DAY,)))  # type: ignore[arg-type]
    done = subprocess.run(
        [ZIPLINE, "-W", "ignore", "-c", text], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    rows = reader.scan(DAY).collect().height
    says = {"duckdb": "SPY", "deltalake": f"{rows}", "arcticdb": f"({rows}, 5)", "nautilus_trader": f"{rows}"}
    assert says.get(name, "") in done.stdout


def test_factor_files_have_leans_convention() -> None:
    """Two events of Apple, as Lean's own file has them."""
    steps = [
        PriceStep(before=dt.date(2000, 6, 20), split=0.5, dividend=1.0, close=101.0),
        PriceStep(before=dt.date(2012, 8, 8), split=1.0, dividend=0.99572485, close=619.86),
    ]
    assert plan.factor_lines(dt.date(1998, 1, 2), steps) == [
        "19980102,0.9957248,0.50000000,1",
        "20000620,0.9957248,0.50000000,101",
        "20120808,0.9957248,1.00000000,619.86",
        "20501231,1,1,0",
    ]


def test_lean_has_a_factor_file(reader: Reader, tmp_path: Path) -> None:
    out = written(reader, tmp_path, "lean") / "equity" / "usa"
    with zipfile.ZipFile(out / "daily" / "spy.zip") as archive:
        first = archive.read("spy.csv").decode().splitlines()[0]
    assert first == "20240102 00:00,4000000,4000000,4000000,4000000,100"
    lines = (out / "factor_files" / "spy.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["20240102", "20240105", "20240109", "20501231"]
    price, split = (float(value) for value in lines[0].split(",")[1:3])
    assert price == pytest.approx(0.99)
    assert split == 0.5
    assert (out / "map_files" / "spy.csv").read_text() == "20240102,spy,Q\n20501231,spy,Q\n"


@needs_data
def test_minutes_of_lean_come_back_as_they_were(tmp_path: Path) -> None:
    """Taken in, curated, and written in Lean's format again: byte for byte."""
    node = tmp_path / "node"
    node.mkdir()
    (node / "fulltape.toml").write_text(
        '[universe.u]\nsymbols = ["SPY"]\n[dataset.equities_bars_minute]\nuniverse = "u"\nsources = ["files.lean"]\n'
        "from = 2013-10-04\nuntil = 2013-10-11\n[vendor.files]\n[quality]\n"
    )
    text = (ROOT / "docs" / "adopt.md").read_text()
    (tmp_path / "lean.toml").write_text(text.partition('```toml title="lean.toml"\n')[2].partition("```")[0])
    with opened(node) as context:
        given = mapping.read(tmp_path / "lean.toml")
        adoption = Adoption(
            root=LEAN / "minute", dataset="equities_bars_minute", source="files.lean", given=given
        )
        adopt.run(context, SkippingClock(), adoption)
        nightly.run(context, SkippingClock())
    done = CliRunner().invoke(
        app, ["export", "--format", "lean", "--to", str(tmp_path / "out"), "--node", str(node)]
    )
    assert done.exit_code == 0, (done.output, done.exception)
    assert "splits are not told" in done.output
    for day in ("20131007", "20131010"):
        mine = tmp_path / "out" / "equity" / "usa" / "minute" / "spy" / f"{day}_trade.zip"
        with zipfile.ZipFile(mine) as ours, zipfile.ZipFile(LEAN / "minute" / "spy" / mine.name) as theirs:
            name = theirs.namelist()[0]
            assert ours.namelist() == [name]
            assert ours.read(name).split() == theirs.read(name).split()


def test_the_same_rows_give_the_same_bytes(reader: Reader, tmp_path: Path) -> None:
    for name in ("a", "b"):
        run.run(reader, tmp_path / name, run.FormatRequest(format="lean", datasets=(DAY,)))
    first, second = ({p.name: files.sha256(p) for p in files.tree(tmp_path / name)} for name in ("a", "b"))
    assert first == second


def test_what_cannot_be_written_is_one_clear_sentence(reader: Reader, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("x")
    for target, more, words in (
        (tmp_path / "full", {}, "is there already"),
        (tmp_path / "new", {"datasets": ("forex_ticks",)}, "there is no forex_ticks"),
        (tmp_path / "new", {"datasets": ("corporate_actions",)}, "lean takes equities"),
        (tmp_path / "new", {"datasets": (DAY,), "start": "2030-01-02"}, "no such rows"),
    ):
        with pytest.raises(errors.UsageError, match=words):
            run.run(reader, target, run.FormatRequest(format="lean", **more))
    assert not (tmp_path / "new").exists()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".tmp-")] == []
    assert fulltape is not None


@pytest.mark.parametrize(
    "args",
    [["--to", "x"], ["-s", "SPY"], ["--format", "csv", "--to", "x", "--tar", "y"], ["--format", "xls"]],
)
def test_options_that_do_not_go_together_are_refused(tmp_path: Path, args: list[str]) -> None:
    done = CliRunner().invoke(app, ["export", *args, "--node", str(tmp_path)])
    assert isinstance(done.exception, errors.UsageError)
