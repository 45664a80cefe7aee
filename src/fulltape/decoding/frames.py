"""Columns to frames: the one place where rows get the declared types.

polars is imported when a function is called, so that a process that only converses with vendors stays small.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fulltape.contract.vendor import Capability, Decoded, Rejected
from fulltape.decoding import tables
from fulltape.market import assets, days, ranges
from fulltape.market.dataset import Dataset
from fulltape.market.schema import Column, DType
from fulltape.market.sessions import Calendar
from fulltape.market.time import MINUTE

if TYPE_CHECKING:
    import polars as pl

_NANOS = 1_000
"""Of a microsecond: polars counts the time of a day in them."""

_PAGE = Column(name="page", dtype="i64")
_FEW_CELLS = 2_000
_SESSIONS: dict[tuple[str, str, int], pl.DataFrame] = {}
"""A calendar's frame is asked for with every cell, and there are few calendars."""


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
        "nanos": pl.Datetime("ns", "UTC"),
    }
    return types[kind]


def schema(columns: tuple[Column, ...]) -> dict[str, Any]:
    """The declared columns and their polars types."""
    return {column.name: dtype(column.dtype) for column in columns}


def empty(columns: tuple[Column, ...]) -> pl.DataFrame:
    """A frame without rows in the declared types."""
    import polars as pl

    return pl.DataFrame(schema=schema(columns))


def spans(cells: pl.DataFrame, calendar: Calendar) -> dict[str, list[tuple[dt.date, dt.date]]]:
    """Ranges of consecutive sessions by instrument, inclusive and in order; `cells` have instrument and session, in any
    order and as often as they like. Days without a session are left out."""
    import polars as pl

    unique = cells.select(pl.col("instrument").cast(pl.String), "session").unique()
    if unique.height <= _FEW_CELLS:
        return _spans_of_few(unique, calendar)
    places = sessions(calendar).select("session").with_row_index("position")
    runs = (
        unique.join(places, on="session")
        .sort("instrument", "position")
        .with_columns(
            (pl.col("position").cast(pl.Int64) - pl.int_range(pl.len()).over("instrument")).alias("run")
        )
        .group_by("instrument", "run", maintain_order=True)
        .agg(pl.col("session").first().alias("first"), pl.col("session").last().alias("last"))
    )
    out: dict[str, list[tuple[dt.date, dt.date]]] = {}
    for instrument, _, first, last in runs.iter_rows():
        out.setdefault(instrument, []).append((first, last))
    return out


def _spans_of_few(unique: pl.DataFrame, calendar: Calendar) -> dict[str, list[tuple[dt.date, dt.date]]]:
    """The same, for so few cells that a query would take longer."""
    points: dict[str, list[int]] = {}
    for instrument, label in unique.iter_rows():
        position = calendar.position(label)
        if position is not None:
            points.setdefault(instrument, []).append(position)
    return {
        instrument: [
            (calendar.label(start), calendar.label(stop - 1)) for start, stop in ranges.from_points(positions)
        ]
        for instrument, positions in sorted(points.items())
    }


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
    key = (calendar.name, calendar.version, len(calendar))
    if key not in _SESSIONS:
        _SESSIONS[key] = _sessions(calendar)
    return _SESSIONS[key]


def closes(calendar: Calendar) -> pl.DataFrame:
    """The regular close of each session: session, `session_close` (UTC)."""
    import polars as pl

    return sessions(calendar).select("session", pl.col("close").alias("session_close"))


def _sessions(calendar: Calendar) -> pl.DataFrame:
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


