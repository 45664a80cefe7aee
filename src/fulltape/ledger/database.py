"""The database behind the ledger: SQLite in WAL mode, durable at every commit.

Statements are named and live in `sql/*.sql` under `-- name: …` lines. Any process may write, one at a time:
`write` takes a file lock and then `BEGIN IMMEDIATE`. One `Database` may be used by several threads.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import importlib.resources
import os
import re
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from fulltape import errors

_SQL = importlib.resources.files("fulltape.ledger.sql")
_NAME = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)

Row = Mapping[str, Any]


@functools.cache
def statements() -> dict[str, str]:
    """Every named statement."""
    found: dict[str, str] = {}
    for file in sorted(_SQL.iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".sql"):
            _, *pieces = _NAME.split(file.read_text())
            found.update(zip(pieces[::2], (piece.strip() for piece in pieces[1::2]), strict=True))
    return found


@functools.cache
def migrations() -> tuple[tuple[int, str], ...]:
    """Numbered migrations, ascending."""
    folder = _SQL / "migrations"
    files = [entry for entry in folder.iterdir() if entry.name.endswith(".sql")]
    return tuple(sorted((int(file.name[:4]), file.read_text()) for file in files))


class Database:
    """One SQLite file. Threads take turns; `write` makes a transaction, nested ones join the outer."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._turn = threading.RLock()
        self._depth = 0
        self._lock_fd = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o644)
        self._connection = sqlite3.connect(path, isolation_level=None, timeout=30, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        try:
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000"):
                self._connection.execute(f"PRAGMA {pragma}")
            self._migrate()
        except sqlite3.Error as error:
            self.close()
            raise errors.StorageError(f"the ledger {path} cannot be opened: {error}.") from error
        except errors.StorageError:
            self.close()
            raise

    def _migrate(self) -> None:
        newest = migrations()[-1][0]
        with self.write():
            have = int(self._connection.execute("PRAGMA user_version").fetchone()[0])
            if have > newest:
                raise errors.LedgerTooNewError(
                    f"the ledger {self.path} has version {have}, this fulltape knows {newest}.",
                    hint="Install the newer fulltape that wrote it.",
                )
            for number, text in migrations():
                if number > have:
                    for statement in text.split(";\n"):
                        self._connection.execute(statement)
                    self._connection.execute(f"PRAGMA user_version={number}")

    @contextlib.contextmanager
    def write(self) -> Iterator[None]:
        """A transaction: all of it is durable when the block ends, or none of it ever happened."""
        with self._turn:
            if self._depth:
                yield
                return
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX)
            self._depth = 1
            try:
                self._execute("BEGIN IMMEDIATE", {})
                try:
                    yield
                    self._execute("COMMIT", {})
                except BaseException:
                    if self._connection.in_transaction:  # a full disk has rolled back already
                        self._connection.execute("ROLLBACK")
                    raise
            finally:
                self._depth = 0
                fcntl.flock(self._lock_fd, fcntl.LOCK_UN)

    def run(self, name: str, /, **values: object) -> list[Row]:
        """Run a named statement; outside of `write` it must only read."""
        with self._turn:
            return self._execute(statements()[name], values)

    def run_many(self, name: str, rows: Iterable[Mapping[str, object]]) -> None:
        """Run a named statement for each row, inside `write`."""
        with self._turn:
            try:
                self._connection.executemany(statements()[name], rows)
            except sqlite3.Error as error:
                raise errors.StorageError(f"the ledger refused {name}: {error}.") from error

    def value(self, name: str, /, **values: object) -> Any:
        """The first column of the first row, None without rows."""
        rows = self.run(name, **values)
        return next(iter(dict(rows[0]).values())) if rows else None

    def next(self, counter: str, count: int = 1) -> int:
        """Advance a counter by `count` inside `write`, and return its new value."""
        return int(self.value("advance_counter", name=counter, count=count))

    def close(self) -> None:
        """Let go of the file."""
        with self._turn:
            self._connection.close()
            os.close(self._lock_fd)

    def _execute(self, sql: str, values: Mapping[str, object]) -> list[Row]:
        try:
            return [dict(row) for row in self._connection.execute(sql, values).fetchall()]
        except sqlite3.Error as error:
            raise errors.StorageError(f"the ledger {self.path} failed: {error}.") from error
