"""SQL over the rows of a node: the one door to DuckDB."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import polars as pl

from fulltape import errors

_WORD = re.compile(r"\w+")


def run(sql: str, table: Callable[[str], pl.LazyFrame], known: Sequence[str]) -> pl.DataFrame:
    """What a SELECT gives; times are UTC, whatever the machine's zone. `table` gives the rows of a name of `known`, and is asked for
    those that the text names; DuckDB reads of them only the columns and rows that it needs."""
    try:
        import duckdb
    except ModuleNotFoundError as error:
        raise errors.UsageError(
            "query needs duckdb, which is not installed.",
            hint="Install fulltape with its extra sql (README: extras)",
        ) from error
    connection = duckdb.connect(":memory:", config={"enable_external_access": "false"})
    try:
        connection.execute("SET TimeZone = 'UTC'")
        kinds = [statement.type for statement in connection.extract_statements(sql)]
        if kinds != [duckdb.StatementType.SELECT]:
            raise errors.UsageError("that is no query.", hint="A query is one SELECT.")
        words = {word.lower() for word in _WORD.findall(sql)}
        for name in known:
            if name.lower() in words:
                connection.register(name, table(name))
        frame: pl.DataFrame = connection.sql(sql).pl()
    except duckdb.CatalogException as error:
        raise errors.UsageError(
            f"DuckDB refuses the query: {_first_line(error)}", hint=f"Tables are {', '.join(known)}."
        ) from error
    except duckdb.Error as error:
        raise errors.UsageError(
            f"DuckDB refuses the query: {error}",
            hint="Columns are those of scan; indicators, every= and grid= are arguments of scan only.",
        ) from error
    finally:
        connection.close()
    return frame


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
