"""Parts: immutable Parquet files whose names say what is inside."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from fulltape.lake import files, layout, parquet


@dataclass(frozen=True, slots=True, kw_only=True)
class PartFile:
    """A part that is written and durable, but for its name: `temporary` is renamed to `path`. `min_ts` and `max_ts` in
    microseconds."""

    temporary: Path
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
    """Write a part into `folder` durably, without its name. `frame` is sorted already; its column `ts`, where there is
    one, gives the stamps; writing the same rows twice gives the same file."""
    files.make_folder(folder)
    temporary = folder / f"{files.TEMPORARY}{uuid.uuid4().hex}"
    with files.cleared(temporary):
        parquet.write(frame, temporary, metadata, whole=whole)
        digest = files.sha256(temporary)
        files.sync_file(temporary)
        stamps = frame["ts"].dt.epoch("us") if "ts" in frame.columns else pl.Series([0])
        return PartFile(
            temporary=temporary,
            path=folder / layout.part_name(first, last, tuple(names), digest),
            rows=frame.height,
            bytes=temporary.stat().st_size,
            sha256=digest,
            min_ts=int(stamps.min() or 0),  # type: ignore[arg-type]
            max_ts=int(stamps.max() or 0),  # type: ignore[arg-type]
        )


def publish(part: PartFile) -> None:
    """Give a part its name. A sound file of that name stays as it is: it has the same content."""
    there = part.path.is_file() and part.path.stat().st_size == part.bytes
    if there and files.sha256(part.path) == part.sha256:
        part.temporary.unlink(missing_ok=True)
        return
    with files.cleared(part.temporary):
        part.temporary.rename(part.path)
        files.sync_folder(part.path.parent)


def discard(part: PartFile) -> None:
    """Remove the file, which is not needed."""
    part.temporary.unlink(missing_ok=True)
