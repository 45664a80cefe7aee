"""Calendars that follow from a rule instead of a published table: around the clock, forex, and plain dates."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable

from fulltape.market import days
from fulltape.market.sessions import Calendar, RuleSessions

_LAST = dt.date(2049, 12, 31)
_FIRST = {
    days.ROUND_THE_CLOCK: dt.date(2009, 1, 3),  # the first bitcoin block; nothing here is older
    days.FOREX: dt.date(1999, 1, 4),  # the euro's first day
    days.DATES: dt.date(1900, 1, 1),
}
_CLOSED = {(1, 1), (12, 25)}
"""Days on which no forex dealer quotes from 17:00 to 17:00: measured on OANDA's hours of 2010 to 2018."""


def names() -> tuple[str, ...]:
    """The calendars that are known by rule."""
    return tuple(_FIRST)


def build(name: str) -> Calendar:
    """The calendar of that name, one of `names()`."""
    rule, first = days.RULES[name], _FIRST[name]
    trades: Callable[[dt.date], bool] = _is_forex_day if name == days.FOREX else _always
    every_day = (first + dt.timedelta(days=at) for at in range((_LAST - first).days + 1))
    labels = [day for day in every_day if trades(day)]
    text = f"{name} {rule} {first} {_LAST} {sorted(_CLOSED)}"
    return Calendar(
        name=name,
        version=hashlib.sha256(text.encode()).hexdigest()[:12],
        zone=rule.zone,
        known_from=first,
        known_to=_LAST,
        sessions=RuleSessions(labels=labels, rule=rule),
    )


def _always(_: dt.date) -> bool:
    return True


def _is_forex_day(day: dt.date) -> bool:
    return day.weekday() < 5 and (day.month, day.day) not in _CLOSED
