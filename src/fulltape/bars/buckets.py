"""Where bars begin and end: buckets of time within sessions, phases and breaks.

A bucket is [start, end) and bears its start. Buckets are counted from the open of their phase (or from the end of the break), so
that the last of a phase may be short; `origin="clock"` counts them from midnight of the market's zone instead, as vendors' hours
are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import polars as pl

from fulltape.bars.every import Every
from fulltape.decoding import frames
from fulltape.market.days import EXTENDED_END, PRE_OPEN
from fulltape.market.sessions import Calendar
from fulltape.market.time import DAY, MINUTE

Origin = Literal["open", "clock"]
Phase = Literal["regular", "pre", "post", "overnight", "close_auction", "all"]
PHASES: tuple[Phase, ...] = ("regular", "pre", "post", "overnight", "close_auction", "all")
ORIGINS: tuple[Origin, ...] = ("open", "clock")
AUCTION: Phase = "close_auction"
_INSTANT = pl.Datetime("us", "UTC")
_OPEN, _CLOSE = "open_at", "close_at"
_BEGIN, _START, _LAST = "segment_begin", "bucket_start", "last_row"


def expected(
    minutes: pl.LazyFrame, every: Every, calendar: Calendar, *, origin: Origin = "open"
) -> pl.LazyFrame:
    """The buckets in which regular minutes lie: instrument, session, phase, ts, bucket_end, and as available_at that of the last
    minute. `minutes`: instrument, session, ts, minute_of_session, phase, available_at."""
    last = [pl.col("available_at").max()]
    return grouped(minutes, every, calendar, phase="regular", origin=origin, aggregates=last)


def grouped(
    rows: pl.LazyFrame,
    every: Every,
    calendar: Calendar,
    *,
    phase: Phase,
    origin: Origin,
    aggregates: Sequence[pl.Expr],
    within: Sequence[str] = (),
) -> pl.LazyFrame:
    """Rows by instrument and bucket: session, phase, ts (the start), bucket_end (both UTC), and the aggregates of the rows in it;
    `within`: columns by which the rows of a bucket are kept apart.

    `rows`: minutes with session, ts, phase and minute_of_session, or ticks that were `placed`; only those of the phase are taken.
    """
    placed = _OPEN in rows.collect_schema().names()
    wanted = rows if phase == "all" or placed else rows.filter(pl.col("phase") == phase)
    hours = _hours(calendar)
    breaks = not every.whole_session and _has_breaks(calendar)
    simple = phase == "regular" and not breaks
    if not (simple or placed):
        wanted = wanted.join(hours, on="session", how="left", maintain_order="left")
    begin = _begin(phase, calendar, breaks=breaks)
    if simple:
        begin = pl.col(_OPEN) if placed else _open()
    # With one segment a session and buckets from its open, the start of a bucket says all.
    keys = ["instrument", _START, *([] if simple and origin == "open" else ["phase", _BEGIN])]
    kept = [pl.col(name).first() for name in ("session", "phase", _BEGIN) if name not in keys]
    return (
        wanted.with_columns(begin.cast(_INSTANT).alias(_BEGIN))
        .with_columns(_start(every, calendar, origin).alias(_START))
        .group_by(*keys, *within)
        .agg(*kept, pl.col("ts").max().alias(_LAST), *aggregates)
        .join(hours, on="session", how="left")
        .with_columns(
            _end(every, calendar, breaks=breaks, width=1 if placed else MINUTE)
            .cast(_INSTANT)
            .alias("bucket_end"),
            pl.col(_START).alias("ts"),
        )
    )


def placed(ticks: pl.LazyFrame, calendar: Calendar, phase: Phase) -> pl.LazyFrame:
    """Ticks of a phase (all: of each, close_auction: those given) with `phase` and the hours of their session. `ticks`: session, ts. A
    day that the calendar does not know has no regular hours."""
    rows = ticks.join(_hours(calendar), on="session", how="left", maintain_order="left")
    if phase == AUCTION:
        return rows.with_columns(pl.lit(phase).alias("phase"))
    regular = (pl.col("ts") >= pl.col(_OPEN)) & (pl.col("ts") < pl.col(_CLOSE))
    if phase == "regular":
        return rows.filter(regular).with_columns(pl.lit(phase).alias("phase"))
    begin, end = _clock(calendar, PRE_OPEN), _clock(calendar, EXTENDED_END)
    of = (
        pl.when(regular)
        .then(pl.lit("regular"))
        .when((pl.col("ts") < begin) | (pl.col("ts") >= end))
        .then(pl.lit("overnight"))
        .when(pl.col("ts") < pl.col(_OPEN))
        .then(pl.lit("pre"))
        .otherwise(pl.lit("post"))
    )
    rows = rows.with_columns(of.alias("phase"))
    return rows if phase == "all" else rows.filter(pl.col("phase") == phase)


def open_of_session() -> pl.Expr:
    """Of placed ticks the regular open of their session, null on a day that the calendar does not know."""
    return pl.col(_OPEN)


def close_of_session() -> pl.Expr:
    """Of placed ticks the regular close of their session, null on a day that the calendar does not know."""
    return pl.col(_CLOSE)


def segments(ticks: pl.LazyFrame, calendar: Calendar, phase: Phase) -> tuple[pl.LazyFrame, list[str]]:
    """Ticks that were `placed`, with the segment that each lies in: a phase, or the part of it before or after a break; and the
    columns by which segments are told apart."""
    begin = _begin(phase, calendar, breaks=_has_breaks(calendar))
    return ticks.with_columns(begin.cast(_INSTANT).alias(_BEGIN)), ["instrument", "session", "phase", _BEGIN]


def _has_breaks(calendar: Calendar) -> bool:
    return any(session.pause for session in calendar.sessions)


def _open() -> pl.Expr:
    """The open of a regular minute's session; on a day that the calendar does not know midnight UTC."""
    midnight = pl.col("ts").cast(pl.Int64) // DAY * DAY
    return pl.coalesce(pl.col("ts").cast(pl.Int64) - pl.col("minute_of_session") * MINUTE, midnight)


