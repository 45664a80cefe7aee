"""Parts: immutable Parquet files whose names say what is inside."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import polars as pl

from fulltape.lake import files, layout, parquet


@dataclass(frozen=True, slots=True, kw_only=True)
class PartFile:
    """A part that is written and durable, but for its name: `temporary` is renamed to `path`."""

    temporary: Path
    path: Path
    bytes: int
    sha256: str


class Merged(msgspec.Struct, frozen=True, kw_only=True):
    """What a part that was made of others keeps of each, in the metadatum `merged`: the digest of its file, when its rows
    became known and when they were registered (microseconds), and the fetches or the journal it was made of. Their order is that
    of the log, and rows refer to it by their `revision`."""

    sha256: str
    known_at: int
    ingested_at: int
    made_of: str


def merged(metadata: Mapping[str, str]) -> list[Merged]:
    """The parts of which one was made; empty where it is as it was sealed."""
    return msgspec.json.decode(metadata.get("merged", "[]"), type=list[Merged])


def held(metadata: Mapping[str, str]) -> set[str]:
    """The digests of all files whose rows a part holds beside its own: those of which it was made, and those that were made
    on the way."""
    return {original.sha256 for original in merged(metadata)} | set(metadata.get("replaces", "").split())


def write(
    rows: pl.DataFrame | pl.LazyFrame,
    folder: Path,
    *,
    first: dt.date,
    last: dt.date,
    names: Sequence[str],
    metadata: Mapping[str, str],
    whole: bool = False,
) -> PartFile:
    """Write a part into `folder` durably, without its name. The rows are sorted already; writing the same ones twice gives
    the same file."""
    files.make_folder(folder)
    temporary = folder / f"{files.TEMPORARY}{uuid.uuid4().hex}"
    with files.cleared(temporary):
        parquet.write(rows, temporary, metadata, whole=whole)
        digest = files.sha256(temporary)
        files.sync_file(temporary)
        return PartFile(
            temporary=temporary,
            path=folder / layout.part_name(first, last, tuple(names), digest),
            bytes=temporary.stat().st_size,
            sha256=digest,
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
