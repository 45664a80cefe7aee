"""Equities."""

from __future__ import annotations

from fulltape.market.assets import EQUITIES
from fulltape.market.columns import (
    CORRECTION,
    EXACT,
    IDENTITY,
    REPORTED,
    START,
    best,
    traded,
)
from fulltape.market.dataset import Dataset, bars, ticks
from fulltape.market.schema import Column, Schema

_CLOSE_KIND = Column(name="close_kind", dtype="cat", nullable=True)
DATASETS = (
    ticks(
        EQUITIES,
        "equities_trades",
        (
            *EXACT,
            Column(name="price", dtype="f64", sign="positive", unit="price"),
            Column(name="size", dtype="f64", sign="not_negative", unit="shares"),
            Column(
                name="trade_id", dtype="str", unit="unique with its session, exchange and facility at most"
            ),
            *REPORTED,
            Column(
                name="trf", dtype="cat", nullable=True, unit="the reporting facility, as the source writes it"
            ),
            CORRECTION,
        ),
        "XNYS",
        20_000,
        "every trade as it was reported, those that were taken back marked",
        key=("instrument", "session", "exchange", "trf", "trade_id", "ts_event"),
        trades_by_hours=True,
    ),
    ticks(
        EQUITIES,
        "equities_quotes",
        (*EXACT, *best("shares"), Column(name="ask_exchange", dtype="cat", nullable=True), *REPORTED),
        "XNYS",
        100_000,
        "every best bid and ask; `exchange` is the bid's",
        key=(),
    ),
    bars(
        EQUITIES,
        "equities_bars_day",
        "day",
        (*traded("shares"), _CLOSE_KIND),
        "XNYS",
        "one bar a session, unadjusted; ts is the calendar's open",
    ),
    bars(
        EQUITIES,
        "equities_bars_minute",
        "minute",
        traded("shares"),
        "XNYS",
        "one bar a minute with trades, unadjusted, all phases",
    ),
    Dataset(
        asset_class=EQUITIES,
        name="equities_adjusted_evidence",
        schema=Schema(
            version=1,
            columns=(
                *IDENTITY,
                START,
                *traded("shares, adjusted"),
                Column(name="adjustment", dtype="cat", unit="what the source has adjusted for"),
            ),
            key=("instrument", "session"),
        ),
        calendar="XNYS",
        grain="day",
        raw_folder="year",
        curated_folder="year",
        checks=("rows", "duplicates", "continuity"),
        adjusted=True,
        summary="day bars as sources adjust them: for comparison only, history changes with every action",
    ),
)
