"""Factors: what each event multiplies earlier prices by, and what prices of one session are at an anchor.

With D what leaves a share on an ex-date and C the raw close of the session before (C₋₁) or of the ex-date (C₀):
`prev_close` f = 1 - D / C₋₁, `ex_close` f = C₀ / (C₀ + D). A split of `old` shares into `new` has f = old / new. On one date
amounts come first, on the basis before the split, then the split: one factor a date. F(t) is the product of the factors
whose ex-date lies after t; an adjusted price is raw(t) x F(t) / F(anchor). Nothing is rounded.
"""

from __future__ import annotations

import bisect
import datetime as dt
import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, Protocol

from fulltape.adjustment.actions import CorporateAction

Convention = Literal["prev_close", "ex_close"]
Mode = Literal["split", "split_spin", "total"]
"""Which events are laid over prices: `split` splits, stock dividends and distributions of a class of shares; `split_spin`
spin-offs and rights, too; `total` cash, too, as if it were reinvested."""
MODES: tuple[Mode, ...] = ("split", "split_spin", "total")
CONVENTIONS: tuple[Convention, ...] = ("prev_close", "ex_close")
Status = Literal["complete", "disputed", "incomplete"]
"""What stands behind an adjusted price: every event since was agreed on and applied; sources contradict each other about one;
one could not be applied, or only with a close of an older session."""
_DAY = dt.timedelta(days=1)
STATUSES: tuple[Status, ...] = ("complete", "disputed", "incomplete")


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """A raw close, and whether it is of the very session that was asked for; else of the last one before it that traded."""

    price: float
    exact: bool = True


