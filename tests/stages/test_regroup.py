"""Closed months and years by instrument: the same rows, used only while they are, and made anew when they are not."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import fulltape
from clocks import SkippingClock
from fulltape import errors
from fulltape.context import drafts, regrouped
from fulltape.context.spool import Spool
from fulltape.curate import run as curate
from fulltape.lake import files, parquet
from fulltape.lake.disk import Room
from fulltape.node import nightly, repair
from fulltape.regroup import plan
from fulltape.regroup import run as regroup
from fulltape.simulator import market as markets
from fulltape.sweep import run as sweep
from fulltape.verify import run as verify
from nodes import Wish, opened, simulated

MINUTES = Wish("equities_bars_minute", "2012-10-15", "2012-12-14", ("alpaca.sip",))
UNIVERSE = "symbol,listed_from,listed_to,instrument\nAAPL,1980-12-12,,\nIBM,1915-11-11,,\nMSFT,1986-03-13,,\n"
D = dt.date
ON = "by_instrument = true\n"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A node after a night, with two months closed, one instrument a file; its vendor goes on to answer."""
    place = tmp_path_factory.mktemp("regroup")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(regroup, "INSTRUMENTS", 1)
        with simulated(place, markets.sample(), [MINUTES], universe=UNIVERSE) as (folder, _):
            settings = folder / "fulltape.toml"
            settings.write_text(settings.read_text().replace("from = 2012", f"{ON}from = 2012"))
            with opened(folder) as context:
                assert nightly.run(context, SkippingClock()).complete
            yield folder


@pytest.fixture
def node(whole: Path, tmp_path: Path) -> Path:
    shutil.copytree(whole, tmp_path / "node")
    return tmp_path / "node"


def without(node: Path) -> None:
    settings = node / "fulltape.toml"
    settings.write_text(settings.read_text().replace(ON, ""))


