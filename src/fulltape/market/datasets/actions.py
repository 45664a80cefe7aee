"""Corporate actions."""

from __future__ import annotations

from fulltape.market import days
from fulltape.market.assets import EQUITIES
from fulltape.market.columns import (
    IDENTITY,
)
from fulltape.market.dataset import Dataset
from fulltape.market.schema import Column, Schema

DATASETS = (
    Dataset(
        asset_class=EQUITIES,
        name="corporate_actions",
        schema=Schema(
            version=1,
            columns=(
                *IDENTITY,
                Column(name="ts", dtype="instant", unit="ex-date, UTC midnight"),
                Column(name="event_id", dtype="str", unit="the source's own id"),
                Column(name="action_type", dtype="cat"),
                Column(name="subtype", dtype="cat", nullable=True),
                Column(name="ex_date", dtype="date"),
                Column(name="declared_date", dtype="date", nullable=True),
                Column(name="record_date", dtype="date", nullable=True),
                Column(name="pay_date", dtype="date", nullable=True),
                Column(name="process_date", dtype="date", nullable=True),
                Column(name="ratio_old", dtype="f64", nullable=True, sign="positive"),
                Column(name="ratio_new", dtype="f64", nullable=True, sign="positive"),
                Column(
                    name="amount", dtype="f64", nullable=True, sign="not_negative", unit="currency per share"
                ),
                Column(name="currency", dtype="cat", nullable=True),
                Column(name="special", dtype="bool", nullable=True),
                Column(name="new_symbol", dtype="str", nullable=True),
            ),
            key=("instrument", "event_id"),
        ),
        calendar=days.DATES,
        grain="event",
        raw_folder="year",
        curated_folder="year",
        checks=("rows", "duplicates", "actions"),
        expectation="events",
        votes=True,
        available="declared",
        rows_per_session=0.05,
        late_days=30,
        summary="splits, dividends and other actions, as announced; the session is the ex-date",
    ),
)
