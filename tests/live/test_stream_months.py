"""Captured sessions that are old and confirmed are kept by month; what is doubtful, or all that is known, is kept as it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from living import COINBASE, Later, Living, Venue, living

from fulltape.ledger.stream_months import Month
from fulltape.market.time import DAY
from fulltape.node import assemble, nightly, repair
from fulltape.seal import run as seal
from fulltape.settings import load
from fulltape.sweep import run as sweep
from fulltape.views import streams
from fulltape.views.streams import StreamDay

QUOTES = Venue("binance", "binance.spot", "crypto_quotes", ("BTC/USDT",), grain=1_000)


def captured(node: Living) -> None:
    """Capture through broken connections, and let history confirm it."""
    with node.capturing():
        node.until(node.all_live)
        node.break_all()
        node.until(node.ticks(80))
        node.stream.pause()
    node.seal()
    node.heal()


def told(node: Living) -> tuple[list[StreamDay], list[Month]]:
    with node.opened() as context:
        days = streams.days(context)
        return days, [one for day in MONTHS for one in streams.months(context, day)]


MONTHS = [f"{year}-{month:02d}" for year in (2025, 2026, 2027, 2028) for month in range(1, 13)]


def test_old_sessions_that_are_confirmed_are_kept_by_month(tmp_path: Path) -> None:
    with living(tmp_path, COINBASE, extra='keep_messages = "3d"\n') as node:
        captured(node)
        clock = Later(DAY + DAY // 12)
        with node.opened() as context:
            assert nightly.run(context, clock).audit.missing == 0
        days, months = told(node)
        assert {one.final for one in days} == {True}
        assert months == []
        clock.by += 89 * DAY
        with node.opened() as context:
            sweep.run_once(context, clock)
        assert told(node) == (days, [])
        clock.by += 12 * DAY
        with node.opened() as context:
            assert context.ledger.captures.all(), "while its journal is there it may be decoded again"
            sweep.run_once(context, clock)
        assert told(node) == (days, [])
        with node.opened() as context:
            seal.run_once(context, clock)
            removals = sweep.run_once(context, clock, dry_run=True).removals
            assert [one.count for one in removals if one.what == "captured sessions"] == [len(days)]
        assert told(node) == (days, [])
        with node.opened() as context:
            sweep.run_once(context, clock)
        left, months = told(node)
        assert left == []
        assert node.intervals() == []
        assert sum(len(one.sessions) for one in months) == len(days)
        assert sum(one.rows for one in months) == sum(one.rows for one in days)
        assert sum(one.breaks for one in months) == sum(one.reconnects for one in days) > 0
        assert {(one.source, one.symbol) for one in months} == {(one.source, one.symbol) for one in days}
        for one in months:
            (day,) = [each for each in days if each.symbol == one.symbol and each.session in one.sessions]
            assert 100.0 * (one.live - one.doubtful) / one.live == pytest.approx(day.clean)
        with node.opened() as context:
            assert "captured sessions" not in {one.what for one in sweep.run_once(context, clock).removals}
        assert told(node) == ([], months)


def test_a_ledger_that_is_made_again_does_not_doubt_them(tmp_path: Path) -> None:
    with living(tmp_path, COINBASE, extra='keep_messages = "3d"\n') as node:
        captured(node)
        clock = Later(DAY + DAY // 12)
        with node.opened() as context:
            nightly.run(context, clock)
        clock.by += 101 * DAY
        with node.opened() as context:
            seal.run_once(context, clock)
            sweep.run_once(context, clock)
            nightly.run(context, clock)
        _, months = told(node)
        assert months
        for path in node.folder.glob("ledger.db*"):
            path.unlink()
        context = assemble.open_context(load.load(node.folder), owning=False)
        assert repair.rebuild(context, clock.now()).taken.left == ()
        context.close()
        assert told(node) == ([], months)
        assert node.intervals() == []


def test_what_exists_only_live_stays_by_session(tmp_path: Path) -> None:
    with living(tmp_path, QUOTES, extra='keep_messages = "3d"\n') as node:
        with node.capturing():
            node.until(node.all_live)
            node.until(lambda: node.stream.sent > 100)
            node.stream.pause()
        node.seal()
        clock = Later(DAY + DAY // 12)
        for by in (0, 101 * DAY):
            clock.by += by
            with node.opened() as context:
                seal.run_once(context, clock)
                sweep.run_once(context, clock)
        days, months = told(node)
        assert len(days) == 1
        assert months == []