def rows(
    decoded: Decoded, dataset: Dataset, capability: Capability, calendar: Calendar
) -> tuple[pl.DataFrame, tuple[Rejected, ...]]:
    """Raw rows in the dataset's schema plus `page`; `instrument` is null; and what could not be taken.

    A day bar is keyed by the date of its stamp in the endpoint's zone and gets the session's open as `ts`; where the
    calendar has no such session the stamp stays, so that the row is kept and found by the checks. Everything else
    belongs to the session that its stamp lies in, unless the vendor's file has said so itself.
    """
    import polars as pl

    names = [
        column.name for column in dataset.schema.columns if column.name not in ("symbol", "ts", "instrument")
    ]
    exact = ["timestamp_ns"] if "ts_event" in names else []
    wide, rejected = tables.frame(decoded, [*names, *exact], session_rule(dataset, capability, calendar))
    wide = wide.with_columns(
        pl.col("symbol").cast(pl.String),
        pl.col("timestamp").cast(pl.Int64).cast(pl.Datetime("us", "UTC")).alias("ts"),
        pl.col("session").cast(pl.Date),
    )
    if exact:
        wide = wide.with_columns(
            pl.col("timestamp_ns").cast(pl.Int64).cast(pl.Datetime("ns", "UTC")).alias("ts_event")
        )
    placed_rows, more = placed(wide, dataset, capability, calendar)
    return placed_rows, (*decoded.rejected, *rejected, *more)


def placed(
    wide: pl.DataFrame, dataset: Dataset, capability: Capability, calendar: Calendar
) -> tuple[pl.DataFrame, list[Rejected]]:
    """Rows with `symbol`, `page`, `ts` (UTC) and `session` (null where only `ts` tells it) in the dataset's schema, beside `page`; and
    day bars that are not stamped as it is declared."""
    rejected: list[Rejected] = []
    if dataset.grain == "day":
        wide, rejected = _day_bars(wide, capability, calendar)
    elif dataset.grain != "event":
        wide = _in_sessions(wide, calendar)
    if dataset.grain == "minute":
        wide = _minutes(wide, calendar)
    return conform(wide, (*dataset.schema.columns, _PAGE)), rejected


def live(wide: pl.DataFrame, dataset: Dataset, calendar: Calendar) -> pl.DataFrame:
    """Captured rows in the dataset's schema, with `ts_recv` (UTC nanoseconds) and `connection`; `instrument` and
    `symbol` are there already. Ticks and minutes only: nothing else is captured. Ids that are whole numbers stay so, as
    long as the rows are raw: `declared` gives them their type."""
    import polars as pl

    declared = dataset.schema.columns
    wide = wide.with_columns(
        pl.col("timestamp").cast(pl.Int64).cast(pl.Datetime("us", "UTC")).alias("ts"),
        pl.col("timestamp_ns").cast(pl.Int64).cast(pl.Datetime("ns", "UTC")).alias("ts_event"),
        pl.col("ts_recv").cast(pl.Datetime("ns", "UTC")),
    )
    wide = _in_sessions(wide, calendar)
    if dataset.grain == "minute":
        wide = _minutes(wide, calendar)
    extra = (Column(name="ts_recv", dtype="nanos"), Column(name="connection", dtype="u32"))
    ids = [column.name for column in declared if column.dtype == "str" and column.name in wide.columns]
    numbers = {name: pl.Int64() for name in ids if wide.schema[name].is_integer()}
    return conform(wide.drop(numbers), (*declared, *extra)).with_columns(
        wide[name].cast(pl.Int64).alias(name) for name in numbers
    )


def declared_types(rows: pl.LazyFrame, columns: tuple[Column, ...]) -> pl.LazyFrame:
    """Raw captured rows as curated ones have them: whole numbers that are declared as text become text."""
    import polars as pl

    schema = rows.collect_schema()
    texts = [
        column.name
        for column in columns
        if column.dtype == "str" and column.name in schema and schema[column.name].is_integer()
    ]
    return rows.with_columns(pl.col(texts).cast(pl.String)) if texts else rows


def traded(raw: pl.LazyFrame, dataset: Dataset) -> pl.LazyFrame:
    """Without the minutes in which nothing traded, with which some venues fill their grid: those stay in the raw rows
    only."""
    import polars as pl

    if dataset.grain != "minute" or not {"volume", "trade_count"} <= set(raw.collect_schema().names()):
        return raw
    return raw.filter((pl.col("volume") > 0) | (pl.col("trade_count") > 0))


def session_rule(dataset: Dataset, capability: Capability, calendar: Calendar) -> Callable[[int], dt.date]:
    """How the session of a stamp is found for this endpoint."""
    if dataset.grain != "day":
        return calendar.day_rule.session
    zone = days.zone_midnight(capability.timestamp_zone)
    return lambda timestamp: zone.session(timestamp - 1 if capability.timestamp == "end" else timestamp)


