"""Day bars of the newest year lie in two files: what is older than the week that runs, and that week."""

from __future__ import annotations

import datetime as dt
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import fulltape
from clocks import SkippingClock
from fulltape.check.folder import Folder
from fulltape.context import NodeContext
from fulltape.context.stretches import Stretch, Stretches
from fulltape.export import status
from fulltape.lake import parquet
from fulltape.ledger.part import Layer
from fulltape.node import nightly
from fulltape.simulator import market as markets
from fulltape.views import state
from nodes import Wish, opened, simulated

D = dt.date
DAYS = Wish("equities_bars_day", "2011-06-01", "2012-11-21", ("alpaca.sip",))
UNIVERSE = "symbol,listed_from,listed_to,instrument\nAAPL,1980-12-12,,\nIBM,1915-11-11,,\nMSFT,1986-03-13,,\n"
LAYERS: tuple[Layer, ...] = ("curated", "qc")
YEAR = "year=2012"


def until(node: Path, day: str) -> None:
    settings = node / "fulltape.toml"
    settings.write_text(re.sub("until = .*", f"until = {day}", settings.read_text()))


@pytest.fixture(scope="module")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A node without anything, whose vendor answers."""
    with simulated(tmp_path_factory.mktemp("stretches"), markets.sample(), [DAYS], universe=UNIVERSE) as (
        folder, _,
    ):  # fmt: skip
        yield folder


@pytest.fixture
def node(vendor: Path, tmp_path: Path) -> Path:
    shutil.copytree(vendor, tmp_path / "node")
    return tmp_path / "node"


def night(node: Path, day: str) -> dict[str, list[tuple[str, str, str]]]:
    """A night after which sessions until a day are there; the files of the newest year by layer."""
    until(node, day)
    with opened(node) as context:
        assert nightly.run(context, SkippingClock()).complete
        return parts(context)


def parts(context: NodeContext) -> dict[str, list[tuple[str, str, str]]]:
    return {
        layer: sorted(
            (part.first, part.last, part.path)
            for part in context.ledger.catalogue.current_in(layer, DAYS.dataset, YEAR)
        )
        for layer in LAYERS
    }


def spans(found: dict[str, list[tuple[str, str, str]]]) -> list[list[tuple[str, str]]]:
    return [[(first, last) for first, last, _ in found[layer]] for layer in LAYERS]


def facts(context: NodeContext) -> list[str]:
    """All that was checked, and said about cells."""
    now = SkippingClock().now()
    cells = status.gather(context, now)
    return [status.digest(context, cells), str(state.verdicts(context, now)), str(state.cells(context, now))]


def test_a_night_writes_the_week_and_a_new_week_the_year(node: Path) -> None:
    wednesday = night(node, "2012-11-14")
    assert spans(wednesday) == [[("2012-01-03", "2012-11-09"), ("2012-11-12", "2012-11-14")]] * 2
    thursday = night(node, "2012-11-15")
    assert spans(thursday) == [[("2012-01-03", "2012-11-09"), ("2012-11-12", "2012-11-15")]] * 2
    for layer in LAYERS:
        assert thursday[layer][0] == wednesday[layer][0], "what is older is not written again"
    monday = night(node, "2012-11-19")
    assert spans(monday) == [[("2012-01-03", "2012-11-16"), ("2012-11-19", "2012-11-19")]] * 2


def test_nights_come_to_the_files_of_one_night(node: Path, vendor: Path, tmp_path: Path) -> None:
    for day in ("2012-11-09", "2012-11-14", "2012-11-16", "2012-11-20"):
        night(node, day)
    other = tmp_path / "other"
    shutil.copytree(vendor, other)
    night(other, "2012-11-20")
    with opened(node) as one, opened(other) as another:
        assert parts(one)["curated"] == parts(another)["curated"]
        assert facts(one) == facts(another)
        assert {path.name for path in bundle(one)} == {path.name for path in bundle(another)}


def bundle(context: NodeContext) -> list[Path]:
    export = context.ledger.newest_export()
    assert export is not None
    return sorted((context.layout.root / export["path"]).rglob("*.parquet"))


def test_a_year_that_is_over_is_one_file(node: Path) -> None:
    night(node, "2011-12-28")
    with opened(node) as context:
        assert len(context.ledger.catalogue.current_in("curated", DAYS.dataset, "year=2011")) == 2
    night(node, "2012-01-04")
    with opened(node) as context:
        for layer in LAYERS:
            (whole,) = context.ledger.catalogue.current_in(layer, DAYS.dataset, "year=2011")
            assert (whole.first, whole.last) == ("2011-06-01", "2011-12-30")


def test_a_changed_session_is_written_where_it_lies(node: Path) -> None:
    before = night(node, "2012-11-14")
    with opened(node) as context:
        for day, changed in ((D(2012, 11, 13), 1), (D(2012, 5, 15), 0)):
            with context.ledger.write():
                context.ledger.coverage.forget(DAYS.dataset, "IBM", "alpaca.sip", day, day)
            assert nightly.run(context, SkippingClock()).complete
            raw = context.ledger.catalogue.current("raw", DAYS.dataset, first=day, last=day)
            assert len(raw) > 1, "it was asked again"
            # The same rows came, so that nothing is written; what was looked at is the stretch alone.
            assert parts(context) == before
            stretch = Stretches(context, context.wanted[DAYS.dataset]).holding(YEAR, day)
            assert stretch == Stretches(context, context.wanted[DAYS.dataset]).of(YEAR)[changed]


def test_a_whole_year_of_before_is_cut_and_holds_the_same(
    node: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(
            Stretches, "of", lambda _, key: [Stretch(key, D(int(key[5:]), 1, 1), D(int(key[5:]), 12, 31))]
        )
        whole = night(node, "2012-11-14")
        rows = fulltape.open(node).scan(DAYS.dataset).collect()
        with opened(node) as context:
            told = facts(context)[1:]
    assert spans(whole) == [[("2012-01-03", "2012-11-14")]] * 2
    cut = night(node, "2012-11-14")
    assert spans(cut) == [[("2012-01-03", "2012-11-09"), ("2012-11-12", "2012-11-14")]] * 2
    again = fulltape.open(node).scan(DAYS.dataset).collect()
    assert again.sort("instrument", "ts").equals(rows.sort("instrument", "ts"))
    with opened(node) as context:
        assert facts(context)[1:] == told
    assert night(node, "2012-11-14") == cut


def test_a_kill_between_two_files_of_checks_leaves_no_cell_unchecked(
    node: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = night(node, "2012-11-16")
    until(node, "2012-11-19")
    genuine, calls = Folder.check, []

    def check(self: Folder, *args: object) -> object:
        calls.append(self)
        if len(calls) > 1:
            raise KeyboardInterrupt
        return genuine(self, *args)  # type: ignore[arg-type]

    with opened(node) as context:
        with monkeypatch.context() as patch:
            patch.setattr(Folder, "check", check)
            with pytest.raises(KeyboardInterrupt):
                nightly.run(context, SkippingClock())
        assert parts(context)["qc"] != before["qc"]
        assert nightly.run(context, SkippingClock()).complete
        checked = [parquet.read([context.layout.root / path]) for _, _, path in parts(context)["qc"]]
        curated = [parquet.read([context.layout.root / path]) for _, _, path in parts(context)["curated"]]
        assert sum(one.height for one in checked) == sum(one.height for one in curated)
        assert state.verdicts(context, SkippingClock().now())[DAYS.dataset].keys() == {"GREEN"}


def test_rows_of_a_symbol_come_in_time_whichever_file_was_written_last(node: Path) -> None:
    before = night(node, "2012-11-14")
    ((_, _, older), (_, _, newer)) = before["curated"]
    (node / "lake" / older).unlink()
    assert night(node, "2012-11-14")["curated"] == before["curated"]
    with opened(node) as context:
        written = {part.path: part.log_pos for part in context.ledger.catalogue.all_current("curated")}
        assert written[older] > written[newer]
    found = fulltape.open(node).scan(DAYS.dataset, symbols="IBM").collect()
    assert found["session"].is_sorted()
    assert found.height > 300


def test_verdicts_of_what_is_not_wanted_any_more_count_for_nothing(node: Path) -> None:
    with opened(node) as context:
        nightly.run(context, SkippingClock())
        now = SkippingClock().now()
        wanted = context.wanted[DAYS.dataset]
        everything = state.verdicts(context, now)[DAYS.dataset]["GREEN"]
        first = next(iter(wanted.instruments))
        _, stop = wanted.calendar.between(wanted.first, wanted.until or wanted.calendar.known_to)
        begin = wanted.calendar.label(min(stop, wanted.final_until(now)) - 3)
        fewer = replace(wanted, instruments={first: wanted.instruments[first]}, first=begin)
        less = replace(context, wanted={DAYS.dataset: fewer})
        assert everything > 3
        assert state.verdicts(less, now)[DAYS.dataset] == {"GREEN": 3}
