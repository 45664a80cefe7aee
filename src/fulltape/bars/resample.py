"""Longer bars out of shorter ones, within sessions, phases and breaks.

A bucket is [start, end) and bears its start. Buckets are counted from the open of their phase (or from the end of the break), so
that the last of a phase may be short; `origin="clock"` counts them from midnight of the market's zone instead, as vendors' hours
are. No bar is made where nothing was traded. Sums are made in the order of time, so that the same rows give the same bits on any
machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import polars as pl

from fulltape.bars.every import Every
from fulltape.decoding import frames
from fulltape.market.sessions import Calendar
from fulltape.market.time import DAY, HOUR, MINUTE

Origin = Literal["open", "clock"]
Phase = Literal["regular", "pre", "post", "overnight", "all"]
PHASES: tuple[Phase, ...] = ("regular", "pre", "post", "overnight", "all")
ORIGINS: tuple[Origin, ...] = ("open", "clock")

_PRE_OPEN, _POST_END = 4 * HOUR, 20 * HOUR
"""Since midnight of the market's zone."""
_INSTANT = pl.Datetime("us", "UTC")
_BEGIN, _START, _LAST = "segment_begin", "bucket_start", "last_minute"
_COUNTED, _SUMMED = ("trade_count", "tick_count"), ("quote_volume", "taker_buy_volume")
_FIRST = ("symbol", "price_kind", "source", "adjust_status", "adjust_anchor")


def resampled(
    rows: pl.LazyFrame,
    every: Every,
    calendar: Calendar,
    *,
    phase: Phase = "regular",
    origin: Origin = "open",
) -> pl.LazyFrame:
    """Bars of a length out of minute bars, by instrument and `ts` (UTC, the start of the bucket).

    `rows`: curated minute bars, in time within each instrument, as curated files have them. Columns that come out: instrument, symbol, session, ts, bucket_end (UTC, exclusive), open,
    high, low, close and, where the minutes have them, volume, vwap (null where nothing was traded, or where a minute with volume
    has none), trade_count, tick_count, price_kind; phase, `n` (how many minutes were there), available_at, source, is_final,
    flags, and what adjustment has added.
    """
    names = rows.collect_schema().names()
    made = _grouped(rows, every, calendar, phase, origin, _aggregates(names))
    return made.select(_columns(names)).sort("instrument", "ts", "bucket_end")


def buckets(
    minutes: pl.LazyFrame, every: Every, calendar: Calendar, *, origin: Origin = "open"
) -> pl.LazyFrame:
    """The buckets in which regular minutes lie: instrument, session, phase, ts, bucket_end, and as available_at that of the last
    minute. `minutes`: instrument, session, ts, minute_of_session, phase, available_at."""
    return _grouped(minutes, every, calendar, "regular", origin, [pl.col("available_at").max()])


def _grouped(
    rows: pl.LazyFrame,
    every: Every,
    calendar: Calendar,
    phase: Phase,
    origin: Origin,
    aggregates: Sequence[pl.Expr],
) -> pl.LazyFrame:
    wanted = rows if phase == "all" else rows.filter(pl.col("phase") == phase)
    hours = _hours(calendar)
    breaks = not every.whole_session and any(session.pause for session in calendar.sessions)
    simple = phase == "regular" and not breaks
    if not simple:
        wanted = wanted.join(hours, on="session", how="left", maintain_order="left")
    begin = _open() if simple else _begin(phase, calendar, breaks=breaks)
    # With one segment a session and buckets from its open, the start of a bucket says all.
    keys = ["instrument", _START, *([] if simple and origin == "open" else ["phase", _BEGIN])]
    kept = [pl.col(name).first() for name in ("session", "phase", _BEGIN) if name not in keys]
    return (
        wanted.with_columns(begin.cast(_INSTANT).alias(_BEGIN))
        .with_columns(_start(every, calendar, origin).alias(_START))
        .group_by(keys)
        .agg(*kept, pl.col("ts").max().alias(_LAST), *aggregates)
        .join(hours, on="session", how="left")
        .with_columns(
            _end(every, calendar, breaks=breaks).cast(_INSTANT).alias("bucket_end"),
            pl.col(_START).alias("ts"),
        )
    )


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
    hours = frames.sessions(calendar).select("session", open_at="open", close_at="close")
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
    regular = pl.coalesce("open_at", midnight)
    if breaks:
        regular = pl.when(pl.col("ts") >= pl.col("pause_end")).then(pl.col("pause_end")).otherwise(regular)
    begins = {
        "regular": regular,
        "pre": _clock(calendar, _PRE_OPEN),
        "post": pl.coalesce("close_at", midnight),
        "overnight": _clock(calendar, _POST_END - DAY),
    }
    if phase != "all":
        return begins[phase]
    of = pl.col("phase").cast(pl.String)
    chosen = regular
    for name in ("pre", "post", "overnight"):
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


