"""Ranges laid over each other: disjoint, the newest holds, what touches grows together, whatever order they come in."""

from __future__ import annotations

import datetime as dt
import itertools
import random

from hypothesis import given
from hypothesis import strategies as st

from fulltape.coverage import ranged
from fulltape.coverage.facts import CoverageFact
from fulltape.coverage.ranged import ONE_DAY, Ranged
from fulltape.ledger.ledger import Ledger

FIRST = dt.date(2024, 11, 4)
SESSIONS = [day for day in (FIRST + dt.timedelta(days=at) for at in range(28)) if day.weekday() < 5]


def following(day: dt.date) -> dt.date:
    """The next weekday."""
    day += ONE_DAY
    while day.weekday() > 4:
        day += ONE_DAY
    return day


def laid(stored: list[Ranged[str]], new: Ranged[str]) -> list[Ranged[str]]:
    removed, added = ranged.overlay(stored, new, same=str.__eq__, next_session=following)
    gone = {id(one) for one in removed}
    return [one for one in stored if id(one) not in gone] + added


def cells(found: list[Ranged[str]]) -> dict[dt.date, str]:
    """What is said of each session."""
    return {day: one.label for one in found for day in SESSIONS if one.first <= day <= one.last}


positions = st.integers(0, len(SESSIONS) - 1)
SAID = st.tuples(positions, positions, st.sampled_from("xyz"))


@given(st.lists(SAID, max_size=12), st.integers(0, 99))
def test_each_session_has_what_was_said_last(said: list[tuple[int, int, str]], seed: int) -> None:
    found: list[Ranged[str]] = []
    expected: dict[dt.date, str] = {}
    for one, other, label in said:
        first, last = SESSIONS[min(one, other)], SESSIONS[max(one, other)]
        shuffled = random.Random(seed).sample(found, len(found))
        new = Ranged(first=first, last=last, label=label)
        found = laid(found, new)
        assert sorted(laid(shuffled, new), key=lambda one: one.first) == sorted(
            found, key=lambda one: one.first
        )
        expected |= {day: label for day in SESSIONS if first <= day <= last}
        assert cells(found) == expected
        ordered = sorted(found, key=lambda one: one.first)
        for before, after in itertools.pairwise(ordered):
            assert before.last < after.first, "disjoint, weekends too"
            assert before.label != after.label or following(before.last) < after.first, "and grown together"
        assert all(cells([one]) for one in found), "none without a session"


def test_rows_inside_of_a_refusal_grow_together_over_a_weekend(ledger: Ledger) -> None:
    """What was refused of the weekend between them is nothing, and stands in no later answer's way."""

    def record(kind: str, first: int, last: int, now: int) -> None:
        fact = CoverageFact(
            dataset="d", instrument="A", source="a", first=dt.date(2024, 11, first), last=dt.date(2024, 11, last),
            fact=kind, sound=kind != "refused", final=True, since=now, evidence="e",  # type: ignore[arg-type]
        )  # fmt: skip
        with ledger.write():
            ledger.coverage.record([fact], following)

    record("refused", 6, 22, 1)
    record("present", 18, 18, 2)
    record("present", 14, 15, 3)
    record("empty", 13, 15, 4)
    assert [(one.fact, one.first.day, one.last.day) for one in ledger.coverage.of_dataset("d")] == [
        ("refused", 6, 12), ("empty", 13, 13), ("present", 14, 15), ("present", 16, 18), ("refused", 19, 22)
    ]  # fmt: skip
