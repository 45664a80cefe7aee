"""Where nothing came inside sessions."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from fulltape.calendars import tables
from fulltape.download import gaps
from fulltape.download.gaps import Gaps
from fulltape.market import datasets
from fulltape.market.dataset import Dataset
from fulltape.market.sessions import Calendar
from fulltape.market.time import MINUTE, SECOND

XNYS = tables.load("XNYS")
MINUTES, TICKS = datasets.get("equities_bars_minute"), datasets.get("equities_trades")
SESSION = dt.date(2012, 11, 23)
"""A half day: 210 minutes from 14:30 UTC."""


def rows(session: dt.date, moments: list[int]) -> pl.DataFrame:
    return pl.DataFrame(
        {"session": [session] * len(moments), "ts": moments},
        schema={"session": pl.Date, "ts": pl.Datetime("us", "UTC")},
    )


def hours(session: dt.date = SESSION, calendar: Calendar = XNYS) -> tuple[int, int]:
    position = calendar.position(session)
    assert position is not None
    return calendar.sessions[position].open, calendar.sessions[position].close


def seen(moments: list[int], dataset: Dataset = MINUTES, most: int = MINUTE) -> list[tuple[int, int, int]]:
    into = Gaps()
    gaps.look(rows(SESSION, moments), dataset, XNYS, most, into)
    assert into.count == len(into.listed)
    assert into.total == sum(length for length, _, _ in into.listed)
    begin = hours()[0]
    return sorted(
        ((start - begin) // MINUTE, (end - begin) // MINUTE, length // MINUTE)
        for length, start, end in into.listed
    )


ALL = list(range(hours()[0], hours()[1], MINUTE))


@pytest.mark.parametrize(
    ("absent", "expected"),
    [
        ([], []),
        ([0], [(0, 1, 1)]),
        ([209], [(209, 210, 1)]),
        ([10, 11, 50], [(10, 12, 2), (50, 51, 1)]),
        (list(range(1, 210)), [(1, 210, 209)]),
    ],
)
def test_minutes_that_are_not_there(absent: list[int], expected: list[tuple[int, int, int]]) -> None:
    assert seen([at for number, at in enumerate(ALL) if number not in absent]) == expected


def test_a_longer_threshold_and_what_lies_outside_the_hours() -> None:
    around = [hours()[0] - 30 * MINUTE, *ALL[:20], *ALL[23:], hours()[1] + 90 * MINUTE]
    assert seen(around) == [(20, 23, 3)]
    assert seen(around, most=3 * MINUTE) == [(20, 23, 3)]
    assert seen(around, most=4 * MINUTE) == []


def test_a_session_with_rows_outside_of_its_hours_only_is_one_gap() -> None:
    assert seen([hours()[0] - 90 * MINUTE], most=5 * MINUTE) == [(0, 210, 210)]
    assert seen([hours()[1] + MINUTE], TICKS, 10 * SECOND) == [(0, 210, 210)]


def test_the_order_of_rows_does_not_matter_and_no_gap_is_shorter_than_a_bar() -> None:
    begin, end = hours()
    moments = list(range(begin, end, 5 * SECOND))
    assert seen(sorted(moments, key=str), TICKS, 10 * SECOND) == []
    assert seen(ALL, most=30 * SECOND) == []
    assert seen(ALL, most=0) == []


def test_ticks_from_the_open_to_the_close() -> None:
    begin, end = hours()
    moments = [begin + 5 * SECOND, *range(begin + 300 * SECOND, end, 9 * SECOND)]
    assert seen(moments, TICKS, 10 * SECOND) == [(0, 5, 4)]
    assert seen(list(range(begin, end - 60 * SECOND, SECOND)), TICKS, 10 * SECOND) == [(208, 210, 1)]


def test_a_halt_is_no_gap() -> None:
    session = dt.date(2020, 3, 9)
    (halt,) = XNYS.halts[session]
    begin, end = hours(session)
    inside = range(begin, end, MINUTE)
    moments = [at for at in inside if not (at >= halt.start and at + MINUTE <= halt.end)]
    into = Gaps()
    gaps.look(rows(session, moments), MINUTES, XNYS, MINUTE, into)
    assert into.count == 0


def test_the_longest_are_listed_and_all_are_counted() -> None:
    into = Gaps()
    gaps.look(rows(SESSION, ALL[::2]), MINUTES, XNYS, MINUTE, into)
    assert (into.count, len(into.listed), into.longest) == (105, 100, MINUTE)
