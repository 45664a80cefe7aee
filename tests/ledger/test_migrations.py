"""Ledgers of every released version come forward with all they knew."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from conftest import Opener
from fulltape.ledger import database
from fulltape.ledger.database import Database, migrations
from fulltape.ledger.ledger import Ledger
from fulltape.ledger.postgres import Postgres
from fulltape.ledger.sqlite import Sqlite

RELEASED = Path(__file__).parent / "released"
VERSIONS = sorted(folder.name for folder in RELEASED.iterdir())
Store = Callable[[str], Database]


@pytest.fixture(params=["sqlite", "postgres"])
def stored(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Opens the stored ledger of a version with the present code."""

    def sqlite(version: str) -> Database:
        path = tmp_path / "ledger.db"
        connection = sqlite3.connect(path)
        connection.executescript((RELEASED / version / "sqlite.sql").read_text())
        connection.close()
        return Sqlite(path)

    def postgres(version: str) -> Database:
        address: str = request.getfixturevalue("database")
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute((RELEASED / version / "postgres.sql").read_text())
        return Postgres(address)

    return sqlite if request.param == "sqlite" else postgres


@pytest.mark.parametrize("version", VERSIONS)
def test_a_released_ledger_comes_forward_with_all_it_knew(stored: Store, version: str) -> None:
    ledger = Ledger(stored(version))
    try:
        schema = ledger.database._execute("SELECT MAX(version) AS version FROM schema_version", {})
        assert schema[0]["version"] == migrations()[-1][0]
        (fact,) = [one for one in ledger.coverage.of_dataset("equities_bars_day") if one.fact == "present"]
        assert (fact.instrument, fact.source, fact.first.isoformat()) == ("AAPL", "alpaca.sip", "2012-11-01")
        assert fact.shown == 1
        states = {task.task_id: task.state for task in ledger.tasks.newest()}
        assert states == {1: "done", 2: "unobtainable", 3: "queued"}
        assert [part.layer for part in ledger.catalogue.all_current("raw")] == ["raw"]
        (of,) = ledger.tasks.census()
        assert of.eligible_sources == ()
        assert sum(one["requests"] for one in ledger.requests.by_outcome()) == 4
        assert {one.symbol for one in ledger.eligibility.all()} == {"NOBODY"}
    finally:
        ledger.close()


@pytest.mark.parametrize("version", VERSIONS)
def test_what_was_used_of_today_stays_used(stored: Store, version: str) -> None:
    database = stored(version)
    try:
        used = database._execute(
            "SELECT scope, SUM(used) AS used FROM days GROUP BY scope ORDER BY scope", {}
        )
        assert {row["scope"]: row["used"] for row in used} == {"alpaca": 2, "massive": 2}
        sent = database._execute("SELECT SUM(requests) AS sent FROM sends", {})
        assert sent[0]["sent"] == 4
    finally:
        database.close()


def test_what_was_told_by_texts_and_numbers_becomes_typed(
    open_ledger: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The interval of a task stood in its purpose, and a session without a history had missed -1 rows."""
    whole = migrations()
    monkeypatch.setattr(database, "migrations", lambda: [one for one in whole if one[0] < 20])
    ledger = open_ledger("typed")
    with ledger.write():
        for purpose in ("fill", "interval 17"):
            ledger.database.statement(
                "INSERT INTO tasks (task_id, dataset, instrument, symbol, first_session, last_session, kind, purpose,"
                " priority, batch, state, attempt, failures, exclude_sources, source, worker, lease_until, fetch_id,"
                " last_error, enqueued_at, eligible_sources, expected_rows)"
                f" VALUES ({len(purpose)}, 'd', 'A', 'A', '2024-01-02', '2024-01-02', 'GAP', '{purpose}',"
                " 1, 1, 'queued', 0, 0, '', '', '', 0, '', '', 1, '', 1)"
            )
        for session, missed in (("2024-01-02", -1), ("2024-01-03", 4)):
            ledger.database.statement(
                "INSERT INTO stream_days (source, dataset, instrument, symbol, session, from_ts, to_ts, row_count,"
                f" reconnects, compared_at, missed, extra) VALUES ('a.x', 'd', 'A', 'A', '{session}', 1, 2, 3, 0, 9, {missed}, 0)"
            )
    ledger.close()
    monkeypatch.undo()
    ledger = open_ledger("typed")
    assert {one.purpose: one.interval_id for one in ledger.tasks.newest()} == {
        "fill": None,
        "interval 17": 17,
    }
    days = [(one.missed, one.no_history) for one in ledger.streams.days()]
    assert days == [(0, True), (4, False)]
