"""What users import: the rows of a node, found through its catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING

import polars as pl

from fulltape import errors
from fulltape.adjustment import tables
from fulltape.context import actions
from fulltape.context import calendar as load_calendar
from fulltape.context.actions import PointInTime
from fulltape.ledger.ledger import Ledger
from fulltape.reading import cut, pipeline, request
from fulltape.reading import symbols as resolving
from fulltape.reading.node import OpenedNode
from fulltape.reading.request import Day

if TYPE_CHECKING:
    import pandas as pd


class Reader:
    """A node opened for reading; every call sees what is committed at that moment."""

    def __init__(self, path: str | PathLike[str]) -> None:
        self._node = OpenedNode(path)

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
        **more: str | Day | Sequence[str] | None,
    ) -> pd.DataFrame:
        """The rows of `scan`, which has the same arguments, as a pandas frame, all in memory; `UsageError` names the extra where
        pandas is not there."""
        rows = self.scan(dataset, symbols=symbols, start=start, end=end, **more).collect()  # type: ignore[arg-type]
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
        adjust: str = "none",
        anchor: Day = "latest",
        convention: str = "prev_close",
        every: str | None = None,
        phase: str = "regular",
        origin: str = "open",
        grid: bool = False,
        columns: Sequence[str] | None = None,
    ) -> pl.LazyFrame:
        """A lazy frame of curated rows; raw, unless `adjust` says otherwise. docs/prices.md has the rules.

        - `symbols`: one or several, as they were valid on the session; all by default. `instruments`: ids instead, whole lives.
        - `start`, `end`: dates ("YYYY-MM-DD" or `datetime.date`) are sessions, both inclusive; moments with a zone are
          [start, end). `as_of`: only what was public by then; a date means its end in the market's zone.
        - `adjust`: "none", "split", "split_spin" or "total", to prices of the session `anchor`: "latest" (the last visible one),
          "first", or a date; `convention`: "prev_close" or "ex_close". Adds `adjust_status` and `adjust_anchor`.
        - `every`: minutes as longer bars, "5m", "1h", "1d", within `phase` ("regular", "pre", "post", "overnight", "all"), counted
          from its open, or with `origin="clock"` from midnight. `grid`: rows with nulls for expected bars that are not there.
        - `columns`: only these, in this order; indicators among them, such as `return_1` or `rsi_14`.

        `ts` is UTC, the start of the bar. Only the files that can hold wanted rows are opened; rows come by folder (year,
        month or date), in each by instrument and time; with `every`, `grid` or indicators by instrument and time. Raises
        `UsageError` for whatever cannot be meant.
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
            adjust=adjust,
            anchor=anchor,
            convention=convention,
            as_of=as_of,
            grid=grid,
            columns=columns,
        )
        with self._node.opened() as ledger:
            rows = pipeline.rows(self._node, ledger, asked, calendar)
        return cut.columns(rows, asked)

    def actions(
        self, symbols: str | Sequence[str] | None = None, *, as_of: Day | None = None
    ) -> pl.DataFrame:
        """Corporate actions, reconciled across sources, one row each, by instrument and ex-date: instrument, ex_date, action_type,
        ratio (shares after for each before), amount, currency, new_symbol, agreement (see `fulltape actions --help`), sources,
        dissent, problem, available_at (UTC; null where no source states an announcement). `symbols` are those that an instrument
        ever bore; all by default."""
        with self._node.opened() as ledger:
            view, known = self._actions_view(ledger, symbols, as_of)
            return tables.actions(actions.events(view, self._node.sources(actions.DATASET), known))

    def factors(
        self,
        symbols: str | Sequence[str] | None = None,
        *,
        as_of: Day | None = None,
        convention: str = "prev_close",
    ) -> pl.DataFrame:
        """What each ex-date multiplies earlier prices by, by instrument and ex-date: instrument, ex_date, split, split_spin, total,
        shares (multiplies earlier volumes), close (that amounts were held against), status, events, problems, convention."""
        with self._node.opened() as ledger:
            view, known = self._actions_view(ledger, symbols, as_of)
            reconciled = actions.events(view, self._node.sources(actions.DATASET), known)
            chosen = request.convention_of(convention)
            return tables.factors(actions.factors_of(view, reconciled, chosen), chosen)

    def _actions_view(
        self, ledger: Ledger, symbols: str | Sequence[str] | None, as_of: Day | None
    ) -> tuple[PointInTime, list[str] | None]:
        """What may be seen of actions, and of which instruments (None: all)."""
        self._node.declared(actions.DATASET)
        calendar = load_calendar("XNYS", self._node.folder)
        view = PointInTime(
            ledger=ledger, layout=self._node.layout, calendar=calendar, until=request.moment(as_of, calendar)
        )
        if symbols is None:
            return view, None
        names = [symbols] if isinstance(symbols, str) else list(symbols)
        known = self._node.instruments(ledger, actions.DATASET)
        return view, resolving.ever(known, names, dataset=actions.DATASET)
