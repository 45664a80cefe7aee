"""What the ledger knows of streams: sessions are cut where a clock was ahead, and captured rows are known."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from conftest import Opener
from fulltape.coverage.live import CapturedDay, Interval, StreamSeries
from fulltape.ledger.captures import CapturedSpan
from fulltape.market.time import DAY, HOUR

FIRST = dt.date(2026, 11, 20)


def day(number: int, start: int, end: int, rows: int) -> CapturedDay:
    session = FIRST + dt.timedelta(days=number)
    return CapturedDay(
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


def test_confirmed_sessions_are_gathered_by_month(open_ledger: Opener) -> None:
    streams = (ledger := open_ledger("streams")).streams
    days = [day(at, at * DAY, at * DAY + 10 * HOUR, 5) for at in (0, 1, 9, 12, 13, 14)]
    broken = Interval(
        source="a.x", dataset="d", instrument="A", symbol="A", session=FIRST + dt.timedelta(days=1),
        start=DAY + 2 * HOUR, end=DAY + 3 * HOUR, kind="stale", state="verified",
    )  # fmt: skip
    unclear = replace(broken, session=FIRST + dt.timedelta(days=12), start=12 * DAY, state="unverifiable")
    with ledger.write():
        for one in days:
            streams.add_day(one)
        ledger.intervals.add([broken, unclear])
        for one, extra in zip(days[:-1], (0, 0, 0, 0, 3), strict=True):
            streams.compared(one, missed=1, extra=extra, now=9)
    before = FIRST + dt.timedelta(days=20)
    assert streams.months.settled(before) == [("a.x", "d", "A")]
    assert streams.months.settled(FIRST) == []
    with ledger.write():
        told = {
            dry: streams.months.gather("a.x", "d", "A", before, ("stale",), dry_run=dry)
            for dry in (True, False)
        }
    assert told == {True: 3, False: 3}
    left = [(one.session - FIRST).days for one in streams.days()]
    assert left == [12, 13, 14], (
        "one is unclear, one has rows that history does not know, one is not compared"
    )
    assert [one.state for one in ledger.intervals.find()] == ["unverifiable"]
    (month,) = streams.months.of("2026-11")
    assert [one.day for one in month.sessions] == [20, 21, 29]
    assert (month.rows, month.missed, month.breaks) == (15, 3, 1)
    assert (month.live, month.doubtful) == (30 * HOUR, HOUR)
    assert streams.months.holds("a.x", "d", "A", FIRST)
    assert not streams.months.holds("a.x", "d", "A", FIRST + dt.timedelta(days=2))
    assert not streams.months.holds("a.x", "d", "B", FIRST)
    assert streams.captured("d", "A") == [one.session for one in days]
    assert streams.knows("d")
    cells = {"A": [(FIRST, FIRST + dt.timedelta(days=1))]}
    assert streams.answered("a.x", "d", cells)
    assert streams.answered("a.x", "d", {"A": [(FIRST + dt.timedelta(days=13),) * 2]})
    assert not streams.answered("a.x", "d", {"A": [(FIRST, FIRST + dt.timedelta(days=2))]})
    assert not streams.answered("a.x", "d", {"A": [(FIRST + dt.timedelta(days=14),) * 2]})
    with ledger.write():  # a journal that was sealed late
        streams.add_day(days[2])
        streams.compared(days[2], missed=0, extra=0, now=10)
        assert streams.months.gather("a.x", "d", "A", before, (), dry_run=False) == 1
    (month,) = streams.months.of("2026-11")
    assert [one.day for one in month.sessions] == [20, 21, 29]
    with ledger.write():
        streams.compared(days[-1], missed=0, extra=0, now=10)
        assert streams.months.gather("a.x", "d", "A", before, (), dry_run=False) == 1
    assert {one.month: len(one.sessions) for of in ("2026-11", "2026-12") for one in streams.months.of(of)} == {
        "2026-11": 3, "2026-12": 1,
    }  # fmt: skip


def test_a_capture_names_its_parts_and_a_series_its_source(open_ledger: Opener) -> None:
    streams = (ledger := open_ledger("streams")).streams
    capture = CapturedSpan(
        file="f", source="a.x", first=FIRST, last=FIRST, messages=3, unknown=1, broken=2, parts=(4, 5), software="s",
        sealed_at=7, bytes=8, edges="e",
    )  # fmt: skip
    series = StreamSeries(
        source="a.x", dataset="d", instrument="A", symbol="A", file="f", live_to=9, open=True, why="w"
    )
    with ledger.write():
        ledger.captures.add(capture)
        ledger.captures.add_part("f", 6)
        ledger.captures.add_part("unknown", 7)
        streams.set_series(series)
    assert ledger.captures.get("f") == replace(capture, parts=(4, 5, 6))
    assert ledger.captures.all("a.x") == [replace(capture, parts=(4, 5, 6))]
    assert streams.series("a.x") == {("d", "A"): series}
