"""What was captured is provisional until the session's own answer is there; then it is compared, and messages may go."""

from __future__ import annotations

import dataclasses
import datetime as dt
from pathlib import Path

import polars as pl
import pytest
from living import BINANCE, COINBASE, DERIV, KRAKEN, Later, Living, Venue, living, promised, same

from fulltape.audit import run as audit
from fulltape.coverage.facts import CoverageFact
from fulltape.lake import files
from fulltape.market.time import DAY
from fulltape.node import nightly
from fulltape.seal import run as seal
from fulltape.views import streams


def _night(node: Living, clock: Later) -> nightly.Night:
    with node.opened() as context:
        return nightly.run(context, clock)


@pytest.mark.parametrize("venue", [COINBASE, BINANCE, DERIV], ids=lambda venue: venue.vendor)
def test_the_sessions_own_answer_confirms_what_was_captured(tmp_path: Path, venue: Venue) -> None:
    with living(tmp_path, venue, extra='keep_messages = "3d"\n') as node:
        with node.capturing():
            node.break_all()
            node.until(node.ticks(80))
            node.stream.pause()
        node.seal()
        node.heal()
        provisional = node.curated()
        clock = Later(DAY + DAY // 12)
        done = _night(node, clock)
        assert done.audit.missing == 0
        with node.opened() as context:
            days = streams.days(context)
            assert {one.final for one in days} == {True}
            assert {one.unnoticed for one in days} == {0}
            assert {one.verified for one in days} == {100.0}
            assert all(one.clean < 100.0 for one in days)
        found = node.curated()
        assert found["is_final"].all()
        same(found, node.truth(), venue)
        assert provisional.height <= found.height
        assert node.journals(), "messages are kept for a while"
        clock.by += 4 * DAY
        with node.opened() as context:
            seal.run_once(context, clock)
        assert not node.journals()


def test_a_session_that_another_source_has_answered_keeps_no_messages_for_ever(tmp_path: Path) -> None:
    with living(tmp_path, COINBASE, extra='keep_messages = "3d"\n') as node:
        with node.capturing():
            node.until(node.ticks(80))
            node.stream.pause()
        node.seal()
        clock = Later(DAY + DAY // 12)
        with node.opened() as context:
            days = streams.days(context)
            assert days
            seal.run_once(context, clock)
            assert not any(one.over for one in streams.days(context)), "its own answer may still come"
            wanted = context.wanted[COINBASE.dataset]
            facts = [
                CoverageFact(
                    dataset=COINBASE.dataset,
                    instrument=symbol,
                    source="kraken.spot",
                    first=days[0].session,
                    last=days[0].session,
                    fact="present",
                    sound=True,
                    final=True,
                    since=clock.now(),
                    evidence="another's",
                )
                for symbol in COINBASE.symbols
            ]
            with context.ledger.write():
                context.ledger.coverage.record(facts, wanted.next_session)
            seal.run_once(context, clock)
            assert all(one.over and not one.final for one in streams.days(context))
            assert node.journals(), "messages are kept for a while"
            clock.by += 4 * DAY
            seal.run_once(context, clock)
        assert not node.journals()


def test_a_provisional_session_is_in_no_bundle(tmp_path: Path) -> None:
    with living(tmp_path, BINANCE) as node:
        with node.capturing():
            node.until(node.ticks(60))
            node.stream.pause()
        done = _night(node, Later())
        assert node.curated().height > 0
        assert done.export is None or done.export.rows == 0


def test_rows_lost_without_notice_are_counted(tmp_path: Path) -> None:
    """A venue without ids that leaves out ticks: nobody can see it until history is compared."""
    holes = '[[fault]]\nvendor = "deriv"\ndo = "hole"\nafter = 3.0\ncount = 9\n'
    with living(tmp_path, DERIV, holes) as node:
        with node.capturing():
            node.until(node.ticks(420))
            node.stream.pause()
        node.seal()
        assert not node.intervals()
        _night(node, Later(DAY + DAY // 12))
        with node.opened() as context:
            assert sum(one.unnoticed or 0 for one in streams.days(context)) == 9
        same(node.curated(), node.truth(), DERIV)


def test_kept_messages_can_be_decoded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A decoder that knows fewer kinds than it should, and one that has been mended."""
    with living(tmp_path, BINANCE) as node:
        with node.capturing():
            node.until(node.ticks(80))
            node.stream.pause()
        with node.opened() as context:
            vendor = context.vendors["binance"]
            genuine = vendor.meaning  # type: ignore[attr-defined]
            with monkeypatch.context() as broken:
                poor = dataclasses.replace(genuine("binance.spot"), formats=())
                broken.setattr(vendor, "meaning", lambda _: poor)
                first = seal.run_once(context, node.clock)
            assert first.captured.rows == 0
            assert first.captured.unknown > 0
            second = seal.run_once(context, node.clock, again=True)
            assert second.captured.rows == first.captured.unknown
            third = seal.run_once(context, node.clock, again=True)
            assert third.captured.rows == second.captured.rows
        found = node.curated()
        promised(found, node.truth(), BINANCE)


def test_a_sealed_journal_that_lost_its_new_name_is_not_sealed_twice(tmp_path: Path) -> None:
    with living(tmp_path, DERIV) as node:
        with node.capturing():
            node.until(node.ticks(60))
            node.stream.pause()
        rows = node.seal().captured.rows
        (sealed,) = node.journals()
        sealed.rename(sealed.with_suffix(".journal"))
        files.sync_folder(sealed.parent)
        assert node.seal().captured.rows == 0
        assert node.curated().height == rows


def test_provisional_rows_say_so(tmp_path: Path) -> None:
    with living(tmp_path, COINBASE) as node:
        with node.capturing():
            node.until(node.ticks(60))
            node.stream.pause()
        node.seal()
        found = node.curated()
        assert not found["is_final"].any()
        assert found["source"].unique().to_list() == ["coinbase.exchange"]
        assert found["session"].unique().to_list() == [dt.datetime.now(dt.UTC).date()]
        assert found.select(pl.col("available_at") == pl.col("ts")).to_series().all()


def _quiet(node: Living, symbol: str) -> None:
    """Nobody trades it any more, and nobody has."""
    node.tape.prices.pop(symbol)
    node.tape.ticks[symbol].clear()


@pytest.mark.parametrize("venue", [BINANCE, DERIV], ids=lambda venue: venue.vendor)
def test_a_quiet_symbols_empty_history_is_a_comparison(tmp_path: Path, venue: Venue) -> None:
    """Its journals were kept for ever, since nothing was ever held against them."""
    with living(tmp_path, venue, extra='keep_messages = "3d"\n') as node:
        _quiet(node, venue.symbols[1])
        with node.capturing():
            node.until(node.ticks(20))
            node.break_all()
            node.until(node.ticks(60))
            node.stream.pause()
        node.seal()
        clock = Later(DAY + DAY // 12)
        _night(node, clock)
        with node.opened() as context:
            days = context.ledger.streams.days()
            assert {one.symbol: one.rows > 0 for one in days} == {
                venue.symbols[0]: True,
                venue.symbols[1]: False,
            }
            assert all(one.compared_at for one in days)
        clock.by += 4 * DAY
        with node.opened() as context:
            seal.run_once(context, clock)
        assert not node.journals()


def test_captured_rows_that_history_does_not_have_stay(tmp_path: Path) -> None:
    with living(tmp_path, BINANCE, extra='keep_messages = "3d"\n') as node:
        with node.capturing():
            node.until(node.ticks(80))
            node.stream.pause()
        node.seal()
        before = node.curated()
        lost = BINANCE.symbols[1]
        node.tape.ticks[lost].clear()
        clock = Later(DAY + DAY // 12)
        _night(node, clock)
        clock.by += 4 * DAY
        with node.opened() as context:
            seal.run_once(context, clock)
            (day,) = [one for one in context.ledger.streams.days() if one.symbol == lost]
            assert day.extra == day.rows > 0
        kept = node.curated().filter(pl.col("symbol") == lost)
        assert kept.height == before.filter(pl.col("symbol") == lost).height > 0


def test_what_is_captured_from_one_and_asked_of_another_is_healed_by_its_own_history(tmp_path: Path) -> None:
    venue = dataclasses.replace(KRAKEN, history="coinbase.exchange")
    table = '[vendor.coinbase]\nbase_url = "http://127.0.0.1:9"\n'
    with living(tmp_path, venue, extra=table) as node:
        with node.capturing():
            node.until(node.ticks(20))
            node.break_all()
            node.until(node.ticks(60))
            node.stream.pause()
        node.seal()
        node.heal()
        assert {state for _, state, _ in node.intervals()} == {"verified"}
        promised(node.curated(), node.truth(), venue)


def test_tasks_of_a_source_that_is_removed_end(tmp_path: Path) -> None:
    with living(tmp_path, KRAKEN) as node:
        with node.capturing():
            node.until(node.ticks(20))
            node.break_all()
            node.until(node.ticks(60))
            node.stream.pause()
        node.seal()
        settings = node.folder / "fulltape.toml"
        text = settings.read_text()
        settings.write_text(
            text.replace('sources = ["kraken.spot"]', 'sources = ["coinbase.exchange"]')
            .replace('live = ["kraken.spot"]', "live = []")
            .replace("[capture]", "[vendor.coinbase]\n[capture]")
        )
        with node.opened() as context:
            assert any(task.eligible_sources == ("kraken.spot",) for task in context.ledger.tasks.open())
            audit.run_once(context, node.clock)
            assert not any(task.eligible_sources == ("kraken.spot",) for task in context.ledger.tasks.open())
