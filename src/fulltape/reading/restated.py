"""What sources have changed of rows that they had sent before."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

import polars as pl

from fulltape.context import scanning
from fulltape.context.point_in_time import PointInTime
from fulltape.decoding import frames
from fulltape.market.dataset import Dataset
from fulltape.market.time import Instant

SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "source": pl.String, "instrument": pl.String, "session": pl.Date, "ts": pl.Datetime("us", "UTC"), "what": pl.String,
    "column": pl.String, "before": pl.String, "after": pl.String, "change": pl.Float64,
}  # fmt: skip
_CELL = ("source", "instrument", "session")
_NEVER = ("instrument", "symbol", "session", "ts")


def changes(
    view: PointInTime,
    dataset: Dataset,
    instruments: Collection[str],
    first: dt.date,
    last: dt.date,
    *,
    since: Instant | None,
    until: Instant | None,
) -> pl.DataFrame:
    """What is different between two answers of the same source about the same session, in the columns of `SCHEMA`, by source,
    instrument, session, ts and column.

    Compared are the newest answer that had come by `since` (UTC microseconds, inclusive; None: the first one) and the newest by
    `until` (None: of all). `what` is changed, added or removed; of numbers `change` is after / before - 1. Sessions between `first` and
    `last`, both inclusive.
    """
    parts = [
        part
        for part in view.ledger.catalogue.current("raw", dataset.name, first=first, last=last)
        if part.origin != "captured" and not part.cells.keys().isdisjoint(instruments)
    ]
    if not parts:
        return pl.DataFrame(schema=SCHEMA)
    columns = frames.schema(dataset.schema.columns)
    rows = (
        scanning.rows_of(view.layout, parts, "source", "log_pos", scanning.HEARD, columns=columns)
        .filter(pl.col("instrument").is_in(sorted(instruments)), pl.col("session").is_between(first, last))
        .with_columns(pl.col("instrument", "symbol").cast(pl.String))
        .collect()
    )
    oldest, newest = pl.col("log_pos").min().over(_CELL), pl.col("log_pos").max().over(_CELL)
    known = rows if since is None else rows.filter(pl.col(scanning.HEARD) <= since)
    before = known.filter(pl.col("log_pos") == (oldest if since is None else newest))
    then = rows if until is None else rows.filter(pl.col(scanning.HEARD) <= until)
    after = then.filter(pl.col("log_pos") == newest)
    answers = before.select(*_CELL, "log_pos").unique()
    other = after.join(answers, on=[*_CELL, "log_pos"], how="anti")
    cells = other.select(*_CELL).unique()
    return _compared(
        before.join(cells, on=_CELL, how="semi"), other.join(answers, on=_CELL, how="semi"), dataset
    )


def _compared(before: pl.DataFrame, after: pl.DataFrame, dataset: Dataset) -> pl.DataFrame:
    values = [name for name in dataset.schema.names if name not in _NEVER]
    key = [*_CELL, *(name for name in dataset.schema.key or dataset.schema.names if name not in _CELL)]
    key += [] if "ts" in key else ["ts"] if dataset.grain != "day" else []
    values = [name for name in values if name not in key]
    kept = ["ts"] if "ts" not in key else []
    left = before.select(*key, *kept, *values, there=pl.lit(value=True))
    right = after.select(*key, *kept, *values, there=pl.lit(value=True))
    both = left.join(right, on=key, how="full", suffix="_after", coalesce=True, nulls_equal=True)
    instant = pl.coalesce("ts", "ts_after") if kept else pl.col("ts")
    place = [*(pl.col(name) for name in _CELL), instant.alias("ts")]
    gone = both.filter(pl.col("there_after").is_null()).select(*place, what=pl.lit("removed"))
    new = both.filter(pl.col("there").is_null()).select(*place, what=pl.lit("added"))
    pieces = [gone, new]
    same = both.filter(pl.col("there") & pl.col("there_after"))
    for name in values:
        was, now = pl.col(name), pl.col(f"{name}_after")
        ratio = now / was - 1 if both.schema[name].is_numeric() else pl.lit(None, pl.Float64)
        pieces.append(
            same.filter(was.ne_missing(now)).select(
                *place,
                what=pl.lit("changed"),
                column=pl.lit(name),
                before=was.cast(pl.String),
                after=now.cast(pl.String),
                change=ratio,
            )
        )
    whole = pl.concat([pl.DataFrame(schema=SCHEMA), *pieces], how="diagonal_relaxed")
    return whole.select(pl.col(name).cast(dtype) for name, dtype in SCHEMA.items()).sort(
        *_CELL, "ts", "column", nulls_last=True
    )
