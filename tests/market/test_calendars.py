"""Sessions: the shipped table against published answers, its overrides, and what lies beyond."""

from __future__ import annotations

import csv
import datetime as dt
import subprocess
import sys
from pathlib import Path

import pytest

from fulltape import errors
from fulltape.audit import run as audit
from fulltape.calendars import refresh, tables
from fulltape.clock import SystemClock
from fulltape.coverage.facts import CoverageFact
from fulltape.market.sessions import Calendar
from fulltape.market.time import MINUTE, iso
from nodes import DATA, Wish, needs_data, opened, write_node


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


def built(name: str) -> Calendar:
    overrides = Path(tables.__file__).with_name("overrides.toml")
    return tables.parse(refresh.table(name), overrides.read_text())


@needs_data
@pytest.mark.parametrize("name", ["XLON", "XHKG", "XTKS", "CMES", "XFRA"])
def test_other_exchanges_equal_their_published_answers_to_the_second(name: str) -> None:
    """Opens, closes, breaks and early closes of every session, also of those that open on the evening before."""
    with (DATA / "exchange-calendars" / f"{name.lower()}.csv").open() as file:
        answers = {
            row[""][:10]: tuple(row[part] for part in ("open", "close", "break_start", "break_end"))
            for row in csv.DictReader(file)
        }
    calendar = built(name)
    ours = {
        session.label.isoformat(): (
            iso(session.open),
            iso(session.close),
            *((iso(session.pause.start), iso(session.pause.end)) if session.pause else ("", "")),
        )
        for session in calendar.sessions
        if min(answers) <= session.label.isoformat() <= max(answers)
    }
    assert {day for day in answers if ours.get(day) != answers[day]} == set()
    assert ours.keys() == answers.keys()


@pytest.mark.parametrize("name", ["XASX", "XNZE", "XSHG", "XTKS", "CMES"])
def test_every_instant_of_a_session_belongs_to_it(name: str) -> None:
    calendar = built(name)
    rule = calendar.day_rule
    for session in calendar.sessions[::7]:
        assert rule.session(session.open) == rule.session(session.close - 1) == session.label
        assert rule.begin(session.label) <= session.open
        pause = (session.pause.end - session.pause.start) // MINUTE if session.pause else 0
        position = calendar.position(session.label)
        assert position is not None
        assert calendar.expected_minutes(position) == (session.close - session.open) // MINUTE - pause


def test_a_dataset_uses_the_table_that_was_built_into_the_node(tmp_path: Path) -> None:
    universe = "symbol,listed_from,listed_to,instrument\n7203.T,1990-01-04,,\n"
    wish = Wish("equities_adjusted_evidence", "2024-01-04", "2024-01-31", ("yahoo.chart",))
    folder = write_node(tmp_path / "node", {"yahoo": "http://127.0.0.1:1"}, [wish], universe=universe)
    settings = folder / "fulltape.toml"
    settings.write_text(
        settings.read_text().replace(
            "[dataset.equities_adjusted_evidence]", '[dataset.equities_adjusted_evidence]\ncalendar = "XTKS"'
        )
    )
    with pytest.raises(errors.ConfigError, match="there is no calendar 'XTKS'"), opened(folder):
        pass
    (folder / "calendars").mkdir()
    (folder / "calendars" / "XTKS.csv").write_text(refresh.table("XTKS"))
    with opened(folder) as context:
        report = audit.run_once(context, SystemClock())
        assert report.wanted == 19  # Tokyo is closed on two Mondays, and until the 4th
        label = dt.date(2024, 1, 4)
        fact = CoverageFact(
            dataset="equities_adjusted_evidence", instrument="7203.T", source="yahoo.chart", first=label, last=label,
            fact="present", sound=True, final=True, since=1, evidence="x",
        )  # fmt: skip
        with context.ledger.write():
            context.ledger.coverage.record([fact], context.wanted[fact.dataset].next_session)
    with opened(folder):
        pass
    settings.write_text(settings.read_text().replace('calendar = "XTKS"', ""))
    with (
        pytest.raises(errors.ConfigError, match="over another calendar's sessions than XNYS's"),
        opened(folder),
    ):
        pass


def test_a_calendar_that_begins_after_1990_says_so() -> None:
    assert built("XTKS").known_from == dt.date(1997, 1, 1)
    assert built("XTKS").day(dt.date(1996, 12, 30)) == "unknown"


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
