"""Events become factors by the published formulas, and factors bring prices to the basis of an anchor."""

from __future__ import annotations

import csv
import datetime as dt
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fulltape.adjustment import factors as factor_rules
from fulltape.adjustment.actions import CorporateAction
from fulltape.adjustment.factors import Close, Convention, Factor, Mode
from fulltape.adjustment.votes import Kind
from nodes import LEAN, lean_days, needs_data


@dataclass(frozen=True)
class DailyCloses:
    """Closes of these days."""

    closes: dict[dt.date, float]

    def before(self, day: dt.date) -> Close | None:
        """The close of the last of them before a day."""
        last = max((known for known in self.closes if known < day), default=None)
        return None if last is None else Close(price=self.closes[last])

    def on(self, day: dt.date) -> Close | None:
        """The close of the first of them from a day on."""
        first = min((known for known in self.closes if known >= day), default=None)
        return None if first is None else Close(price=self.closes[first])


def event(
    day: str,
    kind: Kind,
    *,
    ratio: str = "",
    amount: float | None = None,
    currency: str = "USD",
    **more: object,
) -> CorporateAction:
    """An event that all agree on."""
    fields: dict[str, object] = {
        "instrument": "X", "ex_date": dt.date.fromisoformat(day), "kind": kind, "action_type": kind,
        "ratio": Fraction(ratio) if ratio else None, "amount": amount, "currency": currency, "payments": (),
        "new_symbol": "", "available_at": None, "agreement": "agreed", "sources": ("a.x",), **more,
    }  # fmt: skip
    return CorporateAction(**fields)  # type: ignore[arg-type]


def one_factor(
    *events: CorporateAction, before: float = 100.0, on: float = 100.0, convention: Convention = "prev_close"
) -> Factor:
    """The factor of events of one day, with a close before it and one on it."""
    day = events[0].ex_date
    closes = DailyCloses({day - dt.timedelta(days=1): before, day: on})
    (made,) = factor_rules.factors(events, {"X": closes}, {"X": "USD"}, convention)
    return made


@pytest.mark.parametrize(
    ("close", "amount", "convention", "published", "tolerance"),
    [
        (28.94, 0.10, "prev_close", 0.996544574982723, 5e-16),
        (150.87, 0.23, "prev_close", 0.998475508716113, 5e-16),
        (151.01, 0.23, "ex_close", 0.998479238, 5e-10),
        (29.97, 3.08, "prev_close", 0.89723056, 5e-9),
        (27.39, 3.08, "ex_close", 1 / 1.11245, 5e-6),
    ],
)
def test_factors_of_cash_are_those_that_others_publish(
    close: float, amount: float, convention: Convention, published: float, tolerance: float
) -> None:
    made = one_factor(
        event("2023-02-10", "cash", amount=amount), before=close, on=close, convention=convention
    )
    assert made.total == pytest.approx(published, abs=tolerance)
    assert (made.split, made.split_spin, made.shares) == (1.0, 1.0, 1.0)
    assert made.status == "complete"


def test_on_one_day_amounts_come_before_the_split() -> None:
    """Half of a price of 100 is spun off, 10 of it is paid, then each share becomes four: 40 of 100, in four pieces."""
    made = one_factor(
        event("2020-08-31", "shares", ratio="4"),
        event("2020-08-31", "spin_off", amount=50.0),
        event("2020-08-31", "cash", amount=10.0),
    )
    assert (made.split, made.split_spin, made.shares) == (0.25, 0.125, 4.0)
    assert made.total == pytest.approx(0.1)


def test_with_the_close_of_the_ex_date_the_split_is_taken_back_first() -> None:
    made = one_factor(
        event("2020-08-31", "shares", ratio="4"),
        event("2020-08-31", "cash", amount=10.0),
        on=22.5,
        convention="ex_close",
    )
    assert made.total == pytest.approx(90 / 100 / 4)


