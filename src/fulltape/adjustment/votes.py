"""What single sources say of an action: their rows as votes, and all that one source says of one event as its ballot."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from fulltape.market.time import Instant

Kind = Literal["shares", "cash", "spin_off", "class_distribution", "rights", "other"]
"""What an event does to prices. `shares`: splits and stock dividends, by a ratio, volumes too. `class_distribution`: the
same for prices, while the class's own count of shares stays. `cash`, `spin_off`, `rights`: a value leaves each share.
`other` changes no price: renames, mergers, removals."""


KINDS: Mapping[str, Kind] = {
    "split": "shares",
    "unit_split": "shares",
    "stock_dividend": "shares",
    "class_distribution": "class_distribution",
    "cash_dividend": "cash",
    "return_of_capital": "cash",
    "capital_gain": "cash",
    "spin_off": "spin_off",
    "rights": "rights",
}
"""By `action_type`; what is not here is `other`."""


RATIO_TOLERANCE = 1e-4
"""Ratios that differ by less than this share of themselves are the same: vendors publish 1.0027 and 1.00275 of one event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """One source's row about an action: dates, numbers as sent; `available_at` (UTC microseconds) is when it was announced,
    None where the source does not say."""

    source: str
    event_id: str
    instrument: str
    symbol: str
    action_type: str
    subtype: str
    ex_date: dt.date
    ratio_old: float | None = None
    ratio_new: float | None = None
    amount: float | None = None
    currency: str = ""
    special: bool | None = None
    new_symbol: str = ""
    declared_date: dt.date | None = None
    record_date: dt.date | None = None
    pay_date: dt.date | None = None
    available_at: Instant | None = None

    @property
    def kind(self) -> Kind:
        """What it does to prices."""
        return KINDS.get(self.action_type, "other")

    @property
    def lineage(self) -> str:
        """The vendor: its sources are not independent of each other."""
        return self.source.partition(".")[0]

    @property
    def ratio(self) -> Fraction | None:
        """Shares after for each share before, exactly as sent; None where it is absent or cannot be."""
        old, new = self.ratio_old, self.ratio_new
        if (
            old is None
            or new is None
            or not (math.isfinite(old) and math.isfinite(new))
            or min(old, new) <= 0
        ):
            return None
        return Fraction(repr(new)) / Fraction(repr(old))

    @property
    def problem(self) -> str:
        """Why it cannot be computed with; '' where it can."""
        if self.kind in ("shares", "class_distribution") and self.ratio is None:
            return f"a ratio of {_shown(self.ratio_old)} to {_shown(self.ratio_new)}"
        amount = self.amount
        if self.kind == "cash" and (amount is None or not math.isfinite(amount) or amount < 0):
            return f"an amount of {_shown(amount)}"
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ballot:
    """What one source says of one event: the product of its ratios, the sum of its payments."""

    source: str
    lineage: str
    action_type: str
    ratio: Fraction | None
    payments: tuple[float, ...]
    currency: str
    new_symbol: str
    available_at: Instant | None
    problem: str

    @property
    def amount(self) -> float | None:
        """What is paid in all, None where nothing is."""
        return math.fsum(self.payments) if self.payments else None

    @property
    def said(self) -> str:
        """Its content for people, or why it has none."""
        return self.problem or content(self.ratio, self.amount, self.currency, self.new_symbol)

    def agrees(self, other: Ballot) -> bool:
        """Whether both say the same, within what vendors round."""
        if self.problem or other.problem:
            return bool(self.problem) and self.problem == other.problem
        if KINDS.get(self.action_type) in ("spin_off", "rights"):
            # Its value may be told by one and its ratio by another.
            valued = self.amount is None or other.amount is None or same_amount(self.amount, other.amount)
            return valued and self.action_type == other.action_type
        return (
            same_ratio(self.ratio, other.ratio)
            and same_amount(self.amount, other.amount)
            and (self.currency == other.currency or not (self.currency and other.currency))
        )


