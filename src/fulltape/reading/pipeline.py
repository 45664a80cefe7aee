"""The rows of one read, step by step: as of a moment, adjusted, resampled, with indicators, on a grid, cut."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import polars as pl

from fulltape.bars import grid as grid_rows
from fulltape.bars import indicators, resample, ticks
from fulltape.bars.buckets import AUCTION
from fulltape.bars.every import Every, EveryTraded
from fulltape.bars.ticks import BarRequest
from fulltape.context import actions, repaired
from fulltape.context.earlier import CellWindow
from fulltape.context.point_in_time import PointInTime
from fulltape.decoding import frames, versions
from fulltape.lake import parquet
from fulltape.ledger.ledger import Ledger
from fulltape.market.instruments import Instrument
from fulltape.market.sessions import Calendar
from fulltape.market.time import Instant, to_datetime
from fulltape.reading import as_of, cut, lengths, life, prices, selection
from fulltape.reading import symbols as resolving
from fulltape.reading.node import OpenedNode
from fulltape.reading.request import ScanRequest


def rows(node: OpenedNode, ledger: Ledger, asked: ScanRequest, calendar: Calendar) -> pl.LazyFrame:
    """The rows as they were asked for, in the order: as of, adjusted, resampled, indicators, grid, cut."""
    name = asked.dataset.name
    chosen = _chosen(node, ledger, asked)
    view = PointInTime(
        ledger=ledger,
        layout=node.layout,
        calendar=calendar,
        until=asked.as_of,
        known=asked.known,
        sources=node.preferences,
    )
    begin = asked.first
    if asked.indicators:
        begin = _warmed_up(node, view, asked, chosen)
    rows = scanned(node, view, asked, chosen, begin, asked.last)
    if asked.adjust:
        known = node.instruments(ledger, name) if chosen is None else chosen
        rows = prices.adjusted(rows, asked, view, chosen, known, node.sources(actions.DATASET))
    rows = _resampled(node, ledger, rows, asked, calendar)
    if asked.indicators:
        rows = indicators.added(rows, asked.indicators).filter(pl.col("session") >= asked.first)
        # A series goes over a rename; what was asked for are the rows under the symbols.
        rows = rows if asked.symbols is None else rows.filter(pl.col("symbol").is_in(asked.symbols))
    if asked.grid:
        rows = _gridded(node, view, rows, asked, chosen)
    return cut.moments(rows, asked)


def scanned(
    node: OpenedNode,
    view: PointInTime,
    asked: ScanRequest,
    chosen: Sequence[Instrument] | None,
    first: dt.date,
    last: dt.date,
) -> pl.LazyFrame:
    """Raw rows of the instruments that were asked for, in sessions from `first` to `last`, both inclusive, as they were public;
    with indicators under all of their symbols."""
    spelled = _spelled(asked, chosen)
    parts = selection.parts(view.ledger, node.layout, asked.dataset.name, first, last, spelled)
    if not parts:
        rows = frames.empty(asked.dataset.curated.columns).lazy()
    else:
        rows = parquet.scan(selection.paths(node.layout, parts))
        if any(part.first < first.isoformat() or part.last > last.isoformat() for part in parts):
            rows = rows.filter(pl.col("session").is_between(first, last))
    if chosen is not None:
        rows = rows.filter(pl.col("instrument").is_in([instrument.instrument for instrument in chosen]))
    if view.until is not None or view.known is not None:
        names = None if chosen is None else [instrument.instrument for instrument in chosen]
        window = CellWindow(first=first, last=last, instruments=names)
        rows = as_of.rows(node, view, asked.dataset, rows, window, parts)
    if asked.as_of is not None:
        rows = cut.public(rows, asked)
    if asked.symbols is not None and not asked.indicators:
        rows = rows.filter(pl.col("symbol").is_in(asked.symbols))
    return _with_basis(rows, asked, view) if asked.columns and versions.BASIS in asked.columns else rows


def _with_basis(rows: pl.LazyFrame, asked: ScanRequest, view: PointInTime) -> pl.LazyFrame:
    """Rows with `available_basis`, where it was asked for."""
    wide = rows.join(frames.closes(view.calendar).lazy(), on="session", how="left", maintain_order="left")
    return wide.with_columns(
        pl.when(pl.col("flags") & repaired.BIT != 0)
        .then(pl.lit("repair"))
        .otherwise(versions.basis(asked.dataset))
        .alias(versions.BASIS)
    ).drop("session_close")


def _bar_request(node: OpenedNode, ledger: Ledger, asked: ScanRequest, calendar: Calendar) -> BarRequest:
    assert asked.every is not None
    return BarRequest(
        every=asked.every,
        calendar=calendar,
        phase=asked.phase,
        origin=asked.origin,
        price_kind=asked.price_kind,
        conditions=node.sale_conditions(ledger, asked.dataset)
        if lengths.has_conditions(asked.dataset)
        else None,
    )


def _resampled(
    node: OpenedNode, ledger: Ledger, rows: pl.LazyFrame, asked: ScanRequest, calendar: Calendar
) -> pl.LazyFrame:
    if asked.every is None:
        return rows
    if isinstance(asked.every, Every) and asked.dataset.grain == "minute":
        bars = resample.resampled(rows, asked.every, calendar, phase=asked.phase, origin=asked.origin)
    else:
        bars = ticks.bars(rows, _bar_request(node, ledger, asked, calendar))
    if isinstance(asked.every, Every):
        bars = bars.with_columns(_public(asked.as_of))
    if asked.as_of is None:
        return bars
    # A bar that was not over then may change yet.
    over = pl.col("bucket_end") <= pl.lit(to_datetime(asked.as_of))
    if lengths.is_ticks(asked.dataset):
        over = _over_for_good(asked.every, over, calendar.day_rule.session(asked.as_of))
    return bars.with_columns(pl.col("is_final") & over)


def _public(as_of: Instant | None) -> pl.Expr:
    """When a bar of time was public: not before it was over. As of a moment before that it is what was known of it by its newest row."""
    over = pl.max_horizontal("available_at", "bucket_end")
    known = pl.col("available_at").is_not_null()
    if as_of is not None:
        known &= over <= pl.lit(to_datetime(as_of))
    return pl.when(known).then(over).otherwise(pl.col("available_at")).alias("available_at")


def _over_for_good(every: Every | EveryTraded, over: pl.Expr, session: dt.date) -> pl.Expr:
    """Which bars of ticks no later tick of their session changes, as of a moment in `session`: where trading says when a bar ends its last
    one may go on, and an auction, or a day that closes with one, is over with the session."""
    earlier = pl.col("session") < pl.lit(session)
    if isinstance(every, EveryTraded):
        segment = ["instrument", "session", "phase"]
        followed = pl.int_range(pl.len()).over(segment) < pl.len().over(segment) - 1
        return earlier | followed
    if every.whole_session:
        return earlier
    return pl.when(pl.col("phase") == AUCTION).then(earlier).otherwise(over)


def _warmed_up(
    node: OpenedNode, view: PointInTime, asked: ScanRequest, chosen: Sequence[Instrument] | None
) -> dt.date:
    """The session before `first` from which on every instrument has as many bars as indicators reach back, or all of its
    history."""
    calendar, reach = view.calendar, max(indicator.reach for indicator in asked.indicators)
    known = node.instruments(view.ledger, asked.dataset.name) if chosen is None else chosen
    begins = {
        name: first
        for name, (first, _) in life.of(asked, view, [listed.instrument for listed in known]).items()
    }
    start, _ = calendar.between(asked.first, calendar.known_to)
    back = max(1, start - calendar.between(asked.warm_up, calendar.known_to)[0])
    while start:
        first = calendar.label(max(0, start - back))
        before = scanned(node, view, asked, chosen, first, calendar.label(start - 1))
        bars = _resampled(node, view.ledger, before, asked, calendar).group_by("instrument").len().collect()
        there = dict(bars.iter_rows())
        if start <= back or all(
            there.get(name, 0) >= reach or begin >= first for name, begin in begins.items()
        ):
            return first
        back *= 2
    return asked.first


def _gridded(
    node: OpenedNode,
    view: PointInTime,
    rows: pl.LazyFrame,
    asked: ScanRequest,
    chosen: Sequence[Instrument] | None,
) -> pl.LazyFrame:
    known = node.instruments(view.ledger, asked.dataset.name) if chosen is None else chosen
    lives = {
        name: (max(first, asked.first), min(last, asked.last))
        for name, (first, last) in life.of(asked, view, [listed.instrument for listed in known]).items()
    }
    return grid_rows.filled(
        rows,
        asked.dataset,
        view.calendar,
        known,
        lives,
        every=asked.every if isinstance(asked.every, Every) else None,
        origin=asked.origin,
        until=asked.as_of,
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
