"""From the pages of one fetch to rows: what breaks the contract is taken out, and each kind is told by page and symbol."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fulltape import context as opening
from fulltape.context import ConfiguredDataset, ConfiguredSource
from fulltape.contract.plans import Limits
from fulltape.contract.vendor import (
    Capability,
    Decoded,
    FetchRequest,
    Outcome,
    Source,
    Table,
    Vendor,
)
from fulltape.lake import compression
from fulltape.lake.fetches import FetchRecord, PageRecord, StoredFetch, StoredPage
from fulltape.market import datasets
from fulltape.market.time import MINUTE
from fulltape.seal.pages import decode
from fulltape.seal.pages.decode import DecodedFetch

NAME = "equities_bars_minute"
CALENDAR = opening.calendar("XNYS")
FIRST, LAST = dt.date(2024, 1, 8), dt.date(2024, 1, 9)
Row = tuple[str, dt.date, int, float]
"""Symbol, session, minute after the open, price."""


def opens(day: dt.date) -> int:
    """When the session of that day opens; on a day without one, as on the Friday before."""
    position = CALENDAR.position(day)
    if position is not None:
        return CALENDAR.sessions[position].open
    friday = CALENDAR.position(dt.date(2024, 1, 5))
    assert friday is not None
    return CALENDAR.sessions[friday].open + (day - dt.date(2024, 1, 5)).days * 86_400 * 1_000_000


def decoded(*pages: list[Row], volume: float = 100.0, positional: bool = False) -> DecodedFetch:
    """What a fetch of A, B and C comes to whose pages have these rows, in this order."""
    request = FetchRequest(
        source="a.sip", dataset=NAME, symbols=("A", "B", "C"), first=FIRST, last=LAST, start=0, end=0
    )
    record = FetchRecord(
        fetch_id="x", fetch=request, tasks={}, instruments={"A": "a", "B": "b", "C": "c"}, started_at=0
    )
    stored = StoredFetch(record=record)
    tables: list[Table] = []
    for number, rows in enumerate(pages, start=1):
        head = PageRecord(
            fetch_id="x", number=number, status=200, outcome=Outcome.ROWS, cursor=None, complete_through=(),
            positional=positional,
        )  # fmt: skip
        stored.pages[number] = StoredPage(record=head, packed=compression.pack(b""), path=Path())
        for symbol, day, minute, price in rows:
            columns: dict[str, list[object]] = {name: [price] for name in ("open", "high", "low", "close")}
            columns |= {"timestamp": [opens(day) + minute * MINUTE], "volume": [volume]}
            tables.append(Table(page=number, symbol=symbol, columns=columns))
    vendor = SimpleNamespace(decode=lambda _: Decoded(tables=tuple(tables)))
    capability = Capability(
        dataset=NAME, history_from=dt.date(2000, 1, 3), symbols_per_request=9, rows_per_page=99
    )
    feed = ConfiguredSource(
        source=Source(name="a.sip", feed="sip", scope="consolidated", capabilities=(capability,)),
        vendor="a",
        limits=Limits(),
        history_from=None,
    )
    wanted = SimpleNamespace(dataset=datasets.get(NAME), calendar=CALENDAR)
    return decode.decode(stored, cast("Vendor", vendor), feed, cast("ConfiguredDataset", wanted))


def kept(found: DecodedFetch) -> list[tuple[Any, ...]]:
    """Instrument, minute of the session and price of every row, in order."""
    return found.frame.select("instrument", "minute_of_session", "close").rows()


def told(found: DecodedFetch) -> list[tuple[Any, ...]]:
    return [(one.page, one.symbol, one.session, one.rows, one.reason, one.lost) for one in found.rejected]


def test_sound_rows_are_all_taken_in_order() -> None:
    found = decoded([("B", FIRST, 0, 2.0), ("B", FIRST, 1, 2.1)], [("A", FIRST, 5, 1.0)])
    assert kept(found) == [("a", 5, 1.0), ("b", 0, 2.0), ("b", 1, 2.1)]
    assert told(found) == []


def test_each_column_that_breaks_the_schema_is_told() -> None:
    found = decoded([("A", FIRST, 0, -1.0), ("A", FIRST, 1, 1.0)], volume=-5.0)
    assert kept(found) == []
    reasons = {one.reason.split(" ")[0]: one.rows for one in found.rejected}
    assert sum(reasons.values()) == 2
    assert {"open", "volume"} <= set(reasons)


def test_rows_of_a_closed_day_are_no_session() -> None:
    sunday = dt.date(2024, 1, 7)
    found = decoded([("A", sunday, 0, 1.0), ("A", FIRST, 0, 1.5)])
    assert [price for *_, price in kept(found)] == [1.5]
    assert [(one.session, one.rows) for one in found.rejected] == [(sunday, 1)]


@pytest.mark.parametrize(
    ("day", "located"),
    [
        (LAST + dt.timedelta(days=7), True),
        (LAST + dt.timedelta(days=8), False),
        (FIRST - dt.timedelta(days=6), True),
        (FIRST - dt.timedelta(days=10), False),
    ],
)
def test_rows_far_from_what_was_asked_for_say_that_it_is_about_something_else(
    day: dt.date, located: bool
) -> None:
    found = decoded([("A", FIRST, 0, 1.0), ("A", day, 0, 9.0)])
    assert [price for *_, price in kept(found)] == [1.0]
    (one,) = found.rejected
    assert (one.session, one.placed) == ((day, False) if located else (None, True))
    (counted,) = decoded([("A", FIRST, 0, 1.0), ("A", day, 0, 9.0)], positional=True).rejected
    assert counted.session == day, "a page that is limited by count ends where it ends"


def test_rows_that_run_backwards_are_sorted_and_told_by_page_and_symbol() -> None:
    found = decoded([("A", FIRST, 0, 1.0)], [("B", FIRST, 3, 2.3), ("B", FIRST, 1, 2.1)])
    assert kept(found) == [("a", 0, 1.0), ("b", 1, 2.1), ("b", 3, 2.3)]
    assert told(found) == [(2, "B", None, 1, "rows out of order; sorted and taken", False)]


def test_copies_become_one_and_contradictions_are_taken_out() -> None:
    again = [("A", FIRST, 0, 1.0), ("A", FIRST, 1, 1.1), ("A", FIRST, 2, 1.2)]
    found = decoded([*again], [again[1], ("A", FIRST, 2, 7.0), ("A", FIRST, 3, 1.3)])
    assert kept(found) == [("a", 0, 1.0), ("a", 1, 1.1), ("a", 3, 1.3)]
    assert told(found) == [
        (1, "A", None, 1, "repeated rows; one copy taken", False),
        (2, "A", None, 1, "repeated rows; one copy taken", False),
        (1, "A", FIRST, 1, "rows that contradict each other", True),
        (2, "A", FIRST, 1, "rows that contradict each other", True),
    ]


def test_a_symbol_that_comes_again_is_not_taken_for_another() -> None:
    """A, B, A: the second A follows B, and may still repeat the first."""
    found = decoded([("A", FIRST, 0, 1.0), ("B", FIRST, 0, 2.0), ("A", FIRST, 0, 3.0)])
    assert kept(found) == [("b", 0, 2.0)]
    assert {one.symbol for one in found.rejected} == {"A"}


def test_rejections_name_no_session_twice() -> None:
    found = decoded([("A", FIRST, 0, -1.0), ("A", FIRST, 1, -1.0), ("A", LAST, 0, -1.0)])
    spoiled = [one for one in found.rejected if "open" in one.reason]
    assert [(one.session, one.rows) for one in spoiled] == [(FIRST, 2), (LAST, 1)]