def _day_bars(
    wide: pl.DataFrame, capability: Capability, calendar: Calendar
) -> tuple[pl.DataFrame, list[Rejected]]:
    """Sessions and opens of day bars; one that does not begin at the midnight that is declared, or that lies outside
    of the session that its page is about, is another market's day and is refused."""
    import polars as pl

    moment = pl.col("ts") - pl.duration(microseconds=1) if capability.timestamp == "end" else pl.col("ts")
    local = moment.dt.convert_time_zone(capability.timestamp_zone)
    # The session of a page about one day: its rows are stamped at any moment of that day, its end included.
    said = pl.col("session")
    ends = (
        (pl.col("ts") - pl.duration(microseconds=1)).dt.convert_time_zone(capability.timestamp_zone).dt.date()
    )
    wrong = said.is_not_null() & (said != ends)
    if capability.timestamp == "start":
        wrong = wrong | (said.is_null() & (local.dt.time() != dt.time()))
    wide = wide.with_columns(wrong.alias("wrong"), pl.coalesce(said, local.dt.date()).alias("session"))
    counted = wide.filter("wrong").group_by("page", "symbol", "session", maintain_order=True).len()
    why = f"day bars that are not stamped as days of {capability.timestamp_zone}"
    rejected = [
        Rejected(page=page, symbol=symbol, session=session, rows=count, reason=why)
        for page, symbol, session, count in counted.iter_rows()
    ]
    wide = _with_hours(wide.filter(~pl.col("wrong")), calendar)
    return wide.with_columns(pl.coalesce("session_open", "ts").alias("ts")), rejected


def _in_sessions(wide: pl.DataFrame, calendar: Calendar) -> pl.DataFrame:
    """The session that each row's `ts` lies in."""
    import polars as pl

    local = pl.col("ts").dt.convert_time_zone(calendar.zone).dt.replace_time_zone(None)
    return wide.with_columns(
        (local + pl.duration(microseconds=calendar.day_rule.early)).dt.date().alias("session")
    )


def _with_hours(wide: pl.DataFrame, calendar: Calendar) -> pl.DataFrame:
    import polars as pl

    table = sessions(calendar).select(
        "session", pl.col("open").alias("session_open"), pl.col("close").alias("session_close")
    )
    return wide.join(table, on="session", how="left", maintain_order="left")


def _minutes(wide: pl.DataFrame, calendar: Calendar) -> pl.DataFrame:
    """Phase and minute of the session; a market without fixed hours has regular minutes only."""
    import polars as pl

    local = pl.col("ts").dt.convert_time_zone(calendar.zone).dt.replace_time_zone(None)
    wide = _with_hours(wide, calendar).with_columns(local.dt.time().cast(pl.Int64).alias("of_day"))
    if "underlying" in wide.columns:
        late = (
            pl.col("underlying").cast(pl.String).is_in(sorted(assets.LATE_UNDERLYINGS)).fill_null(value=False)
        )
        later = pl.col("session_close") + pl.duration(minutes=15)
        wide = wide.with_columns(pl.when(late).then(later).otherwise("session_close").alias("session_close"))
    return wide.with_columns(
        _phase(),
        ((pl.col("ts") - pl.col("session_open")).dt.total_microseconds() // MINUTE).alias(
            "minute_of_session"
        ),
    )


def _phase() -> pl.Expr:
    import polars as pl

    regular = (pl.col("ts") >= pl.col("session_open")) & (pl.col("ts") < pl.col("session_close"))
    overnight = (pl.col("of_day") < days.PRE_OPEN * _NANOS) | (pl.col("of_day") >= days.EXTENDED_END * _NANOS)
    return (
        pl.when(regular)
        .then(pl.lit("regular"))
        .when(overnight)
        .then(pl.lit("overnight"))
        .when(pl.col("ts") < pl.col("session_open"))
        .then(pl.lit("pre"))
        .otherwise(pl.lit("post"))
        .alias("phase")
    )
