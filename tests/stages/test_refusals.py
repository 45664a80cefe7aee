"""Refusals and outages through a real run: who is to blame, who is asked instead, and how it heals."""

from __future__ import annotations

import datetime as dt
import threading
from pathlib import Path

import pytest

from clocks import SkippingClock
from fulltape.audit import run as audit
from fulltape.backfill import run as backfill
from fulltape.backfill.breakers import SourceBreakers
from fulltape.backfill.work import Result
from fulltape.contract.breaker import Breaker
from fulltape.contract.plans import Limits
from fulltape.contract.vendor import Outcome
from fulltape.ledger.allowance import Granted, Refused, Want
from fulltape.ledger.eligibility import EligibilityState
from fulltape.ledger.ledger import Ledger
from fulltape.ledger.sqlite import Sqlite
from fulltape.market.time import DAY, SECOND
from fulltape.node import nightly
from fulltape.seal import run as seal
from fulltape.simulator import market as markets
from nodes import Wish, opened, simulated

WISH = Wish("equities_bars_day", "2012-11-01", "2012-12-31")
ONLY_FIRST = Wish("equities_bars_day", "2012-11-01", "2012-12-31", ("alpaca.sip",))
REFUSES_IBM = '[[fault]]\nvendor = "alpaca"\ndo = "not_entitled"\nsymbols = ["IBM"]\n'
UNIVERSE = "symbol,listed_from,listed_to,instrument\n" + "".join(
    f"{symbol},1980-01-02,,\n" for symbol in ("AAPL", "GOOG", "IBM", "MSFT")
)


def filled(folder: Path) -> tuple[dict[str, EligibilityState], int]:
    """One audit and one backfill: who was refused, and how many tasks are left."""
    with opened(folder) as context:
        clock = SkippingClock()
        audit.run_once(context, clock)
        backfill.run_once(context, clock)
        seal.run_once(context, clock)
        refused = {
            one.symbol: one.state for one in context.ledger.eligibility.all() if one.forbids(clock.now())
        }
        return refused, len(context.ledger.tasks.open())


def test_of_many_symbols_only_the_one_that_was_meant_is_blamed(tmp_path: Path) -> None:
    with simulated(tmp_path, markets.sample(), [ONLY_FIRST], universe=UNIVERSE, faults=REFUSES_IBM) as (
        folder,
        twins,
    ):
        refused, left = filled(folder)
        assert refused == {"IBM": "not entitled"}
        assert left == 1
        with opened(folder) as context:
            held = {fact.instrument for fact in context.ledger.coverage.of_dataset(WISH.dataset)}
        assert held == {"AAPL", "GOOG", "MSFT"}
        assert len(twins.log()) <= 6


def test_the_second_source_is_asked_in_the_same_run(tmp_path: Path) -> None:
    """The first one refuses everything at once; what was shared out to it goes to the other."""
    faults = "".join(
        f'[[fault]]\nvendor = "alpaca"\ndo = "not_entitled"\nsymbols = ["{symbol}"]\n'
        for symbol in ("AAPL", "GOOG", "IBM", "MSFT")
    )
    with simulated(tmp_path, markets.sample(), [WISH], universe=UNIVERSE, faults=faults) as (folder, twins):
        refused, left = filled(folder)
        assert left == 0
        assert set(refused) == {"AAPL", "GOOG", "IBM", "MSFT"}
        assert {line.vendor for line in twins.log() if line.rows} == {"massive"}


def test_a_source_that_is_gone_leaves_its_work_to_the_other(tmp_path: Path) -> None:
    with simulated(tmp_path, markets.sample(), [WISH], universe=UNIVERSE) as (folder, twins):
        settings = folder / "fulltape.toml"
        settings.write_text(settings.read_text().replace(twins.servers["alpaca"].url, "http://127.0.0.1:9"))
        _, left = filled(folder)
        assert left == 0


def test_what_was_refused_comes_back_when_it_is_forgotten(tmp_path: Path) -> None:
    with simulated(tmp_path, markets.sample(), [ONLY_FIRST], universe=UNIVERSE, faults=REFUSES_IBM) as (
        folder,
        twins,
    ):
        with opened(folder) as context:
            assert not nightly.run(context, SkippingClock()).complete
        asked = len(twins.log())
        with opened(folder) as context:
            nightly.run(context, SkippingClock())
        assert len(twins.log()) == asked, "asked again inside the cooldown"
        with opened(folder) as context, context.ledger.write():
            assert context.ledger.eligibility.forget_refusals("alpaca.sip", ["IBM"], now=0) == 1
            context.ledger.queue.forget_refusals("alpaca.sip")
        with opened(folder) as context:
            nightly.run(context, SkippingClock())
        assert len(twins.log()) > asked


def test_a_cooldown_doubles_only_once_it_has_run_out(tmp_path: Path) -> None:
    with simulated(
        tmp_path, markets.sample(), [ONLY_FIRST], universe=UNIVERSE, faults=REFUSES_IBM + "times = 99\n"
    ) as (folder, _):
        clock = SkippingClock()
        waits = []
        for days in (0, 1, 7, 1, 14):
            clock.sleep(days * 86_400)
            with opened(folder) as context:
                nightly.run(context, clock)
                (ibm,) = [one for one in context.ledger.eligibility.all() if one.symbol == "IBM"]
            waits.append((ibm.strikes, round((ibm.until - ibm.since) / DAY)))
        assert waits == [(1, 7), (1, 7), (2, 14), (2, 14), (3, 28)]


