"""Bars out of ticks: trades, quotes, or single values.

Which trades make a price and which count in volume only is told by their conditions (`conditions`). Ticks are taken in the order of
the curated files: by instrument and time, and within one moment as the source sent them. A bar without a price is none.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

from fulltape.bars import buckets, columns, conditions
from fulltape.bars.buckets import AUCTION, Origin, Phase
from fulltape.bars.conditions import (
    CLOSING,
    COLUMN,
    EXTENDED,
    HIGH_LOW,
    OFFICIAL,
    OPEN_CLOSE,
    UNKNOWN,
    VOLUME,
    SaleConditions,
)
from fulltape.bars.every import Every, EveryTraded
from fulltape.market.sessions import Calendar
from fulltape.market.time import MINUTE

PriceKind = Literal["mid", "bid", "ask"]
PRICE_KINDS: tuple[PriceKind, ...] = ("mid", "bid", "ask")
_ENDS, _EXTREMES, _SIZE, _NOTIONAL = "end_price", "extreme_price", "priced_size", "priced_value"
_NUMBER, _ROW, _LAST_ROW, _ALIKE = "number", "row", "last_alike", "conditions_hash"
_OPEN = "session_open"
_UNITS = 1e12
"""Of one share, or of one unit of money, where it is counted when a bar is full."""
_TICK = 1
"""Microseconds from the last tick of a bar that is measured by what is traded to its end, which is exclusive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BarRequest:
    """Which bars are made: their length, phase and origin; of quotes the side; of trades with conditions their tables."""

    every: Every | EveryTraded
    calendar: Calendar
    phase: Phase = "regular"
    origin: Origin = "open"
    price_kind: PriceKind = "mid"
    conditions: SaleConditions | None = None


def bars(ticks: pl.LazyFrame, asked: BarRequest) -> pl.LazyFrame:
    """Bars by instrument and `ts` (UTC, the start of the bucket) out of curated ticks.

    Columns: instrument, symbol, session, ts, bucket_end (UTC, exclusive), open, high, low, close; of trades volume, vwap (of those
    that may make a high or a low) and trade_count, of trades with conditions also close_kind (official, auction or last),
    unknown_conditions and eligibility_version; of quotes price_kind, of quotes and values tick_count; phase, `n` (how many ticks were
    counted), available_at, source, is_final, flags, and what adjustment has added.
    """
    names = ticks.collect_schema().names()
    if "size" in names:
        made = _of_trades(_priced(ticks, asked), asked)
    else:
        made = _continuous(_values(ticks, asked.price_kind), asked)
    kept = columns.ordered(made.collect_schema().names())
    made = made.filter(pl.col("open").is_not_null() & pl.col("high").is_not_null())
    return made.select(kept).sort("instrument", "ts", "bucket_end", maintain_order=True)


def _values(ticks: pl.LazyFrame, kind: PriceKind) -> pl.LazyFrame:
    """Quotes or values with the price that each makes; a side without an order has a price of 0, which is none."""
    if "bid" not in ticks.collect_schema().names():
        return ticks.with_columns(pl.col("price").alias(_ENDS), pl.col("price").alias(_EXTREMES))
    sides = ["bid", "ask"] if kind == "mid" else [kind]
    there = pl.all_horizontal((pl.col(side) > 0) & pl.col(side).is_finite() for side in sides)
    price = (pl.col("bid") + pl.col("ask")) / 2 if kind == "mid" else pl.col(kind)
    priced = ticks.filter(there).with_columns(price.alias(_ENDS), pl.lit(kind).alias("price_kind"))
    return priced.with_columns(pl.col(_ENDS).alias(_EXTREMES))


def _priced(trades: pl.LazyFrame, asked: BarRequest) -> pl.LazyFrame:
    """Trades without conditions all make prices."""
    if asked.conditions is not None:
        return trades
    return trades.with_columns(pl.col("price").alias(_ENDS), pl.col("price").alias(_EXTREMES))


