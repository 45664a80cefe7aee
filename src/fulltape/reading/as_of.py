"""Curated rows as they were public, and as this node had them, at a moment."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import polars as pl

from fulltape.checks import rows as row_checks
from fulltape.checks.findings import CheckContext
from fulltape.context import choice, earlier, regrouped, repaired
from fulltape.context.earlier import CellWindow
from fulltape.context.point_in_time import PointInTime
from fulltape.decoding import frames
from fulltape.lake.layout import days_of, kind_of
from fulltape.ledger.part import Part
from fulltape.market.dataset import Dataset
from fulltape.reading.node import OpenedNode

_MOST_PLACES = 100


def rows(
    node: OpenedNode,
    view: PointInTime,
    dataset: Dataset,
    now: pl.LazyFrame,
    window: CellWindow,
    parts: Sequence[Part],
) -> pl.LazyFrame:
    """Curated rows of a window, those of `parts`, with the cells that are not as they were as they stood then, in the same order; of all of
    these rows only what `available_at` tells was public counts."""
    before = earlier.of(view, dataset, now, window)
    if before is None:
        return now
    then = _curated(node, view, dataset, before.rows)
    texts = before.cells.with_columns(pl.col("instrument").cast(then.schema["instrument"]))
    others = now.join(texts.lazy(), on=["instrument", "session"], how="anti")
    return pl.concat([others, then.lazy()]).sort(
        _place(parts), pl.col("instrument").cast(pl.String), "ts", maintain_order=True
    )


def _place(parts: Sequence[Part]) -> pl.Expr:
    """In which of these files, which follow each other in time, a session's rows lie."""
    begins = {
        days_of(kind_of(part.folder), part.folder)[0]
        if part.layer == regrouped.LAYER
        else dt.date.fromisoformat(part.first)
        for part in parts
    }
    if len(begins) > _MOST_PLACES:  # files of single days
        return pl.col("session")
    return pl.sum_horizontal(pl.lit(0), *(pl.col("session") >= pl.lit(begin) for begin in sorted(begins)))


def _curated(node: OpenedNode, view: PointInTime, dataset: Dataset, raw: pl.DataFrame) -> pl.DataFrame:
    """Raw rows as curation would have written them then."""
    if raw.is_empty():
        return frames.empty(dataset.curated.columns)
    moments = [moment for moment in (view.until, view.known) if moment is not None]
    checking = CheckContext(
        dataset=dataset,
        calendar=view.calendar,
        instruments={each.instrument: each for each in node.instruments(view.ledger, dataset.name)},
        now=min(moments),
        thresholds=node.thresholds,
    )
    flagged = row_checks.flagged(raw, checking)
    if repaired.REPAIRED in flagged.columns:
        flagged = repaired.flagged(flagged)
    return choice.rows(flagged, raw, dataset, view.calendar, captured_until=None)
