"""Captured rows beside those of history: what was captured of a session, and what of it history tells, too."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import cast

import polars as pl

from fulltape.context import ConfiguredDataset, NodeContext, scanning
from fulltape.contract.streams import StreamingVendor
from fulltape.coverage.live import CapturedDay, Interval
from fulltape.decoding import captured, frames
from fulltape.decoding.captured import EXTRA, LIVE, Comparison
from fulltape.decoding.frames import dtype
from fulltape.lake.fetches import StoredFetch
from fulltape.market.time import SECOND, Instant
from fulltape.seal.messages import timeline

EDGE = SECOND
"""History and stream may stamp a row differently by less than this, which matters at the edges of a span."""


def answered(stored: StoredFetch) -> Instant:
    """When an answer came: of what happened after it, it knows nothing."""
    return stored.end.ended_at if stored.end is not None else stored.record.started_at


def moment(instant: Instant) -> pl.Expr:
    """An instant as rows have it."""
    return pl.lit(instant).cast(pl.Datetime("us", "UTC"))


def span_to_fetch(
    context: NodeContext, interval: Interval, wanted: ConfiguredDataset
) -> tuple[Instant, Instant]:
    """What history is asked about an interval."""
    bars = wanted.dataset.grain == "minute"
    return timeline.span_to_fetch(
        interval.start, interval.end, bars=bars, tolerance=context.rules.clock_tolerance
    )


def held_against(
    context: NodeContext,
    source: str,
    there: pl.DataFrame,
    history: pl.DataFrame,
    wanted: ConfiguredDataset,
    start: Instant,
    end: Instant,
) -> Comparison:
    """The rows of a span that were captured, against those of history."""
    key = wanted.dataset.schema.key
    vendor = cast("StreamingVendor", context.vendors[context.feeds[source].vendor])
    ids = vendor.meaning(source).contiguous.get(wanted.dataset.name, "")
    around = there.filter(pl.col("ts").is_between(moment(start - EDGE), moment(end + EDGE)))
    inner = there.filter(pl.col("ts").is_between(moment(start + EDGE), moment(end - EDGE), closed="left"))
    comparison = captured.compared(around, history, key)
    return Comparison(
        history=comparison.history,
        captured=comparison.captured,
        missing=comparison.missing,
        extra=captured.compared(inner, history, key).extra,
        differing=comparison.differing,
        lost=_lost(there, history, ids, start, end) if ids else 0,
    )


def _lost(there: pl.DataFrame, history: pl.DataFrame, ids: str, start: Instant, end: Instant) -> int:
    """Ids between the rows of a span that neither what was captured nor history has. Beyond the span history was not asked."""
    span = pl.col("ts").is_between(moment(start), moment(end), closed="left")
    both = [frame.select("ts", ids).filter(span) for frame in (there, history)]
    return captured.lost_ids(pl.concat(both, how="vertical_relaxed"), ids)


def captured_of(
    context: NodeContext, source: str, wanted: ConfiguredDataset, days: Sequence[CapturedDay]
) -> dict[tuple[str, dt.date], pl.DataFrame]:
    """What was captured of these sessions, by instrument and session, with its copies dealt with; nothing of what history
    gave back. Each part is read once."""
    first, last = min(day.session for day in days), max(day.session for day in days)
    declared = wanted.dataset.schema.columns
    mine = (
        pl.col("instrument").is_in({day.instrument for day in days})
        & pl.col("session").is_between(first, last)
        & (pl.col("connection") >= LIVE)
    )
    scans = [
        frames.declared_types(scanning.rows_of(context.layout, [part], "log_pos"), declared).filter(mine)
        for part in context.ledger.catalogue.current("raw", wanted.dataset.name, first=first, last=last)
        if part.origin == "captured" and part.source == source
    ]
    if not scans:
        return {}
    rows = pl.concat(scans, how="diagonal").collect().sort("log_pos", maintain_order=True).drop("log_pos")
    return {
        (str(instrument), session): captured.merged(cell, wanted.dataset.schema.key)
        for (instrument, session), cell in rows.partition_by("instrument", "session", as_dict=True).items()
    }


def nothing(wanted: ConfiguredDataset) -> pl.DataFrame:
    """A session of which nothing was captured."""
    columns = {column.name: dtype(column.dtype) for column in wanted.dataset.schema.columns}
    return pl.DataFrame(schema={**columns, EXTRA[0]: dtype("nanos"), EXTRA[1]: pl.UInt32})
