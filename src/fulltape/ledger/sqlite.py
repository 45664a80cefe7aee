"""SQLite behind the ledger: a file in WAL mode, durable at every commit. The only file that imports sqlite3."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from fulltape import errors
from fulltape.ledger.database import Database, Row


class Sqlite(Database):
    """Any process may write, one at a time: `write` takes a file lock and then `BEGIN IMMEDIATE`."""

    def __init__(self, path: Path, *, read_only: bool = False, untouched: bool = False) -> None:
        """Open the file, created if there is none, and bring its schema forward; who opens it `read_only` changes nothing,
        not even that. `untouched`: not even the files beside it, by which readers and writers know of each other, are written; who
        reads so looks afterwards whether a writer has come (`stirred`)."""
        super().__init__(str(path))
        self._path = path
        self._lock_fd = -1
        try:
            if read_only:
                self._mark = mark(path)
                self._connection, self._as_it_lies = _readable(path, untouched=untouched)
                self.check_version()
                return
            self._lock_fd = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o644)
            self._connection = _connection(str(path))
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000", "cache_size=-32000"):
                self._connection.execute(f"PRAGMA {pragma}")
            self.migrate()
        except sqlite3.Error as error:
            self.close()
            raise errors.StorageError(f"the ledger {path} cannot be opened: {error}.") from error
        except errors.StorageError:
            self.close()
            raise

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        writes = self._lock_fd >= 0
        if writes:
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX)
        try:
            self._execute("BEGIN IMMEDIATE" if writes else "BEGIN", {})
            try:
                yield
                self._execute("COMMIT", {})
            except BaseException:
                if self._connection.in_transaction:  # a full disk has rolled back already
                    self._connection.execute("ROLLBACK")
                raise
        finally:
            if writes:
                fcntl.flock(self._lock_fd, fcntl.LOCK_UN)

    def lock(self, name: str) -> None:
        """Nothing to do: there is one writer at a time."""

    @contextlib.contextmanager
    def hold(self, name: str) -> Iterator[None]:
        """A lock file beside the ledger."""
        fd = os.open(self._path.with_suffix(f".{name}.lock"), os.O_RDWR | os.O_CREAT, 0o644)
        try:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise errors.BusyError(
                    f"another process is running {name} on this node.", hint="Wait for it, or stop it."
                ) from None
            yield
        finally:
            os.close(fd)

    @property
    def stirred(self) -> bool:
        """Whether a writer has come since the file was opened read only, of which nothing told us: what was read may be torn."""
        return self._as_it_lies and mark(self._path) != self._mark

    def room(self) -> tuple[int, int, int]:
        """As SQLite counts its pages."""
        names = ("page_count", "freelist_count", "page_size")
        with self._turn:
            pages, free, size = (int(self._execute(f"PRAGMA {name}", {})[0][name]) for name in names)
        return pages, free, size

    def compact(self) -> None:
        """Vacuum under the lock of writers."""
        with self._turn:
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX)
            try:
                self._execute("VACUUM", {})
            finally:
                fcntl.flock(self._lock_fd, fcntl.LOCK_UN)

    def faults(self) -> list[str]:
        """What SQLite's own check finds."""
        with self._turn:
            rows = self._execute("PRAGMA integrity_check", {})
        return [row["integrity_check"] for row in rows if row["integrity_check"] != "ok"]

    def vacuum_into(self, path: Path) -> None:
        """Write a compact copy of this moment to a new file."""
        with self._turn:
            self._execute("VACUUM INTO :path", {"path": str(path)})

    def close(self) -> None:
        """Close the file."""
        with self._turn:
            if hasattr(self, "_connection"):
                self._connection.close()
            if self._lock_fd >= 0:  # closing a number twice may close another file
                os.close(self._lock_fd)
                self._lock_fd = -1

    def _execute(self, sql: str, values: Mapping[str, object]) -> list[Row]:
        try:
            return [dict(row) for row in self._connection.execute(sql, values).fetchall()]
        except sqlite3.Error as error:
            raise errors.StorageError(f"the ledger {self.where} failed: {error}.") from error

    def _tuples(self, sql: str, values: Mapping[str, object]) -> list[tuple[Any, ...]]:
        try:
            cursor = self._connection.cursor()
            cursor.row_factory = None
            return cursor.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise errors.StorageError(f"the ledger {self.where} failed: {error}.") from error

    def _execute_many(self, sql: str, rows: Iterable[Mapping[str, object]]) -> None:
        try:
            self._connection.executemany(sql, rows)
        except sqlite3.Error as error:
            raise errors.StorageError(f"the ledger {self.where} failed: {error}.") from error


def _connection(where: str, *, uri: bool = False) -> sqlite3.Connection:
    connection = sqlite3.connect(where, isolation_level=None, timeout=30, check_same_thread=False, uri=uri)
    connection.row_factory = sqlite3.Row
    return connection


def mark(path: Path) -> tuple[tuple[int, int], ...]:
    """What is another value once a ledger, or the log of its newest changes, has been written."""
    marks = []
    for file in (path, path.with_name(f"{path.name}-wal")):
        try:
            about = file.stat()
        except FileNotFoundError:
            marks.append((0, 0))
        else:
            marks.append((about.st_mtime_ns, about.st_size))
    return tuple(marks)


def _readable(path: Path, *, untouched: bool) -> tuple[sqlite3.Connection, bool]:
    """A connection that cannot write, and whether it reads the file as it lies there, unknown to writers. Beside a living writer it reads what is committed; on a disk where nothing can be
    created, the file as it lies there. `untouched` first as it lies there too, unless changes wait beside it, which only a reader
    that writes can take up."""
    ways = ["mode=ro", "immutable=1"]
    if untouched:
        shared, waiting = path.with_name(f"{path.name}-shm").exists(), mark(path)[1][1] > 0
        ways = ["mode=ro&readonly_shm=1", *ways] if shared else ways if waiting else ways[::-1]
    for how in ways:
        connection = _connection(f"{path.resolve().as_uri()}?{how}", uri=True)
        try:
            connection.execute("SELECT 1 FROM sqlite_master").fetchall()
        except sqlite3.OperationalError:
            connection.close()
        else:
            return connection, how == "immutable=1"
    return _connection(f"{path.resolve().as_uri()}?mode=ro", uri=True), False


def holds_a_ledger(path: Path) -> bool:
    """Whether a file is a SQLite database that some fulltape has written its schema into. Changes nothing."""
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    except sqlite3.Error:
        return False
    try:
        row = connection.execute(
            "SELECT (SELECT MAX(version) FROM schema_version), (SELECT COUNT(*) FROM counters)"
        ).fetchone()
    except sqlite3.Error:
        return False
    finally:
        connection.close()
    return bool(row[0] and row[1])
