"""Curated rows as they were public, and as this node had them, at a moment."""

from __future__ import annotations

import polars as pl

from fulltape.checks import rows as row_checks
from fulltape.checks.findings import CheckContext
from fulltape.context import choice, earlier, repaired
from fulltape.context.earlier import CellWindow
from fulltape.context.point_in_time import PointInTime
from fulltape.decoding import frames
from fulltape.market.dataset import Dataset
from fulltape.reading.node import OpenedNode


def rows(
    node: OpenedNode, view: PointInTime, dataset: Dataset, now: pl.LazyFrame, window: CellWindow
) -> pl.LazyFrame:
    """Curated rows of a window with the cells that are not as they were as they stood then, in the order of the folders; of all of these
    rows only what `available_at` tells was public counts."""
    before = earlier.of(view, dataset, now, window)
    if before is None:
        return now
    then = _curated(node, view, dataset, before.rows)
    texts = before.cells.with_columns(pl.col("instrument").cast(then.schema["instrument"]))
    others = now.join(texts.lazy(), on=["instrument", "session"], how="anti")
    folder = pl.col("session").dt.year() if dataset.curated_folder == "year" else pl.col("session")
    return pl.concat([others, then.lazy()]).sort(
        folder, pl.col("instrument").cast(pl.String), "ts", maintain_order=True
    )


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
