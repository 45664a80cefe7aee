"""SQL over the rows of a node: the one door to DuckDB."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence

import polars as pl

from fulltape import errors


def run(sql: str, table: Callable[[str], pl.LazyFrame | None], known: Sequence[str]) -> pl.DataFrame:
    """What a SELECT gives. `table` gives the rows of a name, None where there is no such table; DuckDB reads of them only the columns
    and rows that it needs. `known` are names for a hint."""
    try:
        import duckdb
    except ModuleNotFoundError as error:
        raise errors.UsageError(
            "query needs duckdb, which is not installed.",
            hint="Install fulltape with its extra sql (README: extras)",
        ) from error
    connection = duckdb.connect(":memory:")
    try:
        kinds = [statement.type for statement in connection.extract_statements(sql)]
        if kinds != [duckdb.StatementType.SELECT]:
            raise errors.UsageError("that is no query.", hint="A query is one SELECT.")
        for name in sorted(connection.get_table_names(sql)):
            rows = table(name)
            if rows is None:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"Did you mean {near[0]}?" if near else f"It has {', '.join(known)}."
                raise errors.UsageError(f"this node has no table {name!r}.", hint=hint)
            connection.register(name, rows)
        frame: pl.DataFrame = connection.sql(sql).pl()
    except duckdb.Error as error:
        raise errors.UsageError(f"DuckDB refuses the query: {error}") from error
    finally:
        connection.close()
    return frame
