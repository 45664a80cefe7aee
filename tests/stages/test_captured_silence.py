"""What speaks against a vendor's empty answer: captured rows; and what a user's decision says nothing about."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from fulltape import errors
from fulltape.clock import SystemClock
from fulltape.context import known
from fulltape.coverage import series
from fulltape.coverage.cell import Availability, FactKind
from fulltape.coverage.facts import CoverageFact
from fulltape.coverage.live import CapturedDay
from fulltape.market import ranges
from fulltape.node import accepting
from fulltape.views import explain
from nodes import Wish, opened, write_node


@pytest.mark.parametrize("where", ["crypto_trades", "crypto_aggtrades"])
def test_a_silence_in_which_rows_were_captured_is_not_empty(tmp_path: Path, where: str) -> None:
    """A thin coin that trades every other day: a vendor's empty answer is believed, but not against what was captured."""
    universe = "symbol,listed_from,listed_to,instrument\nABC/USDT,2026-01-01,,\n"
    wishes = [
        Wish(name, "2026-01-01", "2026-03-01", ("binance.spot",))
        for name in ("crypto_trades", "crypto_aggtrades")
    ]
    folder = write_node(tmp_path / "node", {"binance": "http://127.0.0.1:9"}, wishes, universe=universe)
    days = [dt.date(2026, 1, 1) + dt.timedelta(days=at) for at in range(60)]
    with opened(folder) as context:
        wanted = context.wanted["crypto_trades"]
        (name,) = wanted.instruments
        facts = [
            CoverageFact(
                dataset="crypto_trades", instrument=name, source="binance.spot", first=label, last=label,
                fact="empty" if at % 2 else "present", sound=True, final=True, since=1, evidence="x", reason="",
                extent="span" if at % 2 else "",
            )
            for at, label in enumerate(days)
        ]  # fmt: skip
        with context.ledger.write():
            context.ledger.coverage.record(facts, wanted.next_session)
        silent = wanted.calendar.between(days[31], days[31])

        def empty() -> bool:
            (one,) = known.read(context, wanted, SystemClock().now())
            return ranges.overlaps(series.picture(one).empty, silent)

        assert empty()
        with context.ledger.write():
            context.ledger.streams.add_day(
                CapturedDay(
                    source="kraken.spot", dataset=where, instrument=name, symbol="ABC/USDT", session=days[31], start=1, end=2,
                    rows=5, reconnects=0,
                )
            )  # fmt: skip
        assert not empty()


def _days(first: dt.date, count: int) -> list[dt.date]:
    return [day for at in range(3 * count) if (day := first + dt.timedelta(days=at)).weekday() < 5][:count]


def _fact(fact: FactKind, label: dt.date) -> CoverageFact:
    return CoverageFact(
        dataset="equities_bars_day", instrument="ABC", source="alpaca.sip", first=label, last=label, fact=fact,
        sound=fact != "refused", final=True, since=1, evidence="x", reason="403" if fact == "refused" else "",
        extent="span" if fact == "empty" else "",
    )  # fmt: skip


def _node(tmp_path: Path, facts: dict[dt.date, FactKind], listed: str = "") -> Path:
    folder = write_node(
        tmp_path / "node", {"alpaca": "http://127.0.0.1:9"},
        [Wish("equities_bars_day", "2025-01-02", "2025-12-31", ("alpaca.sip",))],
        universe=f"symbol,listed_from,listed_to,instrument\nABC,{listed},,ABC\n",
    )  # fmt: skip
    with opened(folder) as context, context.ledger.write():
        wanted = context.wanted["equities_bars_day"]
        known_days = {day: fact for day, fact in facts.items() if wanted.calendar.day(day) == "session"}
        context.ledger.coverage.record(
            [_fact(fact, day) for day, fact in known_days.items()], wanted.next_session
        )
    return folder


def test_a_silence_between_rows_is_missing_also_where_the_listing_is_unknown(tmp_path: Path) -> None:
    days = _days(dt.date(2025, 1, 2), 200)
    facts: dict[dt.date, FactKind] = dict.fromkeys(days[50:], "present")
    facts |= dict.fromkeys([*days[:50], *days[100:107]], "empty")
    folder = _node(tmp_path, facts)
    with opened(folder) as context:
        wanted = context.wanted["equities_bars_day"]
        (one,) = known.read(context, wanted, SystemClock().now())
        shown = series.picture(one)
        hole = ranges.normalise([wanted.calendar.between(days[100], days[106])])
        assert ranges.intersect(shown.missing, hole) == hole
        assert ranges.size(shown.unknown_listing) == ranges.size(
            ranges.normalise([wanted.calendar.between(days[0], days[49])])
        )
        told = explain.explain(context, SystemClock(), wanted, "ABC", days[103])
        assert told.cell.availability is Availability.MISSING
        assert "implausible silence" in told.cell.why


def test_a_decision_says_nothing_about_what_nobody_has_answered(tmp_path: Path) -> None:
    days = _days(dt.date(2025, 1, 2), 60)
    facts: dict[dt.date, FactKind] = dict.fromkeys(days, "present")
    facts |= dict.fromkeys(days[30:40], "refused")
    facts |= dict.fromkeys(days[40:43], "empty")
    folder = _node(tmp_path, facts, "2000-01-03")
    with opened(folder) as context:
        clock = SystemClock()
        done = accepting.accept(
            context, clock, "equities_bars_day", "ABC", days[30], days[42], reason="no plan"
        )
        assert (done.held, done.open) == (0, 0)
        wanted = context.wanted["equities_bars_day"]
        (one,) = known.read(context, wanted, clock.now())
        shown = series.picture(one)
        refused = ranges.normalise([wanted.calendar.between(days[30], days[39])])
        silent = ranges.normalise([wanted.calendar.between(days[40], days[42])])
        assert done.refused == ranges.size(refused)
        assert ranges.intersect(shown.empty, refused) == ranges.EMPTY
        assert ranges.intersect(shown.unobtainable, refused) == refused
        assert ranges.intersect(shown.empty, silent) == silent
        told = explain.explain(context, clock, wanted, "ABC", days[33])
        assert told.cell.availability is Availability.UNOBTAINABLE
        with pytest.raises(errors.UsageError, match="nothing to accept"):
            accepting.accept(context, clock, "equities_bars_day", "ABC", days[0], days[5], reason="halted")
