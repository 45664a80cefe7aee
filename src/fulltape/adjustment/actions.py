"""Corporate actions as events: what several sources say of one, reconciled.

A source's row is a vote. Votes of one instrument, ex-date and kind are about one event. Sources of one vendor are one
lineage: they repeat each other, so they vote together.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from fulltape.market.time import Instant

Kind = Literal["shares", "cash", "spin_off", "class_distribution", "rights", "other"]
"""What an event does to prices. `shares`: splits and stock dividends, by a ratio, volumes too. `class_distribution`: the
same for prices, while the class's own count of shares stays. `cash`, `spin_off`, `rights`: a value leaves each share.
`other` changes no price: renames, mergers, removals."""
Agreement = Literal["agreed", "single", "disputed", "invalid"]
"""`agreed`: two lineages or more say the same, and most do. `single`: one lineage has spoken, and none that was asked is
silent. `disputed`: lineages contradict each other without a majority; the preferred source's word is used. `invalid`: what
was said cannot be true, or cannot be computed with."""

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
class CorporateAction:
    """One reconciled action. `ratio` is shares after for each share before, `amount` is `currency` per share before the
    action; of several payments on one day it is the sum, and `payments` are the single ones. `sources` agree with what is
    told here, `dissent` says what others say. `available_at` (UTC microseconds) is the earliest announcement."""

    instrument: str
    ex_date: dt.date
    kind: Kind
    action_type: str
    ratio: Fraction | None
    amount: float | None
    currency: str
    payments: tuple[float, ...]
    new_symbol: str
    available_at: Instant | None
    agreement: Agreement
    sources: tuple[str, ...]
    dissent: tuple[str, ...] = ()
    problem: str = ""

    @property
    def said(self) -> str:
        """Its content for people: `4 for 1`, `0.205 USD`."""
        return _said(self.ratio, self.amount, self.currency, self.new_symbol)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ballot:
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
        return math.fsum(self.payments) if self.payments else None

    @property
    def said(self) -> str:
        return self.problem or _said(self.ratio, self.amount, self.currency, self.new_symbol)

    def agrees(self, other: _Ballot) -> bool:
        """Whether both say the same, within what vendors round."""
        if self.problem or other.problem:
            return bool(self.problem) and self.problem == other.problem
        return (
            _same_ratio(self.ratio, other.ratio)
            and _same_amount(self.amount, other.amount)
            and (self.currency == other.currency or not (self.currency and other.currency))
        )


def reconcile(
    votes: Iterable[Vote],
    preference: Sequence[str],
    silent: Mapping[tuple[str, dt.date], Sequence[str]] | None = None,
) -> list[CorporateAction]:
    """The events that votes are about, by instrument, ex-date and kind.

    `preference`: sources, the preferred one first. `silent`: by instrument and ex-date, the sources that were asked about
    that day and told of nothing of the kind; each of them contradicts those who did.
    """
    groups: dict[tuple[str, dt.date, Kind, str], list[Vote]] = {}
    for vote in votes:
        apart = vote.action_type if vote.kind == "other" else ""
        groups.setdefault((vote.instrument, vote.ex_date, vote.kind, apart), []).append(vote)
    order = {source: place for place, source in enumerate(preference)}
    asked = silent or {}
    return [
        _event(group, order, asked.get((instrument, day), ()))
        for (instrument, day, _, _), group in sorted(groups.items(), key=lambda pair: pair[0])
    ]


def _event(votes: Sequence[Vote], order: Mapping[str, int], asked: Sequence[str]) -> CorporateAction:
    by_source: dict[str, list[Vote]] = {}
    for vote in votes:
        by_source.setdefault(vote.source, []).append(vote)
    ballots = [
        _ballot(source, by_source[source])
        for source in sorted(by_source, key=lambda name: (order.get(name, len(order)), name))
    ]
    # What cannot be true is outvoted by anything that can.
    camps = _camps([ballot for ballot in ballots if not ballot.problem] or ballots)
    chosen = max(camps, key=_backing)  # of equals the first: that of the preferred source
    voted = {ballot.lineage for ballot in ballots}
    quiet = [source for source in asked if source.partition(".")[0] not in voted]
    against = max([_backing(camp) for camp in camps if camp is not chosen], default=0)
    against = max(against, len({source.partition(".")[0] for source in quiet}))
    dissent = [f"{ballot.source}: {ballot.said}" for ballot in ballots if ballot not in chosen]
    dissent += [f"{source}: nothing" for source in quiet]
    return _reconciled(votes[0], chosen, dissent, _agreement(chosen, against))


def _backing(camp: Sequence[_Ballot]) -> int:
    """How many independent lineages say this."""
    return len({ballot.lineage for ballot in camp})


def _agreement(chosen: Sequence[_Ballot], against: int) -> Agreement:
    if chosen[0].problem:
        return "invalid"
    if against >= _backing(chosen):
        return "disputed"
    return "agreed" if _backing(chosen) > 1 else "single"


def _camps(ballots: Sequence[_Ballot]) -> list[list[_Ballot]]:
    """Ballots that agree, the preferred source's first."""
    camps: list[list[_Ballot]] = []
    for ballot in ballots:
        for camp in camps:
            if camp[0].agrees(ballot):
                camp.append(ballot)
                break
        else:
            camps.append([ballot])
    return camps


