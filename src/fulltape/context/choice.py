"""Which source wins a cell, and the curated rows. Pure: frames in, frames out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import polars as pl

from fulltape.coverage.cell import SEVERITY
from fulltape.decoding import captured, frames, versions
from fulltape.market.dataset import Dataset
from fulltape.market.sessions import Calendar


def newest(raw: pl.DataFrame, dataset: Dataset) -> pl.DataFrame:
    """Of each source's cell the rows of its newest fetched part only: a re-fetch replaces the cell as a whole. A cell
    that was only captured so far is all of its captured parts together, each row once. `restated_at` (UTC microseconds, null
    mostly) is when a row became known as it is, where its source had said otherwise before."""
    cell = versions.CELL
    fetched = pl.when(pl.col("origin") != "captured").then(pl.col("log_pos"))
    raw = raw.with_columns(fetched.max().over(cell).alias("newest"))
    # What was captured live is no earlier answer: it was never said to be all of a session.
    whole = _restated(raw.filter(pl.col("origin") != "captured"), dataset)
    live = raw.filter(pl.col("newest").is_null())
    if live.is_empty():
        return whole.drop(*_READ, *captured.EXTRA, strict=False)
    by_source = live.sort("log_pos", maintain_order=True).partition_by("source", maintain_order=True)
    merged = [captured.merged(of_source, dataset.schema.key) for of_source in by_source]
    return pl.concat([whole, *merged], how="diagonal").drop(*_READ, *captured.EXTRA, strict=False)


_READ = ("log_pos", "heard_at", "newest")


def _restated(fetched: pl.DataFrame, dataset: Dataset) -> pl.DataFrame:
    """The rows of the newest answers; those before them are compared only where there are any."""
    whole = fetched.filter(pl.col("log_pos") == pl.col("newest"))
    unchanged = whole.with_columns(pl.lit(None, dtype=pl.Int64).alias(versions.RESTATED))
    if whole.height == fetched.height:
        return unchanged
    again = pl.col("log_pos").min().over(versions.CELL) < pl.col("newest")
    compared = versions.newest(fetched.filter(again), dataset)
    cells = compared.select(versions.CELL).unique()
    return pl.concat([unchanged.join(cells, on=versions.CELL, how="anti"), compared])


STAGE = "curate"
"""The stage that chooses: its bookmark tells of which raw parts curated rows are made."""
RANKS = (("severity", False), ("rows", True), ("chosen", True), ("place", False), ("source", False))
"""By what sources of a cell are ordered, the best first, and whether more is better."""


def choose(cells: pl.DataFrame, present: pl.DataFrame, preference: Sequence[str]) -> pl.DataFrame:
    """One source per cell: by verdict, then completeness, then preference; the present choice stays unless another
    is strictly better in verdict or completeness.

    `cells`: instrument, session, source, verdict, rows. `present`: instrument, session, source. Returns instrument,
    session, source.
    """
    return (
        ranked(cells, present, preference)
        .group_by("instrument", "session", maintain_order=True)
        .first()
        .select("instrument", "session", "source")
    )


def ranked(cells: pl.DataFrame, present: pl.DataFrame, preference: Sequence[str]) -> pl.DataFrame:
    """The cells by instrument and session, the best source first, with the columns of `RANKS`."""
    rank = {str(verdict): severity for verdict, severity in SEVERITY.items()}
    order = {source: at for at, source in enumerate(preference)}
    wide = (
        cells.with_columns(
            # Whatever was fetched when the session was over stands before what was captured while it ran.
            (
                pl.col("verdict").replace_strict(rank, return_dtype=pl.Int64)
                + pl.col("provisional").cast(pl.Int64) * len(rank)
            ).alias("severity"),
            pl.col("source").replace_strict(order, default=len(order), return_dtype=pl.Int64).alias("place"),
        )
        .join(
            present.with_columns(pl.lit(value=True).alias("chosen")),
            on=["instrument", "session", "source"],
            how="left",
        )
        .with_columns(pl.col("chosen").fill_null(value=False))
    )
    return wide.sort(
        ["instrument", "session", *(name for name, _ in RANKS)],
        descending=[False, False, *(more for _, more in RANKS)],
    )


def rows(
    flagged: pl.DataFrame,
    chosen: pl.DataFrame,
    dataset: Dataset,
    calendar: Calendar,
    *,
    captured_until: dt.date | None,
) -> pl.DataFrame:
    """The chosen rows in the curated schema, sorted by instrument and time. Captured rows are final up to a session: the last
    one that is over, where there will never be others.

    `available_at` is as the dataset declares it: a minute after `ts`, the session's regular close, …; of a row that its source
    restated not before the new answer had come.
    """
    taken = flagged.join(chosen, on=["instrument", "session", "source"], how="semi")
    over = pl.col("session") <= pl.lit(captured_until, dtype=pl.Date)
    provenance = taken.join(frames.closes(calendar), on="session", how="left").with_columns(
        versions.available(taken, dataset).alias("available_at"),
        ((pl.col("origin") != "captured") | over.fill_null(value=False)).alias("is_final"),
    )
    return frames.conform(provenance, dataset.curated.columns).sort("instrument", "ts", maintain_order=True)