def test_a_distribution_of_a_class_leaves_the_count_of_shares() -> None:
    made = one_factor(event("2014-04-03", "class_distribution", ratio="1.99732"))
    assert made.split == pytest.approx(1 / 1.99732)
    assert made.shares == 1.0


@pytest.mark.parametrize(
    ("events", "problem"),
    [
        ([event("2020-01-02", "cash", amount=100.0)], "100 a share left out: the close before was 100"),
        ([event("2020-01-02", "cash", amount=1.0, currency="CAD")], "cash: 1 CAD, while prices are in USD"),
        ([event("2020-01-02", "spin_off")], "spin_off: no source states its value"),
        ([event("2020-01-02", "shares", problem="a ratio of 0 to 1", agreement="invalid")], "shares: a ratio of 0 to 1"),
    ],
)  # fmt: skip
def test_what_cannot_be_applied_is_left_out_and_named(
    events: Sequence[CorporateAction], problem: str
) -> None:
    made = one_factor(*events)
    assert (made.split, made.total, made.status, made.problems) == (1.0, 1.0, "incomplete", (problem,))


def test_without_a_close_nothing_is_made_up() -> None:
    (made,) = factor_rules.factors([event("2020-01-02", "cash", amount=1.0)], {}, {"X": "USD"})
    assert (made.total, made.status, made.close) == (1.0, "incomplete", None)
    assert made.problems == ("1 a share left out: there is no close of the session before",)


def test_the_close_of_an_older_session_is_said() -> None:
    @dataclass(frozen=True)
    class Old(DailyCloses):
        def before(self, day: dt.date) -> Close | None:
            return Close(price=50.0, exact=False)

    (made,) = factor_rules.factors([event("2020-01-02", "cash", amount=1.0)], {"X": Old({})}, {"X": "USD"})
    assert (made.total, made.status) == (0.98, "incomplete")


def test_what_a_mode_leaves_out_does_not_make_it_incomplete() -> None:
    paid = one_factor(
        event("2020-01-02", "cash", amount=1.0, currency="EUR"), event("2020-01-02", "shares", ratio="2")
    )
    assert paid.statuses == ("complete", "complete", "incomplete")
    spun = one_factor(event("2020-01-02", "spin_off"))
    assert spun.statuses == ("complete", "incomplete", "incomplete")
    split = one_factor(event("2020-01-02", "shares", ratio="2", agreement="disputed"))
    assert split.statuses == ("disputed", "disputed", "disputed")


def test_an_amount_in_an_unknown_currency_is_left_out() -> None:
    nameless = one_factor(event("2020-01-02", "cash", amount=1.0, currency=""))
    assert (nameless.total, nameless.status) == (1.0, "incomplete")
    closes = DailyCloses({dt.date(2020, 1, 1): 100.0})
    (unpriced,) = factor_rules.factors([event("2020-01-02", "cash", amount=1.0)], {"X": closes}, {})
    assert unpriced.problems == ("cash: 1 USD, while the currency of prices is not known",)


def test_a_day_about_which_no_source_has_answered_makes_what_lies_beyond_incomplete() -> None:
    gap = factor_rules.unanswered("X", dt.date(2020, 1, 2))
    before, after = factor_rules.spans("X", [gap], "total", dt.date(2020, 2, 3))
    assert (before.price, before.status, after.status) == (1.0, "incomplete", "complete")
    before, after = factor_rules.spans("X", [gap], "total", dt.date(2019, 12, 2))
    assert (before.status, after.status) == ("complete", "incomplete")


def test_a_rename_changes_no_price() -> None:
    assert factor_rules.factors([event("2020-01-02", "other")], {}, {}) == []


DAYS = st.dates(dt.date(2000, 1, 1), dt.date(2020, 1, 1))


def priced(day: dt.date, split: float, total: float) -> Factor:
    """A factor of one day."""
    return Factor(
        instrument="X", ex_date=day, split=split, split_spin=split, total=split * total, shares=1 / split, close=1.0,
        statuses=("complete", "complete", "complete"), events=(),
    )  # fmt: skip


