"""A node as readers see it: its settings, its ledger read only, its lake."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import Self

from fulltape import errors
from fulltape.bars import conditions
from fulltape.bars.conditions import SaleConditions
from fulltape.checks.findings import Thresholds
from fulltape.context import LEDGER, members, open_ledger, ownership, sale_conditions
from fulltape.context import calendar as load_calendar
from fulltape.export import splits
from fulltape.lake.layout import Layout
from fulltape.ledger.ledger import Ledger
from fulltape.ledger.sqlite import Sqlite
from fulltape.market import datasets
from fulltape.market import instruments as instrument_rules
from fulltape.market.dataset import Dataset
from fulltape.market.instruments import Instrument
from fulltape.market.sessions import Calendar
from fulltape.settings import load
from fulltape.settings.load import Loaded


class OpenedNode:
    """The folder of a node, opened for reading; nothing of it is changed, `untouched` not even the files beside the ledger (see
    `ledger.sqlite.Sqlite`)."""

    def __init__(self, loaded: Loaded, *, untouched: bool = False) -> None:
        self._untouched = untouched
        self._loaded = loaded
        self.settings = self._loaded.values
        self.layout = Layout(root=self._loaded.folder / self.settings.node.lake)

    @classmethod
    def at(cls, path: str | PathLike[str]) -> Self:
        """The node in a folder, by its settings as they are there."""
        return cls(load.load(load.find(Path(path).expanduser()), asking=False))

    @property
    def folder(self) -> Path:
        """Where it is."""
        return self._loaded.folder

    @property
    def thresholds(self) -> Thresholds:
        """By what its checks judge."""
        return self._loaded.thresholds

    def sources(self, dataset: str) -> list[str]:
        """The sources of a dataset in order of preference."""
        wanted = self.settings.dataset.get(dataset)
        return list(wanted.sources) if wanted else []

    @property
    def preferences(self) -> dict[str, Sequence[str]]:
        """The sources of every dataset in order of preference."""
        return {name: wanted.sources for name, wanted in self.settings.dataset.items()}

    def split(self, dataset: str, name: str) -> tuple[dt.date, dt.date]:
        """The first and the last session of a split by the settings, both inclusive, as the next bundle would have it; `UsageError` for
        one that there is not."""
        declared, rules = self.declared(dataset), self.settings.export
        calendar, wanted = self.calendar(declared), self.settings.dataset.get(dataset)
        with self.opened() as ledger:
            newest = ledger.catalogue.newest_session("curated", dataset) or calendar.known_from
        first, until = (wanted.from_, wanted.until) if wanted else (calendar.known_from, None)
        stretch = (first, min(newest, until or newest))
        known = splits.of_dataset(calendar, stretch, rules.splits, purge=rules.purge, embargo=rules.embargo)
        return splits.chosen(known, name, dataset)

    def calendar(self, declared: Dataset) -> Calendar:
        """The calendar by which the node keeps a dataset."""
        wanted = self.settings.dataset.get(declared.name)
        name = (wanted.calendar if wanted else "") or declared.calendar
        return load_calendar(name, self._loaded.folder)

    def sale_conditions(self, ledger: Ledger, dataset: Dataset) -> SaleConditions:
        """What trades count for, by their conditions: the package's tables, and the node's `conditions.toml`. `UsageError` where
        the conditions of a source that the dataset has or has had are in none."""
        tables = sale_conditions.read(self.folder)
        raw = ledger.catalogue.current("raw", dataset.name)
        for source in sorted({*self.sources(dataset.name), *(part.source for part in raw)}):
            if not tables.knows(source):
                raise errors.UsageError(
                    f"what the sale conditions of {source} mean is not known, so no bars can be made of its trades.",
                    hint=f"Describe them in {self.folder / conditions.FILE} (docs/prices.md).",
                )
        return tables

    def declared(self, dataset: str) -> Dataset:
        """The declaration of a dataset that the node has; `UsageError` for one that it has not."""
        declared = datasets.get(dataset)
        if dataset in self.settings.dataset:
            return declared
        with self.opened() as ledger:
            if ledger.catalogue.current("curated", dataset):
                return declared
        raise errors.UsageError(
            f"this node has no dataset {dataset}.",
            hint=f"It has {', '.join(self.settings.dataset) or 'none yet'}.",
        )

    def instruments(self, ledger: Ledger, dataset: str) -> list[Instrument]:
        """Who is in a dataset: its universe as the settings and the reference table have it now, and where that names none, and of
        a dataset that is not wanted any more, what it holds."""
        wanted = self.settings.dataset.get(dataset)
        listed: tuple[Instrument, ...] = ()
        if wanted:
            listings = ledger.reference.listings()
            listed = members.of_universe(self._loaded, dataset, wanted.universe, listings)
        if listed:
            return list(listed)
        held = {name for part in ledger.catalogue.current("curated", dataset) for name in part.cells}
        return list(instrument_rules.of(*sorted(held)))

    @contextlib.contextmanager
    def opened(self) -> Iterator[Ledger]:
        """The ledger, as it is committed at this moment. `BusyError` at the end where a writer came to a ledger that is read
        `untouched`: what was read may be torn."""
        folder, url = self._loaded.folder, self._loaded.ledger_url
        if not url and not (folder / LEDGER).is_file():
            raise errors.NodeNotFoundError(
                f"the node {folder} holds nothing yet.", hint="Run `fulltape nightly` first."
            )
        ledger = open_ledger(folder, url, read_only=True, untouched=self._untouched)
        try:
            ownership.check(ledger, self.layout)
            yield ledger
            if isinstance(ledger.database, Sqlite) and ledger.database.stirred:
                raise errors.BusyError("the ledger was written while it was read.", hint="Read it again.")
        finally:
            ledger.close()