def _has(bits: int) -> pl.Expr:
    return pl.col(COLUMN) & bits != 0


def _placed(ticks: pl.LazyFrame, asked: BarRequest, phase: Phase) -> pl.LazyFrame:
    """Trades of a phase that count, or values."""
    if asked.conditions is None:
        return buckets.placed(ticks, asked.calendar, phase)
    counted = ticks.with_columns(asked.conditions.column()).filter(_has(VOLUME | OFFICIAL))
    auction = _has(CLOSING | OFFICIAL)
    if phase == AUCTION:
        return buckets.placed(counted.filter(auction), asked.calendar, phase)
    return buckets.placed(counted.filter(~auction), asked.calendar, phase)


def _of_trades(trades: pl.LazyFrame, asked: BarRequest) -> pl.LazyFrame:
    if asked.conditions is None:
        return _continuous(trades, asked)
    if asked.phase == AUCTION:
        made = _auctions(trades, asked)
    else:
        bars = _continuous(trades, asked).with_columns(pl.lit("last").alias("close_kind"))
        made = bars
        if asked.phase == "all":
            made = pl.concat([bars, _auctions(trades, asked)], how="diagonal")
        elif asked.phase == "regular" and isinstance(asked.every, Every) and asked.every.whole_session:
            made = _with_auctions(bars, _auctions(trades, asked))
    vwap = pl.when(pl.col(_SIZE) > 0).then(pl.col(_NOTIONAL) / pl.col(_SIZE)).alias("vwap")
    return made.with_columns(vwap, pl.lit(asked.conditions.version).alias("eligibility_version"))


def _continuous(ticks: pl.LazyFrame, asked: BarRequest) -> pl.LazyFrame:
    """Bars of everything but auctions; those without a price have nulls."""
    every = asked.every
    if isinstance(every, Every) and asked.conditions is not None and every.length >= MINUTE:
        made = _by_conditions(ticks, every, asked, asked.conditions)
    else:
        placed = _placed(ticks, asked, asked.phase)
        placed = placed if asked.conditions is None else placed.with_columns(*_prices(asked.phase))
        aggregates = _aggregates(placed.collect_schema().names())
        if isinstance(every, EveryTraded):
            made = _by_trading(placed, every, asked, aggregates)
        else:
            made = _grouped(placed, every, asked, aggregates)
    return made


def _grouped(
    placed: pl.LazyFrame,
    every: Every,
    asked: BarRequest,
    aggregates: Sequence[pl.Expr],
    within: Sequence[str] = (),
) -> pl.LazyFrame:
    return buckets.grouped(
        placed,
        every,
        asked.calendar,
        phase=asked.phase,
        origin=asked.origin,
        aggregates=aggregates,
        within=within,
    )


def _by_conditions(
    trades: pl.LazyFrame, every: Every, asked: BarRequest, tables: SaleConditions
) -> pl.LazyFrame:
    """Bars of a minute and more. Trades of a bucket are put together by their conditions first: of those there are few, and looking up
    what each single trade counts for takes as long as all the rest."""
    placed = buckets.placed(trades, asked.calendar, asked.phase).with_row_index(_ROW)
    price, row, size = pl.col("price"), pl.col(_ROW), pl.col("size")
    names = placed.collect_schema().names()
    first = dict.fromkeys(name for name in (*columns.FIRST, *conditions.ALIKE_BY) if name in names)
    together = _grouped(
        placed.with_columns(conditions.alike(conditions.ALIKE_BY).alias(_ALIKE)),
        every,
        asked,
        [
            *(pl.col(name).first() for name in first),
            *(price.first().alias("open"), price.last().alias("close"), price.max().alias("high"), price.min().alias("low")),
            *(row.first().alias(_ROW), row.last().alias(_LAST_ROW)),
            *(columns.part(size).alias("volume"), columns.part(size * price).alias(_NOTIONAL)),
            pl.len().cast(pl.Int64).alias("n"),
            *_provenance(),
        ],
        within=[_ALIKE],
    )  # fmt: skip
    alike = together.with_columns(tables.column()).filter(_has(VOLUME) & ~_has(CLOSING | OFFICIAL))
    ends, extremes = _makes_price(asked.phase)
    number, volume = pl.col("n"), pl.col("volume")
    return (
        alike.sort(_ROW)
        .group_by("instrument", "session", "phase", "ts", "bucket_end", maintain_order=True)
        .agg(
            *(pl.col(name).first() for name in columns.FIRST if name in names),
            pl.col("open").filter(ends).first(),
            pl.col("close").filter(ends).sort_by(pl.col(_LAST_ROW).filter(ends)).last(),
            pl.col("high").filter(extremes).max(),
            pl.col("low").filter(extremes).min(),
            columns.sum_of(volume),
            columns.sum_of(volume.filter(extremes)).alias(_SIZE),
            columns.sum_of(pl.col(_NOTIONAL).filter(extremes)),
            number.sum().alias("trade_count"),
            number.filter(_has(UNKNOWN)).sum().alias("unknown_conditions"),
            number.sum(),
            *_provenance(),
        )
    )


