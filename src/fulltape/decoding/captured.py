"""Rows that were captured live: what several deliveries of the same rows come to.

With a key the newest version of a row counts. Without one, equal rows are genuine inside one delivery; between
overlapping deliveries each content counts as often as in the delivery that has it most often.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

LIVE = 2**31
"""Connections have numbers from here on; smaller ones are those of fetches, over which history gave rows back."""
EXTRA = ("ts_recv", "connection")
"""Columns that raw captured rows have beside those of their dataset."""
CORRECTED = "corrected"
"""The `correction` of a row that replaces another one."""
_MILLISECOND = 1_000_000
_ABOUT = frozenset({*EXTRA, "log_pos", "heard_at", "origin", "order", "newest", "symbol"})


def delivery(fetch_id: str) -> int:
    """The number under which a fetch's rows stand beside those of connections."""
    return zlib.crc32(fetch_id.encode()) % LIVE


def merged(frame: pl.DataFrame, key: Sequence[str]) -> pl.DataFrame:
    """Each row once, in the order of (instrument, ts); `frame`, of one source, in the order in which rows became known.

    Where a row of history and a captured one have the same key, history's counts. What takes a row back marks it.
    """
    import polars as pl

    if key and _grows(frame, key):
        return in_order(frame)
    live = pl.col("connection") >= LIVE
    numbered = frame.with_columns(told_at(frame.filter(live)).alias("told_at"))
    if key:
        kept = _by_key(*_in_epochs(numbered, _on(key)))
        kept = kept.drop("epoch", strict=False)
    else:
        given_back = frame.filter(~live)
        content = _on(content_of(frame, given_back) if given_back.height else _telling(frame), "ts")
        numbered = numbered.with_columns(pl.int_range(pl.len()).over([*content, "connection"]).alias("copy"))
        kept = numbered.unique(subset=[*content, "copy"], keep="first", maintain_order=True).drop("copy")
    return in_order(kept.drop("told_at"))


def _on(names: Sequence[str], moment: str = "ts_event") -> list[str]:
    """The columns that tell rows apart, with the moment as fine as the stream tells it."""
    return ["told_at" if name == moment else name for name in names]


_ANEW = 1_000_000
"""Rows with one id that lie further apart than this (microseconds) are different ones: the venue has counted anew."""


def _in_epochs(frame: pl.DataFrame, on: Sequence[str]) -> tuple[pl.DataFrame, list[str]]:
    """The same rows and key; with an `epoch` in both where a venue has given ids of a session a second time."""
    import polars as pl

    taken_back = "correction" in frame.columns and frame["correction"].null_count() < frame.height
    if "trade_id" not in on or "told_at" in on or taken_back:
        return frame, list(on)  # What takes a trade back comes later than it.
    spread = pl.col("ts").max() - pl.col("ts").min()
    apart = pl.duration(microseconds=_ANEW)
    if frame.group_by(on).agg(spread.alias("spread")).filter(pl.col("spread") > apart).is_empty():
        return frame, list(on)
    anew = (pl.col("ts").diff().over(on) > apart).fill_null(value=False)
    placed = frame.with_row_index("place").sort("ts", maintain_order=True)
    placed = placed.with_columns(anew.alias("anew")).with_columns(
        pl.col("anew").cast(pl.Int64).cum_sum().over(on).alias("epoch")
    )
    return placed.sort("place").drop("place", "anew"), [*on, "epoch"]


