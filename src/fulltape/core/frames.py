"""Columns to frames: the one place where rows get the declared types.

polars is imported when a function is called, so that a process that only converses with vendors stays small.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fulltape.core.datasets import Dataset
from fulltape.core.schema import Column, DType
from fulltape.core.sessions import Calendar
from fulltape.core.time import HOUR, MINUTE
from fulltape.core.vendor import Decoded, Serves

if TYPE_CHECKING:
    import polars as pl

_PRE_OPEN = 4 * HOUR
_SESSION_ROLL = 4 * HOUR  # a session begins at 20:00 the evening before: local time + 4 h is its date
_EXTENDED_END = 20 * HOUR


def dtype(kind: DType) -> Any:
    """The polars type of a declared column type."""
    import polars as pl

    types: dict[DType, Any] = {
        "f64": pl.Float64,
        "i64": pl.Int64,
        "u32": pl.UInt32,
        "str": pl.String,
        "cat": pl.String,
        "bool": pl.Boolean,
        "date": pl.Date,
        "instant": pl.Datetime("us", "UTC"),
    }
    return types[kind]


def empty(columns: tuple[Column, ...]) -> pl.DataFrame:
    """A frame without rows in the declared types."""
    import polars as pl

    return pl.DataFrame(schema={column.name: dtype(column.dtype) for column in columns})


def conform(frame: pl.DataFrame, columns: tuple[Column, ...]) -> pl.DataFrame:
    """`frame` with exactly these columns in order and type; what is absent becomes null."""
    import polars as pl

    return frame.select(
        (pl.col(column.name) if column.name in frame.columns else pl.lit(None))
        .cast(dtype(column.dtype))
        .alias(column.name)
        for column in columns
    )


def sessions(calendar: Calendar) -> pl.DataFrame:
    """The calendar as a frame: session (date), open and close (UTC), `length` in minutes from open to close, and
    `minutes` expected, which leave out market-wide halts."""
    import polars as pl

    labels = [session.label for session in calendar.sessions]
    lengths = [(session.close - session.open) // MINUTE for session in calendar.sessions]
    expected = list(lengths)
    for label in calendar.halts:
        position = calendar.position(label)
        if position is not None:
            expected[position] = calendar.expected_minutes(position)
    return pl.DataFrame(
        {
            "session": labels,
            "open": [session.open for session in calendar.sessions],
            "close": [session.close for session in calendar.sessions],
            "length": lengths,
            "minutes": expected,
        },
        schema={
            "session": pl.Date,
            "open": pl.Int64,
            "close": pl.Int64,
            "length": pl.Int64,
            "minutes": pl.Int64,
        },
    ).with_columns(pl.col("open", "close").cast(pl.Datetime("us", "UTC")))


def bars(decoded: Decoded, dataset: Dataset, serves: Serves, calendar: Calendar) -> pl.DataFrame:
    """Raw bars with session, ts and (minutes) phase, in the dataset's schema plus `page`; `instrument` is null.

    A day bar is keyed by the date of its stamp in the endpoint's zone and gets the calendar's open as `ts`; where the
    calendar has no such session the stamp stays, so that the row is kept and found by the checks.
    """
    import polars as pl

    declared = (*dataset.schema.columns, Column(name="page", dtype="i64"))
    values = {column.name: column for column in declared if column.name in decoded.columns}
    frame = pl.DataFrame(
        {name: decoded.columns[name] for name in (*values, "stamp")},
        schema={name: dtype(column.dtype) for name, column in values.items()} | {"stamp": pl.Int64},
        strict=True,
    ).with_columns(pl.col("stamp").cast(pl.Datetime("us", "UTC")))
    table = sessions(calendar).select("session", "open", "close")
    if dataset.grain == "day":
        frame = frame.with_columns(
            pl.col("stamp").dt.convert_time_zone(serves.stamp_zone).dt.date().alias("session")
        )
        frame = frame.join(table, on="session", how="left", maintain_order="left")
        frame = frame.with_columns(pl.coalesce("open_right", "stamp").alias("ts"))
    else:
        local = pl.col("stamp").dt.convert_time_zone(calendar.zone).dt.replace_time_zone(None)
        frame = frame.with_columns(
            (local + pl.duration(microseconds=_SESSION_ROLL)).dt.date().alias("session"),
            (local - local.dt.truncate("1d")).dt.total_microseconds().alias("of_day"),
            pl.col("stamp").alias("ts"),
        )
        frame = frame.join(table, on="session", how="left", maintain_order="left")
        frame = frame.with_columns(
            _phase(),
            ((pl.col("ts") - pl.col("open_right")).dt.total_microseconds() // MINUTE).alias(
                "minute_of_session"
            ),
        )
    return conform(frame, declared)


def _phase() -> pl.Expr:
    import polars as pl

    regular = (pl.col("ts") >= pl.col("open_right")) & (pl.col("ts") < pl.col("close_right"))
    overnight = (pl.col("of_day") < _PRE_OPEN) | (pl.col("of_day") >= _EXTENDED_END)
    return (
        pl.when(regular)
        .then(pl.lit("regular"))
        .when(overnight)
        .then(pl.lit("overnight"))
        .when(pl.col("ts") < pl.col("open_right"))
        .then(pl.lit("pre"))
        .otherwise(pl.lit("post"))
        .alias("phase")
    )
