"""Which bars windows are cut from: all of them as they are at one moment."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import polars as pl

from fulltape import errors
from fulltape.adjustment import apply
from fulltape.adjustment.factors import STATUSES
from fulltape.clock import SystemClock
from fulltape.market.dataset import Dataset
from fulltape.market.sessions import Calendar
from fulltape.reading import cut, pipeline, request, windows
from fulltape.reading.request import Day, ScanRequest
from fulltape.reading.source import RowSource
from fulltape.reading.windows import WindowRequest, Windows

Opened = Callable[[ScanRequest, Calendar], AbstractContextManager[RowSource]]


@dataclass(frozen=True, slots=True)
class WindowedRows:
    """The bars of windows: of sessions of `span`, both inclusive; what else is asked for as in `RowsReader.batches`."""

    dataset: Dataset
    calendar: Calendar
    span: tuple[dt.date, dt.date]
    symbols: str | Sequence[str] | None
    instruments: str | Sequence[str] | None
    every: str | None
    adjust: str
    anchor: Day
    accept: tuple[str, ...]

    def asked(
        self, first: dt.date, last: dt.date, columns: Sequence[str], *, grid: bool = False
    ) -> ScanRequest:
        """A read of some sessions, both inclusive."""
        more: dict[str, Any] = {} if self.adjust == "none" else {"adjust": self.adjust, "anchor": self.anchor}
        status = [] if self.adjust == "none" else [apply.STATUS]
        return request.parse(
            self.dataset,
            self.calendar,
            now=SystemClock().now(),
            symbols=self.symbols,
            instruments=self.instruments,
            start=first,
            end=last,
            every=self.every,
            columns=["instrument", "ts", *columns, *status],
            grid=grid,
            **more,
        )


def span(
    start: str | dt.date | None, end: str | dt.date | None, split: tuple[dt.date, dt.date] | None
) -> tuple[dt.date, dt.date]:
    """The first and the last session, both inclusive, inside of a split where one is given. `UsageError` for what are no dates."""
    first = dt.date.min if start is None else request.day(start, "start")
    last = dt.date.max if end is None else request.day(end, "end")
    if split is None:
        return first, last
    inside = max(first, split[0]), min(last, split[1])
    if inside[0] > inside[1]:
        raise errors.UsageError(
            f"the split has no sessions from {start} to {end}.", hint=f"It is {split[0]} to {split[1]}."
        )
    return inside


def laid(opened: Opened, bars: WindowedRows, cutting: WindowRequest) -> Windows:
    """The windows. All of their bars are those of one moment, whatever is written meanwhile."""
    for status in bars.accept:
        if status not in STATUSES:
            raise errors.UsageError(f"accept={status!r} is not known.", hint=f"It is {', '.join(STATUSES)}.")
    whole = bars.asked(*bars.span, cutting.columns, grid=True)
    with opened(whole, bars.calendar) as source:
        names, axis = pipeline.axis(source, whole)
        blocks = windows.blocks(cutting, names, axis)
        frames = [
            _accepted(bars, source, bars.asked(block["session"][0], block["session"][-1], cutting.columns))
            for block in blocks
        ]
    return Windows(cutting, names, axis, zip(blocks, frames, strict=True))


def _accepted(bars: WindowedRows, source: RowSource, asked: ScanRequest) -> pl.LazyFrame:
    rows = cut.columns(pipeline.rows(source, asked), asked)
    if bars.adjust == "none":
        return rows
    return rows.filter(pl.col(apply.STATUS).cast(pl.String).is_in(bars.accept))