def _end(every: Every, calendar: Calendar, *, breaks: bool) -> pl.Expr:
    """Where a bucket ends: after its length, or with its segment; after its last minute where an instrument trades longer than its
    market."""
    of = pl.col("phase").cast(pl.String)
    regular = pl.col("close_at")
    if breaks:
        before = pl.col(_BEGIN) < pl.col("pause_begin")
        regular = pl.when(before).then(pl.col("pause_begin")).otherwise(regular)
    segment = (
        pl.when(of == "pre")
        .then(pl.col("open_at"))
        .when(of == "post")
        .then(_clock(calendar, _POST_END))
        .when(of == "overnight")
        .then(_clock(calendar, _PRE_OPEN))
        .otherwise(regular)
    )
    segment = pl.max_horizontal(segment, pl.col(_LAST) + pl.duration(microseconds=MINUTE))
    if every.whole_session:
        return segment
    return pl.min_horizontal(pl.col(_START) + pl.duration(microseconds=every.length), segment)


def _aggregates(names: Sequence[str]) -> list[pl.Expr]:
    """One row out of the minutes of a bucket. What is unknown of one of them is unknown of all."""

    made = [pl.col(name).first() for name in _FIRST if name in names]
    made += [pl.col("open").min_by("ts"), pl.col("high").max(), pl.col("low").min()]
    made.append(pl.col("close").max_by("ts"))
    if "volume" in names:
        made.append(_total(pl.col("volume")))
    if {"volume", "vwap"} <= set(names):
        notional, volume = _total(pl.col("vwap") * pl.col("volume")), pl.col("volume").sum()
        unknown = ((pl.col("volume") > 0) & pl.col("vwap").is_null()).any()
        made.append(pl.when((volume > 0) & ~unknown).then(notional / _total(pl.col("volume"))).alias("vwap"))
    made += [_known(name, pl.col(name).sum()) for name in _COUNTED if name in names]
    made += [_known(name, _total(pl.col(name))) for name in _SUMMED if name in names]
    made += [
        pl.len().cast(pl.Int64).alias("n"),
        _known("available_at", pl.col("available_at").max()),
        pl.col("is_final").all(),
        pl.col("flags").bitwise_or(),
    ]
    return made


def _total(values: pl.Expr) -> pl.Expr:
    """A sum in the order of rows, which is kept within a group; polars adds in any order otherwise."""
    return values.implode().list.sum()


def _known(name: str, value: pl.Expr) -> pl.Expr:
    return pl.when(pl.col(name).null_count() == 0).then(value).alias(name)


_ORDER = (
    "instrument", "symbol", "session", "ts", "bucket_end", "open", "high", "low", "close", "volume", "vwap", "trade_count",
    "quote_volume", "taker_buy_volume", "price_kind", "tick_count", "phase", "n", "available_at", "source", "is_final", "flags", "adjust_status", "adjust_anchor",
)  # fmt: skip


def _columns(names: Sequence[str]) -> list[str]:
    made = {"bucket_end", "n"}
    return [name for name in _ORDER if name in names or name in made]
