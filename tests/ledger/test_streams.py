"""What the ledger knows of streams: sessions are cut where a clock was ahead, and captured rows are known."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from conftest import Opener
from fulltape.coverage.live import CapturedDay, Interval, StreamSeries
from fulltape.ledger.captures import CapturedSpan
from fulltape.ledger.ledger import Ledger
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


def test_the_newest_captured_session_is_known_if_there_is_any(open_ledger: Opener) -> None:
    streams = (ledger := open_ledger("streams")).streams
    assert streams.newest_session() is None
    with ledger.write():
        for number in (1, 0):
            streams.add_day(day(number, number * DAY, (number + 1) * DAY, 0))
    assert streams.newest_session() == FIRST + dt.timedelta(days=1)


def test_a_journal_is_confirmed_when_the_last_of_its_sessions_is(open_ledger: Opener) -> None:
    streams = (ledger := open_ledger("streams")).streams
    capture = CapturedSpan(
        file="f", source="a.x", first=FIRST, last=FIRST + dt.timedelta(days=1), messages=3, unknown=0, broken=0,
        parts=(), software="s", sealed_at=7,
    )  # fmt: skip
    assert ledger.captures.confirmed_at(capture) is None, "of its sessions nothing is known"
    days = [day(number, number * DAY, (number + 1) * DAY, 5) for number in (0, 1, 2)]
    confirmed = []
    for session in days:
        with ledger.write():
            streams.add_day(session)
    for now, session in enumerate(days, start=100):
        confirmed.append(ledger.captures.confirmed_at(capture))
        with ledger.write():
            streams.compared(session, missed=0, extra=0, now=now)
    assert confirmed == [None, None, 101]
    assert ledger.captures.confirmed_at(capture) == 101, "the third session is not its own"
    empty = replace(capture, first=None, last=None)
    assert ledger.captures.confirmed_at(empty) == 7, "without rows it waits for nothing"


def test_a_doubtful_interval_is_read_as_it_was_written(ledger: Ledger) -> None:
    about = Interval(
        source="a.x", dataset="d", instrument="A", symbol="a", session=FIRST, start=3, end=5, kind="stale",
        state="verified", evidence="the ids follow each other", since=7, decided_at=9,
    )  # fmt: skip
    with ledger.write():
        ledger.intervals.add([about, replace(about, start=4, state="unverified", decided_at=None)])
    first, second = ledger.intervals.find()
    assert first == replace(about, interval_id=first.interval_id)
    assert (second.start, second.state, second.decided_at) == (4, "unverified", None)
    assert ledger.intervals.get(first.interval_id) == first
