"""What the ledger knows of streams: sessions are cut where a clock was ahead, and captured rows are known."""

from __future__ import annotations

import datetime as dt

from conftest import Opener
from fulltape.core.time import DAY, HOUR
from fulltape.ledger.streams import Day

FIRST = dt.date(2026, 11, 20)


def day(number: int, start: int, end: int, rows: int) -> Day:
    session = FIRST + dt.timedelta(days=number)
    return Day(
        source="a.x", dataset="d", instrument="A", symbol="A", session=session, start=start, end=end, rows=rows, reconnects=0
    )  # fmt: skip


def test_a_clock_that_was_ahead_claims_nothing_after_now(open_ledger: Opener) -> None:
    streams = (ledger := open_ledger("streams")).streams
    with ledger.write():
        for one in (
            day(0, 0, DAY, 5),
            day(1, DAY, DAY + 10 * HOUR, 3),
            day(2, 2 * DAY, 2 * DAY + 1, 0),
            day(3, 3 * DAY, 4 * DAY, 1),
        ):
            streams.add_day(one)
        streams.cut_days("a.x", "d", "A", at=DAY + 8 * HOUR)
    assert [(one.session.day, one.start, one.end, one.rows) for one in streams.days()] == [
        (20, 0, DAY, 5),
        (21, DAY, DAY + 8 * HOUR, 3),
        (23, DAY + 8 * HOUR, DAY + 8 * HOUR, 1),
    ]


def test_sessions_with_captured_rows_are_known(open_ledger: Opener) -> None:
    streams = (ledger := open_ledger("streams")).streams
    assert not streams.knows("d")
    with ledger.write():
        streams.add_day(day(0, 0, DAY, 5))
        streams.add_day(day(1, DAY, 2 * DAY, 0))
    assert streams.knows("d")
    assert streams.captured("d", "A") == [FIRST]
    assert streams.captured("d", "B") == []
