"""Audit: the incremental one finds what the full one finds, evidence expires, tasks know who may take them."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from clocks import FakeClock
from conftest import Opener
from fulltape import context as opening
from fulltape.audit import run as audit
from fulltape.backfill import forecast
from fulltape.context import ConfiguredDataset, ConfiguredSource, NodeContext
from fulltape.contract.plans import Limits
from fulltape.contract.vendor import Capability, Source
from fulltape.coverage.cell import FactKind
from fulltape.coverage.facts import CoverageFact
from fulltape.lake.layout import Layout
from fulltape.ledger.eligibility import Eligible
from fulltape.ledger.task import AGAIN, LAST
from fulltape.market import datasets
from fulltape.market.instruments import DatedSymbol, Instrument
from fulltape.market.time import DAY, from_datetime
from fulltape.settings.rules import Rules

DATASET = datasets.get("equities_bars_day")
CALENDAR = opening.calendar("XNYS")
FIRST = dt.date(2024, 1, 2)


def instant(day: dt.date, hour: int = 22) -> int:
    return from_datetime(dt.datetime(day.year, day.month, day.day, hour, tzinfo=dt.UTC))


def feed(name: str, since: dt.date = FIRST) -> ConfiguredSource:
    capability = Capability(
        dataset=DATASET.name, history_from=since, symbols_per_request=100, rows_per_page=10_000
    )
    return ConfiguredSource(
        source=Source(name=name, feed="x", scope="consolidated", capabilities=(capability,)),
        vendor=name[0],
        limits=Limits(per_minute=100),
        history_from=None,
    )


@pytest.fixture
def context(open_ledger: Opener, tmp_path: Path) -> NodeContext:
    """A node that wants three instruments from two sources, of which the second begins in March."""
    wanted = ConfiguredDataset(
        dataset=DATASET,
        calendar=CALENDAR,
        instruments={
            name: Instrument(
                instrument=name,
                symbols=(DatedSymbol(symbol=name, first=dt.date(2000, 1, 3), last=None),),
            )
            for name in "ABC"
        },
        sources=("a.x", "b.x"),
        first=FIRST,
        until=None,
        final_after=0,
    )
    return NodeContext(
        folder=tmp_path,
        ledger=open_ledger("ledger"),
        layout=Layout(root=tmp_path / "lake"),
        wanted={DATASET.name: wanted},
        feeds={"a.x": feed("a.x"), "b.x": feed("b.x", dt.date(2024, 3, 1))},
        vendors={},
        accounts={},
        rules=Rules(),
    )


def record(
    context: NodeContext, instrument: str, source: str, first: str, last: str, fact: FactKind, *, at: int
) -> None:
    with context.ledger.write():
        context.ledger.coverage.record(
            [
                CoverageFact(
                    dataset=DATASET.name,
                    instrument=instrument,
                    source=source,
                    first=dt.date.fromisoformat(first),
                    last=dt.date.fromisoformat(last),
                    fact=fact,
                    sound=True,
                    final=True,
                    since=at,
                    evidence=f"{source} {first} {at}",
                )
            ],
            context.wanted[DATASET.name].next_session,
        )


def queued(context: NodeContext, purpose: str = "fill") -> list[tuple[str, str, str, str, tuple[str, ...]]]:
    return sorted(
        (task.instrument, task.first.isoformat(), task.last.isoformat(), task.kind, task.eligible_sources)
        for task in context.ledger.tasks.open()
        if task.purpose == purpose
    )


def test_tasks_know_who_could_take_them_and_are_one_batch(context: NodeContext) -> None:
    audit.run_once(context, FakeClock(instant(dt.date(2024, 3, 28))))
    assert queued(context)[:2] == [
        ("A", "2024-01-02", "2024-02-29", "BOOTSTRAP", ("a.x",)),
        ("A", "2024-03-01", "2024-03-28", "BOOTSTRAP", ("a.x", "b.x")),
    ]
    tasks = context.ledger.tasks.open()
    assert len({task.batch for task in tasks}) == 1
    assert all(task.expected_rows > 0 for task in tasks)
    assert [of.eligible_sources for of in context.ledger.tasks.census()] == [("a.x",), ("a.x", "b.x")]


def test_who_is_no_longer_able_is_taken_off_queued_tasks(context: NodeContext) -> None:
    clock = FakeClock(instant(dt.date(2024, 3, 28)))
    audit.run_once(context, clock)
    with context.ledger.write():
        context.ledger.eligibility.record(
            Eligible(
                source="b.x", dataset=DATASET.name, symbol="A", state="not entitled",
                until=2**60, reason="", since=0,
            )
        )  # fmt: skip
    audit.run_once(context, clock)
    assert [task[4] for task in queued(context) if task[0] == "A"] == [("a.x",), ("a.x",)]
    assert [task[4] for task in queued(context) if task[0] == "B"] == [("a.x",), ("a.x", "b.x")]


def test_an_incremental_audit_finds_what_a_full_one_finds(open_ledger: Opener, context: NodeContext) -> None:
    clock = FakeClock(instant(dt.date(2024, 3, 26)))
    for name in "ABC":
        record(context, name, "a.x", "2024-01-02", "2024-03-26", "present", at=clock.now())
    audit.run_once(context, clock)
    assert queued(context) == []
    # Two sessions more are final, and B turns out to lack a day.
    clock.sleep(2 * DAY / 1_000_000)
    record(context, "B", "a.x", "2024-02-05", "2024-02-05", "empty", at=clock.now())
    found = audit.run_incremental(context, clock)
    incremental = queued(context)
    assert found.tasks == len(incremental) == 3
    assert [task[:4] for task in incremental if task[0] != "B"] == [
        ("A", "2024-03-27", "2024-03-28", "FORWARD"),
        ("C", "2024-03-27", "2024-03-28", "FORWARD"),
    ]
    assert audit.run_once(context, clock).tasks == 0, (
        "the full audit found what the incremental one had missed"
    )
    assert audit.run_incremental(context, clock).tasks == 0


def test_evidence_of_emptiness_is_asked_again_after_1_7_and_30_days_and_then_kept(
    context: NodeContext,
) -> None:
    start = instant(dt.date(2024, 2, 28))
    for name in "BC":
        record(context, name, "a.x", "2024-01-02", "2024-02-28", "present", at=start)
    record(context, "A", "a.x", "2024-01-02", "2024-01-09", "present", at=start)
    record(context, "A", "a.x", "2024-01-12", "2024-02-28", "present", at=start)
    record(context, "A", "a.x", "2024-01-10", "2024-01-11", "empty", at=start)
    asked_after = []
    at = start
    for days in range(60):
        at = start + days * DAY
        audit.run_once(context, FakeClock(at))
        again = [task for task in context.ledger.tasks.open() if task.purpose == AGAIN]
        if again:
            (task,) = again
            assert (task.instrument, task.first, task.last) == (
                "A",
                dt.date(2024, 1, 10),
                dt.date(2024, 1, 11),
            )
            assert (task.eligible_sources, task.priority) == (("a.x",), LAST)
            asked_after.append(days)
            record(context, "A", "a.x", "2024-01-10", "2024-01-11", "empty", at=at)
            with context.ledger.write():
                context.ledger.queue.finish_all({task.task_id: task.attempt}, "done", now=at)
    assert asked_after == [1, 8, 38]


def test_what_is_asked_again_may_be_claimed_though_it_was_answered(context: NodeContext) -> None:
    start = instant(dt.date(2024, 2, 28))
    for name in "BC":
        record(context, name, "a.x", "2024-01-02", "2024-02-28", "present", at=start)
    record(context, "A", "a.x", "2024-01-02", "2024-01-09", "present", at=start)
    record(context, "A", "a.x", "2024-01-11", "2024-02-28", "present", at=start)
    record(context, "A", "a.x", "2024-01-10", "2024-01-10", "refused", at=start)
    audit.run_once(context, FakeClock(start + DAY))
    classes = [of for of in context.ledger.tasks.census() if of.priority == LAST]
    found = context.ledger.tasks.candidates("a.x", classes[0], first_day=FIRST, now=start + DAY)
    assert [(task.instrument, task.purpose) for task in found] == [("A", AGAIN)]


def test_the_days_forward_demand_is_known_in_the_morning(context: NodeContext) -> None:
    morning = instant(dt.date(2024, 3, 28), hour=8)
    need = forecast.demand(context, {}, {}, morning)
    assert need == {"a": {"FORWARD": 1}, "b": {}}
    assert forecast.demand(context, {}, {}, instant(dt.date(2024, 3, 30), hour=8)) == {"a": {}, "b": {}}
