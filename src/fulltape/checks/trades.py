"""Trades: a vendor's minutes that are other than those which the node's own trades make."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

CODE = "source.trades"
SENTENCE = (
    "more of its minutes than quality.trades_share are other than those that this node's own trades make"
)
_PRICES = ("open", "high", "low", "close")
_CELL, _MINUTE = ["instrument", "session"], ["instrument", "session", "ts"]
_PRICE, _VOLUME = 0.001, 0.05
"""Shares by which prices and volumes of the same minute may differ: vendors count odd lots and late prints by rules of their own."""


def shares(bars: pl.DataFrame, made: pl.DataFrame) -> pl.DataFrame:
    """By instrument and session, of those that both have, the share of minutes (`share`) whose prices or volumes differ, or that only one of
    them has. Both have instrument, session, ts, open, high, low, close and volume."""
    import polars as pl

    both = bars.select(_CELL).unique().join(made.select(_CELL).unique(), on=_CELL)
    columns = [*_MINUTE, *_PRICES, "volume"]
    left = bars.select(columns).filter(pl.col("volume") > 0)
    right = made.select(columns).filter(pl.col("volume") > 0)
    minutes = left.join(right, on=_MINUTE, how="full", suffix="_made", coalesce=True).join(both, on=_CELL)
    volume, counted = pl.col("volume"), pl.col("volume_made")
    other = pl.any_horizontal(
        volume.is_null(),
        counted.is_null(),
        (volume - counted).abs() > _VOLUME * pl.max_horizontal(volume, counted),
        *((pl.col(name) / pl.col(f"{name}_made") - 1).abs() > _PRICE for name in _PRICES),
    )
    compared = minutes.group_by(_CELL).agg(other.fill_null(value=True).mean().alias("share"))
    return compared.sort(_CELL)
