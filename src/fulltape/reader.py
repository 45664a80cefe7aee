"""What users import: the rows of a node, found through its catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from fulltape import errors
from fulltape.clock import SystemClock
from fulltape.market import datasets
from fulltape.market.sessions import Calendar
from fulltape.reading import cut, macro, pipeline, request
from fulltape.reading import sql as statements
from fulltape.reading.facts import FactsReader
from fulltape.reading.request import Day, ScanRequest

if TYPE_CHECKING:
    import pandas as pd


_FACTS = ("actions", "factors", "sessions", "coverage", "verdicts", "intervals", "repairs")
"""Tables of a query beside the datasets."""


class Reader(FactsReader):
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
        declared = self._node.declared(dataset)
        calendar = self._node.calendar(declared)
        asked = request.parse(
            declared,
            calendar,
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
        return self._rows(asked, calendar)

    def _rows(self, asked: ScanRequest, calendar: Calendar) -> pl.LazyFrame:
        with self._node.opened() as ledger:
            rows = pipeline.rows(self._node, ledger, asked, calendar)
        return cut.columns(rows, asked)

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
            if name in _FACTS:
                return self._fact_table(name, as_of, known, convention).lazy()
            adjusted = adjust if request.is_adjustable(datasets.get(name)) else "none"
            more: dict[str, Any] = {} if adjusted == "none" else {"anchor": anchor, "convention": convention}
            return self.scan(name, as_of=as_of, as_of_basis=as_of_basis, known=known, adjust=adjusted, **more)

        return statements.run(sql, table, [*self.datasets(), *_FACTS])

    def with_series(self, rows: pl.LazyFrame, symbols: str | Sequence[str]) -> pl.LazyFrame:
        """Rows with one column more for each series of `macro_series`: the value of its newest period as it was public at the row's
        `available_at`, null before the first and where it had been withdrawn. Columns bear the series' symbols. Rows come by
        `available_at`."""
        names = [symbols] if isinstance(symbols, str) else list(symbols)
        series = macro.every_vintage(self._node, self.scan(macro.DATASET, symbols=names))
        return macro.joined(rows, series, names)

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
