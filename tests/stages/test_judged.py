"""What a source's cells turn out to be: doubtful ones become partial, and present again once they are put right."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import cast

import polars as pl

from fulltape import context as opening
from fulltape.context import ConfiguredDataset, NodeContext
from fulltape.curate.judged import Judged
from fulltape.ledger.ledger import Ledger
from fulltape.market import datasets

NAME, NOW = "equities_bars_day", 7
CALENDAR = opening.calendar("XNYS")
DAYS = [dt.date(2024, 1, day) for day in (2, 3, 4, 5, 8)]
Cell = tuple[str, int, str, str]
"""Instrument, day by number, verdict, codes."""


def judge(ledger: Ledger, cells: list[Cell], days: tuple[int, int] = (0, 4)) -> int:
    """Record what these cells of one source are; how many are doubtful."""
    wanted = SimpleNamespace(
        dataset=datasets.get(NAME),
        calendar=CALENDAR,
        next_session=lambda day: CALENDAR.label(CALENDAR.between(day, day)[1]),
    )
    judged = Judged(
        cast("NodeContext", SimpleNamespace(ledger=ledger)),
        cast("ConfiguredDataset", wanted),
        (DAYS[days[0]], DAYS[days[1]]),
        NOW,
    )
    judged.add(
        pl.DataFrame(
            [(name, DAYS[day], "a.sip", verdict, codes, False) for name, day, verdict, codes in cells],
            schema=["instrument", "session", "source", "verdict", "codes", "provisional"],
            orient="row",
        )
    )
    judged.commit([])
    return judged.doubtful


def facts(ledger: Ledger) -> list[tuple[str, int, int, str, str]]:
    return sorted(
        (one.instrument, DAYS.index(one.first), DAYS.index(one.last), one.fact, one.reason)
        for one in ledger.coverage.of_dataset(NAME)
    )


def test_doubtful_cells_are_partial_until_they_are_put_right(ledger: Ledger) -> None:
    sound = [("A", day, "GREEN", "") for day in range(5)]
    doubted = [*sound[:1], *(("A", day, "RED", "schema") for day in (1, 2, 3)), *sound[4:]]
    assert judge(ledger, doubted) == 3
    assert facts(ledger) == [("A", 1, 3, "partial", "schema")]
    assert judge(ledger, sound[2:3], days=(2, 2)) == 0
    assert facts(ledger) == [
        ("A", 1, 1, "partial", "schema"),
        ("A", 2, 2, "present", ""),
        ("A", 3, 3, "partial", "schema"),
    ]


def test_a_completeness_that_was_not_measured_is_no_doubt(ledger: Ledger) -> None:
    assert judge(ledger, [("A", 0, "AMBER", "completeness.unmeasured"), ("A", 1, "AMBER", "jump")]) == 0
    assert judge(ledger, [("B", 0, "AMBER", "completeness.low")]) == 1
    assert facts(ledger) == [("B", 0, 0, "partial", "completeness.low")]


def test_every_cell_has_a_verdict_of_its_source(ledger: Ledger) -> None:
    judge(ledger, [("A", 0, "GREEN", ""), ("A", 1, "GREEN", ""), ("A", 3, "RED", "schema")])
    assert [
        (
            one.instrument,
            one.source,
            DAYS.index(one.first),
            DAYS.index(one.last),
            one.verdict.value,
            one.codes,
        )
        for one in ledger.verdicts.of_dataset(NAME, "a.sip")
    ] == [("A", "a.sip", 0, 1, "GREEN", ""), ("A", "a.sip", 3, 3, "RED", "schema")]
