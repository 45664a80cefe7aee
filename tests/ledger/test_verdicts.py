"""Verdicts are found by cell, by kind, by code, and counted by span; on both engines."""

from __future__ import annotations

import datetime as dt

from fulltape.coverage.cell import Verdict
from fulltape.coverage.verdict_ranges import VerdictRange
from fulltape.ledger.ledger import Ledger

D = dt.date
DAYS = "equities_bars_day"


def said(
    instrument: str, first: int, last: int, verdict: Verdict, codes: str = "", **more: str
) -> VerdictRange:
    return VerdictRange(
        dataset=more.get("dataset", DAYS),
        instrument=instrument,
        source=more.get("source", ""),
        first=D(2024, 11, first),
        last=D(2024, 11, last),
        verdict=verdict,
        codes=codes,
        since=7,
    )


SAID = [
    said("AAPL", 4, 8, Verdict.GREEN),
    said("AAPL", 11, 11, Verdict.RED, "schema"),
    said("IBM", 4, 8, Verdict.GREEN),
    said("IBM", 11, 12, Verdict.AMBER, "continuity"),
    said("IBM", 4, 12, Verdict.RED, "schema", source="alpaca.sip"),
    said("IBM", 4, 12, Verdict.RED, "continuity", dataset="equities_bars_minute"),
]


def record(ledger: Ledger) -> None:
    with ledger.write():
        ledger.verdicts.record(SAID, lambda day: day + dt.timedelta(days=1))


def test_those_of_a_code_and_of_a_kind_are_found(ledger: Ledger) -> None:
    record(ledger)
    assert ledger.verdicts.with_codes(DAYS, "continuity") == [SAID[3]]
    assert ledger.verdicts.with_codes(DAYS, "contin") == []
    assert ledger.verdicts.of_kind(DAYS, Verdict.RED) == [SAID[1]]
    assert ledger.verdicts.of_kind(DAYS, Verdict.GREEN) == [SAID[0], SAID[2]]


def test_what_holds_for_a_cell_is_found(ledger: Ledger) -> None:
    record(ledger)
    assert ledger.verdicts.of_cell(DAYS, "IBM", D(2024, 11, 12)) == SAID[3]
    assert ledger.verdicts.of_cell(DAYS, "IBM", D(2024, 11, 8)) == SAID[2]
    assert ledger.verdicts.of_cell(DAYS, "IBM", D(2024, 11, 9)) is None
    assert ledger.verdicts.of_cell(DAYS, "MSFT", D(2024, 11, 8)) is None


def test_a_newer_verdict_is_laid_over_what_lies_around_it(ledger: Ledger) -> None:
    """Over what begins inside of it, and beside what it goes on with."""
    record(ledger)
    with ledger.write():
        ledger.verdicts.record([said("AAPL", 7, 11, Verdict.GREEN)], lambda day: day + dt.timedelta(days=1))
    assert [(one.first.day, one.last.day, one.verdict) for one in ledger.verdicts.of_dataset(DAYS)][:1] == [
        (4, 11, Verdict.GREEN)
    ]
    with ledger.write():
        ledger.verdicts.record([said("IBM", 1, 3, Verdict.GREEN)], lambda day: day + dt.timedelta(days=1))
    spans = [
        (one.first.day, one.last.day, one.verdict)
        for one in ledger.verdicts.of_dataset(DAYS)
        if one.instrument == "IBM" and not one.source
    ]
    assert spans == [(1, 8, Verdict.GREEN), (11, 12, Verdict.AMBER)]