def _ballot(source: str, votes: Sequence[Vote]) -> _Ballot:
    """One source's rows about one event. The same row under two ids counts once: no company pays the same twice on a day."""
    different = {
        (vote.ratio, vote.amount, vote.currency, vote.special, vote.record_date, vote.pay_date): vote
        for vote in votes
    }
    rows = list(different.values())
    shares = rows[0].kind in ("shares", "class_distribution")
    ratios = sorted({vote.ratio for vote in rows if vote.ratio is not None})
    problem = next((vote.problem for vote in rows if vote.problem), "")
    if shares and len(ratios) > 1 and not _same_ratio(ratios[0], ratios[-1]):
        problem = "ratios that contradict each other: " + ", ".join(_ratio_said(ratio) for ratio in ratios)
    currencies = sorted({vote.currency for vote in rows if vote.currency})
    if len(currencies) > 1:
        problem = f"amounts in {' and '.join(currencies)}"
    payments = tuple(sorted(vote.amount for vote in rows if vote.amount is not None))
    return _Ballot(
        source=source,
        lineage=rows[0].lineage,
        action_type=rows[0].action_type,
        ratio=rows[0].ratio,
        payments=payments,
        currency=currencies[0] if currencies else "",
        new_symbol=next((vote.new_symbol for vote in rows if vote.new_symbol), ""),
        available_at=min((vote.available_at for vote in rows if vote.available_at is not None), default=None),
        problem=problem,
    )


def _reconciled(
    vote: Vote, chosen: Sequence[_Ballot], dissent: Sequence[str], agreement: Agreement
) -> CorporateAction:
    preferred = chosen[0]
    announced = [ballot.available_at for ballot in chosen if ballot.available_at is not None]
    return CorporateAction(
        instrument=vote.instrument,
        ex_date=vote.ex_date,
        kind=vote.kind,
        action_type=preferred.action_type,
        ratio=preferred.ratio,
        amount=preferred.amount,
        currency=preferred.currency or next((ballot.currency for ballot in chosen if ballot.currency), ""),
        payments=preferred.payments,
        new_symbol=preferred.new_symbol,
        available_at=min(announced, default=None),
        agreement=agreement,
        sources=tuple(ballot.source for ballot in chosen),
        dissent=tuple(dissent),
        problem=preferred.problem,
    )


def _same_ratio(left: Fraction | None, right: Fraction | None) -> bool:
    if left is None or right is None:
        return left is right
    return abs(left - right) <= RATIO_TOLERANCE * max(left, right)


def _same_amount(left: float | None, right: float | None) -> bool:
    """Whether two amounts are equal once the longer one is rounded to the places of the shorter one."""
    if left is None or right is None:
        return left is right
    places = min(_places(left), _places(right))
    return abs(left - right) <= 0.5000001 * 10.0**-places


def _places(amount: float) -> int:
    """Decimal places of an amount, at least those of a cent: 0.5 was not rounded from 0.46."""
    exponent = Decimal(repr(amount)).normalize().as_tuple().exponent
    return max(2, -exponent) if isinstance(exponent, int) else 2


def _said(ratio: Fraction | None, amount: float | None, currency: str, new_symbol: str) -> str:
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
