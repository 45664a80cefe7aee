"""Time shifts: where the volume of a session lies against where its market's hours put it.

A stock's session is loud from its open to its close, and it begins with a jump. Rows that a wrong time zone or a wrong
clock has moved keep that shape, so that one source alone shows the shift, even one over its whole history. Thin sessions
have no such shape and are not judged.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fulltape.checks import findings
from fulltape.checks.findings import CheckContext
from fulltape.decoding import frames
from fulltape.market.time import MINUTE

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

_CELL = ("instrument", "session")
_NEAR = 14
"""Minutes: shifts up to here are told by the jumps at open and close, longer ones by a single session's loud minutes."""
_FAR = (15, 30, 45, 60, 90, 120, 180, 240, 300, 360, 420, 480, 540, 600)
_LOUD = 0.2
"""A minute is loud from this share of the volume that a quarter of the session's minutes exceed."""
_SILENT = 0.05
"""A minute of this share is as good as silent."""
_BUSY = 0.6
"""From this share of loud minutes on a session has a shape."""
_MORE, _MORE_SHARE = 4, 0.01
"""A shifted window must hold so many loud minutes more, and this share of the session's length."""
_JUMP = 1.0
"""How much larger, as a natural logarithm, a jump must be than the one at the place where it is due."""
_SESSIONS = 3
"""So many busy sessions show the shape of an instrument at a source."""


@dataclass(frozen=True, slots=True)
class Usual:
    """Where the jumps of busy sessions lie: of each `instrument` over its sessions, and in each `session` over its
    instruments."""

    instrument: pl.DataFrame
    session: pl.DataFrame


def usual(profiles: pl.DataFrame) -> Usual:
    """What is usual by the `profiles` of one source's cells: of those to judge and of neighbouring sessions, of all its
    instruments."""
    import polars as pl

    busy = profiles.filter(pl.col("far").is_not_null())
    return Usual(
        instrument=busy.group_by("instrument")
        .agg(
            pl.len().alias("sessions"),
            *(_median(edge).alias(f"usual {edge}") for edge in ("open", "close")),
        )
        .filter(pl.col("sessions") >= _SESSIONS),
        session=busy.group_by("session")
        .agg(pl.len().alias("peers"), _median("open").alias("peers' open"))
        .filter(pl.col("peers") >= _SESSIONS),
    )


def shifted(profiles: pl.DataFrame, expected: Usual) -> pl.DataFrame:
    """RED where a session lies minutes or hours beside its hours; `profiles` are those of the cells to judge."""
    import polars as pl

    judged = profiles.filter(pl.col("far").is_not_null()).select(*_CELL, "rows", "far", "open", "close")
    near = _near(judged, expected)
    # The shortest of the long shifts may be one of a few minutes, which the jumps tell better.
    short_shifts = judged.join(near, on=_CELL, how="semi").filter(pl.col("far").abs() <= _FAR[0])
    far = judged.join(short_shifts, on=_CELL, how="anti").filter(pl.col("far") != 0)
    near = near.join(far, on=_CELL, how="anti")
    far = far.select(*_CELL, "rows", pl.col("far").alias("lag"))
    return findings.shaped(
        pl.concat([far, near.select(far.columns)]).with_columns(
            pl.lit("session_timing.shift").alias("code"),
            pl.lit("RED").alias("severity"),
            pl.col("lag").cast(pl.Float64).alias("measure"),
            pl.lit(0.0).alias("threshold"),
            pl.format(
                "the session lies {} minutes {} by where its volume is",
                pl.col("lag").abs(),
                pl.when(pl.col("lag") > 0).then(pl.lit("late")).otherwise(pl.lit("early")),
            ).alias("sentence"),
        )
    ).sort(_CELL)


