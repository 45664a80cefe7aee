"""The database behind the ledger: one schema and one SQL text for every engine.

Statements are named and live in `sql/*.sql` under `-- name: …` lines; migrations are numbered and run by themselves.
`sqlite.py` and `postgres.py` are the engines. One `Database` may be used by several threads: they take turns.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.resources
import re
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from fulltape import errors

_SQL = importlib.resources.files("fulltape.ledger.sql")
_NAME = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)

_PART = re.compile(r"\{(\w+)\}")

Row = Mapping[str, Any]
_AT_ONCE = 500


@functools.cache
def statements() -> dict[str, str]:
    """Every named statement. One may stand inside others, as `{name}`."""
    by_name: dict[str, str] = {}
    for file in sorted(_SQL.iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".sql"):
            _, *pieces = _NAME.split(file.read_text())
            by_name.update(zip(pieces[::2], (piece.strip() for piece in pieces[1::2]), strict=True))
    return {
        name: _PART.sub(lambda part: by_name.get(part[1], part[0]), text) for name, text in by_name.items()
    }


@functools.cache
def migrations() -> tuple[tuple[int, str], ...]:
    """Numbered migrations, ascending."""
    folder = _SQL / "migrations"
    files = [entry for entry in folder.iterdir() if entry.name.endswith(".sql")]
    return tuple(sorted((int(file.name[:4]), file.read_text()) for file in files))


def _storable(values: Mapping[str, object]) -> Mapping[str, object]:
    """The values with what one of the engines refuses replaced: NUL, and halves of surrogate pairs, as error texts of
    vendors may have them."""
    if all(type(value) is not str or (value.isascii() and "\0" not in value) for value in values.values()):
        return values
    return {name: _text_of(value) if isinstance(value, str) else value for name, value in values.items()}


def _text_of(value: str) -> str:
    return value.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")


class Database(ABC):
    """One database. `write` makes a transaction, nested ones join the outer."""

    blob = "BLOB"
    """The engine's word for bytes: the only thing that differs in the schema."""
    skip_locked = ""
    """How a statement passes over rows that another transaction is choosing from; nothing where there is one writer at
    a time. This and `joined` are all that differs in statements."""

    joined = "group_concat"
    """The engine's word for joining texts, with what stands between them: standard SQL's comes with newer SQLites."""

    one_moment = ""
    """How a transaction is told to see one moment only; nothing where it does so anyway."""

    def __init__(self, where: str) -> None:
        self.where = where
        self._turn = threading.RLock()
        self._depth = 0

    @abstractmethod
    def _execute(self, sql: str, values: Mapping[str, object]) -> list[Row]:
        """Run one statement; `StorageError` where the engine refuses."""

    @abstractmethod
    def _execute_many(self, sql: str, rows: Iterable[Mapping[str, object]]) -> None:
        """Run one statement for each row; `StorageError` where the engine refuses."""

    @abstractmethod
    def _tuples(self, sql: str, values: Mapping[str, object]) -> list[tuple[Any, ...]]:
        """Run one statement that reads, and return bare tuples: for reading a hundred thousand rows."""

    @abstractmethod
    def _transaction(self) -> contextlib.AbstractContextManager[None]:
        """Begin; commit durably at the end, or roll back on any error."""

    @abstractmethod
    def lock(self, name: str) -> None:
        """Inside `write`: wait until no other transaction holds this name, and hold it until the end of ours."""

    @abstractmethod
    def hold(self, name: str) -> contextlib.AbstractContextManager[None]:
        """Hold a name beyond transactions, or raise `BusyError`; it is freed when the process dies."""

    def room(self) -> tuple[int, int, int]:
        """Pages of the file, how many of them are free, and the bytes of one; zeros where the engine looks after that."""
        return 0, 0, 0

    def compact(self) -> None:
        """Write the file anew without its free pages; nothing where the engine looks after that."""
        return

    def faults(self) -> list[str]:
        """What the engine finds wrong with its own pages; nothing where it looks after them itself."""
        return []

    @abstractmethod
    def close(self) -> None:
        """Let go of the database."""

    @contextlib.contextmanager
    def write(self) -> Iterator[None]:
        """A transaction: all of it is durable when the block ends, or none of it ever happened."""
        with self._turn:
            if self._depth:
                yield
                return
            self._depth = 1
            try:
                with self._transaction():
                    yield
            finally:
                self._depth = 0

    def run(self, name: str, /, **values: object) -> list[Row]:
        """Run a named statement; outside of `write` it must only read."""
        with self._turn:
            return self._execute(self._text(name), _storable(values))

    def tuples(self, name: str, /, **values: object) -> list[tuple[Any, ...]]:
        """Run a named statement that reads much; rows are bare tuples in the order of its columns."""
        with self._turn:
            return self._tuples(self._text(name), _storable(values))

    def run_many(self, name: str, rows: Iterable[Mapping[str, object]]) -> None:
        """Run a named statement for each row, inside `write`."""
        with self._turn:
            self._execute_many(self._text(name), map(_storable, rows))

    def run_over(self, name: str, keys: Sequence[tuple[int, ...]], **values: object) -> list[Row]:
        """Run a named statement over many rows at once: `{ids}` are the first numbers of the keys, `{keys}` all of
        them as VALUES."""
        rows: list[Row] = []
        for at in range(0, len(keys), _AT_ONCE):
            some = keys[at : at + _AT_ONCE]
            text = self._text(name).replace("{ids}", ", ".join(str(int(key[0])) for key in some))
            listed = ", ".join("(" + ", ".join(str(int(number)) for number in key) + ")" for key in some)
            with self._turn:
                rows += self._execute(text.replace("{keys}", listed), _storable(values))
        return rows

    def _text(self, name: str) -> str:
        return statements()[name].replace("{skip_locked}", self.skip_locked).replace("{joined}", self.joined)

    def statement(self, sql: str) -> list[Row]:
        """Run a statement that no file names: for copying whole tables, in backups."""
        with self._turn:
            return self._execute(sql, {})

    def statement_for_each(self, sql: str, rows: Sequence[Mapping[str, object]]) -> None:
        """The same for each row, inside `write`."""
        with self._turn:
            self._execute_many(sql, rows)

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """Whatever is read inside was so at one moment."""
        with self.write():
            if self.one_moment:
                self._execute(self.one_moment, {})
            yield

    def value(self, name: str, /, **values: object) -> Any:
        """The first column of the first row, None without rows."""
        rows = self.run(name, **values)
        return next(iter(dict(rows[0]).values())) if rows else None

    def next(self, counter: str, count: int = 1) -> int:
        """Advance a counter by `count` inside `write`, and return its new value."""
        return int(self.value("advance_counter", name=counter, count=count))

    def check_version(self) -> None:
        """Raise where the schema is another one than this fulltape's; changes nothing."""
        newest = migrations()[-1][0]
        have = int(self._execute("SELECT MAX(version) AS version FROM schema_version", {})[0]["version"] or 0)
        self._refuse_newer(have, newest)
        if have < newest:
            raise errors.LedgerTooOldError(
                f"the ledger {self.where} has version {have}, this fulltape reads {newest}.",
                hint="Any command on the node, such as `fulltape status`, brings it forward.",
            )

    def _refuse_newer(self, have: int, newest: int) -> None:
        if have > newest:
            raise errors.LedgerTooNewError(
                f"the ledger {self.where} has version {have}, this fulltape knows {newest}.",
                hint="Install the newer fulltape that wrote it.",
            )

    def migrate(self) -> None:
        """Bring the schema forward; a database of a newer fulltape is refused."""
        newest = migrations()[-1][0]
        with self.write():
            self.lock("migrations")
            self._execute(
                "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL PRIMARY KEY)", {}
            )
            rows = self._execute("SELECT MAX(version) AS version FROM schema_version", {})
            have = int(rows[0]["version"] or 0)
            self._refuse_newer(have, newest)
            for number, text in migrations():
                if number > have:
                    for statement in text.replace("{blob}", self.blob).split(";\n"):
                        self._execute(statement, {})
                    self._execute(
                        "INSERT INTO schema_version (version) VALUES (:version)", {"version": number}
                    )