def _by_key(frame: pl.DataFrame, on: Sequence[str]) -> pl.DataFrame:
    """The newest version of each row. A version that only takes a row back has no other content of its own."""
    import polars as pl

    ordered = frame.sort(pl.col("connection") < LIVE, maintain_order=True)
    if "correction" not in frame.columns or frame["correction"].null_count() == frame.height:
        return ordered.unique(subset=list(on), keep="last", maintain_order=True)
    about = [name for name in on if name != "told_at"]
    whole = pl.col("correction").is_null() | (pl.col("connection") < LIVE)
    words = frame.filter(pl.col("correction").is_not_null()).unique(about, keep="last", maintain_order=True)
    # Where the newest word is a correction under the trade's own id, what it says counts, but not against history.
    history = frame.filter(pl.col("connection") < LIVE).select(about)
    replaced = words.filter(pl.col("correction") == CORRECTED).select(about)
    replaced = replaced.join(history, on=about, how="anti", nulls_equal=True)
    rows = ordered.filter(whole).join(replaced, on=about, how="anti", nulls_equal=True, maintain_order="left")
    rows = rows.unique(subset=list(on), keep="last", maintain_order=True)
    alone = _taken_back(
        frame.join(rows, on=about, how="anti", nulls_equal=True, maintain_order="left"), about
    )
    marked = pl.concat([rows, alone]).drop("correction")
    return marked.join(
        words.select(*about, "correction"), on=about, how="left", nulls_equal=True, maintain_order="left"
    ).select(frame.columns)


def _taken_back(frame: pl.DataFrame, about: Sequence[str]) -> pl.DataFrame:
    """Rows that are known by their corrections only, each once: what the newest correction made of it, or else what was
    taken back, at the moment of the first. A correction that is corrected itself stays where it was."""
    import polars as pl

    times = [name for name in ("ts", "ts_event", "told_at") if name in frame.columns]
    first = frame.unique(about, keep="first", maintain_order=True).select(*about, *times)
    newest = frame.sort(pl.col("correction") == CORRECTED, maintain_order=True)
    newest = newest.unique(about, keep="last", maintain_order=True).drop(times)
    return newest.join(first, on=about, how="left", nulls_equal=True, maintain_order="left").select(
        frame.columns
    )


def side_by_side(
    live: pl.DataFrame, history: pl.DataFrame, key: Sequence[str]
) -> tuple[list[str], pl.DataFrame, pl.DataFrame]:
    """The columns by which captured rows and those of history, of one instrument, are the same ones; and both."""
    at = told_at(live).alias("told_at")
    names = [name for name in key if name != "instrument"]
    on = _on(names) if names else _on(content_of(live, history), "ts")
    return on, live.with_columns(at), history.with_columns(at)


