"""What sources had said of cells that they have restated since."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fulltape.context import scanning
from fulltape.context.point_in_time import PointInTime
from fulltape.decoding import frames, versions
from fulltape.decoding.versions import CELL
from fulltape.market.time import to_datetime

if TYPE_CHECKING:
    import polars as pl

    from fulltape.market.dataset import Dataset


def restated(view: PointInTime, dataset: Dataset, curated: pl.LazyFrame) -> pl.DataFrame:
    """The cells (source, instrument, session) of these curated rows that looked otherwise at `view.until`: rows of theirs became
    known as they are later than their rule says, or have gone since."""
    import polars as pl

    assert view.until is not None
    moment = pl.lit(to_datetime(view.until))
    begun = pl.col("session") <= pl.lit(view.calendar.day_rule.session(view.until))
    closes = frames.sessions(view.calendar).select("session", pl.col("close").alias("session_close"))
    late = curated.filter(begun, pl.col("available_at") > moment)
    texts = pl.col("source", "instrument").cast(pl.String)
    cells = (
        late.join(closes.lazy(), on="session", how="left")
        .filter(versions.public_by_rule(dataset) <= moment)
        .select(texts, "session")
        .unique()
        .collect()
    )
    said = view.ledger.restatements.since(dataset.name, view.until)
    lost = pl.DataFrame(said, schema=dict(cells.schema), orient="row")
    if lost.is_empty():
        return cells
    days = curated.filter(pl.col("session").is_in(lost["session"].unique().implode()))
    mine = days.select(texts, "session").unique().collect()
    return pl.concat([cells, mine.join(lost, on=CELL, how="semi")]).unique()


def rows(view: PointInTime, dataset: Dataset, cells: pl.DataFrame) -> pl.DataFrame:
    """The raw rows of some cells (source, instrument, session) as they stood at `view.until`, with `source`, `restated_at` and
    `available_at`."""
    import polars as pl

    assert view.until is not None
    names, sources = set(cells["instrument"]), set(cells["source"])
    first, last = cells["session"].min(), cells["session"].max()
    parts = [
        part
        for part in view.ledger.catalogue.current("raw", dataset.name, first=first, last=last)  # type: ignore[arg-type]
        if part.origin != "captured" and part.source in sources and not names.isdisjoint(part.cells)
    ]
    declared = dataset.schema.columns
    if not parts:
        more = {"source": pl.String, "origin": pl.String, "available_at": pl.Datetime("us", "UTC")}
        return pl.DataFrame(schema=frames.schema(declared) | more)
    about = ("source", "log_pos", "origin", scanning.HEARD)
    known = (
        scanning.rows_of(view.layout, parts, *about, columns=frames.schema(declared))
        .filter(pl.col("session").is_between(first, last))
        .with_columns(pl.col("instrument", "source").cast(pl.String))
        .filter(pl.col("instrument").is_in(sorted(names)))
        .collect()
    )
    mine = known.join(cells, on=CELL, how="semi")
    then = versions.visible(mine, dataset, view.until).drop("log_pos", scanning.HEARD)
    closes = frames.sessions(view.calendar).select("session", pl.col("close").alias("session_close"))
    wide = then.join(closes, on="session", how="left")
    return wide.with_columns(versions.available(wide, dataset).alias("available_at")).drop("session_close")
