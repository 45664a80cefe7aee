"""Repairs as a table, as bundles and readers have it."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import polars as pl

from fulltape.ledger.repairs import Repair

_REPAIRS: dict[str, pl.DataType | type[pl.DataType]] = {
    "number": pl.Int64, "dataset": pl.String, "instrument": pl.String, "session": pl.Date, "ts": pl.Datetime("us", "UTC"),
    "source": pl.String, "column": pl.String, "was": pl.String, "becomes": pl.String, "who": pl.String, "reason": pl.String,
    "at": pl.Datetime("us", "UTC"),
}  # fmt: skip


def table(many: Iterable[Repair], datasets: Collection[str]) -> pl.DataFrame:
    """The repairs of some datasets that hold, in the order in which they were made; of a row that was taken out `column` is null."""
    rows = [
        (
            repair.number, repair.dataset, repair.instrument, repair.session, repair.ts, repair.source, repair.field or None,
            repair.was or None, repair.becomes or None, repair.who, repair.reason, repair.at,
        )
        for repair in many
        if not repair.undone and repair.dataset in datasets
    ]  # fmt: skip
    stored = {**_REPAIRS, "ts": pl.Int64, "at": pl.Int64}
    frame = pl.DataFrame(rows, schema=stored, orient="row")
    return frame.cast({name: _REPAIRS[name] for name in ("ts", "at")})
