"""A ledger that is restored or rebuilt knows all that it can know, and a crash in between only has to be repeated."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from clocks import SkippingClock
from fulltape import errors
from fulltape.cli import app
from fulltape.coverage.facts import CoverageFact
from fulltape.ledger.acceptances import Acceptance
from fulltape.node import assemble, nightly, repair
from fulltape.settings import load
from fulltape.simulator import market as markets
from fulltape.verify import knowledge
from fulltape.verify import run as verify
from nodes import Wish, opened, simulated

WISH = Wish("equities_bars_day", "2011-11-01", "2012-12-14", ("alpaca.sip",))
UNIVERSE = "symbol,listed_from,listed_to,instrument\nAAPL,1980-12-12,,\nIBM,1915-11-11,,\n"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with simulated(tmp_path_factory.mktemp("whole"), markets.sample(), [WISH], universe=UNIVERSE) as (
        folder,
        _,
    ):
        with opened(folder) as context:
            assert nightly.run(context, SkippingClock()).complete
        yield folder


@pytest.fixture
def node(whole: Path, tmp_path: Path) -> Path:
    shutil.copytree(whole, tmp_path / "node")
    return tmp_path / "node"


def command(node: Path, *args: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, [*args, "--node", str(node)])
    told = f"{done.output} {done.exception or ''}"
    return done.exit_code, told


def lose(node: Path) -> None:
    for path in node.glob("ledger.db*"):
        path.unlink()


def rebuild(node: Path) -> repair.Rebuilt:
    context = assemble.open_context(load.load(node), owning=False)
    try:
        return repair.rebuild(context, SkippingClock().now())
    finally:
        context.close()


def decisions(node: Path) -> list[str]:
    with opened(node) as context:
        return [one.reason for one in context.ledger.acceptances.of_dataset("equities_bars_day")]


def decide(node: Path, reason: str) -> None:
    with opened(node) as context, context.ledger.write():
        day = dt.date(2012, 11, 5)
        context.ledger.acceptances.add(
            Acceptance(
                dataset="equities_bars_day", instrument="AAPL", first=day, last=day, reason=reason, at=1
            )
        )


def test_decisions_of_today_are_not_replaced_by_those_of_last_night(node: Path, tmp_path: Path) -> None:
    decide(node, "today's")
    assert decisions(node) == ["today's"]
    assert command(node, "ledger", "backup", str(tmp_path / "b.db"))[0] == 0
    assert command(node, "ledger", "rebuild")[0] == 0
    assert decisions(node) == ["today's"]
    assert command(node, "ledger", "restore", str(tmp_path / "b.db"), "--yes")[0] == 0
    assert decisions(node) == ["today's"]


@pytest.mark.parametrize("where", ["_register", "run", "_take_up_bundles", "adopt"])
def test_a_rebuild_that_was_interrupted_goes_on(
    node: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    decide(node, "kept")
    with opened(node) as context:
        assert nightly.run(context, SkippingClock()).complete
    lose(node)
    from fulltape.context import ownership
    from fulltape.verify import takeup

    room = {"_register": takeup, "run": takeup, "_take_up_bundles": repair, "adopt": ownership}[where]
    with monkeypatch.context() as patch:
        patch.setattr(room, where, lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            rebuild(node)
    if where in ("_register", "run"):
        with pytest.raises(errors.LedgerBehindError), opened(node):
            pass
    rebuild(node)
    assert decisions(node) == ["kept"]
    with opened(node) as context:
        done = nightly.run(context, SkippingClock())
        assert (done.complete, done.filled.requests) == (True, 0)
        assert verify.run_once(context, SkippingClock(), deep=True).findings == ()


def test_another_nodes_copy_is_refused_before_anything_changes(node: Path, tmp_path: Path) -> None:
    with simulated(tmp_path / "other", markets.sample(), [WISH], universe=UNIVERSE) as (other, _):
        assert command(other, "ledger", "backup", str(tmp_path / "other.db"))[0] == 0
    code, told = command(node, "ledger", "restore", str(tmp_path / "other.db"), "--yes")
    assert code != 0
    assert "another node's ledger" in told
    with opened(node) as context:
        assert nightly.run(context, SkippingClock()).complete


def test_a_corrupt_ledger_is_set_apart_and_replaced(node: Path, tmp_path: Path) -> None:
    assert command(node, "ledger", "backup", str(tmp_path / "b.db"))[0] == 0
    path = node / "ledger.db"
    content = bytearray(path.read_bytes())
    content[4096:20480] = bytes(16384)
    path.write_bytes(content)
    code, told = command(node, "ledger", "restore", str(tmp_path / "b.db"), "--yes")
    assert code == 0, told
    assert "damaged-" in told
    assert list((node / "backups").glob("damaged-*.db"))
    with opened(node) as context:
        assert nightly.run(context, SkippingClock()).complete


def test_contradictions_and_silences_survive(node: Path) -> None:
    with opened(node) as context:
        wanted = context.wanted["equities_bars_day"]
        silent = CoverageFact(
            dataset="equities_bars_day", instrument="AAPL", source="alpaca.sip", first=dt.date(2012, 11, 5),
            last=dt.date(2012, 11, 6), fact="empty", sound=True, final=True, since=SkippingClock().now(), evidence="x",
        )  # fmt: skip
        refused = replace(
            silent, first=dt.date(2012, 12, 17), last=dt.date(2012, 12, 17), fact="refused", reason="no"
        )
        with context.ledger.write():
            context.ledger.coverage.record([silent, refused], wanted.next_session)
        assert len(context.ledger.coverage.contradicted("equities_bars_day")) == 1
        knowledge.write(context.ledger, context.layout, SkippingClock().now())
    lose(node)
    rebuild(node)
    with opened(node) as context:
        (kept,) = context.ledger.coverage.contradicted("equities_bars_day")
        assert (kept.instrument, kept.first, kept.last) == (
            "AAPL",
            dt.date(2012, 11, 5),
            dt.date(2012, 11, 6),
        )
        facts = context.ledger.coverage.of_series("equities_bars_day", "AAPL")
        assert [one.reason for one in facts if one.fact == "refused"] == ["no"]
        assert nightly.run(context, SkippingClock()).check.cells >= 0
        codes = {one.codes for one in context.ledger.verdicts.of_dataset("equities_bars_day")}
        assert "source.contradiction" in codes


def test_silence_that_the_lake_knows_replaces_an_older_presence(node: Path, tmp_path: Path) -> None:
    """The copy says present; later the part was lost, and the source had nothing more."""
    shutil.copy(node / "ledger.db", tmp_path / "older.db")
    with opened(node) as context:
        context.ledger.database.statement("SELECT 1")
        with context.ledger.write():
            context.ledger.coverage.forget(
                "equities_bars_day", "AAPL", "alpaca.sip", dt.date(2011, 11, 1), dt.date(2011, 11, 30)
            )
            context.ledger.coverage.record(
                [
                    CoverageFact(
                        dataset="equities_bars_day", instrument="AAPL", source="alpaca.sip", first=dt.date(2011, 11, 1),
                        last=dt.date(2011, 11, 30), fact="empty", sound=True, final=True, since=1, evidence="x",
                    )
                ],
                context.wanted["equities_bars_day"].next_session,
            )  # fmt: skip
            context.ledger.catalogue.raise_position(context.ledger.catalogue.position + 5)
        knowledge.write(context.ledger, context.layout, 1)
        from fulltape.context import ownership

        ownership.note(context.ledger, context.layout)
    lose(node)
    shutil.copy(tmp_path / "older.db", node / "ledger.db")
    assert rebuild(node).knowledge_at is not None
    with opened(node) as context:
        facts = context.ledger.coverage.of_series("equities_bars_day", "AAPL")
        assert (facts[0].first, facts[0].fact) == (dt.date(2011, 11, 1), "empty")
        assert facts[1].first == dt.date(2011, 12, 1)


@pytest.mark.parametrize("what", ["flip", "foreign", "gone", "folder"])
def test_what_the_lake_knows_is_believed_only_as_it_was_written(node: Path, what: str) -> None:
    path = node / "lake" / "knowledge.zst"
    content = bytearray(path.read_bytes())
    with opened(node) as context:
        if what == "foreign":
            with context.ledger.write():
                own = context.ledger.identity("node")
                context.ledger.set_identity("node", "f" * 32)
            path.unlink()
            mark = context.layout.mark.read_bytes()
            context.layout.mark.write_bytes(mark.replace(own.encode(), b"f" * 32))
            knowledge.write(context.ledger, context.layout, 1)
            with context.ledger.write():
                context.ledger.set_identity("node", own)
            context.layout.mark.write_bytes(mark)
        else:
            path.unlink()
    if what == "flip":
        content[len(content) // 2] ^= 8
        path.write_bytes(content)
    elif what == "folder":
        path.mkdir()
    with opened(node) as context:
        (found,) = verify.run_once(context, SkippingClock(), deep=True).findings
        assert found.path == "knowledge.zst"
        assert knowledge.read(context.ledger, context.layout) is None
        assert repair.run(context, SkippingClock(), deep=True).after.findings == ()
    shutil.rmtree(node / "lake" / "damaged", ignore_errors=True)
    lose(node)
    rebuild(node)
    with opened(node) as context:
        assert nightly.run(context, SkippingClock()).filled.requests == 0


def test_repair_after_a_rebuild_leaves_what_is_whole(node: Path) -> None:
    """Before a night nothing curated is known; it is made again under the same names, and stays the same files."""
    root = node / "lake" / "curated"
    before = {path: path.stat().st_ino for path in root.rglob("*.parquet")}
    lose(node)
    rebuild(node)
    code, told = command(node, "verify")
    assert code == 1
    assert told.count("the ledger does not know it") <= 3
    assert command(node, "verify", "--repair")[0] == 0
    assert {path: path.stat().st_ino for path in root.rglob("*.parquet")} == before
