"""The rows of one read, step by step: as of a moment, adjusted, resampled, with indicators, on a grid, cut."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from fulltape.bars import grid as grid_rows
from fulltape.bars import indicators, resample
from fulltape.context import actions
from fulltape.context.actions import PointInTime
from fulltape.decoding import frames
from fulltape.lake import parquet
from fulltape.ledger.ledger import Ledger
from fulltape.market.instruments import Instrument
from fulltape.market.sessions import Calendar
from fulltape.reading import cut, prices, selection
from fulltape.reading import symbols as resolving
from fulltape.reading.node import OpenedNode
from fulltape.reading.request import ScanRequest


def rows(node: OpenedNode, ledger: Ledger, asked: ScanRequest, calendar: Calendar) -> pl.LazyFrame:
    """The rows as they were asked for, in the order: as of, adjusted, resampled, cut."""
    name = asked.dataset.name
    chosen = _chosen(node, ledger, asked)
    spelled = _spelled(asked, chosen)
    parts = selection.parts(ledger, node.layout, name, asked.warm_up, asked.last, spelled)
    view = PointInTime(ledger=ledger, layout=node.layout, calendar=calendar, until=asked.as_of)
    if not parts:
        rows = frames.empty(asked.dataset.curated.columns).lazy()
    else:
        rows = parquet.scan(selection.paths(node.layout, parts))
        if any(
            part.first < asked.warm_up.isoformat() or part.last > asked.last.isoformat() for part in parts
        ):
            rows = rows.filter(pl.col("session").is_between(asked.warm_up, asked.last))
    if asked.symbols is not None:
        rows = rows.filter(_by_symbol(asked, chosen or []))
    if asked.instruments is not None:
        rows = rows.filter(pl.col("instrument").is_in(asked.instruments))
    if asked.as_of is not None:
        rows = cut.public(rows, asked)
    if asked.adjust:
        mine = chosen if chosen is not None else node.instruments(ledger, name)
        rows = prices.adjusted(rows, asked, view, mine, node.sources(actions.DATASET))
    if asked.every:
        rows = resample.resampled(rows, asked.every, calendar, phase=asked.phase, origin=asked.origin)
    if asked.indicators:
        rows = indicators.added(rows, asked.indicators).filter(pl.col("session") >= asked.first)
    if asked.grid:
        rows = _gridded(node, ledger, rows, asked, calendar, chosen)
    return cut.moments(rows, asked)


def _gridded(
    node: OpenedNode,
    ledger: Ledger,
    rows: pl.LazyFrame,
    asked: ScanRequest,
    calendar: Calendar,
    chosen: Sequence[Instrument] | None,
) -> pl.LazyFrame:
    known = chosen if chosen is not None else node.instruments(ledger, asked.dataset.name)
    return grid_rows.filled(
        rows, asked.dataset, calendar, known, every=asked.every, origin=asked.origin, until=asked.as_of
    )


def _chosen(node: OpenedNode, ledger: Ledger, asked: ScanRequest) -> list[Instrument] | None:
    """The instruments that were asked for; None: all."""
    name = asked.dataset.name
    if asked.symbols is not None:
        known = node.instruments(ledger, name)
        return resolving.of_symbols(known, asked.symbols, asked.first, asked.last, dataset=name)
    if asked.instruments is not None:
        return resolving.of_names(node.instruments(ledger, name), asked.instruments, dataset=name)
    return None


def _spelled(asked: ScanRequest, chosen: Sequence[Instrument] | None) -> list[str] | None:
    """The symbols by which files are found; None: all."""
    if asked.symbols is not None and not asked.indicators:
        return list(asked.symbols)
    return None if chosen is None else [dated.symbol for instrument in chosen for dated in instrument.symbols]


def _by_symbol(asked: ScanRequest, chosen: Sequence[Instrument]) -> pl.Expr:
    """Rows under the symbols that were asked for; before the first session those of the same instruments under any symbol, since
    indicators begin there."""
    mine = pl.col("symbol").is_in(asked.symbols or ())
    if asked.warm_up == asked.first:
        return mine
    names = [instrument.instrument for instrument in chosen]
    return mine | ((pl.col("session") < asked.first) & pl.col("instrument").is_in(names))
