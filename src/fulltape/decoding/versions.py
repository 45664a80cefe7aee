"""Several answers of a source about one cell: which rows were restated when, and how the cell looked at a moment. Pure.

A row is of a cell (source, instrument, session) and of the answer with its `log_pos`, which came at `heard_at` (UTC
microseconds). A value that another one has replaced was public until then, and the other one from then on. A row that a later
answer adds was public by rule, like the others of its cell, unless that answer has taken away rows as well: then it stands
for one of those.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fulltape.market.time import MINUTE, Instant

if TYPE_CHECKING:
    import polars as pl

    from fulltape.market.dataset import Dataset

CELL = ("source", "instrument", "session")
RESTATED = "restated_at"
"""When a row became known as it is, where its source had said otherwise before; null where it never had."""
_NUMBER, _LOST, _COPY, _FIRST = "answer_number", "answer_lost", "copy_number", "first_answer"
_OWN = (_NUMBER, _LOST, _FIRST)
_NO_VALUES = (*CELL, "symbol", "realtime_end")
"""What may change of a row that is not restated: a vintage ends when the next one is published."""


def newest(rows: pl.DataFrame, dataset: Dataset) -> pl.DataFrame:
    """The rows of each cell's newest answer, with `restated_at`."""
    import polars as pl

    known = _with_restated(rows, dataset)
    return known.filter(pl.col(_NUMBER) == pl.col(_NUMBER).max().over(CELL)).drop(*_OWN)


def visible(rows: pl.DataFrame, dataset: Dataset, until: Instant) -> pl.DataFrame:
    """The rows of each cell as they stood at a moment (inclusive), with `restated_at`: those of the newest answer that had come by
    then; where none had, of the first one, which is public by rule; and those that were only added later."""
    import polars as pl

    known = _with_restated(rows, dataset)
    had = pl.col(_NUMBER).filter(pl.col("heard_at") <= until).max().over(CELL).fill_null(0)
    added = (pl.col(_FIRST) > had) & (pl.col(_NUMBER) == pl.col(_FIRST)) & ~pl.col(_LOST)
    return known.filter((pl.col(_NUMBER) == had) | added).drop(*_OWN)


def history(rows: pl.DataFrame, dataset: Dataset) -> pl.DataFrame:
    """All rows of all answers, with `restated_at` as of their answer."""
    return _with_restated(rows, dataset).drop(*_OWN)


def _with_restated(rows: pl.DataFrame, dataset: Dataset) -> pl.DataFrame:
    """Rows with the number of their answer in its cell and of the first that has them, whether that answer has lost rows of the one
    before, and `restated_at` as of their answer."""
    import polars as pl

    key = _row_key(dataset)
    values = [name for name in dataset.schema.names if name not in key and name not in _NO_VALUES]
    rows = rows.with_columns((pl.col("log_pos").rank("dense").over(CELL) - 1).cast(pl.Int64).alias(_NUMBER))
    if not dataset.schema.key:  # equal rows of one answer are told apart by their place
        rows = rows.with_columns(pl.int_range(pl.len()).over(*key, _NUMBER).alias(_COPY))
        key = [*key, _COPY]
    # Side by side after the sort, rows are compared with the one before: a window for each column would take ten times as long.
    rows = rows.sort(*key, _NUMBER, maintain_order=True)
    again = pl.all_horizontal(pl.col(name).eq_missing(pl.col(name).shift(1)) for name in key)
    rows = rows.with_columns(again.fill_null(value=False).alias("again"))
    follows = pl.col("again") & (pl.col(_NUMBER) - pl.col(_NUMBER).shift(1) <= 1)
    other = pl.any_horizontal(
        pl.lit(value=False), *(pl.col(name).ne_missing(pl.col(name).shift(1)) for name in values)
    )
    rows = rows.with_columns(follows=follows.fill_null(value=False), other=other)
    rows = _losing(rows)
    restated = (
        (pl.col("follows") & pl.col("other"))
        | (pl.col("again") & ~pl.col("follows"))
        | (pl.col(_LOST) & ~pl.col("follows") & (pl.col(_NUMBER) > 0))
    )
    since = pl.when(restated).then(pl.col("heard_at")).forward_fill().over(key)
    more = [_COPY] if _COPY in key else []
    first = pl.col(_NUMBER).min().over(key)
    return rows.with_columns(since.alias(RESTATED), first.alias(_FIRST)).drop(
        "again", "follows", "other", *more
    )


def _losing(rows: pl.DataFrame) -> pl.DataFrame:
    """Whether rows are of an answer that lacks rows of the one before."""
    import polars as pl

    answer = [*CELL, _NUMBER]
    counts = rows.group_by(answer).agg(pl.len().alias("has"), pl.col("follows").sum().alias("keeps"))
    earlier = counts.select(*CELL, (pl.col(_NUMBER) + 1).alias(_NUMBER), pl.col("has").alias("had"))
    lost = (pl.col("keeps") < pl.col("had")).fill_null(value=False).alias(_LOST)
    beside = counts.join(earlier, on=answer, how="left", nulls_equal=True).select(*answer, lost)
    return rows.join(beside, on=answer, how="left", maintain_order="left", nulls_equal=True)


def _row_key(dataset: Dataset) -> list[str]:
    """What makes rows of two answers the same row: their key, and where a dataset has none all of their values."""
    names = dataset.schema.key or [name for name in dataset.schema.names if name != "symbol"]
    return [*CELL, *(name for name in names if name not in CELL)]


def available(rows: pl.DataFrame, dataset: Dataset) -> pl.Expr:
    """When rows were public: by rule, and those that were restated not before that became known; rows as in `public_by_rule`."""
    import polars as pl

    by_rule = public_by_rule(dataset)
    if RESTATED not in rows.columns:
        return by_rule
    known = pl.col(RESTATED).cast(pl.Datetime("us", "UTC"))
    return pl.when(known > by_rule).then(known).otherwise(by_rule)


BASIS = "available_basis"


def basis(dataset: Dataset) -> pl.Expr:
    """How it is known when a row was public: observed (a source has changed it), vendor (it states a date), rule, or unknown; rows as
    in `public_by_rule`."""
    import polars as pl

    stated = "vendor" if dataset.available in ("session_end", "declared") else "rule"
    at = pl.col("available_at")
    observed = pl.when(at > public_by_rule(dataset)).then(pl.lit("observed")).otherwise(pl.lit(stated))
    return pl.when(at.is_null()).then(pl.lit("unknown")).otherwise(observed).alias(BASIS)


def public_by_rule(dataset: Dataset) -> pl.Expr:
    """The earliest moment at which anybody could have had a row, by the dataset's rule; rows have `session_close` beside their own
    columns."""
    import polars as pl

    if dataset.available == "minute_end":
        return pl.col("ts") + pl.duration(microseconds=MINUTE)
    if dataset.available == "ts":
        return pl.col("ts")
    if dataset.available == "session_end":
        return (pl.col("session") + pl.duration(days=1)).cast(pl.Datetime("us", "UTC"))
    if dataset.available == "declared":
        # By the end of the day on which it was declared; who does not say when leaves it unknown, and so does a
        # declaration after the ex-date, which is an error of the source.
        declared = pl.when(pl.col("declared_date") <= pl.col("ex_date")).then(pl.col("declared_date"))
        return (declared + pl.duration(days=1)).cast(pl.Datetime("us", "UTC"))
    return pl.col("session_close")