class Closes(Protocol):
    """Raw closes of one instrument, as far as they are visible."""

    def before(self, day: dt.date) -> Close | None:
        """The close of the last session before `day`; None where there is none."""
        ...

    def on(self, day: dt.date) -> Close | None:
        """The close of `day`, or of the first session after it where the market was closed; None where there is none yet."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """What one ex-date multiplies earlier prices by, in each mode; `shares` multiplies earlier volumes. `close` is the raw
    close that its amounts were held against, None where it needed none. `statuses` are those of the modes, in their order. `events`
    says in words what it was made of, `problems` what was left out and why."""

    instrument: str
    ex_date: dt.date
    split: float
    split_spin: float
    total: float
    shares: float
    close: float | None
    statuses: tuple[Status, Status, Status]
    events: tuple[str, ...]
    problems: tuple[str, ...] = ()

    @property
    def status(self) -> Status:
        """What stands behind all of it, cash included."""
        return self.statuses[-1]

    def status_of(self, mode: Mode) -> Status:
        """What stands behind the factor in one mode: an action that the mode leaves out does not concern it."""
        return self.statuses[MODES.index(mode)]

    def of(self, mode: Mode) -> float:
        """The factor in one mode."""
        return self.split if mode == "split" else self.split_spin if mode == "split_spin" else self.total


def _same_day(day: dt.date) -> dt.date:
    return day


def factors(
    events: Iterable[CorporateAction],
    closes: Mapping[str, Closes],
    currencies: Mapping[str, str],
    convention: Convention = "prev_close",
    *,
    session_of: Callable[[dt.date], dt.date] = _same_day,
) -> list[Factor]:
    """One factor for each instrument and session with events that change prices, by instrument and date. `session_of` gives the
    session of an ex-date: whatever happens between two closes is one factor.

    `closes` and `currencies` by instrument; an amount in another currency than that of the prices is left out, since its
    value in theirs is not known.
    """
    priced = sorted(
        (event for event in events if event.kind != "other"),
        key=lambda event: (event.instrument, event.ex_date, event.kind),
    )
    grouped = itertools.groupby(priced, key=lambda event: (event.instrument, session_of(event.ex_date)))
    return [
        _factor(list(group), day, closes.get(instrument), currencies.get(instrument, ""), convention)
        for (instrument, day), group in grouped
    ]


_FIRST_MODE = {"shares": 0, "class_distribution": 0, "spin_off": 1, "rights": 1, "cash": 2}
"""By kind of event the first mode that it concerns."""


def _factor(
    events: Sequence[CorporateAction],
    day: dt.date,
    closes: Closes | None,
    currency: str,
    convention: Convention,
) -> Factor:
    ratio, shares = Fraction(1), Fraction(1)
    spun: list[float] = []
    paid: list[float] = []
    problems: list[tuple[int, str]] = []
    for event in events:
        problem = _unusable(event, currency)
        if problem:
            problems.append((_FIRST_MODE[event.kind], problem))
        elif event.ratio is not None and event.kind in ("shares", "class_distribution"):
            ratio *= event.ratio
            shares *= event.ratio if event.kind == "shares" else 1
        elif event.amount is not None:
            # An amount is a share's before a split of its own day, and one's after a split of an earlier one.
            (paid if event.kind == "cash" else spun).append(event.amount * _split_before(event, events))
    close = _close(closes, day, convention) if spun or paid else None
    kept, why = _kept(math.fsum(spun), math.fsum([*spun, *paid]), close, ratio, convention)
    problems += [(1 if spun else 2, problem) for problem in why]
    split = float(1 / ratio)
    disputed = [_FIRST_MODE[event.kind] for event in events if event.agreement == "disputed"]
    return Factor(
        instrument=events[0].instrument,
        ex_date=day,
        split=split,
        split_spin=kept[0] * split,
        total=kept[1] * split,
        shares=float(shares),
        close=None if close is None else close.price,
        statuses=_statuses([mode for mode, _ in problems], disputed),
        events=tuple(f"{event.action_type} {event.said}" for event in events),
        problems=tuple(problem for _, problem in problems),
    )


def _split_before(event: CorporateAction, events: Sequence[CorporateAction]) -> float:
    """Shares at an event for each one at the close before all of them."""
    earlier = [
        other.ratio
        for other in events
        if other.ratio is not None
        and not other.problem
        and other.ex_date < event.ex_date
        and other.kind in ("shares", "class_distribution")
    ]
    return float(math.prod(earlier))


def _statuses(incomplete: Sequence[int], disputed: Sequence[int]) -> tuple[Status, Status, Status]:
    """By mode, from the first modes that problems and disputes concern."""

    def of(mode: int) -> Status:
        if min(incomplete, default=len(MODES)) <= mode:
            return "incomplete"
        return "disputed" if min(disputed, default=len(MODES)) <= mode else "complete"

    return of(0), of(1), of(2)


def together(stretches: Iterable[tuple[dt.date, dt.date]]) -> list[tuple[dt.date, dt.date]]:
    """Stretches of days, both ends inclusive, that overlap or follow each other as one; in order."""
    merged: list[tuple[dt.date, dt.date]] = []
    for begin, end in sorted(stretches):
        if merged and begin <= merged[-1][1] + _DAY:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return merged


def unanswered_edges(
    answered: Iterable[tuple[dt.date, dt.date]], first: dt.date, last: dt.date, anchor: dt.date
) -> list[dt.date]:
    """Days between which and the session `anchor` prices may have been changed by an action that is not known of: of every stretch of days from
    `first` to `last`, both inclusive, that no source has answered about its edges, and where the anchor lies in it, the anchor and the
    day after. `answered` are stretches, both ends inclusive, in any order."""
    known = together(
        (max(begin, first), min(end, last)) for begin, end in answered if begin <= last and end >= first
    )
    edges: set[dt.date] = set()
    known_to = first - _DAY
    for begin, end in [*known, (last + _DAY, last + _DAY)]:
        if begin > known_to + _DAY:
            stretch = (known_to + _DAY, begin - _DAY)
            edges |= {*stretch, *(day for day in (anchor, anchor + _DAY) if stretch[0] <= day <= stretch[1])}
        known_to = end
    return sorted(edges)


def unanswered(instrument: str, day: dt.date) -> Factor:
    """A day about which no source has answered: it changes no price, and prices on its other side are incomplete."""
    return Factor(
        instrument=instrument,
        ex_date=day,
        split=1.0,
        split_spin=1.0,
        total=1.0,
        shares=1.0,
        close=None,
        statuses=("incomplete", "incomplete", "incomplete"),
        events=(),
        problems=("no source has answered about this day",),
    )


def _unusable(event: CorporateAction, currency: str) -> str:
    """Why an event cannot be applied; '' where it can."""
    if event.problem:
        return f"{event.action_type}: {event.problem}"
    if event.kind in ("shares", "class_distribution"):
        return ""
    if event.amount is None:
        return f"{event.action_type}: no source states its value"
    if event.amount and (not event.currency or event.currency != currency):
        prices = f"prices are in {currency}" if currency else "the currency of prices is not known"
        return f"{event.action_type}: {event.said}, while {prices}"
    return ""


def _close(closes: Closes | None, day: dt.date, convention: Convention) -> Close | None:
    if closes is None:
        return None
    return closes.before(day) if convention == "prev_close" else closes.on(day)


def _kept(
    spun: float, left: float, close: Close | None, ratio: Fraction, convention: Convention
) -> tuple[tuple[float, float], list[str]]:
    """The shares of a price that stay when `spun`, and when `left` in all, leave it; and what is wrong with them."""
    if not left:
        return (1.0, 1.0), []
    if close is None:
        where = "of the session before" if convention == "prev_close" else "of the ex-date"
        return (1.0, 1.0), [f"{left:.12g} a share left out: there is no close {where}"]
    # A close of the ex-date is on the basis after the split, amounts on that before it.
    price = close.price if convention == "prev_close" else close.price * float(ratio)
    if convention == "prev_close" and left >= price:
        return (1.0, 1.0), [f"{left:.12g} a share left out: the close before was {price:.12g}"]
    problems = [] if close.exact else ["the close it is held against is of an older session"]
    return (_share(spun, price, convention), _share(left, price, convention)), problems


def _share(amount: float, close: float, convention: Convention) -> float:
    return 1.0 - amount / close if convention == "prev_close" else close / (close + amount)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjustedSpan:
    """Sessions of one instrument from an ex-date until before the next one: what their raw prices and volumes are multiplied
    by to be on the basis of the session `anchor`, and what stands behind it. `first` is inclusive; `date.min` before all
    ex-dates."""

    instrument: str
    first: dt.date
    price: float
    shares: float
    status: Status
    anchor: dt.date


def spans(instrument: str, mine: Sequence[Factor], mode: Mode, anchor: dt.date) -> list[AdjustedSpan]:
    """The life of one instrument in order, cut at its ex-dates: what brings each session to the basis of the session `anchor`.

    `mine`: all of its factors, by ex-date. Sessions after the anchor are scaled back to it.
    """
    days = [factor.ex_date for factor in mine]
    happened = bisect.bisect_right(days, anchor)
    start = _Basis(price=1.0, shares=1.0, status="complete")
    before = list(itertools.accumulate(reversed(mine[:happened]), _Basis.earlier(mode), initial=start))
    after = list(itertools.accumulate(mine[happened:], _Basis.later(mode), initial=start))
    return [
        AdjustedSpan(
            instrument=instrument,
            first=first,
            price=basis.price,
            shares=basis.shares,
            status=basis.status,
            anchor=anchor,
        )
        for first, basis in zip([dt.date.min, *days], [*reversed(before), *after[1:]], strict=True)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Basis:
    price: float
    shares: float
    status: Status

    @staticmethod
    def earlier(mode: Mode) -> Callable[[_Basis, Factor], _Basis]:
        """From the sessions after an ex-date to those before it."""
        return lambda basis, factor: _Basis(
            price=basis.price * factor.of(mode),
            shares=basis.shares * factor.shares,
            status=max(basis.status, factor.status_of(mode), key=STATUSES.index),
        )

    @staticmethod
    def later(mode: Mode) -> Callable[[_Basis, Factor], _Basis]:
        """From the sessions before an ex-date to those after it."""
        return lambda basis, factor: _Basis(
            price=basis.price / factor.of(mode),
            shares=basis.shares / factor.shares,
            status=max(basis.status, factor.status_of(mode), key=STATUSES.index),
        )
