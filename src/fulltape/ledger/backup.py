"""Backups of a ledger: always one SQLite file, from either engine and into either, so that they also move a node.

Coverage could be proved again from the parts; budgets, eligibility and tasks could not.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from fulltape import errors
from fulltape.ledger.database import Database, migrations
from fulltape.ledger.sqlite import Sqlite, holds_a_ledger

KEPT = 7
_TABLE = re.compile(r"^CREATE TABLE (\w+)", re.MULTILINE)
_DROPPED = re.compile(r"^(?:DROP TABLE (\w+)|ALTER TABLE (\w+) RENAME TO)", re.MULTILINE)
_DAILY = re.compile(r"ledger-\d{4}-\d{2}-\d{2}\.db")
_ROWS_AT_ONCE = 10_000


def tables() -> list[str]:
    """The tables of the present schema."""
    names: list[str] = []
    for _, text in migrations():
        for gone in _DROPPED.finditer(text):
            if (gone[1] or gone[2]) in names:
                names.remove(gone[1] or gone[2])
        names += [name for name in _TABLE.findall(text) if name not in names]
    return names


def write(database: Database, path: Path) -> None:
    """Write a consistent copy to `path`: a temporary name first, durable, then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fd, name = tempfile.mkstemp(prefix=".ledger-", dir=path.parent)
    os.close(fd)
    temporary = Path(name)
    temporary.unlink()
    try:
        if isinstance(database, Sqlite):
            database.vacuum_into(temporary)
        else:
            _copy_out(database, temporary)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        _remove(temporary)


def restore(database: Database, path: Path) -> None:
    """Replace everything that `database` holds by a backup, in one transaction; an older one is brought forward."""
    if not path.is_file():
        raise errors.UsageError(f"there is no backup {path}.", hint="Look in the node's folder backups/.")
    if not holds_a_ledger(path):
        raise errors.UsageError(
            f"{path} is no backup of a ledger.", hint="Backups are written by `fulltape ledger backup`."
        )
    with tempfile.TemporaryDirectory() as folder:
        # A copy: opening brings an older schema forward, and the backup itself stays as it is.
        copy = Path(folder) / path.name
        shutil.copy(path, copy)
        source = Sqlite(copy)
        try:
            with database.write():
                for table in tables():
                    database.statement(f"DELETE FROM {table}")
                    for rows in _rows(source, table):
                        _insert(database, table, rows)
        finally:
            source.close()


def newest(folder: Path) -> Path | None:
    """The newest daily copy in a folder."""
    there = (
        sorted(path for path in folder.iterdir() if _DAILY.fullmatch(path.name)) if folder.is_dir() else []
    )
    return there[-1] if there else None


def tried(path: Path) -> str:
    """Restore a copy into a new ledger, for trial; why that is not possible, '' where it is."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            trial = Sqlite(Path(folder) / "trial.db")
            try:
                restore(trial, path)
                wrong = trial.faults()
            finally:
                trial.close()
        except (errors.FulltapeError, OSError) as error:
            return str(error)
    return wrong[0] if wrong else ""


def faults(path: Path) -> bool:
    """Whether a file is no sound copy of a ledger."""
    if not holds_a_ledger(path):
        return True
    try:
        copy = Sqlite(path, read_only=True)
    except (errors.LedgerTooNewError, errors.LedgerTooOldError):
        return False
    except errors.StorageError:
        return True
    try:
        return bool(copy.faults())
    except errors.StorageError:
        return True
    finally:
        copy.close()


def identity(path: Path, name: str) -> str:
    """A fact about the node itself as a copy has it; '' where it has none."""
    try:
        copy = Sqlite(path, read_only=True)
    except errors.StorageError:
        return ""
    try:
        return str(copy.value("identity", name=name) or "")
    finally:
        copy.close()


def daily(database: Database, folder: Path, day: str) -> bool:
    """Write today's backup if there is none, and keep the newest seven; True if one was written."""
    path = folder / f"ledger-{day}.db"
    if path.exists():
        return False
    write(database, path)
    dated = sorted(old for old in folder.iterdir() if _DAILY.fullmatch(old.name))
    for old in dated[:-KEPT]:
        old.unlink()
    return True


def _copy_out(database: Database, path: Path) -> None:
    target = Sqlite(path)
    try:
        with target.write(), database.snapshot():
            for table in tables():
                target.statement(f"DELETE FROM {table}")
                for rows in _rows(database, table):
                    _insert(target, table, rows)
        target.statement("PRAGMA wal_checkpoint(TRUNCATE)")
        target.statement("PRAGMA journal_mode=DELETE")
    finally:
        target.close()


def _rows(source: Database, table: str) -> Iterator[list[dict[str, object]]]:
    rows = source.statement(f"SELECT * FROM {table}")
    for at in range(0, len(rows), _ROWS_AT_ONCE):
        yield [dict(row) for row in rows[at : at + _ROWS_AT_ONCE]]


def _insert(target: Database, table: str, rows: list[dict[str, object]]) -> None:
    names = list(rows[0])
    values = ", ".join(f":{name}" for name in names)
    target.statement_for_each(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({values})", rows)


def _remove(path: Path) -> None:
    for ending in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
    path.with_suffix(".lock").unlink(missing_ok=True)
