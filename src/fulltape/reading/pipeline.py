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
from fulltape.market.instruments import Instrument
from fulltape.market.time import Instant, to_datetime
from fulltape.reading import cut, lengths, prices
from fulltape.reading import symbols as resolving
from fulltape.reading.request import ScanRequest
from fulltape.reading.source import RowSource


def rows(source: RowSource, asked: ScanRequest) -> pl.LazyFrame:
    """The rows as they were asked for, in the order: as of, adjusted, resampled, indicators, grid, cut."""
    wanted = chosen(source, asked)
    begin = _warmed_up(source, asked, wanted) if asked.indicators else asked.first
    rows = source.scanned(asked, wanted, begin, asked.last)
    if asked.adjust:
        rows = prices.adjusted(rows, asked, source, wanted)
    rows = _resampled(source, rows, asked)
    if asked.indicators:
        rows = indicators.added(rows, asked.indicators).filter(pl.col("session") >= asked.first)
        # A series goes over a rename; what was asked for are the rows under the symbols.
        rows = rows if asked.symbols is None else rows.filter(pl.col("symbol").is_in(asked.symbols))
    if asked.grid:
        rows = _gridded(source, rows, asked, wanted)
    return cut.moments(rows, asked)


def axis(source: RowSource, asked: ScanRequest) -> tuple[list[str], pl.DataFrame]:
    """The ids that were asked for, sorted, and the starts of all bars that are expected of any of them: session and ts, in order."""
    wanted = chosen(source, asked)
    names = sorted(listed.instrument for listed in (source.instruments() if wanted is None else wanted))
    lives = source.lives(asked, names).values()
    first = max([asked.first, *([min(life[0] for life in lives)] if lives else [])])
    last = min([asked.last, *([max(life[1] for life in lives)] if lives else [])])
    every = asked.every if isinstance(asked.every, Every) else None
    return names, grid_rows.axis(asked.dataset, source.calendar, first, last, every=every)


def _bar_request(source: RowSource, asked: ScanRequest) -> BarRequest:
    assert asked.every is not None
    return BarRequest(
        every=asked.every,
        calendar=source.calendar,
        phase=asked.phase,
        origin=asked.origin,
        price_kind=asked.price_kind,
        conditions=source.sale_conditions(asked.dataset) if lengths.has_conditions(asked.dataset) else None,
    )


def _resampled(source: RowSource, rows: pl.LazyFrame, asked: ScanRequest) -> pl.LazyFrame:
    if asked.every is None:
        return rows
    calendar = source.calendar
    if isinstance(asked.every, Every) and asked.dataset.grain == "minute":
        bars = resample.resampled(rows, asked.every, calendar, phase=asked.phase, origin=asked.origin)
    else:
        bars = ticks.bars(rows, _bar_request(source, asked))
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


def _warmed_up(source: RowSource, asked: ScanRequest, chosen: Sequence[Instrument] | None) -> dt.date:
    """The session before `first` from which on every instrument has as many bars as indicators reach back, or all of its
    history."""
    calendar, reach = source.calendar, max(indicator.reach for indicator in asked.indicators)
    known = source.instruments() if chosen is None else chosen
    begins = {
        name: first
        for name, (first, _) in source.lives(asked, [listed.instrument for listed in known]).items()
    }
    start, _ = calendar.between(asked.first, calendar.known_to)
    back = max(1, start - calendar.between(asked.warm_up, calendar.known_to)[0])
    while start:
        first = calendar.label(max(0, start - back))
        before = source.scanned(asked, chosen, first, calendar.label(start - 1))
        bars = _resampled(source, before, asked).group_by("instrument").len().collect()
        there = dict(bars.iter_rows())
        if start <= back or all(
            there.get(name, 0) >= reach or begin >= first for name, begin in begins.items()
        ):
            return first
        back *= 2
    return asked.first


def _gridded(
    source: RowSource, rows: pl.LazyFrame, asked: ScanRequest, chosen: Sequence[Instrument] | None
) -> pl.LazyFrame:
    known = source.instruments() if chosen is None else chosen
    lives = {
        name: (max(first, asked.first), min(last, asked.last))
        for name, (first, last) in source.lives(asked, [listed.instrument for listed in known]).items()
    }
    return grid_rows.filled(
        rows,
        asked.dataset,
        source.calendar,
        known,
        lives,
        every=asked.every if isinstance(asked.every, Every) else None,
        origin=asked.origin,
        until=asked.as_of,
    )


def chosen(source: RowSource, asked: ScanRequest) -> list[Instrument] | None:
    """The instruments that were asked for; None: all."""
    name = asked.dataset.name
    if asked.symbols is not None:
        return resolving.of_symbols(
            source.instruments(), asked.symbols, asked.first, asked.last, dataset=name
        )
    if asked.instruments is not None:
        return resolving.of_names(source.instruments(), asked.instruments, dataset=name)
    return None