def as_received(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows out of messages of several kinds in the order of their receipt: kinds are read one after the other, and what
    takes a row back counts only after it. What came in one read of the socket has one stamp: then the moments decide."""
    return frame.sort("ts_recv", "ts", maintain_order=True)


def content_of(frame: pl.DataFrame, history: pl.DataFrame) -> list[str]:
    """The columns by which rows without a key are the same ones: those that history tells too."""
    return [
        name
        for name in _telling(frame)
        if name in history.columns and (name == "ts" or history[name].null_count() < history.height)
    ]


def _telling(frame: pl.DataFrame) -> list[str]:
    return [name for name in frame.columns if name not in _about(frame) and name != "ts_event"]


def told_at(live: pl.DataFrame) -> pl.Expr:
    """The moment of a row, as fine as the stream tells it: some streams count milliseconds where history has more."""
    import polars as pl

    if "ts_event" not in live.columns:
        return pl.col("ts")
    whole = live.select((pl.col("ts_event").dt.epoch("ns") % _MILLISECOND == 0).all()).item()
    return pl.col("ts_event").dt.truncate("1ms") if whole and live.height else pl.col("ts_event")


def _about(frame: pl.DataFrame) -> frozenset[str]:
    """Columns that say nothing of what a row tells: the time too, where it is only that of its receipt."""
    stamped_by_us = "message" in frame.columns or "update_id" in frame.columns
    return _ABOUT | {"ts", "ts_event"} if stamped_by_us else _ABOUT


def in_order(frame: pl.DataFrame) -> pl.DataFrame:
    """Sorted by (instrument, ts), rows with equal ones in their order. Names are numbered first: numbers sort many times
    faster."""
    import polars as pl

    names = frame["instrument"].unique().sort()
    if names.len() < 2:
        return frame if frame["ts"].is_sorted() else frame.sort("ts", maintain_order=True)
    place = frame["instrument"].cast(pl.Enum(names)).to_physical().alias("place")
    return frame.with_columns(place).sort("place", "ts", maintain_order=True).drop("place")


def _grows(frame: pl.DataFrame, key: Sequence[str]) -> bool:
    """Whether whole numbers of the key grow for every instrument, row by row: then none is there twice. `frame` is one
    delivery after the other, so mostly they do."""
    import polars as pl

    *scope, number = key or ("",)
    if "instrument" not in scope or not {"instrument", "session"}.issuperset(scope):
        return False
    if not frame.schema[number].is_integer():
        return False
    step = pl.col(number).diff().over("instrument")
    return bool(frame.select((step.fill_null(1) > 0).all()).item())


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Captured rows against those of history: how many history has, how many of them were captured, how many it alone
    has, how many were captured and it does not know, and how many it tells differently; `lost` are ids that neither has,
    where ids follow each other."""

    history: int
    captured: int
    missing: int
    extra: int
    differing: int
    lost: int = 0

    @property
    def proves(self) -> bool:
        """Whether history has all that was captured, and nothing is known to be missing."""
        return not (self.extra or self.lost)

    @property
    def sentence(self) -> str:
        """The same for people."""
        text = f"history has {self.history:,} rows; {self.captured:,} were sealed before, {self.missing:,} were taken from it"
        if self.extra:
            text += f", {self.extra:,} captured that history does not know"
        if self.lost:
            text += f", {self.lost:,} ids neither of them has"
        if self.differing:
            text += f", {self.differing:,} restated"
        return text


FELL = 250_000
"""Where ids fall and stamps rise by more microseconds than this, the venue counts anew; by less, its stamps run back against
its ids."""


def lost_ids(frame: pl.DataFrame, column: str) -> int:
    """How many ids are missing between rows (`ts` and whole numbers in `column`) whose ids follow each other."""
    import polars as pl

    ids = frame.select("ts", pl.col(column).cast(pl.Int64, strict=False).alias("id")).drop_nulls()
    ordered = ids.unique("id", keep="first").sort("id")
    step, passed = pl.col("id").diff() - 1, pl.col("ts").dt.epoch("us").diff()
    return int(ordered.select(step.filter(passed > -FELL).sum()).item() or 0)


def compared(captured: pl.DataFrame, history: pl.DataFrame, key: Sequence[str]) -> Comparison:
    """Hold what was captured against history; both of one instrument and span."""
    import polars as pl

    on, captured, history = side_by_side(captured, history, key)
    if key:
        once = captured.unique(subset=on, keep="last", maintain_order=True)
        both = once.join(history, on=on, how="inner", suffix="_history", nulls_equal=True)
        values = [
            name
            for name in ("open", "high", "low", "close", "price", "size")
            if name in captured.columns and f"{name}_history" in both.columns
        ]
        differ = pl.any_horizontal(pl.col(name) != pl.col(f"{name}_history") for name in values)
        differing = both.filter(differ).height if values else 0
        shared = both.height
        # What takes a trade back may be about one from before the capture began.
        stands = pl.col("correction").is_null() if "correction" in once.columns else pl.lit(True)
        extra = once.filter(stands).height - both.filter(stands).height
    else:
        counted = captured.group_by([*on, "connection"]).len("n").group_by(on).agg(pl.col("n").max())
        there = history.group_by(on).len("m")
        there = there.join(counted, on=on, how="full", coalesce=True, nulls_equal=True)
        both_counts = pl.min_horizontal(pl.col("n").fill_null(0), pl.col("m").fill_null(0))
        shared = int(there.select(both_counts.sum()).item() or 0)
        extra = int(counted["n"].sum() or 0) - shared
        differing = 0
    return Comparison(
        history=history.height,
        captured=shared,
        missing=history.height - shared,
        extra=extra,
        differing=differing,
    )
