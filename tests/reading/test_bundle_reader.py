"""A bundle gives the rows and facts of the node that wrote it, and says so where it cannot."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import fulltape
import fulltape.reader
import holed
from clocks import SkippingClock
from fulltape import errors
from fulltape.bundle.fetched import FetchedBundle
from fulltape.bundle.sources import FolderSource
from fulltape.node import nightly
from fulltape.reader import BundleReader
from fulltape.reading.bundle import OpenedBundle
from fulltape.simulator import market as markets
from fulltape.simulator.market import Action
from nodes import Wish, needs_data, opened, simulated

pytestmark = needs_data

WISHES = (*holed.WISHES, Wish("corporate_actions", "2012-01-03", "2012-12-31"))
ACTIONS = (
    Action(action_id="s", symbol="AAPL", ex_date=dt.date(2012, 11, 15), ratio=(1, 2)),
    Action(
        action_id="d", symbol="IBM", ex_date=dt.date(2012, 11, 8), amount=0.85, declared=dt.date(2012, 10, 30)
    ),
)
SPLITS = '\n[export]\nsplits = { train = "2012-01-03", test = "2012-09-04" }\npurge = 2\nembargo = 1\n'
DAYS, MINUTES = "equities_bars_day", "equities_bars_minute"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    market = dataclasses.replace(holed.market(), actions=ACTIONS)
    universe = markets.sample_universe()
    folder = tmp_path_factory.mktemp("read")
    with (
        simulated(folder, market, WISHES, universe=universe, extra=SPLITS) as (made, _),
        opened(made) as context,
    ):
        nightly.run(context, SkippingClock())
    return made


@pytest.fixture(scope="module")
def bundle(node: Path) -> Path:
    (path,) = (node / "lake" / "exports" / "nightly").iterdir()
    return path


SCANS: list[tuple[str, dict[str, Any]]] = [
    (DAYS, {}),
    (DAYS, {"symbols": "AAPL"}),
    (DAYS, {"symbols": ["IBM", "AAPL"], "start": "2012-05-15", "end": "2012-07-20", "grid": True}),
    (DAYS, {"start": "2012-11-01", "adjust": "split"}),
    (DAYS, {"adjust": "total", "anchor": "first", "symbols": "AAPL"}),
    (DAYS, {"adjust": "total", "anchor": "2012-11-12"}),
    (DAYS, {"columns": ["ts", "instrument", "close", "rsi_14", "available_basis"], "start": "2012-03-01"}),
    (MINUTES, {}),
    (MINUTES, {"symbols": "AAPL", "start": "2012-11-23", "end": "2012-11-23", "grid": True}),
    (MINUTES, {"every": "15m", "grid": True, "adjust": "total", "start": "2012-11-14", "end": "2012-11-19"}),
    (MINUTES, {"every": "1d", "start": "2012-11-20"}),
    (MINUTES, {"start": "2012-11-23T15:00Z", "end": "2012-11-23T16:00Z"}),
    (MINUTES, {"symbols": "IBM", "columns": ["ts", "sma_20"], "every": "5m", "start": "2012-11-08"}),
    (DAYS, {"start": "2013-01-01"}),
]


@pytest.mark.parametrize(("dataset", "asked"), SCANS)
def test_a_bundle_gives_the_rows_of_its_node(
    node: Path, bundle: Path, dataset: str, asked: dict[str, Any]
) -> None:
    expected = fulltape.open(node).scan(dataset, **asked).collect()
    given = fulltape.open(bundle).scan(dataset, **asked).collect()
    assert given.schema == expected.schema
    assert given.equals(expected, null_equal=True)
    assert expected.height or asked == {"start": "2013-01-01"}


def test_a_bundle_tells_what_its_node_tells(node: Path, bundle: Path) -> None:
    of_node, of_bundle = fulltape.open(node), fulltape.open(bundle)
    assert isinstance(of_bundle, BundleReader)
    assert set(of_bundle.datasets()) == set(of_node.datasets())
    for dataset in of_node.datasets():
        assert of_bundle.symbols(dataset) == of_node.symbols(dataset)
        sessions = of_node.sessions(dataset)
        mine = of_bundle.sessions(dataset)
        assert mine.equals(sessions.filter(pl.col("session") <= mine["session"].max()))
        assert of_bundle.intervals(dataset).equals(of_node.intervals(dataset))
    assert of_bundle.actions().equals(of_node.actions())
    assert of_bundle.factors("AAPL").equals(of_node.factors("AAPL"))
    assert of_bundle.repairs().equals(of_node.repairs())
    for dataset in (DAYS, MINUTES):
        assert by_session(of_bundle, dataset).equals(by_session(of_node, dataset))
    lacking = of_bundle.cells(DAYS).filter(pl.col("availability") != "held").collect()
    assert set(lacking["instrument"].cast(pl.String)) == {holed.LACKING}
    assert {day.month for day in lacking["session"]} == {6}


def by_session(reader: fulltape.reader.Reader, dataset: str) -> pl.DataFrame:
    """What was said of each session."""
    sessions = reader.sessions(dataset).select("session")
    ranges = reader.verdicts(dataset).with_columns(pl.col("instrument").cast(pl.String))
    inside = pl.col("session").is_between(pl.col("first"), pl.col("last"))
    said = ranges.join_where(sessions, inside).select("instrument", "session", "verdict", "codes")
    return said.sort("instrument", "session")


def test_sql_is_the_same(node: Path, bundle: Path) -> None:
    pytest.importorskip("duckdb")
    sql = f"SELECT symbol, count(*) AS n, sum(volume) AS v FROM {MINUTES} GROUP BY symbol ORDER BY symbol"
    assert fulltape.open(bundle).query(sql).equals(fulltape.open(node).query(sql))
    with pytest.raises(errors.UsageError, match="coverage") as refused:
        fulltape.open(bundle).query("SELECT * FROM coverage")
    assert "coverage" not in refused.value.hint


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"as_of": "2012-11-20"}, "as_of and known cannot be answered"),
        ({"known": "2012-11-20"}, "as_of and known cannot be answered"),
        ({"adjust": "total", "convention": "ex_close"}, "are those of convention prev_close, not ex_close"),
        ({"symbols": "ZZZZ"}, "no 'ZZZZ'"),
        ({"symbols": [1]}, "1 is no name"),
    ],
)
def test_what_a_bundle_cannot_answer_it_refuses(bundle: Path, asked: dict[str, Any], words: str) -> None:
    with pytest.raises(errors.UsageError, match=words):
        fulltape.open(bundle).scan(DAYS, **asked).collect()
    with pytest.raises(errors.UsageError, match="has no dataset macro_series"):
        fulltape.open(bundle).scan("macro_series")
    with pytest.raises(errors.UsageError, match="does not tell what each source"):
        fulltape.open(bundle).coverage(DAYS)
    with pytest.raises(errors.UsageError, match="what sources have changed"):
        fulltape.open(bundle).diff(DAYS, "AAPL")


def test_a_bundle_that_is_damaged_is_not_read(bundle: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(bundle, copy)
    path = min((copy / "curated" / DAYS).rglob("*.parquet"))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(errors.BundleError, match=f"has {path.stat().st_size:,} bytes instead of"):
        fulltape.open(copy).scan(DAYS)
    path.unlink()
    with pytest.raises(errors.BundleError, match="is gone"):
        fulltape.open(copy).scan(DAYS)
    manifest = copy / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"rows": ', '"rows": 1'))
    with pytest.raises(errors.BundleError, match="is not what its SHA256SUMS says"):
        fulltape.open(copy)


def test_what_was_pulled_is_opened_by_its_newest(bundle: Path, tmp_path: Path) -> None:
    shutil.copytree(bundle, tmp_path / bundle.name)
    (tmp_path / "latest").symlink_to(bundle.name)
    assert fulltape.open(tmp_path).scan(DAYS).collect().equals(fulltape.open(bundle).scan(DAYS).collect())


class CountingSource(FolderSource):
    """A folder that tells what was read of it, and may lie about a file."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.asked: list[str] = []
        self.lies: set[str] = set()

    def read(self, day: str, path: str, offset: int = 0) -> Any:
        self.asked.append(path)
        body = b"".join(super().read(day, path, offset))
        yield bytes([body[0] ^ 1]) + body[1:] if path in self.lies else body


