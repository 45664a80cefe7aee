"""Rows on their way into folders, gathered by blocks: on disk between the blocks, so that memory holds one of them."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import polars as pl

from fulltape.decoding import frames
from fulltape.lake import files, parquet
from fulltape.market import ranges
from fulltape.market.sessions import Calendar

Cells = dict[str, list[tuple[dt.date, dt.date]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows that become one part, and what they are: how many, the first and the last session and stamp (microseconds; 0 where
    there are none), and ranges of sessions by instrument."""

    rows: pl.DataFrame | pl.LazyFrame
    count: int
    sessions: tuple[dt.date, dt.date]
    timestamps: tuple[int, int]
    cells: Cells


def of(frame: pl.DataFrame, calendar: Calendar) -> Rows:
    """Rows that are in memory, sorted already."""
    summary = frame.select(
        pl.len().alias("count"),
        pl.col("session").min().alias("first"),
        pl.col("session").max().alias("last"),
        _timestamp(frame).min().alias("from"),
        _timestamp(frame).max().alias("to"),
    )
    return _rows(frame, summary, frames.spans(frame, calendar))


class Pieces:
    """Takes frames and gives them back as lazy ones; but for the newest they lie in files. A context manager that leaves no
    file in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._last: pl.DataFrame | None = None
        self._files: list[Path] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for path in self._files:
            path.unlink(missing_ok=True)

    def add(self, rows: pl.DataFrame) -> None:
        """One more frame."""
        if self._last is not None:
            self._put(self._last)
        self._last = rows

    def _put(self, rows: pl.DataFrame) -> None:
        files.make_folder(self._folder)
        path = self._folder / f"{files.TEMPORARY}{uuid.uuid4().hex}"
        self._files.append(path)
        with files.cleared(path):
            parquet.write(rows, path, {})

    def scanned(self) -> list[pl.LazyFrame]:
        """All of them, in their order."""
        scans = [parquet.scan(self._files)] if self._files else []
        return scans if self._last is None else [*scans, self._last.lazy()]


class Spool(Pieces):
    """Takes blocks of rows, each of later instruments than the one before or of later rows of the same one, and gives those
    of some sessions back, by instrument and in each as they came. What a kill leaves in `folder` is swept with the layer.
    `cut` says that the rows will be asked for session by session, else all of them at once."""

    def __init__(self, folder: Path, calendar: Calendar, *, cut: bool) -> None:
        super().__init__(folder)
        self._calendar, self._cut = calendar, cut
        self._sessions: list[pl.DataFrame] = []
        self._cells: Cells = {}

    def add(self, rows: pl.DataFrame) -> None:
        """One more block."""
        if rows.is_empty():
            return
        # By session, so that a folder's rows are read without those of others.
        super().add(rows.sort("session", maintain_order=True) if self._cut else rows)
        self._sessions.append(_by_session(rows))
        for instrument, spans in frames.spans(rows, self._calendar).items():
            self._cells.setdefault(instrument, []).extend(spans)

    def between(self, first: dt.date, last: dt.date) -> Rows | None:
        """The rows of these sessions, both inclusive; None where there are none."""
        inside = pl.col("session").is_between(first, last)
        summary = pl.concat(self._sessions).filter(inside) if self._sessions else pl.DataFrame()
        if summary.is_empty():
            return None
        # In a piece that is cut by session the rows of one are in order.
        rows = pl.concat([piece.filter(inside) for piece in self.scanned()])
        cells = {
            instrument: clipped
            for instrument, spans in self._cells.items()
            if (clipped := self._clipped(spans, first, last))
        }
        return _rows(rows, summary, cells)

    def _clipped(
        self, spans: Sequence[tuple[dt.date, dt.date]], first: dt.date, last: dt.date
    ) -> list[tuple[dt.date, dt.date]]:
        between, label = self._calendar.between, self._calendar.label
        inside = ranges.normalise(between(max(start, first), min(stop, last)) for start, stop in spans)
        return [(label(begin), label(end - 1)) for begin, end in inside]


def portions(counts: Mapping[str, int], most: int) -> Iterator[list[str]]:
    """Instruments in order, in groups of at most so many rows; one that has more is alone. `counts`: rows by instrument."""
    some: list[str] = []
    total = 0
    for name in sorted(counts):
        if some and total + counts[name] > most:
            yield some
            some, total = [], 0
        some.append(name)
        total += counts[name]
    if some:
        yield some


def _by_session(frame: pl.DataFrame) -> pl.DataFrame:
    """Per session: how many rows, and the first and last stamp."""
    return (
        frame.group_by("session")
        .agg(
            pl.len().alias("count"),
            _timestamp(frame).min().alias("from"),
            _timestamp(frame).max().alias("to"),
        )
        .with_columns(pl.col("session").alias("first"), pl.col("session").alias("last"))
    )


def _timestamp(frame: pl.DataFrame) -> pl.Expr:
    return pl.col("ts").dt.epoch("us") if "ts" in frame.columns else pl.lit(0)


def _rows(rows: pl.DataFrame | pl.LazyFrame, summary: pl.DataFrame, cells: Cells) -> Rows:
    first, last = summary["first"].min(), summary["last"].max()
    assert isinstance(first, dt.date)
    assert isinstance(last, dt.date)
    return Rows(
        rows=rows,
        count=int(summary["count"].sum()),
        sessions=(first, last),
        timestamps=(int(summary["from"].min() or 0), int(summary["to"].max() or 0)),  # type: ignore[arg-type]
        cells=cells,
    )
