"""Lays factors over rows, lazily: nothing adjusted is ever written."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence

import polars as pl

from fulltape.adjustment.factors import STATUSES, AdjustedSpan

PRICES = ("open", "high", "low", "close", "vwap", "price", "bid", "ask")
VOLUMES = ("volume", "volume_regular", "volume_auction", "volume_extended", "size", "bid_size", "ask_size")
ANCHOR, STATUS = "adjust_anchor", "adjust_status"
_Type = pl.DataType | type[pl.DataType]
_Value = float | str
_STATUS = pl.Enum(STATUSES)
_PRICE, _SHARES = "price_factor", "share_factor"
_UNKNOWN = "incomplete"
_TABLE: dict[str, _Type] = {"instrument": pl.String, "first": pl.Date, _PRICE: pl.Float64, _SHARES: pl.Float64, STATUS: _STATUS, ANCHOR: pl.Date}  # fmt: skip


def adjusted(rows: pl.LazyFrame, pieces: Sequence[AdjustedSpan], *, alone: bool = False) -> pl.LazyFrame:
    """Rows with prices and volumes on the basis of their anchors, and two columns more: `adjust_status` (see
    `factors.Status`) and `adjust_anchor` (date).

    `rows` have instrument and session; of `PRICES` and `VOLUMES` those that they have are multiplied. `pieces`: the stretches of
    instruments; rows of any other stay as they are, and are incomplete. `alone`: the rows are of the one instrument of `pieces`.
    """
    names = set(rows.collect_schema().names())
    prices, volumes = [name for name in PRICES if name in names], [name for name in VOLUMES if name in names]
    scaled = [pl.col(prices) * pl.col(_PRICE)] if any(piece.price != 1 for piece in pieces) else []
    if any(piece.shares != 1 for piece in pieces):
        scaled.append(pl.col(volumes) * pl.col(_SHARES))
    factors = _of_one(pieces) if alone else [_of_several(pieces)]
    return rows.with_columns(*factors).with_columns(*scaled).drop(_PRICE, _SHARES)


def _of_one(pieces: Sequence[AdjustedSpan]) -> list[pl.Expr]:
    """The factors of rows of one instrument: its sessions come in order, so that a batch of rows knows few of them. A join
    would take five times as long."""
    edges = [piece.first for piece in pieces]
    columns: dict[str, tuple[_Type, list[_Value]]] = {
        _PRICE: (pl.Float64, [piece.price for piece in pieces]),
        _SHARES: (pl.Float64, [piece.shares for piece in pieces]),
        STATUS: (_STATUS, [piece.status for piece in pieces]),
    }
    columns_of = [
        pl.lit(values[0], dtype=dtype).alias(name)
        if len(set(values)) == 1
        else pl.col("session")
        .map_batches(_piecewise(edges, values, dtype), return_dtype=dtype, is_elementwise=True)
        .alias(name)
        for name, (dtype, values) in columns.items()
    ]
    return [*columns_of, pl.lit(pieces[0].anchor).alias(ANCHOR)]


def _piecewise(
    edges: Sequence[dt.date], values: Sequence[_Value], dtype: _Type
) -> Callable[[pl.Series], pl.Series]:
    """Of each session the value of the stretch that it lies in; stretch n begins at edge n."""

    def values_of(sessions: pl.Series) -> pl.Series:
        if sessions.is_empty():
            return pl.Series(dtype=dtype)
        low, high = sessions.min(), sessions.max()
        ends = [*edges[1:], dt.date.max]
        inside = [
            (end, value)
            for begin, end, value in zip(edges, ends, values, strict=True)
            if begin <= high and end > low  # type: ignore[operator]
        ]
        *before, (_, last) = inside
        chosen = pl.lit(last, dtype=dtype)
        for end, value in reversed(before):
            chosen = pl.when(sessions < end).then(pl.lit(value, dtype=dtype)).otherwise(chosen)
        return pl.select(pl.repeat(last, len(sessions), dtype=dtype) if not before else chosen).to_series()

    return values_of


def _of_several(pieces: Sequence[AdjustedSpan]) -> pl.Expr:
    """The factors of rows of several instruments, looked up once for each instrument and session of a batch."""
    table = pl.DataFrame(
        [
            (piece.instrument, piece.first, piece.price, piece.shares, piece.status, piece.anchor)
            for piece in pieces
        ],
        schema=_TABLE,
        orient="row",
    ).sort("first")
    kept = [_PRICE, _SHARES, STATUS, ANCHOR]
    key = ["instrument", "session"]

    def values_of(rows: pl.Series) -> pl.Series:
        cells = rows.struct.unnest().with_columns(pl.col("instrument").cast(pl.String))
        looked_up = (
            cells.unique()
            .sort("session")
            .join_asof(table, left_on="session", right_on="first", by="instrument", check_sortedness=False)
        )
        factors = cells.join(looked_up, on=key, how="left", maintain_order="left").select(kept)
        return factors.with_columns(
            pl.col(_PRICE, _SHARES).fill_null(1.0), pl.col(STATUS).fill_null(pl.lit(_UNKNOWN, dtype=_STATUS))
        ).to_struct()

    returned = pl.Struct({name: _TABLE[name] for name in kept})
    return pl.struct(key).map_batches(values_of, return_dtype=returned, is_elementwise=True).struct.unnest()
