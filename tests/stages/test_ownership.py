"""A lake belongs to one ledger: one that is lost, older or another node's is refused, and nothing is ever swept that is not
known to be of the ledger's own making."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

import fulltape
from clocks import SkippingClock
from fulltape import errors
from fulltape.cli import app
from fulltape.ledger.catalogue import Catalogue
from fulltape.node import nightly
from fulltape.seal import run as seal
from fulltape.simulator import market as markets
from nodes import Wish, opened, simulated

WISH = Wish("equities_bars_day", "2012-12-03", "2012-12-14", ("alpaca.sip",))
UNIVERSE = "symbol,listed_from,listed_to,instrument\nAAPL,1980-12-12,,\nIBM,1915-11-11,,\n"


@pytest.fixture
def node(tmp_path: Path) -> Path:
    """A node after a night; its vendor is gone."""
    with (
        simulated(tmp_path, markets.sample(), [WISH], universe=UNIVERSE) as (folder, _),
        opened(folder) as context,
    ):
        assert nightly.run(context, SkippingClock()).complete
    return folder


def files(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file of a lake that holds data, with what would change if it were written anew."""
    root = folder / "lake"
    return {
        str(path.relative_to(root)): (path.stat().st_ino, path.stat().st_mtime_ns)
        for layer in ("raw", "curated", "qc", "exports")
        for path in sorted((root / layer).rglob("*"))
        if path.is_file()
    }


def lose_ledger(folder: Path) -> None:
    for path in folder.glob("ledger.db*"):
        path.unlink()


def test_a_lost_ledger_is_said_at_once_and_nothing_is_removed(node: Path) -> None:
    before = files(node)
    lose_ledger(node)
    for _ in range(2):  # opening has made a new, empty ledger
        with pytest.raises(errors.LedgerBehindError, match="the ledger is lost"), opened(node):
            pass
    with pytest.raises(errors.LedgerBehindError, match="ledger rebuild"):
        fulltape.open(node).scan("equities_bars_day")
    done = CliRunner().invoke(app, ["status", "--node", str(node)])
    assert isinstance(done.exception, errors.LedgerBehindError)
    assert files(node) == before


def test_a_ledger_that_is_older_than_the_lake_is_refused(tmp_path: Path) -> None:
    with simulated(tmp_path, markets.sample(), [WISH], universe=UNIVERSE) as (folder, _):
        with opened(folder) as context:
            nightly.run(context, SkippingClock())
        shutil.copy(folder / "ledger.db", tmp_path / "older.db")
        settings = folder / "fulltape.toml"
        settings.write_text(settings.read_text().replace("2012-12-03", "2012-11-01"))
        with opened(folder) as context:
            nightly.run(context, SkippingClock())
        before = files(folder)
        lose_ledger(folder)
        shutil.copy(tmp_path / "older.db", folder / "ledger.db")
        with pytest.raises(errors.LedgerBehindError, match="older than the lake"), opened(folder):
            pass
        assert files(folder) == before


def test_two_nodes_on_one_lake_are_refused(tmp_path: Path, node: Path) -> None:
    before = files(node)
    with simulated(tmp_path / "other", markets.sample(), [WISH], universe=UNIVERSE) as (other, _):
        with opened(other) as context:
            nightly.run(context, SkippingClock())
        settings = other / "fulltape.toml"
        settings.write_text(settings.read_text() + f'\n[node]\nlake = "{node / "lake"}"\n')
        with pytest.raises(errors.ForeignLakeError, match="another node"), opened(other):
            pass
    assert files(node) == before


def test_a_lake_whose_mark_is_gone_is_marked_again(node: Path) -> None:
    (node / "lake" / "node.json").unlink()
    with opened(node):
        pass
    assert (node / "lake" / "node.json").is_file()
    (node / "lake" / "node.json").write_text("{")
    with opened(node):
        pass


def test_a_node_of_an_earlier_version_is_taken_as_it_is(node: Path) -> None:
    (node / "lake" / "node.json").unlink()
    with opened(node) as context, context.ledger.write():
        context.ledger.database.statement("DELETE FROM identity")
    (node / "lake" / "node.json").unlink()
    with opened(node) as context:
        assert context.ledger.identity("node")
    assert (node / "lake" / "node.json").is_file()


def test_a_lake_that_is_not_mounted_is_not_taken_for_a_new_one(node: Path) -> None:
    (node / "lake").rename(node / "elsewhere")
    with pytest.raises(errors.StorageError, match="mounted"), opened(node):
        pass
    (node / "elsewhere").rename(node / "lake")
    with opened(node):
        pass


def test_after_a_crash_only_what_was_begun_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with simulated(tmp_path, markets.sample(), [WISH], universe=UNIVERSE) as (folder, _):
        with monkeypatch.context() as patch:
            patch.setattr(Catalogue, "register", lambda *_, **__: 1 / 0)
            with opened(folder) as context, pytest.raises(ZeroDivisionError):
                nightly.run(context, SkippingClock())
        (begun,) = (folder / "lake" / "raw").rglob("*.parquet")
        strange = begun.with_name("19990101_19990101_AAPL_00000000.parquet")
        strange.write_bytes(begun.read_bytes())
        half = begun.with_name(".tmp-123")
        half.write_bytes(b"half")
        with opened(folder) as context:
            raw = context.layout.relative(begun)
            assert [path for path, _ in context.ledger.intents.of_layer("raw")] == [raw]
            seal.run_once(context, SkippingClock())
            assert context.ledger.intents.of_layer("raw") == []
            assert [part.path for part in context.ledger.catalogue.all_current("raw")] == [raw]
            assert nightly.run(context, SkippingClock()).complete
        assert strange.is_file()
        assert not half.exists()


def test_what_was_begun_stays_where_its_journal_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with simulated(tmp_path, markets.sample(), [WISH], universe=UNIVERSE) as (folder, _):
        with monkeypatch.context() as patch:
            patch.setattr(Catalogue, "register", lambda *_, **__: 1 / 0)
            with opened(folder) as context, pytest.raises(ZeroDivisionError):
                nightly.run(context, SkippingClock())
        for path in (folder / "lake" / "journal").rglob("*.journal"):
            path.unlink()
        (begun,) = (folder / "lake" / "raw").rglob("*.parquet")
        with opened(folder) as context:
            seal.run_once(context, SkippingClock())
        assert begun.is_file()
