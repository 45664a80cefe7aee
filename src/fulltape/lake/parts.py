"""Parts: immutable Parquet files whose names say what is inside."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from fulltape.lake import files, layout, parquet


@dataclass(frozen=True, slots=True, kw_only=True)
class PartFile:
    """A written part: its path and what the catalogue will say of it. `min_ts` and `max_ts` in microseconds."""

    path: Path
    rows: int
    bytes: int
    sha256: str
    min_ts: int
    max_ts: int


def write(
    frame: pl.DataFrame,
    folder: Path,
    *,
    first: dt.date,
    last: dt.date,
    names: Sequence[str],
    metadata: Mapping[str, str],
    whole: bool = False,
) -> PartFile:
    """Write a part into `folder` durably. `frame` is sorted already; its column `ts`, where there is one, gives the
    stamps; writing the same rows twice gives the same file."""
    files.make_folder(folder)
    temporary = folder / f"{files.TEMPORARY}part"
    parquet.write(frame, temporary, metadata, whole=whole)
    digest = files.sha256(temporary)
    path = folder / layout.part_name(first, last, tuple(names), digest)
    files.publish(path, lambda target: _move(temporary, target))
    stamps = frame["ts"].dt.epoch("us") if "ts" in frame.columns else pl.Series([0])
    return PartFile(
        path=path,
        rows=frame.height,
        bytes=path.stat().st_size,
        sha256=digest,
        min_ts=int(stamps.min() or 0),  # type: ignore[arg-type]
        max_ts=int(stamps.max() or 0),  # type: ignore[arg-type]
    )


def _move(source: Path, target: Path) -> None:
    source.rename(target)
