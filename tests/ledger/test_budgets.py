"""Budgets: over any window of any dimension, what was sent is at most what is allowed."""

from __future__ import annotations

import itertools
import uuid

from hypothesis import given, settings
from hypothesis import strategies as st

from clocks import at
from conftest import Opener
from fulltape.core.plans import Limits
from fulltape.core.time import DAY, SECOND
from fulltape.ledger.budgets import Granted, Refused, Want
from fulltape.ledger.ledger import Ledger

LATE = SECOND // 4
"""A request may arrive so much later than it was sent, and the next one at once."""
START = 1_800_000_000 * SECOND + 123_456


def send_all(open_ledger: Opener, limits: Limits, gaps: list[int], *, reopen_at: int = -1) -> list[int]:
    """Try to send after each gap (microseconds), wait as told when refused; returns the times of sending."""
    now, sent = START, []
    name = uuid.uuid4().hex
    ledger = open_ledger(name)
    for number, gap in enumerate(gaps):
        now += gap
        if number == reopen_at:
            ledger = open_ledger(name)
        answer = ledger.budgets.reserve("key", limits, Want(kind="GAP"), steady=at(now))
        if isinstance(answer, Refused):
            assert answer.room_at > now
            early = ledger.budgets.room("key", limits, Want(kind="GAP"), now=answer.room_at - 1)
            assert isinstance(early, Refused), "there was room earlier than said"
            now = answer.room_at
            answer = ledger.budgets.reserve("key", limits, Want(kind="GAP"), steady=at(now))
        assert isinstance(answer, Granted)
        sent.append(now)
    return sent


@settings(max_examples=30)
@given(
    st.integers(1, 40),
    st.lists(st.integers(0, 8 * SECOND), min_size=5, max_size=80),
    st.integers(0, 60),
)
def test_no_window_of_a_minute_ever_holds_more_than_allowed(
    open_ledger: Opener, allowed: int, gaps: list[int], reopen_at: int
) -> None:
    sent = send_all(open_ledger, Limits(per_minute=allowed), gaps, reopen_at=reopen_at)
    for first, last in zip(sent, sent[allowed:], strict=False):
        assert last - first >= 60 * SECOND + LATE, "one request too many may arrive within a minute"
    if allowed < 10:
        apart = 60 * SECOND // allowed + LATE
        assert all(later - earlier >= apart for earlier, later in itertools.pairwise(sent))


def test_the_daily_cap_holds_until_midnight_and_says_so(ledger: Ledger) -> None:
    limits = Limits(per_minute=0, per_day=3)
    for _ in range(3):
        assert isinstance(ledger.budgets.reserve("key", limits, Want(kind="GAP"), steady=at(START)), Granted)
    refused = ledger.budgets.reserve("key", limits, Want(kind="GAP"), steady=at(START))
    assert refused == Refused(
        dimension="daily_cap", room_at=(START // DAY + 1) * DAY, limit="3 requests per day"
    )
    assert isinstance(
        ledger.budgets.reserve("key", limits, Want(kind="GAP"), steady=at((START // DAY + 1) * DAY)), Granted
    )


def test_a_rate_limit_answer_closes_the_window_until_the_time_given(ledger: Ledger) -> None:
    limits = Limits(per_minute=100)
    assert ledger.budgets.closed("key", limits, until=START + 7 * SECOND, now=START) == START + 7 * SECOND
    assert ledger.budgets.room("key", limits, Want(kind="GAP"), now=START) == Refused(
        dimension="vendor_says_wait", room_at=START + 7 * SECOND
    )
    assert isinstance(ledger.budgets.room("key", limits, Want(kind="GAP"), now=START + 7 * SECOND), Granted)


def test_a_later_word_never_opens_earlier(ledger: Ledger) -> None:
    limits = Limits(per_minute=100)
    for until in (70, 7, None):
        told = None if until is None else START + until * SECOND
        assert ledger.budgets.closed("key", limits, until=told, now=START) == START + 70 * SECOND
    early = ledger.budgets.room("key", limits, Want(kind="GAP"), now=START + 70 * SECOND - 1)
    assert isinstance(early, Refused)


def test_without_a_time_the_wait_grows_with_each_strike_and_an_answer_forgives(ledger: Ledger) -> None:
    limits = Limits(per_minute=5)
    waits = [ledger.budgets.closed("key", limits, until=None, now=START) - START for _ in range(4)]
    assert waits == [12 * SECOND, 24 * SECOND, 48 * SECOND, 60 * SECOND]
    ledger.budgets.served("key", limits, allowed=None, now=START)
    later = START + 600 * SECOND
    assert ledger.budgets.closed("key", limits, until=None, now=later) - later == 12 * SECOND


def test_lower_limits_are_learned_from_headers_and_higher_ones_are_not(ledger: Ledger) -> None:
    limits = Limits(per_minute=100)
    ledger.budgets.served("key", limits, allowed=10_000, now=START)
    for day, (allowed, room) in enumerate(((10_000, 100), (20, 20))):
        now = START + day * DAY
        ledger.budgets.served("key", limits, allowed=allowed, now=now)
        granted = 0
        while isinstance(ledger.budgets.reserve("key", limits, Want(kind="GAP"), steady=at(now)), Granted):
            granted += 1
        assert granted == room


def test_below_ten_a_minute_requests_are_spaced_exactly(open_ledger: Opener) -> None:
    sent = send_all(open_ledger, Limits(per_minute=5), [0] * 6)
    spaces = [later - earlier for earlier, later in itertools.pairwise(sent)]
    assert all(12 * SECOND <= space <= 14 * SECOND for space in spaces)
