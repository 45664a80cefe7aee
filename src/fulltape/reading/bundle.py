"""A bundle as readers see it: its manifest and tables instead of a ledger, its files instead of a lake."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import msgspec
import polars as pl

from fulltape import errors
from fulltape.adjustment import tables
from fulltape.adjustment.factors import Convention, Factor
from fulltape.bars import conditions
from fulltape.bars.conditions import SaleConditions
from fulltape.bundle import layout
from fulltape.bundle.manifest import BundleFile, DescribedDataset
from fulltape.bundle.store import BundleStore
from fulltape.calendars import rules as known_calendars
from fulltape.calendars import tables as calendar_tables
from fulltape.decoding import frames
from fulltape.export import splits
from fulltape.export.splits import Splits
from fulltape.lake import parquet
from fulltape.lake.layout import sessions_of
from fulltape.market import datasets
from fulltape.market import instruments as instrument_rules
from fulltape.market.dataset import Dataset
from fulltape.market.instruments import DatedSymbol, Instrument
from fulltape.market.sessions import Calendar
from fulltape.reading import cut
from fulltape.reading.request import ScanRequest
from fulltape.reading.source import Lives

ELSEWHERE = "Ask the node that wrote it: fulltape.open(its folder)."


class OpenedBundle:
    """A bundle opened for reading. It is read once: what lies at its place later is another bundle."""

    def __init__(self, store: BundleStore) -> None:
        self._store = store
        self.manifest = store.manifest()
        self._files = {file.path: file for file in self.manifest.files}
        self._described = {each.name: each for each in self.manifest.datasets}

    @property
    def where(self) -> str:
        """What was opened."""
        return self._store.where

    @property
    def datasets(self) -> tuple[str, ...]:
        """The datasets that it holds, sorted."""
        return tuple(sorted(self._described.keys() & datasets.DATASETS.keys()))

    def declared(self, dataset: str) -> Dataset:
        """The declaration of one of its datasets; `UsageError` for any other, and for one of another schema than this fulltape knows."""
        declared = datasets.get(dataset)
        described = self._of(dataset)
        if described.schema_version != declared.schema.version:
            raise errors.UsageError(
                f"{dataset} of this bundle has schema version {described.schema_version}, and this fulltape knows version {declared.schema.version}.",
                hint="Install the fulltape that wrote it, or export it again.",
            )
        return declared

    def calendar(self, declared: Dataset) -> Calendar:
        """The calendar that the bundle was made by; `BundleError` where it does not have it."""
        described = self._of(declared.name)
        calendar = self._calendar(described.calendar)
        if calendar.version != described.calendar_version:
            raise errors.BundleError(
                f"the calendar {calendar.name} of this bundle has the version {described.calendar_version}, and the one at hand {calendar.version}.",
                hint="Export the bundle again, with this fulltape.",
            )
        return calendar

    def instruments(self, declared: Dataset) -> list[Instrument]:
        """Who is in a dataset, sorted by id: its universe, and where that names none what it holds."""
        dated: dict[str, list[DatedSymbol]] = {}
        for row in self._series(declared.name).filter("inside").iter_rows(named=True):
            symbol = DatedSymbol(symbol=row["symbol"], first=row["valid_from"], last=row["valid_to"])
            dated.setdefault(row["instrument"], []).append(symbol)
        if not dated:
            return list(instrument_rules.of(*self.holders(declared.name)))
        return [Instrument(instrument=name, symbols=tuple(symbols)) for name, symbols in dated.items()]

    def lives(self, dataset: str) -> Lives:
        """The first and the last session of which rows may be read, by instrument; of one without any the last session that may be, twice."""
        rows = self._series(dataset).select("instrument", "first_session", "last_session").iter_rows()
        return {name: (first, last) for name, first, last in rows}

    def holders(self, dataset: str) -> list[str]:
        """Who has rows, also of those that are in the dataset no more, sorted."""
        return self._series(dataset).filter("held")["instrument"].unique().sort().to_list()

    def _series(self, dataset: str) -> pl.DataFrame:
        self._of(dataset)
        return self._all_series.filter(pl.col("dataset") == dataset)

    @functools.cached_property
    def _all_series(self) -> pl.DataFrame:
        return self.table(layout.SERIES)

    def cells(self, dataset: str) -> pl.LazyFrame:
        """One row for each wanted cell of a dataset, by instrument and session."""
        self._of(dataset)
        return parquet.scan([self._store.verified(self._file(layout.STATUS))]).filter(
            pl.col("dataset") == dataset
        )

    def sources(self, dataset: str) -> list[str]:
        """Whose rows the cells of a dataset are, sorted."""
        return self.cells(dataset).select(pl.col("source").unique().sort()).collect()["source"].to_list()

    def rows(self, dataset: Dataset, first: dt.date, last: dt.date) -> pl.LazyFrame:
        """Curated rows of sessions between two days, both inclusive, in time."""
        chosen: list[tuple[str, tuple[dt.date, dt.date], BundleFile]] = []
        for path, file in self._files.items():
            if layout.dataset_of(path) == dataset.name:
                begin, end = self._sessions(path)
                if begin <= last and first <= end:
                    chosen.append((PurePosixPath(path).parent.name, (begin, end), file))
        if not chosen:
            return frames.empty(dataset.curated.columns).lazy()
        chosen.sort(key=lambda entry: entry[:2])
        rows = parquet.scan(self._store.local(file for _, _, file in chosen))
        if any(begin < first or end > last for _, (begin, end), _ in chosen):
            rows = rows.filter(pl.col("session").is_between(first, last))
        return rows

    def split(self, dataset: str, name: str) -> tuple[dt.date, dt.date]:
        """The first and the last session of a split, both inclusive; `UsageError` for one that there is not."""
        self._of(dataset)
        known = (
            msgspec.json.decode(self.text(layout.SPLITS), type=Splits) if self.has(layout.SPLITS) else None
        )
        return splits.chosen(known.datasets.get(dataset, []) if known else [], name, dataset)

    def has(self, path: str) -> bool:
        """Whether there is a file of that name."""
        return path in self._files

    def table(self, path: str) -> pl.DataFrame:
        """A table of the bundle, whole; `BundleError` where it is not there."""
        return parquet.read([self._store.verified(self._file(path))])

    def text(self, path: str) -> str:
        """A text of the bundle; `BundleError` where it is not there."""
        return self._store.verified(self._file(path)).read_text()

    def _sessions(self, path: str) -> tuple[dt.date, dt.date]:
        try:
            return sessions_of(PurePosixPath(path).name)
        except ValueError:
            raise errors.BundleError(f"{path} of {self.where} is not named like a file of rows.") from None

    def _file(self, path: str) -> BundleFile:
        if path not in self._files:
            raise errors.BundleError(
                f"{self.where} has no {path}: an older fulltape wrote it.",
                hint="Read its files as they are, or a bundle that is exported now.",
            )
        return self._files[path]

    def _of(self, dataset: str) -> DescribedDataset:
        if dataset not in self._described:
            raise errors.UsageError(
                f"this bundle has no dataset {dataset}.", hint=f"It has {', '.join(self.datasets) or 'none'}."
            )
        return self._described[dataset]

    @functools.cached_property
    def answered(self) -> Mapping[str, Sequence[tuple[dt.date, dt.date]]]:
        """By instrument stretches of days of each of which a source has answered whether there was an action."""
        stretches: dict[str, list[tuple[dt.date, dt.date]]] = {}
        for name, first, last in self.table(layout.ANSWERED).iter_rows():
            stretches.setdefault(name, []).append((first, last))
        return stretches

    def actions(self) -> pl.DataFrame:
        """The table of actions; `UsageError` where there is none."""
        return self._of_actions(layout.ACTIONS)

    def factors(self, convention: Convention) -> pl.DataFrame:
        """The table of factors; `UsageError` where there is none, or it is one of another convention."""
        table = self._of_actions(layout.FACTORS)
        if has := set(table["convention"].unique()) - {convention}:
            raise errors.UsageError(
                f"the factors of this bundle are those of convention {', '.join(sorted(has))}, not {convention}.",
                hint=ELSEWHERE,
            )
        return table

    def _of_actions(self, path: str) -> pl.DataFrame:
        if not self.has(path):
            raise errors.UsageError(
                "this bundle has no corporate actions, so prices cannot be adjusted.",
                hint="Its node had no dataset corporate_actions beside prices of equities.",
            )
        return self.table(path)

    def _calendar(self, name: str) -> Calendar:
        if name in known_calendars.names():
            return known_calendars.build(name)
        return calendar_tables.parse(self.text(layout.calendar(name)), self.text(layout.CALENDAR_OVERRIDES))


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleRows:
    """See `source.RowSource`."""

    bundle: OpenedBundle
    dataset: Dataset
    calendar: Calendar

    def instruments(self) -> list[Instrument]:
        """See `RowSource`."""
        return self.bundle.instruments(self.dataset)

    def scanned(
        self, asked: ScanRequest, chosen: Sequence[Instrument] | None, first: dt.date, last: dt.date
    ) -> pl.LazyFrame:
        """See `RowSource`. `UsageError` for a moment of the past."""
        if asked.as_of is not None or asked.known is not None:
            raise of_the_past()
        rows = self.bundle.rows(asked.dataset, first, last)
        if chosen is not None:
            rows = rows.filter(pl.col("instrument").is_in([instrument.instrument for instrument in chosen]))
        return cut.spelled(rows, asked, self.calendar)

    def lives(self, asked: ScanRequest, names: Iterable[str]) -> Lives:
        """See `RowSource`."""
        known = self.bundle.lives(asked.dataset.name)
        newest = max((last for _, last in known.values()), default=dt.date.min)
        return {name: known.get(name, (newest, newest)) for name in names}

    def holders(self) -> set[str]:
        """See `RowSource`."""
        return set(self.bundle.holders(self.dataset.name))

    def factors(self, names: Sequence[str], convention: Convention) -> list[Factor]:
        """See `RowSource`."""
        table = self.bundle.factors(convention)
        return tables.factors_in(table.filter(pl.col("instrument").is_in(list(names))))

    def answered(self, name: str) -> Sequence[tuple[dt.date, dt.date]]:
        """See `RowSource`."""
        return self.bundle.answered.get(name, ())

    def sale_conditions(self, dataset: Dataset) -> SaleConditions:
        """See `RowSource`."""
        said = self.bundle.text(conditions.FILE) if self.bundle.has(conditions.FILE) else ""
        known = conditions.load(said)
        for source in self.bundle.sources(dataset.name):
            if source and not known.knows(source):
                raise errors.UsageError(
                    f"what the sale conditions of {source} mean is not known, so no bars can be made of its trades.",
                    hint=f"Describe them in {conditions.FILE} of the node, and export again (docs/prices.md).",
                )
        return known


def of_the_past() -> errors.UsageError:
    """What a bundle says to questions about another moment than its own."""
    return errors.UsageError(
        "a bundle is what its node knew on one evening: as_of and known cannot be answered.", hint=ELSEWHERE
    )
