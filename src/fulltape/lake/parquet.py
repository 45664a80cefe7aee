"""Parquet through polars: the one place that writes and reads files of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from fulltape import errors
from fulltape.lake import files

ROW_GROUP = 20_000
REPAIR = "`fulltape verify --repair` makes it again, or fetches it again."
_WHOLE = 100_000


def write(
    rows: pl.DataFrame | pl.LazyFrame,
    path: Path,
    metadata: Mapping[str, str],
    *,
    whole: bool = False,
    compression: str = "",
    row_group: int = 0,
) -> None:
    """Write rows to `path`: zstd, row groups with statistics; the same rows and metadata give the same bytes, in whatever
    pieces they come. Rows that are not in memory are never all there.

    A file that is read `whole` has large row groups, and there level 3 costs as much time as level 1 with small ones, for
    half of the bytes. Any other has groups of 20,000 rows, so that one symbol of many is read in milliseconds. A file for others may
    be packed by another `compression` of polars, at its own level, and have groups of so many rows.
    """
    how: dict[str, Any] = {
        "compression": "zstd",
        "compression_level": 3 if whole else 1,
        "statistics": True,
        "row_group_size": row_group or (_WHOLE if whole else ROW_GROUP),
        "metadata": dict(metadata),
    }
    if compression and compression != "zstd":
        how |= {"compression": compression, "compression_level": None}
    try:
        if isinstance(rows, pl.DataFrame):
            rows.write_parquet(path, **how)
        else:
            rows.sink_parquet(path, **how)
    except pl.exceptions.PolarsError as error:  # what the disk refuses comes as such
        raise errors.StorageError(
            f"{path.parent} takes no more: {error}.", hint="Check space and rights of the disk."
        ) from error


def publish(rows: pl.DataFrame | pl.LazyFrame, path: Path, metadata: Mapping[str, str]) -> None:
    """Write a file of rows that is not a part, durably."""
    files.publish(path, lambda temporary: write(rows, temporary, metadata))


def metadata(path: Path) -> Mapping[str, str] | None:
    """What was written into a file beside its rows; None where it is no Parquet file that can be read."""
    try:
        return pl.read_parquet_metadata(path)
    except (pl.exceptions.PolarsError, OSError):
        return None


def rows(path: Path) -> int:
    """How many rows a file has; 0 where it cannot be read."""
    try:
        return int(pl.scan_parquet(path, glob=False).select(pl.len()).collect().item())
    except (pl.exceptions.PolarsError, OSError):
        return 0


def scan(
    paths: Sequence[Path], *, path_column: str | None = None, columns: Mapping[str, Any] | None = None
) -> pl.LazyFrame:
    """A lazy frame over these files, in their order: one frame over many files is read far quicker than many frames. The
    `path_column` says which file a row is of. With `columns` (name and type) the files may lack some, which become null, and
    others that they have are left out; else all have the same ones."""
    missing = next((path for path in paths if not path.is_file()), None)
    if missing:
        raise errors.CorruptPartError(f"{missing} is gone.", hint=REPAIR)
    varied: dict[str, Any] = {"missing_columns": "insert", "extra_columns": "ignore"} if columns else {}
    return pl.scan_parquet(
        list(paths),
        glob=False,
        include_file_paths=path_column,
        schema=dict(columns) if columns else None,
        **varied,
    )


def read(paths: Sequence[Path]) -> pl.DataFrame:
    """The rows of these files, in their order."""
    return scan(paths).collect()
