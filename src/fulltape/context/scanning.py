"""Rows of many parts in one scan, with what is known of the part that each is from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fulltape.lake import parquet
from fulltape.lake import parts as lake_parts
from fulltape.lake.layout import Layout
from fulltape.ledger.part import Part
from fulltape.market.time import Instant

if TYPE_CHECKING:
    import polars as pl

REVISION = "revision"
"""A column of merged parts: from which of the parts of which it was made a row is, counted from 0 in the order of the log."""
HEARD = "heard_at"
_MOST = 2**20
"""More parts than this are never merged into one."""


def rows_of(
    layout: Layout, parts: Sequence[Part], *about: str, columns: Mapping[str, Any] | None = None
) -> pl.LazyFrame:
    """All rows of these parts, in their order, with fields of their part as columns of the same name; `columns` as in
    `parquet.scan`. Their `log_pos` orders rows as they became known, those of a merged part, too: greater is newer.
    `heard_at` is when they became known (UTC microseconds), as the files tell it: a ledger that was rebuilt says the same."""
    import polars as pl

    merged = any(part.merged for part in parts)
    if merged and columns:
        columns = {**columns, REVISION: pl.Int32}
    paths = [layout.root / part.path for part in parts]
    fields = {name: [getattr(part, name) for part in parts] for name in about if name != HEARD}
    if HEARD in about and not merged:
        fields[HEARD] = [heard(layout, part)[0] for part in parts]
    known = pl.LazyFrame({"path": [str(path) for path in paths], **fields})
    rows = parquet.scan(paths, path_column="path", columns=columns)
    rows = rows.join(known, on="path", how="left", maintain_order="left")
    if HEARD in about and merged:
        rows = _with_heard(rows, layout, parts)
    rows = rows.drop("path")
    if "log_pos" in about:
        revision = pl.col(REVISION).fill_null(0) if merged else 0
        rows = rows.with_columns(pl.col("log_pos") * _MOST + revision)
    return rows.drop(REVISION) if merged else rows


def _with_heard(rows: pl.LazyFrame, layout: Layout, parts: Sequence[Part]) -> pl.LazyFrame:
    """Rows with `heard_at`: by file, and of a merged one by revision."""
    import polars as pl

    moments = [
        (str(layout.root / part.path), revision, moment)
        for part in parts
        for revision, moment in enumerate(heard(layout, part))
    ]
    known = pl.LazyFrame(
        moments, schema={"path": pl.String, REVISION: pl.Int32, HEARD: pl.Int64}, orient="row"
    )
    rows = rows.with_columns(pl.col(REVISION).fill_null(0))
    return rows.join(known, on=["path", REVISION], how="left", maintain_order="left")


def heard(layout: Layout, part: Part) -> list[Instant]:
    """When the rows of the parts became known of which one was made, in their order; of one that was not when its own did."""
    about = parquet.metadata(layout.root / part.path) or {}
    if part.merged and (originals := lake_parts.merged(about)):
        return [original.known_at for original in originals]
    return [int(about.get("known_at") or part.ingested_at)]


def digest(rows: pl.LazyFrame) -> tuple[int, int]:
    """How many rows there are, and a sum over them that does not depend on their order."""
    import polars as pl

    row = pl.struct(pl.all()).hash(seed=1) % 2**32
    return rows.select(pl.len(), row.sum()).collect(engine="streaming").row(0)


def of_block(rows: pl.LazyFrame, block: Sequence[str], *where: pl.Expr) -> pl.DataFrame:
    """The rows of some instruments that follow each other in order, read: what lies before their first and after their last
    one is skipped in the files, which looking for all of them would not do."""
    import polars as pl

    around = pl.col("instrument").is_between(pl.lit(block[0]), pl.lit(block[-1]))
    collected = rows.filter(around, *where).collect(engine="streaming")
    return collected.filter(pl.col("instrument").is_in(block))
