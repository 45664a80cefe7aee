"""Small raw parts become one that holds what they hold, says when it became known, and is given up when it is damaged."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fulltape
from clocks import SkippingClock
from fulltape import errors
from fulltape.checks.findings import CheckContext
from fulltape.compact import plan
from fulltape.compact import run as compact
from fulltape.compact.plan import SmallPart
from fulltape.context import NodeContext, drafts, profiles, scanning
from fulltape.curate import run as curate
from fulltape.lake import files, parquet, parts
from fulltape.lake.disk import Room
from fulltape.ledger.catalogue import Catalogue
from fulltape.ledger.part import Part
from fulltape.market.time import DAY
from fulltape.node import assemble, nightly, repair
from fulltape.settings import load
from fulltape.simulator import market as markets
from fulltape.simulator.market import Market
from fulltape.sweep import run as sweep
from fulltape.verify import run as verify
from fulltape.verify.plan import VerifyReport as Verified
from nodes import Wish, opened, simulated

DAYS = Wish("equities_bars_day", "2012-11-01", "2012-11-01", ("alpaca.sip",))
MINUTES = Wish("equities_bars_minute", "2012-11-01", "2012-11-01", ("alpaca.sip",))
UNIVERSE = "symbol,listed_from,listed_to,instrument\nAAPL,1980-12-12,,\nIBM,1915-11-11,,\nMSFT,1986-03-13,,\n"
AGAIN = dt.date(2012, 11, 13)
FOLDER = "month=2012-11"
NIGHTS = ("2012-11-05", "2012-11-12", "2012-11-16", "2012-11-23", "2012-11-30", "2012-12-07")


def piece(number: int, rows: int = 10, last: str = "2012-11-01") -> SmallPart:
    return SmallPart(part_id=number, rows=rows, last=last)


def ids(groups: list[list[SmallPart]]) -> list[list[int]]:
    return [[one.part_id for one in group] for group in groups]


def test_a_closed_folder_becomes_one_part_and_a_growing_one_when_there_are_many() -> None:
    few, many = [piece(at) for at in range(plan.MANY - 1)], [piece(at) for at in range(plan.MANY)]

    def found(pieces: list[SmallPart], *, closed: bool) -> list[list[int]]:
        return ids(plan.runs(pieces, last="2012-11-30", closed=closed, pinned=()))

    assert found(few, closed=False) == []
    assert found(many, closed=False) == [list(range(plan.MANY))]
    assert found(few[:2], closed=True) == [[0, 1]]
    assert found(few[:1], closed=True) == []


def test_a_large_part_is_not_written_again_for_a_few_rows() -> None:
    large = piece(0, rows=1_000)
    for small, worth in ((1, False), (plan.SEVERAL - 1, False), (plan.SEVERAL, True)):
        found = plan.runs(
            [large, *(piece(at + 1) for at in range(small))], last="2012-11-30", closed=True, pinned=()
        )
        assert bool(found) == worth


def test_what_is_not_final_or_pinned_stays_and_nothing_is_merged_across_it() -> None:
    pieces = [piece(0), piece(1), piece(2, last="2012-12-03"), piece(3), piece(4), piece(5), piece(6)]
    assert ids(plan.runs(pieces, last="2012-11-30", closed=True, pinned={5})) == [[0, 1], [3, 4]]


@given(st.lists(st.integers(min_value=1, max_value=1_000), min_size=1, max_size=300))
def test_a_folder_that_grows_each_night_keeps_few_parts_and_writes_each_row_seldom(rows: list[int]) -> None:
    pieces: list[SmallPart] = []
    written = 0
    for night, count in enumerate(rows):
        pieces.append(piece(night, count))
        for group in plan.runs(pieces, last="2012-11-30", closed=False, pinned=()):
            at = pieces.index(group[0])
            assert pieces[at : at + len(group)] == group
            one = piece(group[-1].part_id, sum(each.rows for each in group))
            written += one.rows
            pieces[at : at + len(group)] = [one]
    doublings = (sum(rows)).bit_length()
    assert len(pieces) <= plan.MANY + doublings
    assert written <= sum(rows) * doublings


def restated(found: Market) -> Market:
    """The same market, in which IBM's bars have another volume."""
    told = {
        key: [dataclasses.replace(bar, volume=bar.volume + 7) for bar in bars] if key[1] == "IBM" else bars
        for key, bars in found.bars.items()
    }
    return markets.market(told)


