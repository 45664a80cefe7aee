"""The two pages: 10,000 minute bars of one answer of many symbols, and 50,000 aggregates of one ticker."""

from __future__ import annotations

import datetime as dt
import json
import random
from dataclasses import dataclass

from fulltape.calendars import tables
from fulltape.contract.vendor import FetchRequest, Page
from fulltape.market.time import MINUTE, iso

_SEED = 7


@dataclass(frozen=True, kw_only=True)
class Case:
    """A page and how a bare decoder finds its rows; `timestamp` is the unit of the field `t`."""

    name: str
    vendor: str
    source: str
    pages: tuple[Page, ...]
    rows: int
    timestamp: str


def _minutes(first: dt.date, count: int) -> list[int]:
    """So many regular minutes from a session on, UTC microseconds."""
    calendar = tables.load("XNYS")
    found: list[int] = []
    for position in range(calendar.between(first, first)[0], len(calendar)):
        session = calendar.sessions[position]
        found += range(session.open, session.close, MINUTE)
        if len(found) >= count:
            return found[:count]
    raise AssertionError("the calendar ends")


def _bar(dice: random.Random) -> dict[str, float]:
    price = round(100 + 20 * dice.random(), 2)
    return {
        "o": price, "h": round(price + 0.31, 2), "l": round(price - 0.27, 2), "c": round(price + 0.05, 2),
        "v": dice.randrange(1, 200_000), "n": dice.randrange(1, 900), "vw": round(price + 0.02, 6),
    }  # fmt: skip


def _ask(source: str, symbols: tuple[str, ...], timestamps: list[int]) -> FetchRequest:
    calendar = tables.load("XNYS")
    first, last = (calendar.day_rule.session(timestamp) for timestamp in (timestamps[0], timestamps[-1]))
    span = calendar.span(first, last)
    return FetchRequest(
        source=source,
        dataset="equities_bars_minute",
        symbols=symbols,
        first=first,
        last=last,
        start=span.start,
        end=span.end,
        known=frozenset(symbols),
    )


def many_symbols() -> Case:
    """Ten symbols, a thousand bars each, as Alpaca sends them."""
    dice = random.Random(_SEED)
    symbols = tuple(f"SYM{at}" for at in range(10))
    timestamps = _minutes(dt.date(2024, 3, 4), 1_000)
    bars = {symbol: [{"t": iso(timestamp), **_bar(dice)} for timestamp in timestamps] for symbol in symbols}
    body = json.dumps({"bars": bars, "next_page_token": None}, separators=(",", ":")).encode()
    page = Page(fetch=_ask("alpaca.sip", symbols, timestamps), number=1, status=200, body=body)
    return Case(name="10,000 bars of 10 symbols", vendor="alpaca", source="alpaca.sip", pages=(page,), rows=10_000, timestamp="iso")  # fmt: skip


def one_symbol() -> Case:
    """Fifty thousand aggregates of one ticker, as Massive sends them."""
    dice = random.Random(_SEED)
    timestamps = _minutes(dt.date(2023, 3, 6), 50_000)
    rows = [{**_bar(dice), "t": timestamp // 1_000} for timestamp in timestamps]
    head = {"ticker": "AAPL", "queryCount": len(rows), "resultsCount": len(rows), "adjusted": False}
    content = {**head, "results": rows, "status": "OK", "request_id": "x"}
    body = json.dumps(content, separators=(",", ":")).encode()
    page = Page(fetch=_ask("massive.sip", ("AAPL",), timestamps), number=1, status=200, body=body)
    return Case(name="50,000 aggregates of one", vendor="massive", source="massive.sip", pages=(page,), rows=50_000, timestamp="ms")  # fmt: skip
