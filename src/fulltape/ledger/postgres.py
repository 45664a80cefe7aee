"""PostgreSQL behind the ledger, for several machines that share a node. The only file that imports psycopg.

It needs the extra `fulltape[cluster]`; the import happens when a ledger is opened. Named parameters are the same as for
SQLite and are put into the text on our side, so that one text has one meaning on both.
"""

from __future__ import annotations

import contextlib
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from fulltape import errors
from fulltape.ledger.database import Database, Row

_PARAMETER = re.compile(r"(?<![:\w]):([a-z_]\w*)")


class Postgres(Database):
    """One connection; transactions of other processes run beside ours, so a transaction that reads in order to write locks."""

    blob = "BYTEA"
    skip_locked = "FOR UPDATE OF tasks SKIP LOCKED"
    joined = "string_agg"
    one_moment = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"

    def __init__(self, url: str, *, read_only: bool = False) -> None:
        try:
            import psycopg
            from psycopg.rows import dict_row
        except ImportError as error:
            raise errors.StorageError(
                "a ledger on PostgreSQL needs psycopg.",
                hint="Install fulltape with its extra cluster (README: extras).",
            ) from error
        self._psycopg = psycopg
        try:
            self._connection: Any = psycopg.connect(
                url, autocommit=True, row_factory=dict_row, cursor_factory=psycopg.ClientCursor
            )
        except psycopg.Error as error:
            # The server's words may be shown, but a wrong address is repeated in the client's, with its password.
            reason = (
                _first_line(error) if isinstance(error, psycopg.OperationalError) else "its address is wrong"
            )
            for secret in re.findall(r"://[^:/@]*:([^@]*)@", url):
                reason = reason.replace(secret, "[redacted]")
            raise errors.StorageError(
                f"the ledger on PostgreSQL cannot be opened: {reason}.", hint="Check [cluster] ledger."
            ) from None
        info = self._connection.info
        super().__init__(f"{info.dbname} on {info.host}")
        try:
            if read_only:
                self.check_version()
            else:
                self.migrate()
        except errors.StorageError:
            self.close()
            raise

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            with self._connection.transaction():
                yield
        except self._psycopg.Error as error:
            raise errors.StorageError(f"the ledger {self.where} failed: {_first_line(error)}.") from error

    def lock(self, name: str) -> None:
        """An advisory lock until the end of the transaction."""
        self._execute("SELECT pg_advisory_xact_lock(:key)", {"key": _key(name)})

    @contextlib.contextmanager
    def hold(self, name: str) -> Iterator[None]:
        """An advisory lock of our session; the server frees it when the connection is gone."""
        with self._turn:
            got = self._execute("SELECT pg_try_advisory_lock(:key) AS got", {"key": _key(f"hold {name}")})
        if not got[0]["got"]:
            raise errors.BusyError(
                f"another process is running {name} on this node.", hint="Wait for it, or stop it."
            )
        try:
            yield
        finally:
            with self._turn:
                self._execute("SELECT pg_advisory_unlock(:key)", {"key": _key(f"hold {name}")})

    def close(self) -> None:
        """Close the connection."""
        with self._turn:
            self._connection.close()

    def _execute(self, sql: str, values: Mapping[str, object]) -> list[Row]:
        try:
            cursor = self._connection.execute(_text(sql), values)
            return [_plain(row) for row in cursor.fetchall()] if cursor.description else []
        except self._psycopg.Error as error:
            raise errors.StorageError(f"the ledger {self.where} failed: {_first_line(error)}.") from error

    def _tuples(self, sql: str, values: Mapping[str, object]) -> list[tuple[Any, ...]]:
        try:
            with self._connection.cursor(row_factory=self._psycopg.rows.tuple_row) as cursor:
                return list(cursor.execute(_text(sql), values).fetchall())
        except self._psycopg.Error as error:
            raise errors.StorageError(f"the ledger {self.where} failed: {_first_line(error)}.") from error

    def _execute_many(self, sql: str, rows: Iterable[Mapping[str, object]]) -> None:
        try:
            with self._connection.cursor() as cursor:
                cursor.executemany(_text(sql), list(rows))
        except self._psycopg.Error as error:
            raise errors.StorageError(f"the ledger {self.where} failed: {_first_line(error)}.") from error


def _text(sql: str) -> str:
    return _PARAMETER.sub(r"%(\1)s", sql.replace("%", "%%"))


def _plain(row: Mapping[str, Any]) -> Row:
    """Sums and means of BIGINT come as Decimal here, and as numbers from SQLite."""
    return {
        name: (int(value) if value == value.to_integral_value() else float(value))
        if isinstance(value, Decimal)
        else value
        for name, value in row.items()
    }


def _key(name: str) -> int:
    """A number for a name, as advisory locks want it."""
    return zlib.crc32(f"fulltape {name}".encode())


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", maxsplit=1)[0].rstrip(".")
