"""Budgets: over any window of any dimension, what was sent is at most what is allowed."""

from __future__ import annotations

import itertools
import socket
import uuid

from hypothesis import given, settings
from hypothesis import strategies as st

from clocks import at
from conftest import Opener
from fulltape.contract.plans import Limits
from fulltape.ledger.allowance import LEARNED_FOR, MARGIN, Granted, Refused, Want
from fulltape.ledger.ledger import Ledger
from fulltape.market.time import DAY, SECOND

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


def test_what_a_window_of_an_hour_reaches_is_not_forgotten(ledger: Ledger) -> None:
    limits = Limits(per_hour=1)
    want = Want(kind="GAP")
    assert isinstance(ledger.budgets.reserve("key", limits, want, steady=at(START)), Granted)
    for later in (60 * SECOND, 3_599 * SECOND):
        with ledger.write():
            ledger.budgets.forget(now=START + later)
        assert isinstance(ledger.budgets.room("key", limits, want, now=START + later), Refused)
    after = START + 3_601 * SECOND
    assert isinstance(ledger.budgets.reserve("key", limits, want, steady=at(after)), Granted)


def test_a_minute_has_room_when_its_first_request_has_left_it(ledger: Ledger) -> None:
    limits = Limits(per_minute=60)
    for _ in range(60):
        assert isinstance(ledger.budgets.reserve("key", limits, Want(kind="GAP"), steady=at(START)), Granted)
    refused = ledger.budgets.room("key", limits, Want(kind="GAP"), now=START)
    assert isinstance(refused, Refused)
    width = SECOND // 20
    assert START + 60 * SECOND < refused.room_at <= START + 60 * SECOND + width + MARGIN


def test_state_is_told_of_the_vendor_asked_about(ledger: Ledger) -> None:
    limits = Limits(per_minute=100, per_day=50)
    for vendor, count in (("one", 3), ("other", 1)):
        for _ in range(count):
            assert isinstance(
                ledger.budgets.reserve(vendor, limits, Want(kind="GAP"), steady=at(START)), Granted
            )
    ledger.budgets.served("one", limits, allowed=40, now=START)
    told = ledger.budgets.scope_state("one", limits, now=START + SECOND)
    assert (told["last_minute"], told["per_minute"], told["learned"]) == (3, 40, 40)
    assert told["today"]["requests_per_day"] == {"GAP": 3}
    assert ledger.budgets.scope_state("other", limits, now=START + SECOND)["per_minute"] == 100
    assert ledger.budgets.scope_state("one", limits, now=START + 61 * SECOND)["last_minute"] == 0


def test_the_smallest_limit_of_a_day_is_learned_and_then_forgotten(ledger: Ledger) -> None:
    limits = Limits(per_minute=100)

    def learned(allowed: int, now: int) -> int:
        ledger.budgets.served("key", limits, allowed=allowed, now=now)
        return int(ledger.budgets.scope_state("key", limits, now=now)["per_minute"])

    assert learned(40, START) == 40
    assert learned(60, START + SECOND) == 40
    assert learned(40, START + LEARNED_FOR - SECOND) == 40, "the same word again is none"
    assert ledger.budgets.scope_state("key", limits, now=START + LEARNED_FOR + SECOND)["per_minute"] == 100
    assert learned(70, START + LEARNED_FOR + SECOND) == 70
    unlimited = Limits()
    ledger.budgets.served("free", unlimited, allowed=30, now=START)
    assert ledger.budgets.scope_state("free", unlimited, now=START)["per_minute"] == 30


def test_a_request_counts_as_one_where_requests_are_counted(ledger: Ledger) -> None:
    limits = Limits(per_second=5)
    want = Want(kind="GAP", cost=5)
    assert isinstance(ledger.budgets.reserve("key", limits, want, steady=at(START)), Granted)
    assert isinstance(ledger.budgets.reserve("key", limits, want, steady=at(START)), Granted)


def test_what_is_counted_by_address_is_counted_by_machine(ledger: Ledger) -> None:
    """Two machines behind one address share nothing that the ledger could know; two keys of one machine do."""
    by_key, by_address = Limits(per_minute=20), Limits(per_minute=20, counted_by="ip")
    for limits in (by_key, by_address):
        ledger.budgets.reserve("v", limits, Want(kind="GAP"), steady=at(START))
    states = [ledger.budgets.scope_state("v", limits, now=START) for limits in (by_key, by_address)]
    assert [one["scope"] for one in states] == ["v", f"v@{socket.gethostname()}"]
    assert [one["last_minute"] for one in states] == [1, 1]


def test_a_limit_that_was_learned_is_shown_as_long_as_it_counts(ledger: Ledger) -> None:
    limits = Limits(per_minute=60)
    ledger.budgets.served("v", limits, allowed=7, now=START)
    late = START + LEARNED_FOR
    shown = [ledger.budgets.scope_state("v", limits, now=now) for now in (START, late - 1, late)]
    assert [(one["learned"], one["per_minute"]) for one in shown] == [(7, 7), (7, 7), (0, 60)]


def test_a_refusal_that_names_a_limit_teaches_it_for_a_day(ledger: Ledger) -> None:
    limits = Limits(per_minute=100)
    for _ in range(2):  # The second one is held against what the first one taught.
        ledger.budgets.closed("key", limits, until=None, now=START, allowed=40)
    shown = [
        ledger.budgets.scope_state("key", limits, now=START + later)["per_minute"]
        for later in (0, LEARNED_FOR - 1, LEARNED_FOR)
    ]
    assert shown == [40, 40, 100]
