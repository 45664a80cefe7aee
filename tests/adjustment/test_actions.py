"""What sources say of an action is reconciled by independent lineages, and nobody's word is lost."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fulltape.adjustment import actions
from fulltape.adjustment.actions import CorporateAction
from fulltape.adjustment.votes import Kind, Vote

DAY = dt.date(2014, 6, 9)
PREFERENCE = ("alpaca.sip", "massive.sip", "tiingo.eod")


def vote(source: str, action_type: str, **more: Any) -> Vote:
    """One source's row."""
    fields: dict[str, Any] = {
        "source": source, "event_id": f"{source}-1", "instrument": "X", "symbol": "X", "action_type": action_type,
        "subtype": "", "ex_date": DAY, **more,
    }  # fmt: skip
    return Vote(**fields)


def split(source: str, old: float | None, new: float | None, **more: Any) -> Vote:
    """A source says that so many shares become so many."""
    return vote(source, "split", ratio_old=old, ratio_new=new, **more)


def cash(source: str, amount: float | None, currency: str = "USD", **more: Any) -> Vote:
    """A source says that so much is paid."""
    return vote(source, "cash_dividend", amount=amount, currency=currency, **more)


def reconciled(
    *votes: Vote, silent: Mapping[tuple[str, dt.date, Kind], Sequence[str]] | None = None
) -> CorporateAction:
    """The one action that votes are about."""
    (action,) = actions.reconcile(votes, PREFERENCE, silent)
    return action


def test_two_vendors_that_say_the_same_agree() -> None:
    action = reconciled(split("massive.sip", 1, 7), split("alpaca.sip", 1.0, 7.0))
    assert (action.agreement, action.ratio, action.sources) == (
        "agreed",
        Fraction(7),
        ("alpaca.sip", "massive.sip"),
    )
    assert action.said == "7 for 1"


def test_feeds_of_one_vendor_are_one_lineage() -> None:
    assert reconciled(split("alpaca.sip", 1, 7), split("alpaca.iex", 1, 7)).agreement == "single"


def test_two_that_contradict_each_other_leave_it_disputed() -> None:
    action = reconciled(split("massive.sip", 1, 4), split("alpaca.sip", 1, 7))
    assert (action.agreement, action.ratio, action.sources) == ("disputed", Fraction(7), ("alpaca.sip",))
    assert action.dissent == ("massive.sip: 4 for 1",)


def test_a_third_decides_against_the_preferred_source() -> None:
    action = reconciled(split("alpaca.sip", 1, 7), split("massive.sip", 1, 4), split("tiingo.eod", 1, 4))
    assert (action.agreement, action.ratio) == ("agreed", Fraction(4))
    assert action.sources == ("massive.sip", "tiingo.eod")
    assert action.dissent == ("alpaca.sip: 7 for 1",)


def test_who_was_asked_and_told_of_nothing_contradicts() -> None:
    silent: dict[tuple[str, dt.date, Kind], Sequence[str]] = {
        ("X", DAY, "shares"): ["alpaca.sip", "massive.sip"]
    }
    action = reconciled(split("alpaca.sip", 1, 7), silent=silent)
    assert (action.agreement, action.dissent) == ("disputed", ("massive.sip: nothing",))
    assert (
        reconciled(split("alpaca.sip", 1, 7), silent={("X", DAY, "shares"): ["alpaca.iex"]}).agreement
        == "single"
    )


def test_a_regular_and_a_special_payment_of_a_day_are_both_paid() -> None:
    """Microsoft on 2004-11-15: 3.00 and 0.08."""
    both = [
        cash(source, amount, event_id=f"{source}{amount}", special=amount == 3.0)
        for source in PREFERENCE[:2]
        for amount in (3.0, 0.08)
    ]
    action = reconciled(*both)
    assert (action.agreement, action.amount, action.payments) == ("agreed", 3.08, (0.08, 3.0))


def test_one_payment_under_two_ids_is_paid_once() -> None:
    action = reconciled(cash("alpaca.sip", 0.23, event_id="a"), cash("alpaca.sip", 0.23, event_id="b"))
    assert action.amount == 0.23


@pytest.mark.parametrize(
    ("left", "right", "agreement"),
    [(0.235, 0.24, "agreed"), (0.23, 0.24, "disputed"), (0.2254, 0.22544, "agreed"), (0.5, 0.46, "disputed")],
)
def test_amounts_agree_within_what_vendors_round(left: float, right: float, agreement: str) -> None:
    assert reconciled(cash("alpaca.sip", left), cash("massive.sip", right)).agreement == agreement


def test_ratios_agree_within_a_recorded_tolerance() -> None:
    """Alphabet on 2015-04-27: 1.0027 and 1.00275 were both published."""
    action = reconciled(split("alpaca.sip", 1, 1.0027), split("massive.sip", 1, 1.00275))
    assert (action.agreement, float(action.ratio or 0)) == ("agreed", 1.0027)


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        (split("alpaca.sip", 1, 0), "a ratio of 1 to 0"),
        (split("alpaca.sip", None, 4), "a ratio of nothing to 4"),
        (split("alpaca.sip", 1, float("inf")), "a ratio of 1 to inf"),
        (cash("alpaca.sip", None), "an amount of nothing"),
        (cash("alpaca.sip", -1.0), "an amount of -1"),
    ],
)
def test_what_cannot_be_true_is_invalid_and_outvoted_by_what_can(bad: Vote, problem: str) -> None:
    alone = reconciled(bad)
    assert (alone.agreement, alone.problem) == ("invalid", problem)
    good = split("massive.sip", 1, 4) if bad.kind == "shares" else cash("massive.sip", 0.5)
    action = reconciled(bad, good)
    assert (action.problem, action.sources, action.dissent) == (
        "",
        ("massive.sip",),
        (f"alpaca.sip: {problem}",),
    )


