"""Rows for the bars that are not there: expected minutes of sessions, with nulls. Never a price."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import polars as pl

from fulltape.bars import buckets
from fulltape.bars.buckets import Origin
from fulltape.bars.every import Every
from fulltape.decoding import frames
from fulltape.market.dataset import Dataset
from fulltape.market.instruments import Instrument
from fulltape.market.sessions import Calendar
from fulltape.market.time import MINUTE, Instant, to_datetime

FILLED = "is_filled"
_EVER = dt.date.min


def filled(
    rows: pl.LazyFrame,
    dataset: Dataset,
    calendar: Calendar,
    instruments: Sequence[Instrument],
    lives: Mapping[str, tuple[dt.date, dt.date]],
    *,
    every: Every | None = None,
    origin: Origin = "open",
    until: Instant | None = None,
) -> pl.LazyFrame:
    """Bars of days or regular minutes, or bars of `every` made of those, with a row for each that is expected and not there, by
    instrument and `ts`.

    Expected are the sessions of an instrument from the first to the last that `lives` tells, without the minutes of breaks and
    market-wide halts, as far as they were over by `until` (UTC microseconds). Such a row has `is_filled`, its place in time, and
    nulls; `n` is 0.
    """
    spans = [(name, *life) for name, life in lives.items()]
    place = {"instrument": pl.String, "first_session": pl.Date, "last_session": pl.Date}
    cells = pl.LazyFrame(spans, schema=place, orient="row").join_where(
        _sessions(calendar).lazy(),
        pl.col("session") >= pl.col("first_session"),
        pl.col("session") <= pl.col("last_session"),
    )
    expected = cells if dataset.grain == "day" else _minutes(cells, calendar)
    if every is not None:
        expected = buckets.expected(expected, every, calendar, origin=origin).with_columns(
            pl.lit(0, pl.Int64).alias("n")
        )
    if until is not None:
        expected = expected.filter(pl.col("available_at") <= pl.lit(to_datetime(until)))
    kept = ["instrument", "session", "ts", "available_at"]
    kept += ["phase"] if dataset.grain == "minute" else []
    kept += ["minute_of_session"] if dataset.grain == "minute" and every is None else []
    kept += ["bucket_end", "n"] if every is not None else []
    there = rows.filter(pl.col("phase") == "regular") if dataset.grain == "minute" else rows
    missing = expected.select(kept).join(
        there.select("instrument", "ts"), on=["instrument", "ts"], how="anti"
    )
    named = _named(missing, instruments).with_columns(pl.lit(value=True).alias(FILLED))
    schema = rows.collect_schema()
    typed = named.with_columns(
        pl.col(name).cast(dtype) for name, dtype in schema.items() if name in named.collect_schema()
    )
    whole = pl.concat([rows.with_columns(pl.lit(value=False).alias(FILLED)), typed], how="diagonal")
    return whole.sort("instrument", "ts", *(["bucket_end"] if every is not None else []))


def axis(
    dataset: Dataset,
    calendar: Calendar,
    first: dt.date,
    last: dt.date,
    *,
    every: Every | None,
    origin: Origin = "open",
) -> pl.DataFrame:
    """The starts of all bars that are expected of an instrument in sessions from `first` to `last`, both inclusive: session and ts, in
    order."""
    inside = pl.col("session").is_between(first, last)
    sessions = _sessions(calendar).lazy().filter(inside).with_columns(pl.lit("").alias("instrument"))
    expected = sessions if dataset.grain == "day" else _minutes(sessions, calendar)
    if every is not None:
        expected = buckets.expected(expected, every, calendar, origin=origin)
    return expected.select("session", "ts").sort("ts").collect()


def _sessions(calendar: Calendar) -> pl.DataFrame:
    return frames.sessions(calendar).select(
        "session", pl.col("open").alias("ts"), pl.col("close").alias("available_at"), "length"
    )


def _minutes(cells: pl.LazyFrame, calendar: Calendar) -> pl.LazyFrame:
    """The expected regular minutes of sessions."""
    halted = pl.LazyFrame(
        calendar.interrupted, schema={"session": pl.Date, "minute_of_session": pl.Int64}, orient="row"
    )
    each = cells.with_columns(pl.int_ranges(0, "length").alias("minute_of_session")).explode(
        "minute_of_session"
    )
    at = pl.col("ts") + pl.duration(microseconds=pl.col("minute_of_session") * MINUTE)
    return each.join(halted, on=["session", "minute_of_session"], how="anti").with_columns(
        at.alias("ts"),
        (at + pl.duration(minutes=1)).alias("available_at"),
        pl.lit("regular").alias("phase"),
    )


def _named(rows: pl.LazyFrame, instruments: Sequence[Instrument]) -> pl.LazyFrame:
    """Rows with the symbol of their session."""
    spans = [
        (instrument.instrument, dated.first or _EVER, dated.symbol)
        for instrument in instruments
        for dated in instrument.symbols
    ]
    table = pl.LazyFrame(
        spans, schema={"instrument": pl.String, "since": pl.Date, "symbol": pl.String}, orient="row"
    )
    return (
        rows.sort("session")
        .join_asof(
            table.sort("since"), left_on="session", right_on="since", by="instrument", check_sortedness=False
        )
        .drop("since")
    )