def ballot(source: str, votes: Sequence[Vote]) -> Ballot:
    """One source's rows about one event."""
    ratios = [ratio for ratio in map(_ratio_of, _by_type(votes)) if ratio is not None]
    payments = _payments(votes)
    currencies = sorted({vote.currency for vote in votes if vote.currency})
    problems = [vote.problem for vote in votes if vote.problem]
    problems += [problem for rows in _by_type(votes) if (problem := _contradiction(rows))]
    problems += [f"amounts in {' and '.join(currencies)}"] if len(currencies) > 1 else []
    problems += [_unequal(payments)]
    return Ballot(
        source=source,
        lineage=votes[0].lineage,
        action_type=votes[0].action_type,
        ratio=math.prod(ratios[1:], start=ratios[0]) if ratios else None,
        payments=tuple(sorted(amount for amount, _ in payments)),
        currency=currencies[0] if currencies else "",
        new_symbol=next((vote.new_symbol for vote in votes if vote.new_symbol), ""),
        available_at=min(
            (vote.available_at for vote in votes if vote.available_at is not None), default=None
        ),
        problem=next(filter(None, problems), ""),
    )


def _by_type(votes: Sequence[Vote]) -> list[list[Vote]]:
    """A split and a stock dividend of one day both happen."""
    types: dict[str, list[Vote]] = {}
    for vote in votes:
        types.setdefault(vote.action_type, []).append(vote)
    return list(types.values())


def _ratio_of(votes: Sequence[Vote]) -> Fraction | None:
    shares = votes[0].kind in ("shares", "class_distribution")
    return next((vote.ratio for vote in votes if vote.ratio is not None), None) if shares else None


def _contradiction(votes: Sequence[Vote]) -> str:
    """Whether rows of one type of one day tell of different ratios."""
    if votes[0].kind not in ("shares", "class_distribution"):
        return ""
    ratios = sorted({vote.ratio for vote in votes if vote.ratio is not None})
    if len(ratios) < 2 or same_ratio(ratios[0], ratios[-1]):
        return ""
    return "ratios that contradict each other: " + ", ".join(_ratio_said(ratio) for ratio in ratios)


def _payments(votes: Sequence[Vote]) -> list[tuple[float, bool]]:
    """What is paid, and whether it is special. The same amount twice is one payment under two ids, unless one is special and the
    other is said not to be."""
    paid: list[tuple[float, bool | None]] = []
    for vote in sorted(votes, key=lambda vote: (vote.special is None, vote.amount or 0.0)):
        if vote.amount is None:
            continue
        alike = [
            special
            for amount, special in paid
            if amount == vote.amount and (None in (special, vote.special) or special == vote.special)
        ]
        paid += [] if alike else [(vote.amount, vote.special)]
    return [(amount, bool(special)) for amount, special in paid]


def _unequal(payments: Sequence[tuple[float, bool]]) -> str:
    """Why payments of one source contradict each other: a company pays one regular and one special amount on a day."""
    for special in (False, True):
        amounts = sorted(amount for amount, kind in payments if kind is special)
        if len(amounts) > 1:
            return "amounts that contradict each other: " + ", ".join(f"{amount:.12g}" for amount in amounts)
    return ""


def same_ratio(left: Fraction | None, right: Fraction | None) -> bool:
    """Whether two ratios differ by less than the tolerance."""
    if left is None or right is None:
        return left is right
    return abs(left - right) <= RATIO_TOLERANCE * max(left, right)


def same_amount(left: float | None, right: float | None) -> bool:
    """Whether two amounts are equal once the longer one is rounded to the places of the shorter one."""
    if left is None or right is None:
        return left is right
    places = min(_places(left), _places(right))
    return abs(left - right) <= 0.5000001 * 10.0**-places


def _places(amount: float) -> int:
    """Decimal places of an amount, at least those of a cent: 0.5 was not rounded from 0.46."""
    exponent = Decimal(repr(amount)).normalize().as_tuple().exponent
    return max(2, -exponent) if isinstance(exponent, int) else 2


def content(ratio: Fraction | None, amount: float | None, currency: str, new_symbol: str) -> str:
    """What is said of an action, for people."""
    parts = [_ratio_said(ratio)] if ratio is not None else []
    parts += [f"{amount:.12g} {currency}".strip()] if amount is not None else []
    parts += [f"to {new_symbol}"] if new_symbol else []
    return ", ".join(parts) or "no content"


def _ratio_said(ratio: Fraction) -> str:
    """Shares after for those before: `7 for 1`; `1.0027 for 1` where the whole numbers are large."""
    if max(ratio.numerator, ratio.denominator) <= _LARGE:
        return f"{ratio.numerator} for {ratio.denominator}"
    return f"{float(ratio):.12g} for 1"


_LARGE = 1_000


def _shown(value: float | None) -> str:
    return "nothing" if value is None else f"{value:.12g}"