def _makes_price(phase: Phase) -> tuple[pl.Expr, pl.Expr]:
    """Whether a trade may be the first or the last, and whether it may be the highest or the lowest of a bar."""
    if phase == "regular":
        return _has(OPEN_CLOSE), _has(HIGH_LOW)
    early_or_late = (pl.col("phase") != "regular") & _has(EXTENDED)
    return _has(OPEN_CLOSE) | early_or_late, _has(HIGH_LOW) | early_or_late


def _prices(phase: Phase) -> tuple[pl.Expr, pl.Expr]:
    """The price of a trade where it may be the first or the last, and where it may be the highest or the lowest of a bar."""
    ends, extremes = _makes_price(phase)
    price = pl.col("price")
    return pl.when(ends).then(price).alias(_ENDS), pl.when(extremes).then(price).alias(_EXTREMES)


def _aggregates(names: Collection[str]) -> list[pl.Expr]:
    """One row out of the ticks of a bucket."""
    ends, extremes, size = pl.col(_ENDS), pl.col(_EXTREMES), pl.col("size")
    count = pl.len().cast(pl.Int64)
    made = [
        *(pl.col(name).first() for name in columns.FIRST if name in names),
        ends.drop_nulls().first().alias("open"),
        extremes.max().alias("high"),
        extremes.min().alias("low"),
        ends.drop_nulls().last().alias("close"),
        count.alias("n"),
        *_provenance(),
    ]
    if "size" not in names:
        return [*made, count.alias("tick_count")]
    value = columns.total(size * extremes)
    made += [columns.total(size).alias("volume"), count.alias("trade_count")]
    if COLUMN not in names:
        return [*made, pl.when(size.sum() > 0).then(value / columns.total(size)).alias("vwap")]
    priced = columns.total(size.filter(extremes.is_not_null())).alias(_SIZE)
    unknown = _has(UNKNOWN).sum().cast(pl.Int64).alias("unknown_conditions")
    return [*made, priced, value.alias(_NOTIONAL), unknown]


def _provenance() -> list[pl.Expr]:
    return [pl.col("available_at").max(), pl.col("is_final").all(), pl.col("flags").bitwise_or()]


def _by_trading(
    placed: pl.LazyFrame, every: EveryTraded, asked: BarRequest, aggregates: Sequence[pl.Expr]
) -> pl.LazyFrame:
    """Bars that end when so much was traded, anew in each segment of a session. A tick lies wholly in the bar in which it begins."""
    rows, segment = buckets.segments(placed, asked.calendar, asked.phase)
    if every.measure == "ticks":
        number = pl.int_range(pl.len()).over(segment) // int(every.size)
    else:
        amount = pl.col("size") if every.measure == "volume" else pl.col("size") * pl.col("price")
        # Whole numbers: ten times 0.1 would not be 1.
        units = (amount * _UNITS).round().cast(pl.Int128)
        number = (units.cum_sum().over(segment) - units) // pl.lit(round(every.size * _UNITS), pl.Int128)
    return (
        rows.with_columns(number.cast(pl.Int64).alias(_NUMBER))
        .group_by(*segment, _NUMBER, maintain_order=True)
        .agg(
            *aggregates,
            pl.col("ts").min(),
            (pl.col("ts").max() + pl.duration(microseconds=_TICK)).alias("bucket_end"),
        )
    )


