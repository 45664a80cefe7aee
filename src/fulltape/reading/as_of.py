"""Curated rows as they were public at a moment."""

from __future__ import annotations

import polars as pl

from fulltape.checks.findings import CheckContext
from fulltape.context import earlier
from fulltape.context.point_in_time import PointInTime
from fulltape.curate import plan, repairs
from fulltape.decoding import frames
from fulltape.market.dataset import Dataset
from fulltape.reading.node import OpenedNode


def rows(node: OpenedNode, view: PointInTime, dataset: Dataset, now: pl.LazyFrame) -> pl.LazyFrame:
    """Curated rows with the cells that were restated since as they stood then, in the order of the folders; of all of these rows only
    what `available_at` tells was public counts."""
    cells = earlier.restated(view, dataset, now)
    if cells.is_empty():
        return now
    then = _curated(node, view, dataset, cells)
    others = now.join(
        cells.lazy().with_columns(pl.col("instrument").cast(then.schema["instrument"])),
        on=["instrument", "session"],
        how="anti",
    )
    folder = pl.col("session").dt.year() if dataset.curated_folder == "year" else pl.col("session")
    return pl.concat([others, then.lazy()]).sort(
        folder, pl.col("instrument").cast(pl.String), "ts", maintain_order=True
    )


def _curated(node: OpenedNode, view: PointInTime, dataset: Dataset, cells: pl.DataFrame) -> pl.DataFrame:
    """The rows of some cells, chosen as today, as curation would have written them then."""
    assert view.until is not None
    raw = earlier.rows(view, dataset, cells)
    if raw.is_empty():
        return frames.empty(dataset.curated.columns)
    checking = CheckContext(
        dataset=dataset,
        calendar=view.calendar,
        instruments={each.instrument: each for each in node.instruments(view.ledger, dataset.name)},
        now=view.until,
        thresholds=node.thresholds,
    )
    traded = frames.traded(raw.lazy(), dataset).collect()
    first, last = cells["session"].min(), cells["session"].max()
    mended = view.ledger.repairs.holding(dataset.name, first, last)  # type: ignore[arg-type]
    flagged = repairs.laid_over(traded, mended, checking)
    return plan.rows(flagged, cells, dataset, view.calendar, captured_until=None)
