"""What users import: the rows of a node, found through its catalogue, and those of a bundle, found through its manifest."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import os
from collections.abc import Iterator, Sequence
from os import PathLike
from pathlib import Path

import polars as pl

from fulltape.bundle import listing, sources
from fulltape.bundle.fetched import FetchedBundle, cache_folder
from fulltape.bundle.layout import HISTORY
from fulltape.bundle.listing import LATEST
from fulltape.bundle.manifest import MANIFEST
from fulltape.bundle.sources import BundleSource
from fulltape.bundle.store import BundleFolder
from fulltape.context.point_in_time import PointInTime
from fulltape.market.dataset import Dataset
from fulltape.market.sessions import Calendar
from fulltape.reading import macro
from fulltape.reading.bundle import BundleRows, OpenedBundle
from fulltape.reading.bundle_facts import BundleFacts
from fulltape.reading.facts import FactsReader
from fulltape.reading.node_rows import NodeRows
from fulltape.reading.request import Day, ScanRequest
from fulltape.reading.rows import RowsReader
from fulltape.reading.source import RowSource
from fulltape.remote.index import POINTER
from fulltape.settings.load import FILE as SETTINGS

_CACHED = 20 * 1024**3
"""So many bytes of fetched files are kept."""


class Reader(RowsReader, FactsReader):
    """A node opened for reading; every call sees what is committed at that moment."""

    def __repr__(self) -> str:
        return f"fulltape.open({str(self._node.folder)!r})"

    def datasets(self) -> tuple[str, ...]:
        """The datasets that the node is set to hold, in the order of its settings."""
        return tuple(self._node.settings.dataset)

    def symbols(self, dataset: str) -> tuple[str, ...]:
        """The symbols of a dataset, sorted: those of its universe, or where that is a query those that it holds. Raises
        `UsageError` for a dataset that the node does not have."""
        self._node.declared(dataset)
        with self._node.opened() as ledger:
            known = self._node.instruments(ledger, dataset)
        return tuple(sorted({dated.symbol for instrument in known for dated in instrument.symbols}))

    def _declared(self, dataset: str) -> Dataset:
        return self._node.declared(dataset)

    def _calendar(self, declared: Dataset) -> Calendar:
        return self._node.calendar(declared)

    @contextlib.contextmanager
    def _opened(self, asked: ScanRequest, calendar: Calendar) -> Iterator[RowSource]:
        with self._node.opened() as ledger, ledger.database.snapshot():
            view = PointInTime(
                ledger=ledger,
                layout=self._node.layout,
                calendar=calendar,
                until=asked.as_of,
                known=asked.known,
                sources=self._node.preferences,
            )
            yield NodeRows(node=self._node, view=view, dataset=asked.dataset)

    def _split(self, dataset: str, name: str) -> tuple[dt.date, dt.date]:
        return self._node.split(dataset, name)

    def _series(self, symbols: Sequence[str]) -> pl.LazyFrame:
        return macro.every_vintage(self._node, self.scan(macro.DATASET, symbols=symbols))

    def _fact_table(self, name: str, as_of: Day | None, known: Day | None, convention: str) -> pl.DataFrame:
        if name == "actions":
            return self.actions(as_of=as_of, known=known)
        if name == "factors":
            return self.factors(as_of=as_of, known=known, convention=convention)
        if name in ("coverage", "verdicts"):
            read_then = self.coverage if name == "coverage" else self.verdicts
            return pl.concat([read_then(dataset, known=known) for dataset in self.datasets()])
        if name == "repairs":
            return self.repairs()
        read = {
            "sessions": self.sessions,
            "intervals": self.intervals,
        }[name]
        return pl.concat([read(dataset) for dataset in self.datasets()])


class BundleReader(BundleFacts, Reader):
    """A bundle opened for reading. It is what its node knew on one evening: `as_of` and `known` are questions for the node."""

    _facts = ("actions", "factors", "sessions", "verdicts", "intervals", "repairs")

    def __init__(self, bundle: OpenedBundle) -> None:
        self._bundle = bundle

    def __repr__(self) -> str:
        return f"fulltape.open({self._bundle.where!r})"

    def datasets(self) -> tuple[str, ...]:
        """The datasets of the bundle, sorted."""
        return self._bundle.datasets

    def symbols(self, dataset: str) -> tuple[str, ...]:
        """The symbols of a dataset, sorted: those that the bundle tells of, with or without rows. Raises `UsageError` for a dataset that
        the bundle does not have."""
        known = self._bundle.instruments(self._bundle.declared(dataset))
        return tuple(sorted({dated.symbol for instrument in known for dated in instrument.symbols}))

    def _declared(self, dataset: str) -> Dataset:
        return self._bundle.declared(dataset)

    def _calendar(self, declared: Dataset) -> Calendar:
        return self._bundle.calendar(declared)

    @contextlib.contextmanager
    def _opened(self, asked: ScanRequest, calendar: Calendar) -> Iterator[RowSource]:
        yield BundleRows(bundle=self._bundle, dataset=asked.dataset, calendar=calendar)

    def _split(self, dataset: str, name: str) -> tuple[dt.date, dt.date]:
        return self._bundle.split(dataset, name)

    def _series(self, symbols: Sequence[str]) -> pl.LazyFrame:
        now = self.scan(macro.DATASET, symbols=symbols)
        return macro.with_history(now, self._bundle.table(HISTORY)) if self._bundle.has(HISTORY) else now


def opened(where: str | PathLike[str]) -> Reader:
    """What lies at a place, opened for reading: see `fulltape.open`."""
    text = str(where)
    if text.lower().startswith(("http://", "https://")):
        return BundleReader(OpenedBundle(_fetched(text)))
    if text.lower().startswith("s3:"):
        return BundleReader(OpenedBundle(_stored(text)))
    folder = Path(where).expanduser()
    if (folder / SETTINGS).is_file():
        return Reader(where)
    if (folder / POINTER).is_file():
        return BundleReader(OpenedBundle(_stored(text)))
    for bundle in (folder, folder / LATEST, *_newest(folder)):
        if (bundle / MANIFEST).is_file():
            return BundleReader(OpenedBundle(BundleFolder(bundle)))
    return Reader(where)


def _newest(folder: Path) -> list[Path]:
    """The newest bundle of a folder of bundles, where there is one."""
    try:
        days = sorted(path.name for path in folder.iterdir() if listing.is_day(path.name))
    except OSError:
        return []
    return [folder / days[-1]] if days else []


def _fetched(address: str) -> FetchedBundle:
    base, _, day = f"{address.rstrip('/')}/".partition("/bundles/")
    source = functools.partial(_connected, base.rstrip("/"))
    with contextlib.closing(source()) as connected:
        day = listing.chosen(connected.days(), day.strip("/").removeprefix(LATEST))
    return FetchedBundle(source, day, f"{base.rstrip('/')}/bundles/{day}", cache_folder(), _CACHED)


def _stored(address: str) -> FetchedBundle:
    """A bundle at a place of objects: the newest one, or that of a day at the end of its address."""
    base, _, name = address.rstrip("/").rpartition("/")
    named = name == LATEST or listing.is_day(name)
    source = functools.partial(_connected, base if named else address.rstrip("/"))
    with contextlib.closing(source()) as connected:
        day = listing.chosen(connected.days(), name.removeprefix(LATEST) if named else "")
    return FetchedBundle(
        source, day, f"{base if named else address.rstrip('/')}/{day}", cache_folder(), _CACHED
    )


def _connected(address: str) -> BundleSource:
    return sources.of(address, os.environ.get("FULLTAPE_TOKEN", ""))
