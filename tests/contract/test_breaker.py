"""Breakers: closed, open, half-open, and how long each lasts."""

from __future__ import annotations

import itertools

from fulltape.backfill import plan
from fulltape.contract import breaker
from fulltape.contract.breaker import Breaker
from fulltape.market.time import DAY, SECOND

FRESH = Breaker(source="a.sip")


def tripped(times: int) -> Breaker:
    found = FRESH
    for _ in range(times):
        found = breaker.failed(found, now=0, reason="HTTP 503")
    return found


def test_it_trips_after_three_in_a_row_and_an_answer_in_between_forgives() -> None:
    assert [tripped(times).state for times in (1, 2, 3)] == ["closed", "closed", "open"]
    assert breaker.failed(breaker.served(tripped(2)), now=0, reason="").state == "closed"


def test_rests_double_up_to_five_minutes() -> None:
    rests = [tripped(times).until // SECOND for times in range(3, 10)]
    assert rests == [15, 30, 60, 120, 240, 300, 300]


def test_when_the_rest_is_over_there_is_one_trial() -> None:
    opened = tripped(3)
    assert breaker.trial(opened, now=opened.until - 1) is None
    half = breaker.trial(opened, now=opened.until)
    assert half is not None
    assert half.state == "half-open"
    assert breaker.trial(half, now=half.until - 1) is None
    assert breaker.failed(half, now=half.until, reason="again").state == "open"
    assert breaker.served(half) == FRESH


def test_cooldowns_double_and_end_at_ninety_days() -> None:
    week = 7 * DAY
    waits = [plan.cooldown(week, strikes) // DAY for strikes in range(1, 7)]
    assert waits == [7, 14, 28, 56, 90, 90]
    assert all(later >= earlier for earlier, later in itertools.pairwise(waits))
