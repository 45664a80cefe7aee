"""Facts and verdicts as ranges: the last word holds for each session, and neighbours grow together."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import Opener
from fulltape.coverage.cell import FactKind
from fulltape.coverage.facts import CoverageFact
from fulltape.ledger.ledger import Ledger

START = dt.date(2024, 1, 1)


def next_session(day: dt.date) -> dt.date:
    """A market that is open from Monday to Friday."""
    following = day + dt.timedelta(days=1)
    while following.weekday() >= 5:
        following += dt.timedelta(days=1)
    return following


def fact(first: int, last: int, kind: FactKind, fetch: str = "x") -> CoverageFact:
    return CoverageFact(
        dataset="d",
        instrument="A",
        source="a.sip",
        first=START + dt.timedelta(days=first),
        last=START + dt.timedelta(days=last),
        fact=kind,
        sound=True,
        final=True,
        since=1,
        evidence=fetch,
    )


spans = st.tuples(st.integers(0, 30), st.integers(0, 10), st.sampled_from(["present", "partial", "empty"]))


@settings(max_examples=30)
@given(st.lists(spans, min_size=1, max_size=8))
def test_the_last_fact_holds_for_every_session(
    open_ledger: Opener, steps: list[tuple[int, int, FactKind]]
) -> None:
    truth: dict[dt.date, str] = {}
    ledger = open_ledger(uuid.uuid4().hex)
    for first, length, kind in steps:
        with ledger.write():
            ledger.coverage.record([fact(first, first + length, kind)], next_session)
        for day in range(first, first + length + 1):
            label = START + dt.timedelta(days=day)
            # A source that has shown rows and is silent later has shown them nevertheless.
            if kind != "empty" or truth.get(label, "empty") == "empty":
                truth[label] = kind
    stored = ledger.coverage.of_dataset("d")
    for label, said in truth.items():
        if label.weekday() < 5:
            assert [one.fact for one in stored if one.first <= label <= one.last] == [said]


def test_silence_about_rows_that_were_shown_is_a_contradiction(ledger: Ledger) -> None:
    with ledger.write():
        ledger.coverage.record([fact(1, 4, "present")], next_session)
        ledger.coverage.record([replace(fact(0, 2, "empty", fetch="later"), since=2)], next_session)
    said = [(one.first.day, one.last.day, one.fact) for one in ledger.coverage.of_dataset("d")]
    assert said == [(1, 1, "empty"), (2, 3, "present"), (4, 5, "present")]
    (doubted,) = ledger.coverage.contradicted("d")
    assert (doubted.first.day, doubted.last.day) == (2, 3)
    with ledger.write():
        ledger.coverage.record([replace(fact(1, 1, "present", fetch="again"), since=3)], next_session)
    (doubted,) = ledger.coverage.contradicted("d")
    assert (doubted.first.day, doubted.last.day) == (3, 3)


def test_a_year_of_nights_is_one_row_and_evidence_of_emptiness_stays(ledger: Ledger) -> None:
    day = START
    with ledger.write():
        for number in range(250):
            position = (day - START).days
            ledger.coverage.record([fact(position, position, "present", fetch=f"ask-{number}")], next_session)
            day = next_session(day)
    assert len(ledger.coverage.of_dataset("d")) == 1
    with ledger.write():
        ledger.coverage.record(
            [fact(400, 400, "empty", fetch="one"), fact(401, 401, "empty", fetch="two")], next_session
        )
    assert [one.evidence for one in ledger.coverage.of_dataset("d")][1:] == ["one", "two"]
