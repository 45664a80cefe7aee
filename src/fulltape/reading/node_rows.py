"""Rows of a node, through its ledger."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from fulltape import errors
from fulltape.adjustment.factors import Convention, Factor
from fulltape.bars.conditions import SaleConditions
from fulltape.context import actions, life
from fulltape.context.earlier import CellWindow
from fulltape.context.point_in_time import PointInTime
from fulltape.decoding import frames
from fulltape.lake import parquet
from fulltape.market.dataset import Dataset
from fulltape.market.instruments import Instrument
from fulltape.market.sessions import Calendar
from fulltape.reading import as_of, cut, selection
from fulltape.reading.node import OpenedNode
from fulltape.reading.request import ScanRequest
from fulltape.reading.source import Lives


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRows:
    """See `source.RowSource`."""

    node: OpenedNode
    view: PointInTime
    dataset: Dataset

    @property
    def calendar(self) -> Calendar:
        """See `RowSource`."""
        return self.view.calendar

    def instruments(self) -> list[Instrument]:
        """See `RowSource`."""
        return self.node.instruments(self.view.ledger, self.dataset.name)

    def scanned(
        self, asked: ScanRequest, chosen: Sequence[Instrument] | None, first: dt.date, last: dt.date
    ) -> pl.LazyFrame:
        """See `RowSource`."""
        view, names = self.view, None if chosen is None else [each.instrument for each in chosen]
        spelled = _spelled(asked, chosen)
        parts = selection.parts(view.ledger, view.layout, asked.dataset.name, first, last, spelled)
        if not parts:
            rows = frames.empty(asked.dataset.curated.columns).lazy()
        else:
            rows = parquet.scan(selection.paths(view.layout, parts))
            if any(part.first < first.isoformat() or part.last > last.isoformat() for part in parts):
                rows = rows.filter(pl.col("session").is_between(first, last))
        if names is not None:
            rows = rows.filter(pl.col("instrument").is_in(names))
        if view.until is not None or view.known is not None:
            window = CellWindow(first=first, last=last, instruments=names)
            rows = as_of.rows(self.node, view, asked.dataset, rows, window, parts)
        if asked.as_of is not None:
            rows = cut.public(rows, asked)
        return cut.spelled(rows, asked, view.calendar)

    def lives(self, asked: ScanRequest, names: Iterable[str]) -> Lives:
        """See `RowSource`."""
        return life.of(asked.dataset, self.view, names)

    def holders(self) -> set[str]:
        """See `RowSource`."""
        return {name for name, *_ in self.view.ledger.coverage.held(self.dataset.name)}

    def factors(self, names: Sequence[str], convention: Convention) -> list[Factor]:
        """See `RowSource`."""
        if not self.view.ledger.coverage.knows(actions.DATASET):
            raise errors.UsageError(
                f"this node knows of no {actions.DATASET}, so prices cannot be adjusted.",
                hint=f"Add [dataset.{actions.DATASET}] with the same universe, and run fulltape nightly.",
            )
        events = actions.events(self.view, self.node.sources(actions.DATASET), names)
        return actions.factors_of(self.view, events, convention)

    def answered(self, name: str) -> Sequence[tuple[dt.date, dt.date]]:
        """See `RowSource`."""
        return actions.answered(self.view, name)

    def sale_conditions(self, dataset: Dataset) -> SaleConditions:
        """See `RowSource`."""
        return self.node.sale_conditions(self.view.ledger, dataset)


def _spelled(asked: ScanRequest, chosen: Sequence[Instrument] | None) -> list[str] | None:
    """The symbols by which files are found; None: all."""
    if asked.symbols is not None and not asked.indicators:
        return list(asked.symbols)
    return None if chosen is None else [dated.symbol for instrument in chosen for dated in instrument.symbols]