def test_of_a_bundle_elsewhere_only_what_is_read_is_fetched_and_once(bundle: Path, tmp_path: Path) -> None:
    source = CountingSource(bundle.parent)
    store = FetchedBundle(lambda: source, bundle.name, "elsewhere", tmp_path / "cache", 1 << 40)
    reader = BundleReader(OpenedBundle(store))
    asked: dict[str, Any] = {"symbols": "AAPL", "start": "2012-11-23", "end": "2012-11-23"}
    first = reader.scan(MINUTES, **asked).collect()
    assert first.equals(fulltape.open(bundle).scan(MINUTES, **asked).collect())
    rows = [path for path in source.asked if path.startswith("curated/")]
    assert len(rows) == 1
    source.asked.clear()
    again = BundleReader(
        OpenedBundle(FetchedBundle(lambda: source, bundle.name, "elsewhere", tmp_path / "cache", 1 << 40))
    )
    assert again.scan(MINUTES, **asked).collect().equals(first)
    assert source.asked == ["SHA256SUMS", "manifest.json"]


def test_a_source_that_lies_is_found_out(bundle: Path, tmp_path: Path) -> None:
    source = CountingSource(bundle.parent)
    store = FetchedBundle(lambda: source, bundle.name, "elsewhere", tmp_path / "cache", 1 << 40)
    path = min((bundle / "curated" / DAYS).rglob("*.parquet")).relative_to(bundle).as_posix()
    source.lies = {path}
    with pytest.raises(errors.BundleError, match="3 times in a row"):
        BundleReader(OpenedBundle(store)).scan(DAYS)
    assert not [file for file in (tmp_path / "cache").iterdir() if file.name.startswith(".tmp")]


