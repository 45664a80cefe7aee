"""Rows of many parts in one scan, with what is known of the part that each is from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fulltape.lake import parquet
from fulltape.ledger.catalogue import Part
from fulltape.stores import Stores

if TYPE_CHECKING:
    import polars as pl


def rows_of(
    stores: Stores, parts: Sequence[Part], *about: str, columns: Mapping[str, Any] | None = None
) -> pl.LazyFrame:
    """All rows of these parts, in their order, with fields of their part as columns of the same name; `columns` as in
    `parquet.scan`."""
    import polars as pl

    paths = [stores.layout.root / part.path for part in parts]
    told = {name: [getattr(part, name) for part in parts] for name in about}
    known = pl.LazyFrame({"path": [str(path) for path in paths], **told})
    rows = parquet.scan(paths, path_column="path", columns=columns)
    return rows.join(known, on="path", how="left", maintain_order="left").drop("path")
