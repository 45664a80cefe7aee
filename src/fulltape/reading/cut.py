"""Cuts rows: by what was public, by moments, by columns."""

from __future__ import annotations

import difflib

import polars as pl

from fulltape import errors
from fulltape.bars import indicators
from fulltape.context import repaired
from fulltape.decoding import frames, versions
from fulltape.market.sessions import Calendar
from fulltape.market.time import to_datetime
from fulltape.reading.request import ScanRequest

_VINTAGE = "realtime_start"


def public(rows: pl.LazyFrame, request: ScanRequest) -> pl.LazyFrame:
    """Rows that were public by `as_of`; of published values the vintage of that moment, null where it had been withdrawn."""
    assert request.as_of is not None
    visible = rows.filter(pl.col("available_at") <= pl.lit(to_datetime(request.as_of)))
    if _VINTAGE not in request.dataset.schema.names:
        return visible
    newest = pl.col(_VINTAGE) == pl.col(_VINTAGE).max().over("instrument", "ts")
    return visible.filter(newest)


def spelled(rows: pl.LazyFrame, request: ScanRequest, calendar: Calendar) -> pl.LazyFrame:
    """Rows under the symbols that were asked for, with `available_basis` where that was; with indicators under all symbols, since a
    series goes over a rename."""
    if request.symbols is not None and not request.indicators:
        rows = rows.filter(pl.col("symbol").is_in(request.symbols))
    if not request.columns or versions.BASIS not in request.columns:
        return rows
    wide = rows.join(frames.closes(calendar).lazy(), on="session", how="left", maintain_order="left")
    return wide.with_columns(
        pl.when(pl.col("flags") & repaired.BIT != 0)
        .then(pl.lit("repair"))
        .otherwise(versions.basis(request.dataset))
        .alias(versions.BASIS)
    ).drop("session_close")


def moments(rows: pl.LazyFrame, request: ScanRequest) -> pl.LazyFrame:
    """Rows in [begin, end), where moments were given."""
    if request.begin is not None:
        rows = rows.filter(pl.col("ts") >= pl.lit(to_datetime(request.begin)))
    if request.end is not None:
        rows = rows.filter(pl.col("ts") < pl.lit(to_datetime(request.end)))
    return rows


def columns(rows: pl.LazyFrame, request: ScanRequest) -> pl.LazyFrame:
    """Only the columns that were asked for, in their order; `UsageError` for one that there is not."""
    if request.columns is None:
        return rows
    names = rows.collect_schema().names()
    for name in request.columns:
        if name not in names:
            optional = [] if request.every else [versions.BASIS]
            near = difflib.get_close_matches(name, [*names, *optional, *indicators.names()], n=1)
            hint = (
                f"Did you mean {near[0]}?"
                if near
                else f"It has {', '.join(names)}; indicators are written like rsi_14."
            )
            if name == versions.BASIS:
                hint = "It is of single rows, not of bars of `every`."
            if name.startswith("adjust_"):
                hint = "It comes with adjust=."
            raise errors.UsageError(f"{request.dataset.name} has no column {name!r} here.", hint=hint)
    return rows.select(*request.columns)
