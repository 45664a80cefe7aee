"""A small universe with many tasks, for workers that are killed."""

from __future__ import annotations

import datetime as dt

from fulltape import context
from fulltape.market import datasets
from fulltape.market.instruments import DatedSymbol, Instrument
from fulltape.market.sessions import Calendar

DATASET = datasets.get("equities_bars_day")
SOURCES = ("a.sip", "b.sip")
FIRST, LAST = dt.date(2012, 1, 3), dt.date(2012, 12, 31)


def calendar() -> Calendar:
    """XNYS."""
    return context.calendar("XNYS")


def instruments() -> dict[str, Instrument]:
    """Forty of them, listed before anything is asked."""
    return {
        name: Instrument(
            instrument=name, symbols=(DatedSymbol(symbol=name, first=dt.date(2000, 1, 3), last=None),)
        )
        for name in (f"S{number:02d}" for number in range(40))
    }