def _auctions(trades: pl.LazyFrame, asked: BarRequest) -> pl.LazyFrame:
    """The closing auction of each session: at the official price, else that of the last print. Its size is what the exchange
    recorded, or what was printed where that is more: the record is no trade of its own. Of several exchanges' records the
    largest is taken."""
    placed = _placed(trades, asked, AUCTION)
    official, printed = _has(OFFICIAL) & ~_has(UNKNOWN), _has(CLOSING)
    size = pl.col("size")
    recorded = pl.col("price").filter(official).sort_by(size.filter(official), descending=True, maintain_order=True)  # fmt: skip
    prints = columns.total(pl.when(printed).then(size).otherwise(0.0))
    volume = pl.max_horizontal(size.filter(official).max(), prints)
    # A print that is an average, or has a code that no table has, makes no price here either.
    price = pl.coalesce(recorded.first(), pl.col("price").filter(printed & _has(OPEN_CLOSE)).last())
    names = placed.collect_schema().names()
    made = placed.group_by("instrument", "session", "phase").agg(
        *(pl.col(name).first() for name in columns.FIRST if name in names),
        *(price.alias(name) for name in ("open", "high", "low", "close")),
        pl.when(official.any()).then(pl.lit("official")).otherwise(pl.lit("auction")).alias("close_kind"),
        volume.alias("volume"),
        printed.sum().cast(pl.Int64).alias("trade_count"),
        volume.alias(_SIZE),
        (price * volume).alias(_NOTIONAL),
        _has(UNKNOWN).sum().cast(pl.Int64).alias("unknown_conditions"),
        printed.sum().cast(pl.Int64).alias("n"),
        *_provenance(),
        pl.coalesce(buckets.close_of_session().first(), pl.col("ts").min()).alias("ts"),
        pl.coalesce(buckets.open_of_session().first(), pl.col("ts").min()).alias(_OPEN),
        (pl.col("ts").max() + pl.duration(microseconds=_TICK)).alias("bucket_end"),
    )
    after = pl.col("ts") + pl.duration(microseconds=_TICK)
    return made.with_columns(pl.max_horizontal("bucket_end", after).alias("bucket_end"))


def _with_auctions(bars: pl.LazyFrame, auctions: pl.LazyFrame) -> pl.LazyFrame:
    """Whole sessions with their closing auctions: its price is the close, its size counts."""
    closing = auctions.with_columns(pl.lit("regular").alias("phase"), pl.col(_OPEN).alias("ts"))
    both = pl.concat([bars, closing], how="diagonal_relaxed")
    names = both.collect_schema().names()
    counted = ("trade_count", "unknown_conditions", "n")
    latest = ("bucket_end", "available_at", "high")
    return both.group_by("instrument", "session", maintain_order=True).agg(
        *(pl.col(name).first() for name in (*columns.FIRST, "phase", "ts") if name in names),
        pl.col("open").drop_nulls().first(),
        pl.col("close").drop_nulls().last(),
        pl.col("close_kind").filter(pl.col("close").is_not_null()).last(),
        *(pl.col(name).max() for name in latest),
        pl.col("low").min(),
        *(_whole(name) for name in ("volume", _SIZE, _NOTIONAL)),
        pl.col(counted).sum(),
        pl.col("is_final").all(),
        pl.col("flags").bitwise_or(),
    )


def _whole(name: str) -> pl.Expr:
    """The sum of a column's parts, null where one is not known."""
    return pl.when(pl.col(name).null_count() == 0).then(columns.total(pl.col(name))).alias(name)
