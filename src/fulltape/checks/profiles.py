"""Intraday profiles: of each cell which regular minutes have a row, and where its volume lies.

They are all that completeness and time shifts are judged by, and small: what was learned of a session is kept instead of
being read from its rows each night.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fulltape.checks import time_shift
from fulltape.checks.findings import CheckContext

if TYPE_CHECKING:
    import polars as pl

VERSION = 1
"""Grows whenever rows come to another profile."""
NEEDED_BY = frozenset({"completeness", "session_timing"})
"""Checks that judge by profiles."""
COLUMNS = ("instrument", "session", "ts", "minute_of_session", "phase", "volume", "trade_count", "size")
"""Columns of rows that a profile is made of, as far as a dataset has them."""
_CELL = ["instrument", "session"]


def none() -> pl.DataFrame:
    """No profiles, in their shape: `minutes` are regular minutes that have a row; `rows`, `far`, `open` and `close` are
    null but for busy sessions (see `time_shift.shapes`)."""
    import polars as pl

    edges = pl.List(pl.Float32)
    return pl.DataFrame(
        schema={
            "instrument": pl.String,
            "session": pl.Date,
            "minutes": pl.List(pl.Int16),
            "rows": pl.Int64,
            "far": pl.Int64,
            "open": edges,
            "close": edges,
        }
    )


def of(frame: pl.DataFrame, context: CheckContext) -> pl.DataFrame:
    """The profile of each cell of some rows, sorted by (instrument, session)."""
    import polars as pl

    regular = (
        pl.col("minute_of_session").filter(pl.col("phase") == "regular").unique().sort().cast(pl.Int16)
        if "completeness" in context.dataset.checks
        else pl.lit([], dtype=pl.List(pl.Int16)).first()
    )
    cells = frame.group_by(_CELL).agg(regular.alias("minutes"))
    if "session_timing" in context.dataset.checks:
        ticks = context.dataset.grain == "tick"
        minutes = time_shift.as_minutes(frame, context) if ticks else frame
        cells = cells.join(time_shift.shapes(minutes, context), on=_CELL, how="left")
    shape = none().schema
    return cells.select(
        (pl.col(name) if name in cells.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in shape.items()
    ).sort(_CELL)
