"""Where nothing came inside sessions."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field

import polars as pl

from fulltape.market.dataset import Dataset
from fulltape.market.sessions import Calendar
from fulltape.market.time import MINUTE, Instant, Span

_LISTED = 100


@dataclass(slots=True)
class Gaps:
    """Those of one file: how many, how long together, and the longest; microseconds. `listed`: the longest ones, (length, start, end)."""

    count: int = 0
    total: int = 0
    longest: int = 0
    listed: list[tuple[int, Instant, Instant]] = field(default_factory=list)

    def add(self, start: Instant, end: Instant, length: int) -> None:
        """One more, of which `length` microseconds count."""
        self.count, self.total, self.longest = self.count + 1, self.total + length, max(self.longest, length)
        entry = (length, start, end)
        if len(self.listed) < _LISTED:
            heapq.heappush(self.listed, entry)
        else:
            heapq.heappushpop(self.listed, entry)


def look(rows: pl.DataFrame, dataset: Dataset, calendar: Calendar, most: int | None, into: Gaps) -> None:
    """Add the gaps of one symbol's rows (whole sessions of them) that are longer than `most` microseconds: between rows, from the open
    to the first one, from the last one to the close. Breaks and halts do not count, nor does what lies outside the regular hours."""
    if most is None or dataset.grain not in ("minute", "tick") or rows.is_empty():
        return
    step = MINUTE if dataset.grain == "minute" else 0
    most = max(most, step)
    times = _times(rows, calendar, step)
    for session, before, after in times.filter(pl.col("after") - pl.col("before") > most).iter_rows():
        position = calendar.position(session)
        assert position is not None
        start = before + step
        hours = calendar.sessions[position]
        closed = [span for span in (hours.pause, *calendar.halts.get(session, ())) if span]
        length = after - start - _inside(closed, start, after)
        if length > most - step:
            into.add(start, after, length)


def _times(rows: pl.DataFrame, calendar: Calendar, step: int) -> pl.DataFrame:
    """Neighbouring stamps inside the regular hours of each session, its open and its close among them: session, before, after."""
    hours = pl.DataFrame(list(_hours(rows, calendar)), schema=["session", "open", "close"], orient="row")
    inside = (
        rows.select("session", pl.col("ts").dt.epoch("us").alias("after"))
        .sort("session", "after")
        .join(hours, on="session", maintain_order="left")
        .filter((pl.col("after") >= pl.col("open")) & (pl.col("after") < pl.col("close")))
        .with_columns(
            pl.col("after").shift(1).over("session").fill_null(pl.col("open") - step).alias("before")
        )
    )
    # Of a session that has rows outside of its hours only, the whole of it is one gap.
    last = inside.group_by("session").agg(pl.col("after").last().alias("before"))
    ends = hours.join(last, on="session", how="left", maintain_order="left").select(
        "session", pl.col("before").fill_null(pl.col("open") - step), pl.col("close").alias("after")
    )
    return pl.concat([inside.select("session", "before", "after"), ends]).sort("session", "before", "after")


def _hours(rows: pl.DataFrame, calendar: Calendar) -> Iterator[tuple[object, Instant, Instant]]:
    for session in rows["session"].unique().sort().to_list():
        position = calendar.position(session)
        if position is not None:
            hours = calendar.sessions[position]
            yield session, hours.open, hours.close


def _inside(closed: list[Span], start: Instant, end: Instant) -> int:
    """How much of a span is closed."""
    return sum(max(0, min(end, span.end) - max(start, span.start)) for span in closed)