class Reads:
    """Which files were read."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.paths: list[Path] = []
        genuine = parquet.scan

        def scan(paths: Sequence[Path], **more: Any) -> pl.LazyFrame:
            self.paths.extend(paths)
            return genuine(paths, **more)

        patch.setattr(parquet, "scan", scan)

    @property
    def layers(self) -> list[str]:
        found = [path.parts[path.parts.index("lake") + 1] for path in self.paths]
        self.paths.clear()
        return sorted(set(found))


@pytest.mark.parametrize(
    ("asked", "layers"),
    [
        ({"symbols": "IBM"}, ["by_instrument", "curated"]),
        ({"symbols": ["IBM", "AAPL"], "start": "2012-11-05", "end": "2012-11-20"}, ["by_instrument"]),
        ({"start": "2012-11-01", "end": "2012-11-30"}, ["by_instrument"]),
        ({}, ["by_instrument", "curated"]),
        ({"start": "2012-11-07", "end": "2012-11-07"}, ["curated"]),
        ({"symbols": "IBM", "start": "2012-12-03"}, ["curated"]),
    ],
    ids=["a symbol", "two of some weeks", "a month", "everything", "a day", "what is not closed"],
)
def test_the_same_rows_come_from_either(
    whole: Path, monkeypatch: pytest.MonkeyPatch, asked: dict[str, Any], layers: list[str]
) -> None:
    reads = Reads(monkeypatch)
    found = fulltape.open(whole).scan(MINUTES.dataset, **asked).collect()
    assert reads.layers == layers
    with monkeypatch.context() as patch:
        patch.setattr("fulltape.context.regrouped.complete", lambda *_: {})
        days = fulltape.open(whole).scan(MINUTES.dataset, **asked).collect()
        assert reads.layers == ["curated"]
    assert found.height == days.height > 0
    assert found.sort("instrument", "ts").equals(days.sort("instrument", "ts"))


def test_one_symbol_opens_its_own_files_only(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = Reads(monkeypatch)
    fulltape.open(whole).scan(MINUTES.dataset, symbols="IBM", end="2012-11-30").collect()
    assert len(reads.paths) == 2
    assert all("IBM" in path.name for path in reads.paths)


def test_a_night_without_news_writes_nothing(node: Path) -> None:
    def there() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in files.tree(node / "lake" / "by_instrument")}

    before = there()
    assert len(before) == 6
    with opened(node) as context:
        assert regroup.run_once(context, SkippingClock()) == regroup.RegroupReport()
    assert there() == before


def test_a_day_that_changes_takes_its_month_away_until_it_is_made_again(
    node: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = fulltape.open(node).scan(MINUTES.dataset, symbols="IBM").collect().sort("ts")
    reads = Reads(monkeypatch)
    with opened(node) as context:
        (day,) = context.ledger.catalogue.current_in("curated", MINUTES.dataset, "date=2012-11-07")
        with context.ledger.write():
            context.ledger.catalogue.withdraw(day.part_id, now=SkippingClock().now())
            context.ledger.damages.redo(curate.STAGE, MINUTES.dataset, ["date=2012-11-07"])
        held = context.ledger.catalogue.current("by_instrument", MINUTES.dataset)
        assert {part.folder for part in held} == {"month=2012-10"}
        curate.run_once(context, SkippingClock())
        reads.paths.clear()
        assert fulltape.open(node).scan(MINUTES.dataset, symbols="IBM").collect().sort("ts").equals(wanted)
        assert sum("by_instrument" in path.parts for path in reads.paths) == 1
        monkeypatch.setattr(regroup, "INSTRUMENTS", 2)
        assert regroup.run_once(context, SkippingClock()).folders == 1
        assert (
            len(context.ledger.catalogue.current_in("by_instrument", MINUTES.dataset, "month=2012-11")) == 2
        )
        made = context.ledger.catalogue.current("by_instrument", MINUTES.dataset)
        whole = regrouped.complete(made, context.ledger.catalogue.current("curated", MINUTES.dataset))
        assert whole.keys() == {"month=2012-10", "month=2012-11"}, (
            "a file that is as before is one of two now"
        )
    assert fulltape.open(node).scan(MINUTES.dataset, symbols="IBM").collect().sort("ts").equals(wanted)


@pytest.mark.parametrize("noticed", [True, False], ids=["withdrawn", "by its rows"])
def test_days_before_those_of_a_folder_are_not_lost(
    node: Path, monkeypatch: pytest.MonkeyPatch, *, noticed: bool
) -> None:
    """The first wanted session moves to an earlier day of a month that was closed already."""
    settings = node / "fulltape.toml"
    settings.write_text(settings.read_text().replace("2012-10-15", "2012-10-01"))
    if not noticed:
        monkeypatch.setattr("fulltape.ledger.catalogue.Catalogue._regrouped", lambda *_: None)
    monkeypatch.setattr(regroup, "_build", lambda *_: 0)
    with opened(node) as context:
        assert nightly.run(context, SkippingClock()).complete
    found = fulltape.open(node).scan(MINUTES.dataset, symbols="IBM", end="2012-10-31").collect()
    assert found["session"].min() == D(2012, 10, 1)
    assert found["session"].n_unique() == 21
    monkeypatch.undo()
    with opened(node) as context:
        assert regroup.run_once(context, SkippingClock()).folders == 1
    again = fulltape.open(node).scan(MINUTES.dataset, symbols="IBM", end="2012-10-31").collect()
    assert again.sort("ts").equals(found.sort("ts"))


def test_a_damaged_file_takes_its_whole_folder_with_it(node: Path) -> None:
    wanted = fulltape.open(node).scan(MINUTES.dataset).collect().sort("instrument", "ts")
    (path, *_) = files.tree(node / "lake" / "by_instrument")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with opened(node) as context:
        told = {one.path for one in verify.run_once(context, SkippingClock()).findings}
        assert told == {path.relative_to(node / "lake").as_posix()}
        done = repair.run(context, SkippingClock())
        assert done.after.findings == ()
        assert context.ledger.damages.all() == []
        made = context.ledger.catalogue.current("by_instrument", MINUTES.dataset)
        assert (
            len(regrouped.complete(made, context.ledger.catalogue.current("curated", MINUTES.dataset))) == 2
        )
    assert fulltape.open(node).scan(MINUTES.dataset).collect().sort("instrument", "ts").equals(wanted)


def test_where_a_file_is_gone_the_days_are_read(node: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = fulltape.open(node).scan(MINUTES.dataset, symbols="AAPL").collect().sort("ts")
    for path in files.tree(node / "lake" / "by_instrument"):
        if "IBM" in path.name:
            path.unlink()
    reads = Reads(monkeypatch)
    assert fulltape.open(node).scan(MINUTES.dataset, symbols="AAPL").collect().sort("ts").equals(wanted)
    assert reads.layers == ["curated"]


def test_days_that_change_while_they_are_written_get_no_name(
    node: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = drafts.publish
    with opened(node) as context:
        now = SkippingClock().now()

        def publish(*args: Any, **more: Any) -> Any:
            (day,) = context.ledger.catalogue.current_in("curated", MINUTES.dataset, "date=2012-11-07")
            with context.ledger.write():
                context.ledger.catalogue.withdraw(day.part_id, now=now)
            return genuine(*args, **more)

        with context.ledger.write():
            context.ledger.catalogue.withdraw_folder(
                "by_instrument", MINUTES.dataset, "month=2012-11", now=now
            )
        monkeypatch.setattr(drafts, "publish", publish)
        monkeypatch.setattr(regroup, "INSTRUMENTS", 2)
        before = files.tree(node / "lake" / "by_instrument")
        assert regroup.run_once(context, SkippingClock()).folders == 0
        assert files.tree(node / "lake" / "by_instrument") == before, "nothing is left of it"
        assert context.ledger.intents.of_layer("by_instrument") == []
        held = context.ledger.catalogue.current("by_instrument", MINUTES.dataset)
        assert {part.folder for part in held} == {"month=2012-10"}


def test_heavy_instruments_are_written_by_days(node: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path.name for path in files.tree(node / "lake" / "by_instrument")}
    monkeypatch.setattr(regroup, "_ROWS", 1_000)
    monkeypatch.setattr(regroup, "INSTRUMENTS", 1)
    with opened(node) as context:
        with context.ledger.write():
            for key in ("month=2012-10", "month=2012-11"):
                context.ledger.catalogue.withdraw_folder("by_instrument", MINUTES.dataset, key, now=1)
        assert regroup.run_once(context, SkippingClock()).folders == 2
    assert {path.name for path in files.tree(node / "lake" / "by_instrument")} == before, "the same bytes"


def test_without_room_nothing_is_written_a_second_time(node: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    with opened(node) as context:
        with context.ledger.write():
            context.ledger.catalogue.withdraw_folder("by_instrument", MINUTES.dataset, "month=2012-11", now=1)
        little = Room(free=10**9, total=10**11, wanted=10**9)
        monkeypatch.setattr("fulltape.context.room.of", lambda _: little)
        done = regroup.run_once(
            context, SkippingClock(), lambda event: told.append(str(event.fields.get("why", "")))
        )
    assert done.folders == 0
    assert any("month=2012-11 was not written by instrument: it takes" in sentence for sentence in told)


def test_a_folder_of_which_a_part_is_missing_is_not_read(node: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = fulltape.open(node).scan(MINUTES.dataset, symbols="AAPL").collect().sort("ts")
    with opened(node) as context, context.ledger.write():
        (one, *_) = context.ledger.catalogue.current("by_instrument", MINUTES.dataset)
        context.ledger.database.run("withdraw_part", part_id=one.part_id, now=1)
    reads = Reads(monkeypatch)
    assert fulltape.open(node).scan(MINUTES.dataset, symbols="AAPL").collect().sort("ts").equals(wanted)
    assert {path.parent.name for path in reads.paths if "by_instrument" in path.parts} == {"month=2012-11"}


def test_without_the_setting_it_goes(node: Path) -> None:
    without(node)
    with opened(node) as context:
        assert nightly.run(context, SkippingClock()).complete
        assert context.ledger.catalogue.current("by_instrument", MINUTES.dataset) == []
        assert len(files.tree(node / "lake" / "by_instrument")) == 6, "who reads them may go on"
        later = SkippingClock()
        later.sleep(2 * 86_400)
        sweep.run_once(context, later)
    assert files.tree(node / "lake" / "by_instrument") == []


def test_what_is_not_what_the_days_hold_gets_no_name(node: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    genuine = Spool.add
    monkeypatch.setattr(Spool, "add", lambda self, rows: genuine(self, rows.head(-1)))
    with opened(node) as context:
        with context.ledger.write():
            context.ledger.catalogue.withdraw_folder("by_instrument", MINUTES.dataset, "month=2012-11", now=1)
        with pytest.raises(errors.CorruptPartError, match="month=2012-11: what was written by instrument"):
            regroup.run_once(context, SkippingClock())
        held = context.ledger.catalogue.current("by_instrument", MINUTES.dataset)
        assert {part.folder for part in held} == {"month=2012-10"}


@pytest.mark.parametrize(
    ("first", "last", "following", "folders"),
    [
        (D(2023, 1, 3), None, None, []),
        (D(2023, 1, 3), D(2023, 1, 30), D(2023, 1, 31), []),
        (D(2023, 1, 3), D(2023, 1, 31), D(2023, 2, 1), ["month=2023-01"]),
        (D(2023, 11, 3), D(2023, 12, 28), D(2023, 12, 29), ["month=2023-11"]),
        (D(2023, 11, 3), D(2023, 12, 29), D(2024, 1, 2), ["year=2023"]),
        (
            D(2022, 5, 3),
            D(2024, 3, 1),
            D(2024, 3, 4),
            ["year=2022", "year=2023", "month=2024-01", "month=2024-02"],
        ),
    ],
)
def test_what_is_closed(first: D, last: D | None, following: D | None, folders: list[str]) -> None:
    assert plan.folders(first, last, following) == folders