def _hours(calendar: Calendar) -> pl.LazyFrame:
    """Of each session the regular hours and the break inside them, null where there is none."""
    pauses = {session.label: session.pause for session in calendar.sessions if session.pause}
    breaks = pl.DataFrame(
        {
            "session": list(pauses),
            "pause_begin": [pause.start for pause in pauses.values()],
            "pause_end": [pause.end for pause in pauses.values()],
        },
        schema={"session": pl.Date, "pause_begin": pl.Int64, "pause_end": pl.Int64},
    ).with_columns(pl.col("pause_begin", "pause_end").cast(_INSTANT))
    hours = frames.sessions(calendar).select(
        "session", pl.col("open").alias(_OPEN), pl.col("close").alias(_CLOSE)
    )
    return hours.join(breaks, on="session", how="left").lazy()


def _clock(calendar: Calendar, after_midnight: int) -> pl.Expr:
    """A time of the wall clock on the day of a session, in microseconds after its midnight, which may be negative; by the clock, so
    that daylight saving moves nothing."""
    local = pl.col("session").cast(pl.Datetime("us")) + pl.duration(microseconds=after_midnight)
    zoned = local.dt.replace_time_zone(calendar.zone, ambiguous="earliest", non_existent="null")
    return zoned.dt.convert_time_zone("UTC")


def _begin(phase: Phase, calendar: Calendar, *, breaks: bool) -> pl.Expr:
    """Where the segment of a row begins: its phase, or the part of it after a break. On a day that the calendar does not know
    it is midnight."""
    midnight = _clock(calendar, 0)
    regular = pl.coalesce(_OPEN, midnight)
    if breaks:
        regular = pl.when(pl.col("ts") >= pl.col("pause_end")).then(pl.col("pause_end")).otherwise(regular)
    begins = {
        "regular": regular,
        "pre": _clock(calendar, PRE_OPEN),
        "post": pl.coalesce(_CLOSE, midnight),
        "overnight": _clock(calendar, EXTENDED_END - DAY),
        AUCTION: pl.coalesce(_CLOSE, midnight),
    }
    if phase != "all":
        return begins[phase]
    of = pl.col("phase").cast(pl.String)
    chosen = regular
    for name in ("pre", "post", "overnight", AUCTION):
        chosen = pl.when(of == name).then(begins[name]).otherwise(chosen)
    return chosen


def _start(every: Every, calendar: Calendar, origin: Origin) -> pl.Expr:
    """The start of the bucket that a row lies in."""
    if every.whole_session:
        return pl.col(_BEGIN)
    if origin == "clock":
        step = f"{every.length}us"
        return pl.col("ts").dt.convert_time_zone(calendar.zone).dt.truncate(step).dt.convert_time_zone("UTC")
    since = (pl.col("ts") - pl.col(_BEGIN)).dt.total_microseconds()
    return pl.col(_BEGIN) + pl.duration(microseconds=since // every.length * every.length)


def _end(every: Every, calendar: Calendar, *, breaks: bool, width: int) -> pl.Expr:
    """Where a bucket ends: after its length, or with its segment; after its last row, which is so many microseconds wide, where an
    instrument trades longer than its market."""
    of = pl.col("phase").cast(pl.String)
    regular = pl.col(_CLOSE)
    if breaks:
        before = pl.col(_BEGIN) < pl.col("pause_begin")
        regular = pl.when(before).then(pl.col("pause_begin")).otherwise(regular)
    segment = (
        pl.when(of == "pre")
        .then(pl.col(_OPEN))
        .when(of == "post")
        .then(_clock(calendar, EXTENDED_END))
        .when(of == "overnight")
        .then(_clock(calendar, PRE_OPEN))
        .otherwise(regular)
    )
    segment = pl.max_horizontal(segment, pl.col(_LAST) + pl.duration(microseconds=width))
    if every.whole_session:
        return segment
    return pl.min_horizontal(pl.col(_START) + pl.duration(microseconds=every.length), segment)
