"""Reading rows, wherever they lie: what readers of nodes and of bundles have in common."""

from __future__ import annotations

import abc
import datetime as dt
from collections.abc import Sequence
from contextlib import AbstractContextManager
from os import PathLike
from typing import TYPE_CHECKING, Any

import polars as pl

from fulltape import errors
from fulltape.clock import SystemClock
from fulltape.market import datasets
from fulltape.market.dataset import Dataset
from fulltape.market.sessions import Calendar
from fulltape.reading import cut, macro, pipeline, request, windowing, windows
from fulltape.reading import sql as statements
from fulltape.reading.request import Day, ScanRequest
from fulltape.reading.source import RowSource
from fulltape.reading.windowing import WindowedRows
from fulltape.reading.windows import Windows

if TYPE_CHECKING:
    import pandas as pd


class RowsReader(abc.ABC):
    """Rows of datasets; every call sees what is there at that moment."""

    _facts: tuple[str, ...] = (
        "actions",
        "factors",
        "sessions",
        "coverage",
        "verdicts",
        "intervals",
        "repairs",
    )

    @abc.abstractmethod
    def datasets(self) -> tuple[str, ...]:
        """The datasets that can be read."""

    @abc.abstractmethod
    def _declared(self, dataset: str) -> Dataset:
        """A dataset that can be read; `UsageError` for any other."""

    @abc.abstractmethod
    def _calendar(self, declared: Dataset) -> Calendar:
        """The calendar that a dataset is kept by."""

    @abc.abstractmethod
    def _opened(self, asked: ScanRequest, calendar: Calendar) -> AbstractContextManager[RowSource]:
        """What the rows are read from."""

    @abc.abstractmethod
    def _split(self, dataset: str, name: str) -> tuple[dt.date, dt.date]:
        """The first and the last session of a split, both inclusive; `UsageError` for one that there is not."""

    @abc.abstractmethod
    def _series(self, symbols: Sequence[str]) -> pl.LazyFrame:
        """Rows of `macro_series`, every vintage that is known."""

    @abc.abstractmethod
    def _fact_table(self, name: str, as_of: Day | None, known: Day | None, convention: str) -> pl.DataFrame:
        """One of the tables of facts."""

    def to_pandas(
        self,
        dataset: str,
        *,
        symbols: str | Sequence[str] | None = None,
        start: Day | None = None,
        end: Day | None = None,
        **more: Any,
    ) -> pd.DataFrame:
        """The rows of `scan`, which has the same arguments, as a pandas frame, all in memory; `UsageError` names the extra where
        pandas is not there."""
        rows = self.scan(dataset, symbols=symbols, start=start, end=end, **more).collect()
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
        instruments: str | Sequence[str] | None = None,
        start: Day | None = None,
        end: Day | None = None,
        as_of: Day | None = None,
        as_of_basis: str = "any",
        known: Day | None = None,
        adjust: str = "none",
        anchor: Day = "latest",
        convention: str = "prev_close",
        every: str | None = None,
        phase: str = "regular",
        origin: str = "open",
        price_kind: str = "mid",
        grid: bool = False,
        columns: str | Sequence[str] | None = None,
    ) -> pl.LazyFrame:
        """A lazy frame of curated rows, by the rules of docs/prices.md.

        - `symbols`: one or several, as they were valid on the session; all by default. `instruments`: ids instead, whole lives.
        - `start`, `end`: dates ("YYYY-MM-DD") are sessions, both inclusive; moments with a zone are [start, end).
        - `as_of`: what was public by then (a date: its end in the market's zone); with `as_of_basis="observed"` only what this node had then. `known`: as this node had it.
        - `adjust`: "none", "split", "split_spin" or "total", to prices of the session `anchor`: "latest" (the last visible one),
          "first", or a date; `convention`: "prev_close" or "ex_close". Adds `adjust_status` and `adjust_anchor`.
        - `every`: minutes as longer bars, "5m", "1h", "1d", within `phase` ("regular", "pre", "post", "overnight", "all"), counted
          from its open, or with `origin="clock"` from midnight; trades, quotes and other ticks as bars, also "1s", "500 ticks",
          "10000 volume", "1e6 value", of trades with the phase "close_auction"; of quotes by `price_kind`, "mid", "bid" or "ask".
        - `grid`: rows with nulls for expected bars that are not there. `columns`: only these; indicators too, such as `rsi_14`.

        `ts` is UTC, the start of the bar. Rows come by folder (year, month or date), but with `every`, `grid` or indicators; in each
        by instrument and time. `UsageError` for whatever cannot be meant.
        """
        declared = self._declared(dataset)
        asked = request.parse(
            declared,
            calendar := self._calendar(declared),
            symbols=symbols,
            instruments=instruments,
            start=start,
            end=end,
            every=every,
            phase=phase,
            origin=origin,
            price_kind=price_kind,
            adjust=adjust,
            anchor=anchor,
            convention=convention,
            as_of=as_of,
            as_of_basis=as_of_basis,
            known=known,
            now=SystemClock().now(),
            grid=grid,
            columns=columns,
        )
        with self._opened(asked, calendar) as source:
            return cut.columns(pipeline.rows(source, asked), asked)

    def batches(
        self,
        dataset: str,
        *,
        window: int,
        stride: int | None = None,
        columns: Sequence[str] = ("open", "high", "low", "close", "volume"),
        symbols: str | Sequence[str] | None = None,
        instruments: str | Sequence[str] | None = None,
        start: str | dt.date | None = None,
        end: str | dt.date | None = None,
        split: str | None = None,
        seed: int | None = None,
        every: str | None = None,
        adjust: str = "none",
        anchor: Day = "latest",
        accept: str | Sequence[str] = ("complete",),
        dtype: str = "float64",
        scratch: str | PathLike[str] | None = None,
    ) -> Windows:
        """Bars of days or regular minutes as windows of `window` bars of all instruments: arrays (instruments, time, columns) with a mask,
        see `BarWindow`. The steps of time are the bars that the calendar expects, there or not; minutes inside of breaks and market-wide halts are none.

        - The result is a sequence with a length, so that it is a dataset of PyTorch as it is. A window begins `stride` bars after the one before, by
          default where that ends. With a `seed` they come in an order that is always the same.
        - `split`: only sessions of this split of the node's `[export] splits`, as its bundles have them; no window reaches beyond, and the
          anchor "latest" is its last session: a later split of shares changes none of its prices.
        - `accept`: by `adjust_status` which adjusted prices are valid; "disputed" and "incomplete" ones are not, where they are not named.
        - `columns`, `symbols`, `instruments`, `start`, `end` (sessions, both inclusive), `every`, `adjust`, `anchor` as in `scan`; instruments are sorted by id.
        - The bars are laid out once, in a file without a name in the folder `scratch`, by default that for temporary files: instruments x steps x columns
          x 8 bytes, 4 with `dtype="float32"`. It needs numpy (extra `numpy`). `UsageError` for a window that is longer than the data.
        """
        names = (columns,) if isinstance(columns, str) else columns
        cutting = windows.checked(
            columns=names, window=window, stride=stride, seed=seed, dtype=dtype, scratch=scratch
        )
        declared = self._declared(dataset)
        span = windowing.span(start, end, self._split(dataset, split) if split else None)
        return windowing.laid(
            self._opened,
            WindowedRows(
                declared, self._calendar(declared), span, symbols, instruments, every, adjust,
                span[1] if split and anchor == "latest" and adjust != "none" else anchor,
                (accept,) if isinstance(accept, str) else tuple(accept),
            ),
            cutting,
        )  # fmt: skip

    def query(
        self,
        sql: str,
        *,
        as_of: Day | None = None,
        as_of_basis: str = "any",
        known: Day | None = None,
        adjust: str = "none",
        anchor: Day = "latest",
        convention: str = "prev_close",
    ) -> pl.DataFrame:
        """What a SELECT gives, by DuckDB (extra `sql`). Tables are the node's datasets, with the columns of `scan`, and `actions`,
        `factors`, `sessions`, `coverage`, `verdicts`, `intervals` and `repairs`; only what it names is read. `as_of`, `as_of_basis` (of rows), `known`, `adjust`, `anchor` and `convention` as in
        `scan`; `adjust` concerns datasets of equities' prices. `UsageError` for SQL that DuckDB refuses."""

        def table(name: str) -> pl.LazyFrame:
            if name in self._facts:
                return self._fact_table(name, as_of, known, convention).lazy()
            adjusted = adjust if request.is_adjustable(datasets.get(name)) else "none"
            more: dict[str, Any] = {} if adjusted == "none" else {"anchor": anchor, "convention": convention}
            return self.scan(name, as_of=as_of, as_of_basis=as_of_basis, known=known, adjust=adjusted, **more)

        return statements.run(sql, table, [*self.datasets(), *self._facts])

    def with_series(self, rows: pl.LazyFrame, symbols: str | Sequence[str]) -> pl.LazyFrame:
        """Rows with one column more for each series of `macro_series`: the value of its newest period as it was public at the row's
        `available_at`, null before the first and where it had been withdrawn. Columns bear the series' symbols. Rows come by
        `available_at`."""
        names = [symbols] if isinstance(symbols, str) else list(symbols)
        return macro.joined(rows, self._series(names), names)