def until(node: Path, day: str) -> None:
    settings = node / "fulltape.toml"
    settings.write_text(re.sub("until = .*", f"until = {day}", settings.read_text()))


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A node after some nights, on one of which a source has told some sessions anew; nothing is compacted yet."""
    place = tmp_path_factory.mktemp("compact")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "runs", lambda *_, **__: [])
        with simulated(place / "first", markets.sample(), [DAYS, MINUTES], universe=UNIVERSE) as (node, _):
            for night in NIGHTS[:-1]:
                until(node, night)
                with opened(node) as context:
                    assert nightly.run(context, SkippingClock()).complete
        with simulated(place / "second", restated(markets.sample()), [DAYS], universe=UNIVERSE) as (other, _):
            settings = node / "fulltape.toml"
            settings.write_text(settings.read_text().replace(address(node), address(other)))
            until(node, NIGHTS[-1])
            with opened(node) as context:
                ask_again(context)
                assert nightly.run(context, SkippingClock()).complete
            patch.undo()
            yield node


def address(node: Path) -> str:
    found = re.search('base_url = "(.*)"', (node / "fulltape.toml").read_text())
    assert found
    return found[1]


def ask_again(context: NodeContext) -> None:
    """Forget what is known of a session, so that its source is asked once more."""
    with context.ledger.write():
        for name in context.wanted:
            context.ledger.coverage.forget(name, "IBM", "alpaca.sip", AGAIN, AGAIN)


@pytest.fixture
def node(grown: Path, tmp_path: Path) -> Path:
    shutil.copytree(grown, tmp_path / "node")
    return tmp_path / "node"


@contextlib.contextmanager
def rebuilding(node: Path) -> Iterator[NodeContext]:
    """The context of a node whose ledger is not the one that the lake knows."""
    context = assemble.open_context(load.load(node), owning=False)
    try:
        yield context
    finally:
        context.close()


def month(context: NodeContext) -> Part:
    """The one part of the month that is closed."""
    (found,) = [part for part in raw(context) if part.folder == FOLDER]
    return found


def raw(context: NodeContext) -> list[Part]:
    return context.ledger.catalogue.all_current("raw")


def everything(context: NodeContext) -> pl.DataFrame:
    """All raw rows in the order in which they became known."""
    found = [
        scanning.rows_of(context.layout, [part], "source", "log_pos", "dataset").collect()
        for part in raw(context)
    ]
    rows = pl.concat(found, how="diagonal").sort("dataset", "instrument", "ts", "log_pos")
    return rows.drop("log_pos")


def curated(context: NodeContext) -> list[tuple[str, str, str]]:
    found = context.ledger.catalogue.all_current("curated")
    return sorted((part.dataset, part.folder, part.sha256) for part in found)


def anew(context: NodeContext) -> list[tuple[str, str, str]]:
    """What curating everything once more comes to."""
    with context.ledger.write():
        for name in context.wanted:
            context.ledger.set_bookmark(curate.STAGE, name, 0)
    curate.run_once(context, SkippingClock())
    return curated(context)


def aged(context: NodeContext) -> None:
    """Let a sweep two days later remove what is not needed."""

    class Later(SkippingClock):
        def now(self) -> int:
            return super().now() + 2 * DAY

    sweep.run_once(context, Later())


def test_a_folder_becomes_one_part_with_the_same_rows_and_knowledge(node: Path) -> None:
    with opened(node) as context:
        before, rows, chosen = raw(context), everything(context), curated(context)
        assert len(before) > 2 * len({(part.dataset, part.folder) for part in before})
        done = compact.run_once(context, SkippingClock())
        assert done.folders == 1, "the month that is closed"
        assert done.left == ""
        whole = month(context)
        assert whole.merged == done.parts == sum(part.folder == FOLDER for part in before)
        assert everything(context).equals(rows)
        about = parts.merged(parquet.metadata(context.layout.root / whole.path) or {})
        small = [part for part in before if part.folder == FOLDER]
        assert [one.sha256 for one in about] == [part.sha256 for part in small]
        assert [one.ingested_at for one in about] == [part.ingested_at for part in small]
        for original, one in zip(small, about, strict=True):
            told = parquet.metadata(context.layout.root / original.path) or {}
            assert (str(one.known_at), one.made_of) == (told["known_at"], told["asks"])
        assert curate.run_once(context, SkippingClock()).folders == 0, "nothing is new"
        assert anew(context) == chosen
        assert compact.run_once(context, SkippingClock()).folders == 0


def test_the_newer_answer_stays_the_newer_one(node: Path) -> None:
    with opened(node) as context:
        compact.run_once(context, SkippingClock())
        whole = month(context)
        rows = parquet.read([context.layout.root / whole.path])
        both = rows.filter(pl.col("instrument") == "IBM", pl.col("session") == AGAIN)
        assert both["revision"].n_unique() == 2
        anew(context)
    found = fulltape.open(node).scan(MINUTES.dataset, symbols="IBM", start="2012-11-13", end="2012-11-13")
    volumes = both.filter(pl.col("revision") == both["revision"].max())["volume"]
    assert found.collect()["volume"].to_list() == volumes.to_list()


def test_the_small_ones_go_a_day_later_and_a_rebuild_comes_to_the_same(node: Path) -> None:
    with opened(node) as context:
        chosen, rows = curated(context), everything(context)
        compact.run_once(context, SkippingClock())
        count = len(files.tree(context.layout.root / "raw"))
        sweep.run_once(context, SkippingClock())
        assert len(files.tree(context.layout.root / "raw")) == count
        aged(context)
        assert len(files.tree(context.layout.root / "raw")) == len(raw(context)) < count
        assert verify.run_once(context, SkippingClock(), deep=True).findings == ()
    for path in node.glob("ledger.db*"):
        path.unlink()
    with rebuilding(node) as context:
        assert repair.rebuild(context, SkippingClock().now()).taken.left == ()
        assert everything(context).equals(rows)
        assert month(context).merged > 1
        assert anew(context) == chosen


def test_small_ones_that_a_lost_ledger_leaves_behind_are_not_taken_for_newer_ones(node: Path) -> None:
    with opened(node) as context:
        chosen, rows = curated(context), everything(context)
        compact.run_once(context, SkippingClock())
    for path in node.glob("ledger.db*"):
        path.unlink()
    with rebuilding(node) as context:
        assert repair.rebuild(context, SkippingClock().now()).taken.left == ()
        assert everything(context).equals(rows)
        assert month(context).merged > 1
        assert anew(context) == chosen


def test_an_older_ledger_takes_the_one_in_the_place_of_the_small_ones(node: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    with opened(node) as context:
        chosen, rows = curated(context), everything(context)
        context.ledger.back_up(copy)
        compact.run_once(context, SkippingClock())
        aged(context)
    for path in node.glob("ledger.db*"):
        path.unlink()
    shutil.copy(copy, node / "ledger.db")
    with rebuilding(node) as context:
        repair.rebuild(context, SkippingClock().now())
        assert month(context).merged > 1
        assert everything(context).equals(rows)
        assert anew(context) == chosen
        assert repair.run(context, SkippingClock(), deep=True).after.findings == ()


@pytest.mark.parametrize("swept", [False, True], ids=["within a day", "later"])
def test_a_damaged_one_gives_way_to_the_small_ones_or_is_fetched_again(node: Path, swept: bool) -> None:
    with opened(node) as context:
        rows = everything(context)
        compact.run_once(context, SkippingClock())
        if swept:
            aged(context)
        path = context.layout.root / month(context).path
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        done = verify.sample(context, SkippingClock(), seconds=1e9)
        assert [one.path for one in done.findings] == [context.layout.relative(path)]
        parts_of_month = [part for part in raw(context) if part.folder == FOLDER]
        assert all(part.merged == 0 for part in parts_of_month)
        if swept:
            assert parts_of_month == []
            assert context.ledger.coverage.of_kind(MINUTES.dataset, "present", AGAIN, AGAIN) == []
        else:
            assert everything(context).equals(rows)
            assert verify.run_once(context, SkippingClock(), deep=True).findings == ()
            assert compact.run_once(context, SkippingClock()).folders == 1
            assert everything(context).equals(rows)
            assert verify.run_once(context, SkippingClock(), deep=True).findings == ()


@pytest.mark.parametrize(
    ("place", "name"), [(drafts, "publish"), (Catalogue, "merge")], ids=["file", "ledger"]
)
def test_a_kill_before_it_counts_leaves_the_small_ones(
    node: Path, monkeypatch: pytest.MonkeyPatch, place: object, name: str
) -> None:
    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with opened(node) as context:
        before = [part.path for part in raw(context)]
        with monkeypatch.context() as patch:
            patch.setattr(place, name, killed)
            with pytest.raises(KeyboardInterrupt):
                compact.run_once(context, SkippingClock())
        assert [part.path for part in raw(context)] == before
        assert compact.run_once(context, SkippingClock()).folders == 1
        there = {context.layout.relative(path) for path in files.tree(context.layout.root / "raw")}
        assert there == {*before, month(context).path}


def test_a_damaged_small_one_is_not_written_into_another(node: Path) -> None:
    with opened(node) as context:
        small = next(part for part in raw(context) if part.folder == FOLDER)
        path = context.layout.root / small.path
        path.write_bytes(path.read_bytes()[:-1])
        assert compact.run_once(context, SkippingClock()).folders == 0
        assert [one.path for one in context.ledger.damages.all()] == [small.path]


def test_rows_that_are_not_the_same_change_nothing(node: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sums = iter([(1, 1), (1, 2)])
    with opened(node) as context:
        before, there = raw(context), files.tree(context.layout.root)
        with monkeypatch.context() as patch:
            patch.setattr(scanning, "digest", lambda _: next(sums))
            with pytest.raises(errors.CorruptPartError, match="is not what its parts hold"):
                compact.run_once(context, SkippingClock())
        assert raw(context) == before
        assert [path for path in files.tree(context.layout.root) if path not in there] == []


def test_without_room_nothing_is_written(node: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fulltape.context.room.of", lambda _: Room(free=10**9, total=10**12, wanted=10**9))
    with opened(node) as context:
        assert "node.min_free keeps" in compact.run_once(context, SkippingClock()).left
        assert all(part.merged == 0 for part in raw(context))


@pytest.mark.parametrize("rows", [150, 5_000])
def test_pieces_of_any_size_come_to_the_same_file(
    node: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    shutil.copytree(node, tmp_path / "other")
    digests = set()
    for place, most in ((node, compact.ROWS), (tmp_path / "other", rows)):
        monkeypatch.setattr(compact, "ROWS", most)
        with opened(place) as context:
            compact.run_once(context, SkippingClock())
            digests.add(month(context).sha256)
    assert len(digests) == 1


def test_what_was_learned_of_the_small_ones_is_known_of_the_one(
    node: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(node) as context:
        compact.run_once(context, SkippingClock())
        monkeypatch.setattr(profiles, "_made", lambda *_: pytest.fail("rows are read"))
        wanted = context.wanted[MINUTES.dataset]
        checking = CheckContext(
            dataset=wanted.dataset, calendar=wanted.calendar, instruments=wanted.instruments,
            now=SkippingClock().now(), thresholds=context.rules.thresholds,
        )  # fmt: skip
        kept = profiles.of_parts(context, checking, [month(context)], lambda some: some)
        assert kept["session"].n_unique() == 21
        assert not kept.select("instrument", "session").is_duplicated().any()


def test_a_damage_that_curating_finds_loses_no_rows(node: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(node) as context:
        before = rows_of_days(context)
        compact.run_once(context, SkippingClock())
        path = context.layout.root / month(context).path
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        ask_again(context)
        monkeypatch.setattr("fulltape.verify.run.sample", lambda *_, **__: Verified())
        assert nightly.run(context, SkippingClock()).complete
        assert rows_of_days(context) == before
        assert all(part.merged == 0 or part.path != context.layout.relative(path) for part in raw(context))


def rows_of_days(context: NodeContext) -> dict[str, int]:
    found = context.ledger.catalogue.current("curated", MINUTES.dataset)
    return {part.folder: part.rows for part in found}


def test_parts_of_another_version_of_the_schema_become_one_of_their_own(
    node: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = parquet.metadata
    with opened(node) as context:
        rows = everything(context)
        small = [context.layout.root / part.path for part in raw(context) if part.folder == FOLDER]
        newer = set(small[2:])

        def metadata(path: Path) -> Mapping[str, str] | None:
            found = genuine(path)
            return {**found, "schema_version": "99"} if found and path in newer else found

        monkeypatch.setattr(parquet, "metadata", metadata)
        compact.run_once(context, SkippingClock())
        made = [part.merged for part in raw(context) if part.folder == FOLDER]
        assert made == [2, len(newer)]
        assert everything(context).equals(rows)
        assert compact.run_once(context, SkippingClock()).folders == 0
