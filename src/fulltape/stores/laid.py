"""Reads from the ledger what is known of all series of a dataset at once, as segments: what audits decide by."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from fulltape.core import ranges, segments, series
from fulltape.core.instruments import Instrument
from fulltape.core.ranges import Ranges
from fulltape.core.segments import Listed, Segments
from fulltape.core.time import Instant
from fulltape.stores import Stores, Wanted, known

if TYPE_CHECKING:
    import polars as pl


def read(
    stores: Stores, wanted: Wanted, now: Instant, *, only: Collection[str] | None = None, start: int = 0
) -> tuple[list[Instrument], Segments]:
    """The series of a dataset in the order of the universe, `only` some of them, with what is known of their sessions
    from position `start` on."""
    last = known.last_wanted(wanted, now)
    barred, served = known.forbidden(stores, now), known.serving(stores, wanted, now)
    since = wanted.calendar.label(start) if start else None
    first = max(wanted.first, since) if since else wanted.first
    instruments = [one for name, one in wanted.instruments.items() if only is None or name in only]
    lives: dict[tuple[dt.date | None, dt.date | None], Ranges] = {}

    def life(one: Instrument) -> Ranges:
        listing = one.listed_from, one.listed_to
        if listing not in lives:
            lives[listing] = series.life(one, wanted.calendar, first, last) if last else ranges.EMPTY
        return lives[listing]

    listed = [
        Listed(
            wanted=life(one),
            servable=known.servable(wanted, one.instrument, served, barred),
            known=one.listed_from is not None,
        )
        for one in instruments
    ]
    facts, opened = _frames(stores, wanted, instruments, since, whole=only is None)
    events = wanted.dataset.expectation == "events"
    return instruments, segments.lay(listed, facts, opened, wanted.calendar, tuple(served), events=events)


def _frames(
    stores: Stores,
    wanted: Wanted,
    instruments: Sequence[Instrument],
    since: dt.date | None,
    *,
    whole: bool,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Facts and open tasks of these instruments. A stalled task stands for its sessions until somebody retries it: a new
    one would fail just as often."""
    import polars as pl

    name, ledger = wanted.dataset.name, stores.ledger
    names = [one.instrument for one in instruments]
    if whole:
        facts, opened = ledger.coverage.packed(name, since), ledger.queue.packed(name, since)
    else:
        facts = [
            (one, source, first, last, f"{fact}{sound}")
            for one in names
            for source, fact, sound, first, last in ledger.coverage.spans_of(name, one)
        ]
        opened = [(one, *span) for one in names for span in ledger.queue.spans_of(name, one)]
    numbers = pl.DataFrame(
        {"instrument": names, "series": range(len(names))},
        schema={"instrument": pl.String, "series": pl.Int64},
    )

    def unpacked(rows: Sequence[tuple[str, ...]], keys: Sequence[str], lists: Sequence[str]) -> pl.DataFrame:
        frame = pl.DataFrame(rows, schema=dict.fromkeys([*keys, *lists], pl.String), orient="row")
        placed = frame.join(numbers, on="instrument").drop("instrument")
        return placed.with_columns(pl.col(lists).str.split(",")).explode(lists)

    return (
        unpacked(facts, ("instrument", "source"), ("first", "last", "fact")),
        unpacked(opened, ("instrument",), ("first", "last")),
    )