def shapes(frame: pl.DataFrame, context: CheckContext) -> pl.DataFrame:
    """Per busy session: rows, the far lag (0 for none), and the jumps `open` and `close` as lists over -14 … 14. `frame` has
    instrument, session, minute_of_session and volume."""
    import polars as pl

    hours = frames.sessions(context.calendar).select("session", pl.col("length").alias("minutes"))
    frame = frame.filter(~pl.col("session").is_in(list(context.calendar.halts)))  # a halt has another shape
    minutes = (
        frame.group_by(*_CELL, "minute_of_session").agg(pl.col("volume").max()).join(hours, on="session")
    )
    at, volume, length = pl.col("minute_of_session"), pl.col("volume"), pl.col("minutes")
    usual = volume.quantile(0.75).over(_CELL)
    lags = [0, *(sign * lag for lag in _FAR for sign in (1, -1))]
    near = range(-_NEAR - 1, _NEAR + 1)
    cells = minutes.with_columns((volume >= _LOUD * usual).alias("loud"), usual.alias("usual")).group_by(*_CELL).agg(
        pl.len().cast(pl.Int64).alias("rows"),
        length.first(),
        *((pl.col("loud") & (at >= lag) & (at < length + lag)).sum().cast(pl.Int64).alias(f"at {lag}") for lag in lags),
        *((pl.col("loud") & _beyond(at, length, lag)).sum().cast(pl.Int64).alias(f"beyond {lag}") for lag in lags),
        *(_loudness(at == lag).alias(f"open {lag}") for lag in near),
        *(_loudness(at == length + lag).alias(f"close {lag}") for lag in near),
    )  # fmt: skip
    windows = pl.concat_list(f"at {lag}" for lag in lags)
    best = windows.list.arg_max()
    enough = pl.max_horizontal(pl.lit(float(_MORE)), length * _MORE_SHARE)
    # What the shifted window has more must be loud itself: a late open loses minutes and gains none.
    loud = pl.concat_list(pl.col(f"beyond {lag}") >= _BUSY * abs(lag) for lag in lags).list.get(best)
    shifted = (windows.list.max() - pl.col("at 0") >= enough) & loud
    return cells.filter(windows.list.max() >= _BUSY * length).select(
        *_CELL,
        "rows",
        pl.when(shifted).then(pl.lit(pl.Series(lags)).gather(best)).otherwise(0).alias("far"),
        _jumps("open", near, rising=True),
        _jumps("close", near, rising=False),
    )


def _beyond(at: pl.Expr, length: pl.Expr, lag: int) -> pl.Expr:
    """Minutes of a shifted window that lie outside the session's hours."""
    return (at >= length) & (at < length + lag) if lag > 0 else (at >= lag) & (at < 0)


def _loudness(minute: pl.Expr) -> pl.Expr:
    """The logarithm of a minute's volume, for which a minute without rows and a nearly silent one are the same."""
    import polars as pl

    floor = _SILENT * pl.col("usual").first()
    return (pl.col("volume").filter(minute).sum() + floor).log()


def _jumps(edge: str, lags: Sequence[int], *, rising: bool) -> pl.Expr:
    """How much louder each minute around an edge is than the one before it, or less loud."""
    import polars as pl

    pairs = itertools.pairwise(lags)
    rise = [pl.col(f"{edge} {at}") - pl.col(f"{edge} {before}") for before, at in pairs]
    return pl.concat_list(step if rising else -step for step in rise).alias(edge)


def _near(judged: pl.DataFrame, expected: Usual) -> pl.DataFrame:
    """Shifts of a few minutes: those of all of an instrument's sessions, and those of a session of several instruments, by
    their opens; and those of one session against the instrument's others, by open and close."""
    import polars as pl

    due, opens, closes = pl.lit(_NEAR), pl.col("open").list, pl.col("close").list
    instrument, session, own = (_clear(edge, due) for edge in ("usual open", "peers' open", "open"))
    common = pl.when(instrument != 0).then(instrument).otherwise(session)
    # Where all are shifted each of them is, but for those that show that they are not.
    together = opens.get(due) - opens.get(common + due) < 2 * _JUMP
    closing = pl.col("usual close").list.arg_max().cast(pl.Int64)
    alone = closes.get(closing + own, null_on_oob=True) > closes.get(closing)
    lag = pl.when(common != 0).then(pl.when(together).then(common)).when(alone).then(own)
    return (
        judged.join(expected.instrument, on="instrument", how="left")
        .join(expected.session, on="session", how="left")
        .with_columns(lag.fill_null(0).alias("lag"))
        .filter(pl.col("lag") != 0)
    )


def _median(edge: str) -> pl.Expr:
    import polars as pl

    each = [pl.col(edge).list.get(at).median() for at in range(2 * _NEAR + 1)]
    return pl.concat_list(each)


def _clear(edge: str, due: pl.Expr) -> pl.Expr:
    """By how many minutes the largest jump lies beside where it is due; 0 where it is not clearly larger."""
    import polars as pl

    largest = pl.col(edge).list.max() - pl.col(edge).list.get(due) >= _JUMP
    beside = pl.col(edge).list.arg_max().cast(pl.Int64) - due.cast(pl.Int64)
    return pl.when(largest).then(beside).otherwise(0).fill_null(0)


def as_minutes(ticks: pl.DataFrame, context: CheckContext) -> pl.DataFrame:
    """Trades as minutes of their session, with the volume of each."""
    import polars as pl

    opens = frames.sessions(context.calendar).select("session", pl.col("open").alias("session_open"))
    minute = ((pl.col("ts") - pl.col("session_open")).dt.total_microseconds() // MINUTE).alias(
        "minute_of_session"
    )
    return (
        ticks.join(opens, on="session")
        .group_by(*_CELL, minute)
        .agg(pl.col("size").sum().alias("volume"), pl.col("ts").min())
    )
