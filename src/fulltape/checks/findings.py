"""Findings: the shape that every check returns, and how findings become verdicts."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fulltape.coverage.cell import SEVERITY
from fulltape.market.dataset import Dataset
from fulltape.market.instruments import Instrument
from fulltape.market.sessions import Calendar
from fulltape.market.time import Instant

if TYPE_CHECKING:
    import polars as pl

RULES_VERSION = 4
"""Grows whenever a check or a default changes, so that a verdict can be dated."""


FACTS = "facts"
"""The name under which a file of checked cells bears the digest of what was found, whenever that was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """All numbers that decide a verdict, with their defaults; `[quality]` in the settings overrides them."""

    bad_share_red: float = 0.01
    """Share of bad rows in a cell from which the whole cell is RED."""
    vwap_ticks: float = 0.02
    """How far, in currency, vwap may lie outside low to high."""
    vwap_share: float = 0.005
    """The same as a share of the price; the larger of the two counts."""
    baseline_sessions: int = 40
    """How many sessions at most make the occupancy baseline."""
    baseline_least: int = 10
    """With fewer sessions than this completeness is judged by the day's volume only."""
    band: float = 0.001
    """Probability below which a session's count of minutes is too low."""
    stretch_p: float = 1e-6
    """Probability below which an empty stretch, a late start or an early end is a finding."""
    stretch_red_minutes: int = 30
    """An empty stretch this long at p > `stretch_red_p` is RED."""
    stretch_red_p: float = 0.95
    day_volume_share: float = 0.7
    """Minutes with less than this share of the volume of the same source's day bar lack some;"""
    day_volume_whole: float = 0.99
    """with at least this share they are whole, even where no baseline says so."""
    early_close_share: float = 0.5
    """Share of the minutes between an early close and the usual one with rows, from which the calendar is in doubt,"""
    early_close_volume: float = 0.25
    """if their median volume is at least this share of the regular minutes' one."""
    restated: float = 0.005
    """Share by which a source may change a price that it had sent before; beyond it the session is AMBER until it is confirmed."""
    trades_share: float = 0.1
    """Share of a session's minutes that may be other than those that the node's own trades make; beyond it the session is AMBER."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckContext:
    """What a check may know besides the rows: the market, the instruments, the hour and the thresholds."""

    dataset: Dataset
    calendar: Calendar
    instruments: Mapping[str, Instrument]
    now: Instant
    thresholds: Thresholds = field(default_factory=Thresholds)


@functools.cache
def none() -> pl.DataFrame:
    """No findings, in the shape of findings."""
    import polars as pl

    return pl.DataFrame(
        schema={
            "instrument": pl.String,
            "session": pl.Date,
            "code": pl.String,
            "severity": pl.String,
            "rows": pl.Int64,
            "measure": pl.Float64,
            "threshold": pl.Float64,
            "sentence": pl.String,
        }
    )


def shaped(frame: pl.DataFrame) -> pl.DataFrame:
    """`frame` with exactly the columns of findings, in order and type."""
    return frame.select(*none().columns).cast(none().schema)


def verdicts(findings: pl.DataFrame, cells: pl.DataFrame) -> pl.DataFrame:
    """One row per cell of `cells` (instrument, session): verdict and the sorted codes of its findings."""
    import polars as pl

    order, ranks = list(SEVERITY), list(SEVERITY.values())
    worst = findings.with_columns(
        pl.col("severity").replace_strict(order, ranks, return_dtype=pl.Int64).alias("rank")
    )
    by_cell = worst.group_by("instrument", "session").agg(
        pl.col("rank").max(), pl.col("code").unique().sort().str.join(",").alias("codes")
    )
    return (
        cells.select("instrument", "session")
        .join(by_cell, on=["instrument", "session"], how="left", maintain_order="left")
        .select(
            "instrument",
            "session",
            pl.col("rank").fill_null(0).replace_strict(ranks, order, return_dtype=pl.String).alias("verdict"),
            pl.col("codes").fill_null(""),
        )
    )


def life_frame(instruments: Mapping[str, Instrument]) -> pl.DataFrame:
    """Listing of each instrument as dates; unknown ends become the widest possible."""
    import polars as pl

    return pl.DataFrame(
        {
            "instrument": list(instruments),
            "life_from": [instrument.listed_from or dt.date.min for instrument in instruments.values()],
            "life_to": [instrument.listed_to or dt.date.max for instrument in instruments.values()],
        },
        schema={"instrument": pl.String, "life_from": pl.Date, "life_to": pl.Date},
    )
