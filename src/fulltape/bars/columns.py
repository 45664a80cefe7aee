"""The columns of bars, and sums whose bits depend neither on the machine nor on the order of rows."""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

FIRST = ("symbol", "price_kind", "source", "adjust_status", "adjust_anchor")
"""Of a bar's rows the first one's value stands for all."""
_ORDER = (
    "instrument", "symbol", "session", "ts", "bucket_end", "open", "high", "low", "close", "close_kind", "volume", "vwap", "trade_count",
    "quote_volume", "taker_buy_volume", "price_kind", "tick_count", "phase", "n", "unknown_conditions", "available_at", "source", "is_final",
    "flags", "eligibility_version", "adjust_status", "adjust_anchor",
)  # fmt: skip


def ordered(names: Collection[str]) -> list[str]:
    """Those of the names that bars have, in their order."""
    return [name for name in _ORDER if name in names]


_SCALE = 2.0**60
_MOST = 1e20
"""What a sum may come to, so that it has room in 128 bits."""


def total(values: pl.Expr) -> pl.Expr:
    """The sum of a group's values, nulls left out, to the same bits in whatever order they are added; null beyond 1e20."""
    return together(part(values))


def part(values: pl.Expr) -> pl.Expr:
    """Of a group the exact sum of its values, to be put `together` with others. Values are counted in units of 2**-60, as whole
    numbers of 128 bits, which is also quicker than adding floats one after the other; null where they come to more than 1e20."""
    counted = (values * _SCALE).cast(pl.Int128, strict=False)
    fits = (counted.null_count() == values.null_count()) & (values.abs().sum() < _MOST)
    return pl.when(fits).then(counted.sum())


def together(parts: pl.Expr) -> pl.Expr:
    """The sum of sums, as a float; null where one is."""
    return parts.cast(pl.Float64) / _SCALE


def sum_of(parts: pl.Expr) -> pl.Expr:
    """Of a group the sum of its parts."""
    fits = (parts.null_count() == 0) & (parts.cast(pl.Float64).abs().sum() < _MOST * _SCALE)
    return together(pl.when(fits).then(parts.sum()))
