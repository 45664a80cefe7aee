"""What users import: the rows of a node, found through its catalogue."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import polars as pl

from fulltape import errors
from fulltape.core import datasets, frames
from fulltape.lake import parquet
from fulltape.settings import load
from fulltape.stores import LEDGER, open_ledger


class Reader:
    """A node opened for reading; every call sees what is committed at that moment."""

    def __init__(self, path: str | PathLike[str]) -> None:
        loaded = load.load(load.find(Path(path).expanduser()))
        self._folder = loaded.folder
        self._ledger_url = loaded.ledger_url
        self._lake = loaded.folder / loaded.values.node.lake

    def scan(
        self,
        dataset: str,
        *,
        symbols: Sequence[str] | None = None,
        start: str | dt.date | None = None,
        end: str | dt.date | None = None,
    ) -> pl.LazyFrame:
        """A lazy frame of curated rows, unadjusted, sorted by instrument and time within each file.

        `symbols` as they were valid on the session, all by default; `start` and `end` are sessions, both inclusive
        (`datetime.date` or "YYYY-MM-DD"). `ts` is UTC, start of the bar. Only the files that can hold wanted rows are
        opened. Raises `UsageError` for an unknown dataset or a bad date.
        """
        declared = datasets.get(dataset)
        first, last = _day(start) or dt.date.min, _day(end) or dt.date.max
        paths = self._paths(dataset, first, last)
        if not paths:
            return frames.empty(declared.curated.columns).lazy()
        rows = parquet.scan(paths)
        if start is not None or end is not None:
            rows = rows.filter(pl.col("session").is_between(first, last))
        if symbols is not None:
            rows = rows.filter(pl.col("symbol").is_in(list(symbols)))
        return rows

    def _paths(self, dataset: str, first: dt.date, last: dt.date) -> list[Path]:
        if not self._ledger_url and not (self._folder / LEDGER).is_file():
            raise errors.NodeNotFoundError(
                f"the node {self._folder} holds nothing yet.", hint="Run `fulltape nightly` first."
            )
        ledger = open_ledger(self._folder, self._ledger_url)
        try:
            return [
                self._lake / part.path
                for part in ledger.catalogue.current("curated", dataset=dataset)
                if any(
                    begin <= last and first <= stop for spans in part.cells.values() for begin, stop in spans
                )
            ]
        finally:
            ledger.close()


def _day(value: str | dt.date | None) -> dt.date | None:
    if isinstance(value, str):
        try:
            return dt.date.fromisoformat(value)
        except ValueError as error:
            raise errors.UsageError(f"{value!r} is no date.", hint="Dates are YYYY-MM-DD.") from error
    return value
