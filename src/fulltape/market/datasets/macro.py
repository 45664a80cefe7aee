"""Macroeconomic series."""

from __future__ import annotations

from fulltape.market import days
from fulltape.market.assets import MACRO
from fulltape.market.columns import (
    IDENTITY,
)
from fulltape.market.dataset import Dataset
from fulltape.market.schema import Column, Schema

DATASETS = (
    Dataset(
        asset_class=MACRO,
        name="macro_series",
        schema=Schema(
            version=1,
            columns=(
                *IDENTITY,
                Column(name="ts", dtype="instant", unit="start of the observed period, UTC midnight"),
                Column(
                    name="value", dtype="f64", nullable=True, unit="the series' own; null: withdrawn or none"
                ),
                Column(name="realtime_start", dtype="date", unit="first day on which it was so published"),
                Column(
                    name="realtime_end",
                    dtype="date",
                    nullable=True,
                    unit="last such day; null: not replaced when asked",
                ),
            ),
            key=("instrument", "ts", "realtime_start"),
        ),
        calendar=days.DATES,
        grain="event",
        raw_folder="year",
        curated_folder="year",
        checks=("rows", "duplicates"),
        expectation="events",
        available="session_end",
        rows_per_session=8,
        summary="every published value with its vintage; the session is the day of its release",
    ),
)
