"""A journal stays until every consumer has read it."""

from __future__ import annotations

from pathlib import Path

import pytest
from living import BINANCE, Later, living

from fulltape.context.consumers import Consumer
from fulltape.lake.journal import RecordKind
from fulltape.market.time import DAY
from fulltape.node import nightly
from fulltape.seal import run as seal
from fulltape.sweep import run as sweep


def test_a_journal_goes_when_all_consumers_have_read_it(tmp_path: Path) -> None:
    with living(tmp_path, BINANCE, extra='keep_messages = "3d"\n') as node:
        with node.opened() as context:
            first = Consumer(context, "bus", BINANCE.source, node.clock)
            Consumer(context, "archive", BINANCE.source, node.clock)
        with node.capturing():
            node.until(node.ticks(60))
            node.stream.pause()
        node.seal()
        clock = Later(DAY + DAY // 12)
        with node.opened() as context:
            first = Consumer(context, "bus", BINANCE.source, clock)
            kinds = [record.kind for record in first.read()]
            assert RecordKind.MESSAGES in kinds
            again = Consumer(context, "bus", BINANCE.source, clock)
            assert len(list(again.read())) == len(kinds), "what was not acknowledged is read again"
            first.acknowledge()
            assert not list(Consumer(context, "bus", BINANCE.source, clock).read())
            nightly.run(context, clock)
            clock.by += 4 * DAY
            seal.run_once(context, clock)
            assert node.journals(), "one consumer has not read it"
            late = Consumer(context, "archive", BINANCE.source, clock)
            assert len(list(late.read())) == len(kinds)
            late.acknowledge()
            seal.run_once(context, clock)
            assert not node.journals()


def test_a_consumer_that_is_gone_holds_nothing_for_ever(tmp_path: Path) -> None:
    with living(tmp_path, BINANCE, extra='keep_messages = "3d"\n') as node:
        with node.opened() as context:
            Consumer(context, "gone", BINANCE.source, node.clock)
        with node.capturing():
            node.until(node.ticks(60))
            node.stream.pause()
        node.seal()
        clock = Later(DAY + DAY // 12)
        with node.opened() as context:
            nightly.run(context, clock)
            clock.by += 10 * DAY
            seal.run_once(context, clock)
            assert node.journals()
            clock.by += 6 * DAY
            seal.run_once(context, clock)
            assert not node.journals()
            told = {one.what: one.count for one in sweep.run_once(context, clock).removals}
            assert told["consumers"] == 1
            assert context.ledger.consumers.of() == []


def test_a_kill_after_a_journal_was_removed_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with living(tmp_path, BINANCE, extra='keep_messages = "3d"\n') as node:
        with node.capturing():
            node.until(node.ticks(60))
            node.stream.pause()
        node.seal()
        clock = Later(DAY + DAY // 12)
        with node.opened() as context:
            nightly.run(context, clock)
            clock.by += 4 * DAY

            def killed(_: str) -> None:
                raise KeyboardInterrupt

            with monkeypatch.context() as patched:
                patched.setattr(context.ledger.captures, "forget", killed)
                with pytest.raises(KeyboardInterrupt):
                    seal.run_once(context, clock)
            assert not node.journals()
            assert context.ledger.captures.all()
            seal.run_once(context, clock)
            assert context.ledger.captures.all() == []