FACTORS = st.lists(
    st.tuples(DAYS, st.sampled_from([1.0, 0.5, 0.25, 1 / 7, 10.0]), st.floats(0.5, 1.0)),
    unique_by=lambda told: told[0],
    max_size=12,
).map(lambda many: [priced(*told) for told in sorted(many)])


@given(FACTORS, DAYS, DAYS, st.sampled_from(factor_rules.MODES))
def test_a_price_at_its_anchor_is_raw_and_others_are_the_factors_between(
    mine: list[Factor], anchor: dt.date, session: dt.date, mode: Mode
) -> None:
    pieces = factor_rules.spans("X", mine, mode, anchor)
    assert [piece.first for piece in pieces] == [dt.date.min, *(factor.ex_date for factor in mine)]

    def at(day: dt.date) -> factor_rules.AdjustedSpan:
        return next(piece for piece in reversed(pieces) if piece.first <= day)

    assert (at(anchor).price, at(anchor).shares) == (1.0, 1.0)
    between = [factor for factor in mine if min(session, anchor) < factor.ex_date <= max(session, anchor)]
    expected = math.prod(factor.of(mode) for factor in between)
    shares = math.prod(factor.shares for factor in between)
    if session > anchor:
        expected, shares = 1 / expected, 1 / shares
    assert at(session).price == pytest.approx(expected, rel=1e-13)
    assert at(session).shares == pytest.approx(shares, rel=1e-13)


@given(FACTORS, DAYS, st.floats(0.01, 1e6))
def test_adjusting_and_going_back_agrees_within_two_ulp(
    mine: list[Factor], anchor: dt.date, price: float
) -> None:
    for piece in factor_rules.spans("X", mine, "total", anchor):
        assert abs(price * piece.price / piece.price - price) <= 2 * math.ulp(price)


def lean_factors(symbol: str) -> list[tuple[dt.date, float, float, float]]:
    """The rows of a published factor file: until when they hold, factor of prices, factor of splits, close of that day."""
    with (LEAN / "factor_files" / f"{symbol}.csv").open() as file:
        return [
            (dt.datetime.strptime(day, "%Y%m%d").date(), float(price), float(split), float(close))
            for day, price, split, close in csv.reader(file)
        ]


@needs_data
def test_apple_from_1998_on_equals_its_published_factor_file() -> None:
    """Amounts are recovered from the file to the cent; its own rounding grows with its rows."""
    rows = lean_factors("aapl")[1:]  # the first one says only where the file begins
    bars = lean_days("AAPL", dt.date(1998, 1, 2), dt.date(2021, 3, 31))["day", "AAPL"]
    closes = {bar.session: bar.close for bar in bars}
    events = []
    for (day, price, split, close), (_, later_price, later_split, _) in itertools.pairwise(rows):
        ex_date = min(known for known in closes if known > day)
        if later_split != split:
            events.append(event(ex_date.isoformat(), "shares", ratio=str(round(later_split / split))))
        if later_price != price:
            paid = round(close * (1 - price / later_price), 3)
            events.append(event(ex_date.isoformat(), "cash", amount=paid))
    made = factor_rules.factors(events, {"X": DailyCloses(closes)}, {"X": "USD"})
    assert all(factor.status == "complete" for factor in made)
    pieces = factor_rules.spans("X", made, "total", max(closes))
    for (day, price, split, _), piece in zip(rows, pieces, strict=False):
        assert piece.price == pytest.approx(price * split, rel=2e-7 * len(rows) + 4e-7), day
    june, july = dt.date(2014, 6, 6), dt.date(2019, 6, 28)
    for mode, day, expected in (
        ("split", june, 92.2242857),
        ("total", june, 84.52586),
        ("total", dt.date(2014, 1, 2), 71.59171),
    ):
        basis = [piece for piece in factor_rules.spans("X", made, mode, july) if piece.first <= day][-1]  # type: ignore[arg-type]
        assert closes[day] * basis.price == pytest.approx(expected, rel=3e-7), (mode, day)
