"""Sessions: the shipped table against published answers, its overrides, and what lies beyond."""

from __future__ import annotations

import csv
import datetime as dt
import subprocess
import sys
from pathlib import Path

import pytest

from fulltape.calendars import refresh, tables
from fulltape.core.sessions import Calendar
from fulltape.core.time import iso
from nodes import DATA, needs_data


@pytest.fixture(scope="module")
def xnys() -> Calendar:
    return tables.load("XNYS")


def minutes(calendar: Calendar, day: str) -> int:
    position = calendar.position(dt.date.fromisoformat(day))
    assert position is not None
    return calendar.expected_minutes(position)


@needs_data
def test_every_session_equals_the_published_answers(xnys: Calendar) -> None:
    with (DATA / "exchange-calendars" / "xnys.csv").open() as file:
        answers = {row[""][:10]: (row["open"], row["close"]) for row in csv.DictReader(file)}
    answers["2002-09-11"] = (
        "2002-09-11T15:00:00Z",
        answers["2002-09-11"][1],
    )  # the published table says 13:30
    first, last = min(answers), max(answers)
    ours = {
        session.label.isoformat(): (iso(session.open), iso(session.close))
        for session in xnys.sessions
        if first <= session.label.isoformat() <= last
    }
    assert len(ours) == 8_324
    assert ours == answers


@pytest.mark.parametrize(
    "day", ["2001-09-11", "2001-09-14", "2012-10-29", "2012-10-30", "2018-12-05", "2012-12-25"]
)
def test_closures_are_closed(xnys: Calendar, day: str) -> None:
    assert xnys.day(dt.date.fromisoformat(day)) == "closed"


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2012-12-24", 210),
        ("2012-11-23", 210),
        ("1992-12-24", 270),
        ("2002-09-11", 300),
        ("2012-12-26", 390),
        ("2020-03-09", 390 - 14),
    ],
)
def test_expected_minutes_are_close_minus_open_less_halts(xnys: Calendar, day: str, expected: int) -> None:
    assert minutes(xnys, day) == expected


def test_beyond_the_horizon_nothing_is_known(xnys: Calendar) -> None:
    assert xnys.day(dt.date(1989, 12, 29)) == "unknown"
    assert xnys.day(xnys.known_to + dt.timedelta(days=1)) == "unknown"


def test_a_session_spans_from_the_evening_before_also_when_the_clocks_change(xnys: Calendar) -> None:
    friday, monday = dt.date(2012, 3, 9), dt.date(2012, 3, 12)  # US daylight saving began on Sunday the 11th
    assert iso(xnys.span(friday, friday).start) == "2012-03-09T01:00:00Z"
    assert iso(xnys.span(friday, friday).end) == "2012-03-10T01:00:00Z"
    assert iso(xnys.span(monday, monday).start) == "2012-03-12T00:00:00Z"


def test_refresh_rebuilds_the_table_in_a_child_process(tmp_path: Path, xnys: Calendar) -> None:
    path = refresh.run("XNYS", tmp_path)
    rebuilt = tables.parse(path.read_text(), "")
    common = [session for session in rebuilt.sessions if session.label <= dt.date(2026, 1, 1)]
    shipped = {session.label: session for session in xnys.sessions}
    different = [session.label for session in common if shipped.get(session.label) != session]
    assert different == [dt.date(2002, 9, 11)]


def test_loading_a_calendar_imports_no_pandas() -> None:
    code = "import sys; from fulltape.calendars import tables; tables.load('XNYS'); print('pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
