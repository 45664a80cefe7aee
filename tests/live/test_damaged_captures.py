"""What was captured survives a damaged part and a lost ledger: out of its journals, or asked of history."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import polars as pl
import pytest
from living import BINANCE, DERIV, Living, Venue, living, promised

from fulltape.lake import files, journal
from fulltape.lake.journal import RecordKind
from fulltape.node import assemble, filling, nightly, repair
from fulltape.seal import run as seal
from fulltape.settings import load
from fulltape.verify import run as verify


def captured(node: Living) -> pl.DataFrame:
    """Capture through a broken connection, let history heal it, and return what is there."""
    with node.capturing():
        node.until(node.ticks(20))
        node.break_all()
        node.until(node.ticks(60))
        node.stream.pause()
    node.seal()
    node.heal()
    return node.curated()


def raw(node: Living, origin: str) -> list[Path]:
    """Raw parts: those made of journals, or those that history gave back."""
    found = []
    for path in files.tree(node.folder / "lake" / "raw"):
        made_of = pl.read_parquet_metadata(path).get("journal", "")
        is_journal = any(made_of == journal.stem for journal in node.journals())
        if (origin == "journal") == is_journal:
            found.append(path)
    return found


def lose_ledger(node: Living) -> None:
    for path in node.folder.glob("ledger.db*"):
        path.unlink()


def rebuild(node: Living) -> repair.Rebuilt:
    context = assemble.open_context(load.load(node.folder), owning=False)
    try:
        return repair.rebuild(context, node.clock.now())
    finally:
        context.close()


@pytest.mark.parametrize("venue", [BINANCE, DERIV], ids=lambda venue: venue.vendor)
@pytest.mark.parametrize("origin", ["journal", "history"])
def test_a_damaged_part_is_made_again(tmp_path: Path, venue: Venue, origin: str) -> None:
    with living(tmp_path, venue) as node:
        whole = captured(node)
        for path in raw(node, origin):
            content = bytearray(path.read_bytes())
            content[len(content) // 2] ^= 1
            path.write_bytes(content)
        with node.opened() as context:
            done = repair.run(context, node.clock, deep=True)
            assert done.before.findings
            assert done.after.findings == ()
        node.heal()
        found = node.curated()
        promised(found, node.truth(), venue)
        assert found.height == whole.height


@pytest.mark.parametrize("venue", [BINANCE, DERIV], ids=lambda venue: venue.vendor)
@pytest.mark.parametrize("told", [False, True], ids=["before a night", "after a night"])
def test_a_lost_ledger_takes_up_journals_and_parts(tmp_path: Path, venue: Venue, told: bool) -> None:
    with living(tmp_path, venue) as node:
        whole = captured(node)
        if told:
            with node.opened() as context:
                nightly.run(context, node.clock)
        lose_ledger(node)
        done = rebuild(node)
        assert done.taken.left == ()
        assert (done.knowledge_at is not None) == told
        assert (done.taken.journals == 0) == told
        node.seal()
        node.heal()
        found = node.curated()
        promised(found, node.truth(), venue)
        assert found.height == whole.height
        states = {state for _, state, _ in node.intervals()}
        assert states == {"verified"}
        with node.opened() as context:
            left = verify.run_once(context, node.clock, deep=True).findings
            assert [one for one in left if one.kind != "unknown"] == []
            assert not any("raw" in one.path for one in left)


def test_a_damaged_part_without_its_journal_is_asked_of_history(tmp_path: Path) -> None:
    with living(tmp_path, BINANCE) as node:
        whole = captured(node)
        hurt = raw(node, "journal")
        for journal in node.journals():
            journal.unlink()
        for path in hurt:
            path.unlink()
        with node.opened() as context:
            repair.run(context, node.clock)
            assert any(kind == "damaged part" for kind, _, _ in node.intervals())
            filling.fill(context, node.clock)
            seal.run_once(context, node.clock)
        found = node.curated()
        promised(found, node.truth(), BINANCE)
        assert found.height >= whole.height


def sealed(node: Living) -> list[Path]:
    return [path for path in node.journals() if path.suffix == ".sealed"]


def cut(node: Living) -> None:
    """Take the last record off the sealed journal, at its border: no checksum can notice that."""
    path = max(sealed(node), key=lambda one: one.stat().st_size)
    everything = [one for one in journal.read(path) if isinstance(one, journal.Record)]
    content = b"".join(journal.encode(one.kind, one.received_ns, one.payload) for one in everything)
    records = [one for one in everything if one.kind is RecordKind.MESSAGES]
    assert len(records) > 2
    path.write_bytes(content[: records[-2].offset])


def test_a_journal_that_was_cut_takes_no_sound_part_along(tmp_path: Path) -> None:
    with living(tmp_path, BINANCE) as node:
        whole = captured(node)
        cut(node)
        with node.opened() as context:
            told = [one.what for one in verify.run_once(context, node.clock).findings]
            assert told == ["it is not the file that was sealed"]
            before = len(sealed(node))
            seal.run_once(context, node.clock, again=True)
        assert node.curated().height == whole.height
        with node.opened() as context:
            assert repair.run(context, node.clock, deep=True).after.findings == ()
        assert node.curated().height == whole.height
        assert len(sealed(node)) == before - 1


def test_what_a_cut_journal_has_lost_is_doubtful_where_its_part_is_damaged_too(tmp_path: Path) -> None:
    with living(tmp_path, BINANCE) as node:
        whole = captured(node)
        hurt = raw(node, "journal")
        cut(node)
        for path in hurt:
            path.write_bytes(path.read_bytes()[:-9])
        with node.opened() as context:
            nightly.run(context, node.clock)
            assert any(kind == "damaged part" for kind, _, _ in node.intervals())
            filling.fill(context, node.clock)
        found = node.curated()
        promised(found, node.truth(), BINANCE)
        assert found.height >= whole.height


@pytest.mark.parametrize("venue", [BINANCE, DERIV], ids=lambda venue: venue.vendor)
def test_a_part_holds_more_than_a_journal_that_was_damaged_since(tmp_path: Path, venue: Venue) -> None:
    with living(tmp_path, venue) as node:
        whole = captured(node)
        cut(node)
        lose_ledger(node)
        rebuild(node)
        node.seal()
        with node.opened() as context:
            repair.run(context, node.clock, deep=True)
            filling.fill(context, node.clock)
        assert node.curated().height == whole.height


def test_a_journal_waits_to_be_decoded_again_until_its_source_is_live_again(tmp_path: Path) -> None:
    with living(tmp_path, BINANCE) as node:
        whole = captured(node)
        settings = node.folder / "fulltape.toml"
        text = settings.read_text()
        settings.write_text(text.replace('live = ["binance.spot"]', "live = []"))
        for path in raw(node, "journal"):
            path.write_bytes(path.read_bytes()[:-9])
        with node.opened() as context:
            repair.run(context, node.clock)
        settings.write_text(text)
        with node.opened() as context:
            nightly.run(context, node.clock)
            assert verify.run_once(context, node.clock).findings == ()
        assert node.curated().height == whole.height


def test_after_a_restore_parts_are_still_those_of_their_journals(tmp_path: Path) -> None:
    with living(tmp_path, BINANCE) as node:
        whole = captured(node)
        with node.opened() as context:
            nightly.run(context, node.clock)
            context.ledger.back_up(tmp_path / "b.db")
            before = {one.file: set(one.parts) for one in context.ledger.captures.all()}
            repair.restore(context, tmp_path / "b.db", tmp_path / "replaced.db", node.clock.now())
            assert {one.file: set(one.parts) for one in context.ledger.captures.all()} == before
            for path in raw(node, "journal"):
                path.write_bytes(path.read_bytes()[:-9])
            assert repair.run(context, node.clock).after.findings == ()
        assert node.curated().height == whole.height


@pytest.mark.parametrize("at", [100, -100], ids=["the beginning", "the end"])
def test_a_journal_that_is_found_damaged_twice_is_set_apart_once(tmp_path: Path, at: int) -> None:
    """Its edges have changed, and a record does not verify."""
    with living(tmp_path, BINANCE) as node:
        whole = captured(node)
        path = max(sealed(node), key=lambda one: one.stat().st_size)
        content = bytearray(path.read_bytes())
        content[at] ^= 1
        path.write_bytes(content)
        with node.opened() as context:
            done = repair.run(context, node.clock, deep=True)
            assert len(done.before.findings) == 2
            assert done.after.findings == ()
        assert node.curated().height == whole.height


LIVE_ONLY = dataclasses.replace(BINANCE, dataset="crypto_quotes", key=())


def test_live_rows_that_are_lost_with_their_journal_are_not_called_held(tmp_path: Path) -> None:
    """Nothing can bring them back: then the node must not say that they are there."""
    with living(tmp_path, LIVE_ONLY) as node:
        with node.capturing():
            node.until(lambda: node.told().messages > 60)
            node.stream.pause()
        node.seal()
        assert node.curated().height > 0
        with node.opened() as context:
            assert context.ledger.coverage.of_dataset("crypto_quotes")
        for path in sealed(node):
            path.write_bytes(b"")
        for path in raw(node, "journal"):
            path.unlink()
        with node.opened() as context:
            repair.run(context, node.clock, deep=True)
            assert context.ledger.coverage.of_dataset("crypto_quotes") == []
            assert {kind for kind, _, _ in node.intervals()} >= {"damaged part"}
            assert repair.run(context, node.clock, deep=True).after.findings == ()