def test_a_source_that_contradicts_itself_is_invalid() -> None:
    action = reconciled(split("alpaca.sip", 1, 7, event_id="a"), split("alpaca.sip", 1, 4, event_id="b"))
    assert (action.agreement, action.problem) == (
        "invalid",
        "ratios that contradict each other: 4 for 1, 7 for 1",
    )
    mixed = reconciled(
        cash("alpaca.sip", 1.0, "USD", event_id="a"), cash("alpaca.sip", 2.0, "CAD", event_id="b")
    )
    assert mixed.problem == "amounts in CAD and USD"


def test_amounts_of_one_source_that_differ_without_one_being_special_are_invalid() -> None:
    action = reconciled(cash("alpaca.sip", 2.0, event_id="a"), cash("alpaca.sip", 2.5, event_id="b"))
    assert (action.agreement, action.problem) == ("invalid", "amounts that contradict each other: 2, 2.5")


def test_the_same_row_with_less_in_it_is_the_same_row() -> None:
    again = cash("alpaca.sip", 2.0, "", event_id="b", special=None)
    action = reconciled(cash("alpaca.sip", 2.0, event_id="a", special=False, pay_date=DAY), again)
    assert (action.amount, action.problem) == (2.0, "")


def test_a_split_and_a_stock_dividend_of_a_day_both_happen() -> None:
    both = [split("alpaca.sip", 1, 2), vote("alpaca.sip", "stock_dividend", ratio_old=1.0, ratio_new=1.05)]
    assert reconciled(*both).ratio == Fraction(21, 10)
    action = reconciled(*both, split("massive.sip", 1, 2))
    assert (action.agreement, action.ratio) == ("disputed", Fraction(21, 10))


def test_one_event_told_for_neighbouring_days_happens_once() -> None:
    later = split("massive.sip", 1, 10, ex_date=DAY + dt.timedelta(days=1))
    action = reconciled(split("alpaca.sip", 1, 10), later)
    assert (action.agreement, action.ex_date, action.sources) == ("disputed", DAY, ("alpaca.sip",))
    assert action.dissent == ("massive.sip: 10 for 1 as split on 2014-06-10",)
    far = split("massive.sip", 1, 10, ex_date=DAY + dt.timedelta(days=30))
    assert len(actions.reconcile([split("alpaca.sip", 1, 10), far], PREFERENCE)) == 2
    of_one = split("alpaca.sip", 1, 10, ex_date=DAY + dt.timedelta(days=1))
    assert len(actions.reconcile([split("alpaca.sip", 1, 10), of_one], PREFERENCE)) == 2


def test_a_value_told_as_spun_off_and_as_paid_leaves_once() -> None:
    action = reconciled(vote("alpaca.sip", "spin_off", amount=3.0, currency="USD"), cash("massive.sip", 3.0))
    assert (action.kind, action.agreement) == ("spin_off", "disputed")


def test_amounts_in_different_currencies_are_disputed() -> None:
    assert reconciled(cash("alpaca.sip", 1.0, "USD"), cash("massive.sip", 1.0, "CAD")).agreement == "disputed"
    assert reconciled(cash("alpaca.sip", 1.0, "USD"), cash("massive.sip", 1.0, "")).agreement == "agreed"


def test_kinds_of_one_day_are_events_of_their_own() -> None:
    both = actions.reconcile(
        [split("alpaca.sip", 1, 4), cash("alpaca.sip", 0.5), vote("alpaca.sip", "rename", new_symbol="Y")],
        PREFERENCE,
    )
    assert sorted(action.kind for action in both) == ["cash", "other", "shares"]


def test_the_earliest_announcement_counts() -> None:
    action = reconciled(cash("alpaca.sip", 1.0, available_at=20), cash("massive.sip", 1.0, available_at=10))
    assert action.available_at == 10


VOTES = st.lists(
    st.builds(
        lambda source, kind, number: split(source, 1, number) if kind else cash(source, number / 4),
        st.sampled_from(["alpaca.sip", "alpaca.iex", "massive.sip", "tiingo.eod", "yahoo.chart"]),
        st.booleans(),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=8,
)


@given(VOTES, st.randoms(use_true_random=False))
def test_the_order_of_votes_does_not_matter_and_every_source_is_named(
    votes: list[Vote], chance: random.Random
) -> None:
    events = actions.reconcile(votes, PREFERENCE)
    shuffled = list(votes)
    chance.shuffle(shuffled)
    again = actions.reconcile(shuffled, PREFERENCE)
    assert [(event.kind, event.amount, event.agreement, event.sources) for event in again] == [
        (event.kind, event.amount, event.agreement, event.sources) for event in events
    ]
    for event in events:
        voted = {one.source for one in votes if one.kind == event.kind}
        assert voted == {*event.sources, *(said.partition(":")[0] for said in event.dissent)}