def test_an_outage_is_waited_out_and_blames_no_task(tmp_path: Path) -> None:
    faults = '[[fault]]\nvendor = "alpaca"\ndo = "error"\ntimes = 8\n'
    with simulated(
        tmp_path,
        markets.sample(),
        [ONLY_FIRST],
        universe=UNIVERSE.replace("GOOG,1980-01-02,,\n", ""),
        faults=faults,
        extra='[backfill]\nretry_wait = "1ms"\nattempts = 2\n',
    ) as (folder, _):
        with opened(folder) as context:
            done = nightly.run(context, SkippingClock())
            stalled = context.ledger.tasks.stalled()
            breaker = context.ledger.breakers.of("alpaca.sip")
        assert done.complete
        assert not stalled
        assert breaker == Breaker(source="alpaca.sip")


def test_failures_of_one_moment_trip_the_breaker_once(tmp_path: Path) -> None:
    """Eight conversations fail together: that is one reason to rest, not eight."""
    with (
        simulated(tmp_path, markets.sample(), [WISH], universe=UNIVERSE) as (folder, _),
        opened(folder) as context,
    ):
        breakers = SourceBreakers(context)
        for _ in range(8):
            breakers.came_back("alpaca.sip", Result(outcome=Outcome.TRANSIENT, reason="HTTP 503"), now=0)
        breaker = context.ledger.breakers.of("alpaca.sip")
        assert (breaker.state, breaker.until) == ("open", 15 * SECOND)
        assert breakers.rest("alpaca.sip", now=1, flying=0) == 15 * SECOND
        breakers.sent("alpaca.sip", now=15 * SECOND)
        assert breakers.rest("alpaca.sip", now=16 * SECOND, flying=1) is not None, "one trial at a time"
        breakers.came_back("alpaca.sip", Result(outcome=Outcome.ROWS), now=17 * SECOND)
        assert breakers.rest("alpaca.sip", now=17 * SECOND, flying=3) is None


def test_who_waits_for_the_ledger_is_counted_when_it_sends(tmp_path: Path) -> None:
    """Another writer holds the ledger for a while; afterwards no window holds too much."""
    ledgers = [Ledger(Sqlite(tmp_path / "ledger.db")) for _ in range(2)]
    clock, limits = SkippingClock(), Limits(per_second=2)
    holding, held = threading.Event(), threading.Event()

    def hold() -> None:
        with ledgers[0].write():
            holding.set()
            held.wait(10)

    granted: list[int] = []

    def fetch() -> None:
        answer = ledgers[1].budgets.reserve("a", limits, Want(kind="GAP"), steady=clock.steady)
        if isinstance(answer, Granted):
            granted.append(clock.steady())
        else:
            assert isinstance(answer, Refused)

    holder = threading.Thread(target=hold)
    holder.start()
    holding.wait(10)
    askers = [threading.Thread(target=fetch) for _ in range(6)]
    for number, asker in enumerate(askers):
        asker.start()
        if number == 2:
            clock.sleep(2)  # the first three came two seconds before the others
    held.set()
    for thread in (holder, *askers):
        thread.join()
    assert len(granted) == 2
    for ledger in ledgers:
        ledger.close()


def test_asking_again_ends_with_the_answer_even_if_it_is_a_refusal(tmp_path: Path) -> None:
    wish = Wish("equities_bars_day", "2012-12-03", "2012-12-31", ("alpaca.sip",))
    faults = (
        '[[fault]]\nvendor = "alpaca"\ndo = "missing_days"\nsymbols = ["IBM"]\n'
        "first = 2012-12-10\nlast = 2012-12-10\n"
    )
    with simulated(tmp_path, markets.sample(), [wish], universe=UNIVERSE, faults=faults) as (folder, twins):
        clock = SkippingClock()
        for days in (0, 2, 8, 31, 40):
            clock.sleep(days * 86_400)
            with opened(folder) as context:
                nightly.run(context, clock)
                assert context.ledger.tasks.open() == []
        ibm = [line for line in twins.log() if line.params.get("symbols") == "IBM"]
        assert len(ibm) >= 3
        with opened(folder) as context:
            (fact,) = [one for one in context.ledger.coverage.of_dataset(wish.dataset) if one.fact == "empty"]
        assert (fact.first, fact.shown) == (dt.date(2012, 12, 10), 4)


@pytest.mark.parametrize("change", ["from", "universe"])
def test_an_incremental_audit_notices_that_the_settings_ask_for_more(tmp_path: Path, change: str) -> None:
    with simulated(tmp_path, markets.sample(), [WISH], universe=UNIVERSE) as (folder, _):
        with opened(folder) as context:
            assert audit.run_incremental(context, SkippingClock()).tasks > 0, "the first one is a full one"
            nightly.run(context, SkippingClock())
            assert audit.run_incremental(context, SkippingClock()).tasks == 0
        if change == "from":
            settings = folder / "fulltape.toml"
            settings.write_text(settings.read_text().replace("from = 2012-11-01", "from = 2012-10-01"))
        else:
            with (folder / "universe.csv").open("a") as file:
                file.write("FB,2012-05-18,,\n")
        with opened(folder) as context:
            assert audit.run_incremental(context, SkippingClock()).tasks > 0
            assert audit.run_once(context, SkippingClock()).tasks == 0
