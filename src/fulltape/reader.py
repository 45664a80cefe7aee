"""What users import: the rows of a node, found through its catalogue."""

from __future__ import annotations

import contextlib
import datetime as dt
import difflib
from collections.abc import Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from fulltape import errors
from fulltape.context import LEDGER, open_ledger, ownership, regrouped
from fulltape.decoding import frames
from fulltape.lake import parquet
from fulltape.lake.layout import Layout, days_of, kind_of
from fulltape.ledger.ledger import Ledger
from fulltape.ledger.part import Part
from fulltape.market import datasets, instruments
from fulltape.market.dataset import Dataset
from fulltape.settings import load

if TYPE_CHECKING:
    import pandas as pd


class Reader:
    """A node opened for reading; every call sees what is committed at that moment."""

    def __init__(self, path: str | PathLike[str]) -> None:
        loaded = load.load(load.find(Path(path).expanduser()), asking=False)
        self._folder = loaded.folder
        self._ledger_url = loaded.ledger_url
        self._settings = loaded.values
        self._lake = loaded.folder / loaded.values.node.lake

    def __repr__(self) -> str:
        return f"fulltape.open({str(self._folder)!r})"

    def datasets(self) -> tuple[str, ...]:
        """The datasets that the node is set to hold, in the order of its settings."""
        return tuple(self._settings.dataset)

    def symbols(self, dataset: str) -> tuple[str, ...]:
        """The symbols of a dataset, sorted: those of its universe, or where that is a query those that it holds. Raises
        `UsageError` for a dataset that the node does not have."""
        self._refuse_unknown(dataset)
        return tuple(sorted(self._universe(dataset) or self._held(dataset)))

    def to_pandas(
        self,
        dataset: str,
        *,
        symbols: str | Sequence[str] | None = None,
        start: str | dt.date | None = None,
        end: str | dt.date | None = None,
    ) -> pd.DataFrame:
        """The rows of `scan` as a pandas frame, all in memory; `UsageError` names the extra where pandas is not there."""
        rows = self.scan(dataset, symbols=symbols, start=start, end=end).collect()
        try:
            return rows.to_pandas()
        except ModuleNotFoundError as error:
            raise errors.UsageError(
                f"to_pandas needs {error.name or 'pandas'}, which is not installed.",
                hint="Install fulltape with its extra pandas (README: extras)",
            ) from error

    def scan(
        self,
        dataset: str,
        *,
        symbols: str | Sequence[str] | None = None,
        start: str | dt.date | None = None,
        end: str | dt.date | None = None,
    ) -> pl.LazyFrame:
        """A lazy frame of curated rows, unadjusted.

        `symbols`: one or several, as they were valid on the session; all by default. `start` and `end` are sessions,
        both inclusive (`datetime.date` or "YYYY-MM-DD"). `ts` is UTC, the start of the bar. Only the files that can
        hold wanted rows are opened; rows come by folder (year, month or date), in each by instrument and time: sort them
        if you need another order. Raises `UsageError` for a dataset, a symbol or a date that cannot be meant.
        """
        declared = self._refuse_unknown(dataset)
        first, last = _day(start) or dt.date.min, _day(end) or dt.date.max
        if first > last:
            raise errors.UsageError(f"start {first} lies after end {last}.")
        chosen = [symbols] if isinstance(symbols, str) else list(symbols) if symbols is not None else None
        self._refuse_strangers(dataset, chosen or [])
        parts = self._chosen(dataset, first, last, chosen)
        if not parts:
            return frames.empty(declared.curated.columns).lazy()
        rows = parquet.scan([self._there(part) for part in parts])
        if any(part.first < first.isoformat() or part.last > last.isoformat() for part in parts):
            rows = rows.filter(pl.col("session").is_between(first, last))
        if chosen is not None:
            rows = rows.filter(pl.col("symbol").is_in(chosen))
        return rows

    def _chosen(
        self, dataset: str, first: dt.date, last: dt.date, symbols: Sequence[str] | None
    ) -> list[Part]:
        """The files to read: days, or where fewer files hold the same, those of closed months and years by instrument."""
        with self._ledger() as ledger:
            days = ledger.catalogue.current("curated", dataset, first=first, last=last)
            days.sort(key=lambda part: (part.folder, part.first))  # in time, whenever they were written
            if len(days) < regrouped.LEAST_DAYS:
                return days
            # Of a year some files may begin late: all of them are looked at, or it would not seem whole.
            begin, end = first.replace(month=1, day=1), last.replace(month=12, day=31)
            made = ledger.catalogue.current(regrouped.LAYER, dataset, first=begin, last=end)
            folders = regrouped.complete(made, self._all_days(ledger, dataset, made))
            mine = ledger.catalogue.with_symbols(symbols or ()) if folders else set()
            # What is current now was so in all of these queries.
            made = (
                ledger.catalogue.current(regrouped.LAYER, dataset, first=begin, last=end) if folders else []
            )
        there = {part.part_id for part in made if self._is_there(part)}
        folders = {
            key: some for key, some in folders.items() if there.issuperset(part.part_id for part in some)
        }
        return regrouped.chosen(days, folders, symbols=None if symbols is None else len(symbols), mine=mine)

    def _is_there(self, part: Part) -> bool:
        path = self._lake / part.path
        return path.is_file() and path.stat().st_size == part.bytes

    @staticmethod
    def _all_days(ledger: Ledger, dataset: str, made: Sequence[Part]) -> list[Part]:
        """All days of the months and years of some parts."""
        spans = [days_of(kind_of(part.folder), part.folder) for part in made]
        if not spans:
            return []
        first, last = min(start for start, _ in spans), max(stop for _, stop in spans)
        return ledger.catalogue.current("curated", dataset, first=first, last=last)

    def _there(self, part: Part) -> Path:
        """The file of a part; `CorruptPartError` where it is gone or was cut off."""
        path = self._lake / part.path
        size = path.stat().st_size if path.is_file() else None
        if size != part.bytes:
            what = "is gone" if size is None else f"has {size:,} bytes instead of {part.bytes:,}"
            raise errors.CorruptPartError(f"{path} {what}.", hint=parquet.REPAIR)
        return path

    def _refuse_unknown(self, dataset: str) -> Dataset:
        """The declaration of a dataset that the node has."""
        declared = datasets.get(dataset)
        if dataset not in self._settings.dataset and not self._parts(dataset):
            raise errors.UsageError(
                f"this node has no dataset {dataset}.",
                hint=f"It has {', '.join(self.datasets()) or 'none yet'}.",
            )
        return declared

    def _refuse_strangers(self, dataset: str, chosen: Sequence[str]) -> None:
        known = set(self.symbols(dataset)) if chosen else set()
        for symbol in chosen:
            if symbol not in known:
                near = difflib.get_close_matches(symbol.upper(), known, n=1, cutoff=0.5)
                hint = f"Did you mean {near[0]}?" if near else f"It has {len(known)} symbols."
                raise errors.UsageError(f"this node has no {symbol!r} in {dataset}.", hint=hint)

    def _universe(self, dataset: str) -> set[str]:
        """The spellings of a dataset's universe as the settings name them now."""
        wanted = self._settings.dataset.get(dataset)
        universe = self._settings.universe.get(wanted.universe) if wanted else None
        if universe is None:
            return set()
        names = set(universe.symbols)
        path = self._folder / universe.file
        if universe.file and path.is_file():
            names |= instruments.symbols_in(path.read_text(encoding="utf-8-sig"), where=str(path))
        return names

    def _held(self, dataset: str) -> set[str]:
        with self._ledger() as ledger:
            return {name for part in ledger.catalogue.current("curated", dataset) for name in part.cells}

    def _parts(self, dataset: str, first: dt.date = dt.date.min, last: dt.date = dt.date.max) -> list[Part]:
        with self._ledger() as ledger:
            return ledger.catalogue.current("curated", dataset, first=first, last=last)

    @contextlib.contextmanager
    def _ledger(self) -> Iterator[Ledger]:
        if not self._ledger_url and not (self._folder / LEDGER).is_file():
            raise errors.NodeNotFoundError(
                f"the node {self._folder} holds nothing yet.", hint="Run `fulltape nightly` first."
            )
        ledger = open_ledger(self._folder, self._ledger_url, read_only=True)
        try:
            ownership.check(ledger, Layout(root=self._lake))
            yield ledger
        finally:
            ledger.close()


def _day(value: object) -> dt.date | None:
    """A session out of a date, out of text, or out of a moment (a pandas Timestamp is one): its own calendar date."""
    try:
        moment = dt.datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        moment = value
    if isinstance(moment, dt.datetime) and str(moment) != "NaT":
        return moment.date()
    if moment is None or (isinstance(moment, dt.date) and not isinstance(moment, dt.datetime)):
        return moment
    raise errors.UsageError(
        f"{value!r} is no session.", hint="Give a date, a datetime, a pandas Timestamp or YYYY-MM-DD."
    )
