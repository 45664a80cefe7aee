"""Rows into files: Parquet, CSV, JSON lines; in pieces, so that no file is ever in memory as a whole."""

from __future__ import annotations

import contextlib
import gzip
import itertools
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, cast

import polars as pl

from fulltape.download.plan import FileLayout
from fulltape.lake import files, parquet

_STAMPS = {"us": "%Y-%m-%dT%H:%M:%S%.6fZ", "ns": "%Y-%m-%dT%H:%M:%S%.9fZ", "ms": "%Y-%m-%dT%H:%M:%S%.3fZ"}
_LEVEL = 6


def publish(path: Path, pieces: Iterable[pl.DataFrame], layout: FileLayout, spool: Path) -> int:
    """Write a file durably under its name; how many rows it has. Without any row nothing is written. Pieces of a file that is to be Parquet
    wait in a folder below `spool`."""
    rows = _Counted(pieces)
    first = next(iter(rows), None)
    if first is None:
        return 0
    if layout.form == "parquet":
        with tempfile.TemporaryDirectory(dir=spool) as folder:
            there = list(_spooled(first, rows, Path(folder)))
            files.publish(path, lambda temporary: _parquet(there, temporary, layout))
    else:
        files.publish(path, lambda temporary: _text(first, rows, temporary, layout))
    return rows.count


class _Counted:
    """Pieces that have rows, and how many rows there were."""

    def __init__(self, pieces: Iterable[pl.DataFrame]) -> None:
        self.count = 0
        self._pieces = iter(pieces)

    def __iter__(self) -> Iterator[pl.DataFrame]:
        for piece in self._pieces:
            if piece.height:
                self.count += piece.height
                yield piece


def _spooled(
    first: pl.DataFrame, rest: Iterable[pl.DataFrame], folder: Path
) -> Iterator[Path | pl.DataFrame]:
    """One piece as it is; several as files, in their order."""
    second = next(iter(rest), None)
    if second is None:
        yield first
        return
    for number, piece in enumerate(itertools.chain([first, second], rest)):
        path = folder / f"{number:06d}"
        parquet.write(piece, path, {})
        yield path


def _parquet(there: list[Path | pl.DataFrame], path: Path, layout: FileLayout) -> None:
    whole = there[0] if isinstance(there[0], pl.DataFrame) else parquet.scan(cast("list[Path]", there))
    parquet.write(whole, path, {}, compression=layout.compression, row_group=layout.row_group)


def _text(first: pl.DataFrame, rest: Iterable[pl.DataFrame], path: Path, layout: FileLayout) -> None:
    with path.open("wb") as raw, _packed(raw, layout) as file:
        for number, piece in enumerate(itertools.chain([first], rest)):
            plain = piece.with_columns(
                pl.col(name).dt.strftime(_STAMPS[kind.time_unit])
                for name, kind in piece.schema.items()
                if isinstance(kind, pl.Datetime)
            )
            if layout.form == "jsonl":
                plain.write_ndjson(file)
            else:
                plain.write_csv(file, include_header=not number)


@contextlib.contextmanager
def _packed(raw: IO[bytes], layout: FileLayout) -> Iterator[IO[bytes]]:
    if not layout.form.endswith(".gz"):
        yield raw
        return
    # Without a name and a time in it the same rows are the same bytes.
    with gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=_LEVEL, mtime=0) as file:
        yield cast("IO[bytes]", file)
