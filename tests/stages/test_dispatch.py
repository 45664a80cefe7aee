"""The dispatcher in simulated time: small scenarios against what no dispatcher can beat, and the dry run against what
then happens."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.dispatch import bound, run, scenario
from benchmarks.dispatch.world import SimulatedClock, World

from fulltape.backfill import estimate

MINUTES = "[dataset.equities_bars_minute]\nsymbols = {symbols}\nfirst = 2022-01-03\nlast = {last}\n"
MANY = '[[source]]\nname = "{name}.sip"\nper_minute = {rate}\nsymbols_per_request = 100\nrows_per_page = 10_000\n'
ONE = (
    '[[source]]\nname = "{name}.sip"\nper_minute = {rate}\nsymbols_per_request = 1\nrows_per_page = 50_000\n'
)
SCENARIOS = {
    "one vendor": MINUTES.format(symbols=200, last="2022-12-30") + MANY.format(name="a", rate=100),
    "an early and a late one": MINUTES.format(symbols=200, last="2022-12-30")
    + MANY.format(name="a", rate=100)
    + ONE.format(name="b", rate=20),
    "entitlements": MINUTES.format(symbols=300, last="2022-12-30")
    + MANY.format(name="a", rate=60)
    + "symbols = [0, 200]\n"
    + MANY.format(name="b", rate=60)
    + "symbols = [100, 300]\n",
    "a daily cap": MINUTES.format(symbols=100, last="2022-12-30")
    + MANY.format(name="a", rate=100)
    + "per_day = 300\n"
    + MANY.format(name="b", rate=40),
    "spaced": MINUTES.format(symbols=60, last="2022-06-30") + ONE.format(name="a", rate=5),
}


def built(tmp_path: Path, text: str) -> tuple[scenario.Scenario, SimulatedClock]:
    path = tmp_path / "scenario.toml"
    path.write_text(f'title = "test"\n{text}')
    return scenario.load(path), SimulatedClock()


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_dry_run_tells_what_then_happens(tmp_path: Path, name: str) -> None:
    found, clock = built(tmp_path, SCENARIOS[name])
    context = scenario.build(found, tmp_path, clock)
    try:
        expected = estimate.run_once(context, clock)
        ending = World(found, context, clock).run()
    finally:
        context.close()
    assert expected.left_over == 0
    assert expected.seconds == pytest.approx(ending.makespan, rel=0.1)
    assert sum(one.requests for one in expected.by_source) == pytest.approx(ending.requests, rel=0.1)
    assert sum(one.tasks for one in expected.by_source) == pytest.approx(ending.tasks)
    for one in expected.by_source:
        if one.requests > 100:
            assert one.requests == pytest.approx(ending.by_source[one.source]["requests"], rel=0.1)


@pytest.mark.parametrize("name", SCENARIOS)
def test_no_request_is_wasted_and_no_limit_broken(tmp_path: Path, name: str) -> None:
    found, clock = built(tmp_path, SCENARIOS[name])
    context = scenario.build(found, tmp_path, clock)
    try:
        works = run.works(context)
        ending = World(found, context, clock).run()
    finally:
        context.close()
    sources = run.allowances(found)
    assert ending.refused == 0
    assert ending.idle == 0
    assert ending.tasks == sum(work.tasks for work in works)
    assert ending.requests <= 1.05 * run.fewest(works, sources, ending)
    # A minute more: small scenarios end inside a window that the programme counts as whole.
    assert ending.makespan <= 1.05 * bound.seconds(works, sources) + 60


def test_the_same_ledger_and_clock_are_dispatched_alike(tmp_path: Path) -> None:
    def once(folder: Path) -> list[tuple[int, str, str]]:
        folder.mkdir()
        found, clock = built(folder, SCENARIOS["entitlements"])
        context = scenario.build(found, folder, clock)
        try:
            World(found, context, clock).run()
            return sorted(
                (task.task_id, task.source, task.state) for task in context.ledger.tasks.newest(most=9_999)
            )
        finally:
            context.close()

    assert once(tmp_path / "one") == once(tmp_path / "other")


OUTAGE = '[[fault]]\nvendor = "a"\ndo = "outage"\nstart = 60\nstop = 400\n'


def test_an_outage_costs_only_its_own_time_and_no_task_is_blamed(tmp_path: Path) -> None:
    found, clock = built(tmp_path, SCENARIOS["entitlements"] + OUTAGE)
    context = scenario.build(found, tmp_path, clock)
    try:
        tasks = sum(work.tasks for work in run.works(context))
        ending = World(found, context, clock).run()
        stalled = context.ledger.tasks.stalled()
        breaker = context.ledger.breakers.of("a.sip")
    finally:
        context.close()
    assert ending.tasks == tasks
    assert not stalled
    assert breaker.state == "closed"
