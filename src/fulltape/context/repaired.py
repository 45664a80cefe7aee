"""Repairs laid over raw rows before they are checked. Pure: frames in, frames out."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import polars as pl

from fulltape.checks import rows as row_checks
from fulltape.checks.findings import CheckContext
from fulltape.ledger.repairs import DROP, Repair

REPAIRED = "repaired"
BIT = 512
"""The flag of rows that a repair has changed."""
_KEY = ("source", "instrument", "session", "ts")
_WAS, _BECOMES = "was_value", "becomes_value"


def applied(rows: pl.DataFrame, repairs: Sequence[Repair], priced: str) -> pl.DataFrame:
    """Rows with the repairs whose values they have, and `repaired`: whether one has changed the row. `priced`: the column by which a row
    that is taken out is known."""
    rows = rows.with_columns(pl.lit(value=False).alias(REPAIRED))
    for field in sorted({repair.column for repair in repairs}):
        column = priced if field == DROP else field
        mine = [repair for repair in repairs if repair.column == field]
        table = _table(mine, rows.schema[column])
        beside = rows.join(table, on=list(_KEY), how="left", maintain_order="left", nulls_equal=True)
        holds = (pl.col("concerned").fill_null(value=False)) & pl.col(column).eq_missing(pl.col(_WAS))
        if field == DROP:
            beside = beside.filter(~holds)
        else:
            value = pl.when(holds).then(pl.col(_BECOMES)).otherwise(pl.col(column)).alias(column)
            beside = beside.with_columns(value, (pl.col(REPAIRED) | holds).alias(REPAIRED))
        rows = beside.drop(_WAS, _BECOMES, "concerned")
    return rows


def priced(names: Collection[str]) -> str:
    """The column by which a row is known: its price."""
    return next(name for name in ("close", "price", "bid", "value", "amount") if name in names)


def laid_over(rows: pl.DataFrame, mended: Sequence[Repair], checking: CheckContext) -> pl.DataFrame:
    """Rows with the repairs that hold, and with what is to be said of each row; repairs come first, so that a cell is judged as it will
    be."""
    if not mended:
        return row_checks.flagged(rows, checking)
    repaired = applied(rows, mended, priced(checking.dataset.schema.names))
    return flagged(row_checks.flagged(repaired, checking))


def flagged(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows whose flags tell that they were repaired."""
    bit = pl.when(REPAIRED).then(BIT).otherwise(0).cast(pl.UInt32)
    return rows.with_columns((pl.col("flags") | bit).alias("flags")).drop(REPAIRED)


def _table(repairs: Sequence[Repair], dtype: pl.DataType) -> pl.DataFrame:
    """The newest repair of each row."""
    rows = [
        (repair.source, repair.instrument, repair.session, repair.ts, repair.was or None, repair.becomes or None, True)
        for repair in repairs
    ]  # fmt: skip
    schema = {
        "source": pl.String, "instrument": pl.String, "session": pl.Date, "ts": pl.Int64, _WAS: pl.String, _BECOMES: pl.String,
        "concerned": pl.Boolean,
    }  # fmt: skip
    table = pl.DataFrame(rows, schema=schema, orient="row").unique(_KEY, keep="last", maintain_order=True)
    return table.with_columns(pl.col("ts").cast(pl.Datetime("us", "UTC")), pl.col(_WAS, _BECOMES).cast(dtype))
