"""The datasets: one declaration each. Nothing else in fulltape names a dataset.

Adding one is adding one `Dataset` to `DATASETS`: schema, calendar, grain, folders, expectation, checks.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Literal

from fulltape import errors
from fulltape.core.schema import Column, Schema

Folder = Literal["year", "month", "date"]
Grain = Literal["day", "minute"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A source-independent table.

    `schema` is the raw table; `curated` adds provenance. `raw_folder` and `curated_folder` say how files are cut.
    `checks` names the pass-1 and pass-3 checks that apply (see `core/checks`).
    """

    name: str
    schema: Schema
    calendar: str
    grain: Grain
    raw_folder: Folder
    curated_folder: Folder
    checks: tuple[str, ...]
    summary: str

    @property
    def curated(self) -> Schema:
        """The curated table: the raw columns and where each row came from."""
        return self.schema.extended(*_PROVENANCE)


_IDENTITY = (
    Column(name="instrument", dtype="cat"),
    Column(name="symbol", dtype="cat"),
    Column(name="session", dtype="date"),
    Column(name="ts", dtype="instant", unit="start of the interval, UTC"),
)
_BAR = (
    Column(name="open", dtype="f64", sign="positive", unit="price"),
    Column(name="high", dtype="f64", sign="positive", unit="price"),
    Column(name="low", dtype="f64", sign="positive", unit="price"),
    Column(name="close", dtype="f64", sign="positive", unit="price"),
    Column(name="volume", dtype="f64", sign="not_negative", unit="shares"),
    Column(name="vwap", dtype="f64", nullable=True, sign="not_negative", unit="price"),
    Column(name="trade_count", dtype="i64", nullable=True, sign="not_negative", unit="trades"),
)
_PROVENANCE = (
    Column(name="available_at", dtype="instant", unit="earliest moment anybody could have had the row, UTC"),
    Column(name="source", dtype="cat"),
    Column(name="is_final", dtype="bool"),
    Column(name="flags", dtype="u32", unit="bitmask of findings"),
)

EQUITIES_BARS_DAY = Dataset(
    name="equities_bars_day",
    schema=Schema(
        version=1,
        columns=(*_IDENTITY, *_BAR, Column(name="close_kind", dtype="cat", nullable=True)),
        key=("instrument", "session"),
    ),
    calendar="XNYS",
    grain="day",
    raw_folder="year",
    curated_folder="year",
    checks=("rows", "duplicates", "continuity"),
    summary="one bar a session, unadjusted; ts is the calendar's open",
)
EQUITIES_BARS_MINUTE = Dataset(
    name="equities_bars_minute",
    schema=Schema(
        version=1,
        columns=(
            *_IDENTITY,
            *_BAR,
            Column(name="phase", dtype="cat"),
            Column(
                name="minute_of_session", dtype="i64", nullable=True, unit="minutes since the regular open"
            ),
        ),
        key=("instrument", "ts"),
    ),
    calendar="XNYS",
    grain="minute",
    raw_folder="month",
    curated_folder="date",
    checks=("rows", "duplicates", "completeness", "session_timing", "continuity"),
    summary="one bar a minute with trades, unadjusted, all phases",
)

DATASETS = {dataset.name: dataset for dataset in (EQUITIES_BARS_DAY, EQUITIES_BARS_MINUTE)}


def get(name: str) -> Dataset:
    """The dataset of that name, or a `UsageError` that names the nearest one."""
    try:
        return DATASETS[name]
    except KeyError:
        near = difflib.get_close_matches(name, DATASETS, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"Known datasets: {', '.join(DATASETS)}."
        raise errors.UsageError(f"there is no dataset {name!r}.", hint=hint) from None
