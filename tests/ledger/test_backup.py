"""Backups: a copy of a moment from either engine, brought back into either, also from an older fulltape."""

from __future__ import annotations

import datetime as dt
import sqlite3
from pathlib import Path

import pytest

from clocks import at
from conftest import Opener
from fulltape import errors
from fulltape.contract.plans import Limits
from fulltape.coverage.facts import CoverageFact
from fulltape.ledger import backup
from fulltape.ledger.allowance import Refused, Want
from fulltape.ledger.ledger import Ledger
from fulltape.ledger.sqlite import Sqlite
from fulltape.ledger.task import NewTask

NOW = 1_800_000_000_000_000
DAY = dt.date(2024, 1, 2)


def filled(ledger: Ledger) -> None:
    with ledger.write():
        ledger.queue.enqueue(
            [
                NewTask(
                    dataset="d",
                    instrument="A",
                    symbol="A",
                    first=DAY,
                    last=DAY,
                    kind="GAP",
                    eligible_sources=("a.sip",),
                )
            ],
            now=NOW,
        )
        ledger.coverage.record(
            [
                CoverageFact(
                    dataset="d", instrument="B", source="a.sip", first=DAY, last=DAY, fact="empty",
                    sound=True, final=True, since=NOW, evidence="x",
                )
            ],
            lambda day: day,
        )  # fmt: skip
    ledger.budgets.reserve("a", Limits(per_day=1), Want(kind="GAP"), steady=at(NOW))


def contents(ledger: Ledger) -> dict[str, list[tuple[tuple[str, object], ...]]]:
    return {
        table: sorted(
            tuple(sorted(row.items())) for row in ledger.database.statement(f"SELECT * FROM {table}")
        )
        for table in backup.tables()
    }


def test_every_table_is_in_a_backup(ledger: Ledger, tmp_path: Path) -> None:
    ledger.back_up(tmp_path / "copy.db")
    connection = sqlite3.connect(tmp_path / "copy.db")
    found = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    connection.close()
    assert found == {*backup.tables(), "schema_version"}


def test_what_was_backed_up_comes_back_into_either_engine(open_ledger: Opener, tmp_path: Path) -> None:
    ledger = open_ledger("one")
    filled(ledger)
    before = contents(ledger)
    ledger.back_up(tmp_path / "copy.db")
    with ledger.write():
        ledger.queue.cancel(1, now=NOW, error="by hand")
    others = [open_ledger("other"), Ledger(Sqlite(tmp_path / "moved.db")), ledger]
    for other in others:
        other.restore(tmp_path / "copy.db")
        assert contents(other) == before
        refused = other.budgets.reserve("a", Limits(per_day=1), Want(kind="GAP"), steady=at(NOW))
        assert isinstance(refused, Refused)
    others[1].close()
    assert not list(tmp_path.glob(".ledger-*"))


def test_seven_daily_backups_are_kept_and_one_is_written_a_day(ledger: Ledger, tmp_path: Path) -> None:
    written = [ledger.back_up_daily(tmp_path / "backups", f"2026-11-{day:02}") for day in (*range(1, 10), 9)]
    assert written == [True] * 9 + [False]
    names = sorted(path.name for path in (tmp_path / "backups").iterdir())
    assert names == [f"ledger-2026-11-{day:02}.db" for day in range(3, 10)]


def test_a_backup_of_an_older_fulltape_is_brought_forward_and_left_as_it_is(
    ledger: Ledger, tmp_path: Path
) -> None:
    old = tmp_path / "old.db"
    connection = sqlite3.connect(old)
    connection.executescript((Path(__file__).parent / "released" / "0.1.0" / "sqlite.sql").read_text())
    connection.close()
    before = old.read_bytes()
    ledger.restore(old)
    assert {task.state for task in ledger.tasks.newest()} == {"done", "unobtainable", "queued"}
    assert old.read_bytes() == before


def test_what_is_no_backup_changes_nothing(ledger: Ledger, tmp_path: Path) -> None:
    filled(ledger)
    before = contents(ledger)
    (tmp_path / "no.db").write_text("this is no database, but long enough to look at " * 40)
    (tmp_path / "empty.db").touch()
    connection = sqlite3.connect(tmp_path / "foreign.db")
    connection.execute("CREATE TABLE tasks (x)")
    connection.close()
    for name in ("no.db", "empty.db", "foreign.db"):
        with pytest.raises(errors.UsageError, match="is no backup of a ledger"):
            ledger.restore(tmp_path / name)
    with pytest.raises(errors.UsageError, match="there is no backup"):
        ledger.restore(tmp_path / "nowhere.db")
    assert contents(ledger) == before
