"""What rows are read from. A node and a bundle are read alike; `tests/reading/test_bundle_reader.py` holds them against each other."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import polars as pl

from fulltape.adjustment.factors import Convention, Factor
from fulltape.bars.conditions import SaleConditions
from fulltape.market.dataset import Dataset
from fulltape.market.instruments import Instrument
from fulltape.market.sessions import Calendar
from fulltape.reading.request import ScanRequest

Lives = Mapping[str, tuple[dt.date, dt.date]]


class RowSource(Protocol):
    """One dataset's rows and what they need to be read, as they are at one moment."""

    @property
    def calendar(self) -> Calendar:
        """The calendar that the dataset is kept by."""
        ...

    def instruments(self) -> list[Instrument]:
        """Who is in the dataset."""
        ...

    def scanned(
        self, asked: ScanRequest, chosen: Sequence[Instrument] | None, first: dt.date, last: dt.date
    ) -> pl.LazyFrame:
        """Raw rows of the instruments that were asked for (None: all), in sessions from `first` to `last`, both inclusive, as they were
        public; with indicators under all of their symbols."""
        ...

    def lives(self, asked: ScanRequest, names: Iterable[str]) -> Lives:
        """The first and the last session of which rows of each instrument may be visible, whatever window was asked for; of one without
        any, the last session that may be, twice."""
        ...

    def holders(self) -> set[str]:
        """Who has rows, also of those that are in the dataset no more."""
        ...

    def factors(self, names: Sequence[str], convention: Convention) -> list[Factor]:
        """The factors of instruments, by instrument and ex-date. `UsageError` where no actions are known."""
        ...

    def answered(self, name: str) -> Sequence[tuple[dt.date, dt.date]]:
        """Stretches of days, both ends inclusive, of each of which a source has answered whether there was an action; in no order."""
        ...

    def sale_conditions(self, dataset: Dataset) -> SaleConditions:
        """What trades count for, by their conditions; `UsageError` where the conditions of a source are not known."""
        ...