def test_the_cache_stays_within_its_size_but_keeps_what_is_in_use(bundle: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    old, fresh = cache / ("a" * 64), cache / ("b" * 64)
    old.write_bytes(b"x" * 1000)
    fresh.write_bytes(b"x" * 1000)
    os.utime(old, (1, 1))
    store = FetchedBundle(lambda: CountingSource(bundle.parent), bundle.name, "elsewhere", cache, 10)
    BundleReader(OpenedBundle(store)).scan(DAYS).collect()
    assert not old.exists()
    assert fresh.exists()


def test_what_lies_wrong_in_the_cache_is_fetched_again(bundle: Path, tmp_path: Path) -> None:
    source = CountingSource(bundle.parent)
    cache = tmp_path / "cache"

    def opened_anew() -> BundleReader:
        return BundleReader(
            OpenedBundle(FetchedBundle(lambda: source, bundle.name, "elsewhere", cache, 1 << 40))
        )

    expected = opened_anew().scan(DAYS).collect()
    for path in cache.iterdir():
        body = bytearray(path.read_bytes())
        body[len(body) // 2] ^= 0xFF
        path.write_bytes(body)
    assert opened_anew().scan(DAYS).collect().equals(expected)


def test_nothing_else_in_the_cache_is_touched(bundle: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    (cache / "thesis").mkdir(parents=True)
    kept = [cache / "thesis" / "thesis.tex", cache / "notes.txt", cache / "thesis" / ("c" * 64)]
    for path in kept:
        path.write_bytes(b"x" * 1000)
        os.utime(path, (1, 1))
    store = FetchedBundle(lambda: CountingSource(bundle.parent), bundle.name, "elsewhere", cache, 10)
    BundleReader(OpenedBundle(store)).scan(DAYS).collect()
    assert all(path.exists() for path in kept)


def test_many_threads_share_a_cache(bundle: Path, tmp_path: Path) -> None:
    source = CountingSource(bundle.parent)

    def read(_: int) -> pl.DataFrame:
        store = FetchedBundle(lambda: source, bundle.name, "elsewhere", tmp_path / "cache", 1 << 40)
        return BundleReader(OpenedBundle(store)).scan(MINUTES).collect()

    with ThreadPoolExecutor(8) as threads:
        first, *others = threads.map(read, range(8))
    assert all(other.equals(first) for other in others)


def everything(reader: fulltape.reader.Reader) -> None:
    """Read what takes every table."""
    reader.scan(DAYS, symbols="AAPL", adjust="split").collect()
    reader.verdicts(DAYS)


def test_a_damaged_table_is_never_read(bundle: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(bundle, copy)
    for name in ("series.parquet", "qc/partition_status.parquet", "calendars/XNYS.csv", "factors.parquet"):
        path = copy / name
        whole = path.read_bytes()
        body = bytearray(whole)
        body[len(body) // 2] ^= 0xFF
        path.unlink()
        path.write_bytes(body)
        with pytest.raises(errors.BundleError, match=f"{name} is not what was written"):
            everything(fulltape.open(copy))
        path.write_bytes(whole)


def test_a_folder_of_bundles_is_its_newest(bundle: Path) -> None:
    assert repr(fulltape.open(bundle.parent)) == f"fulltape.open({str(bundle)!r})"


def test_another_calendar_is_not_taken_for_the_bundles_own(bundle: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(bundle, copy)
    table = copy / "calendars" / "XNYS.csv"
    text = table.read_text()
    table.unlink()  # it may be a link to another bundle's
    table.write_text(text.replace("2012-11-23", "2012-11-24", 1))
    manifest = json.loads((copy / "manifest.json").read_text())
    assert {each["calendar"] for each in manifest["datasets"]} == {"XNYS", "dates"}
    with pytest.raises(errors.BundleError, match="XNYS"):
        fulltape.open(copy).scan(DAYS)
