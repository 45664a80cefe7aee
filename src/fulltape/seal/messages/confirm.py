"""A captured session is held against its own answer from history: then it is proved, or what is wrong is told."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl

from fulltape.context import ConfiguredDataset, NodeContext
from fulltape.coverage.facts import CoverageFact
from fulltape.coverage.live import CapturedDay, Interval, IntervalState
from fulltape.decoding import captured
from fulltape.lake.fetches import StoredFetch
from fulltape.market.time import Instant
from fulltape.seal.messages import compare


@dataclass(slots=True)
class ConfirmedSessions:
    """Captured sessions held against their own answers: (session, rows that were missed unnoticed, rows that history does
    not know), and what intervals have turned out to be."""

    days: list[tuple[CapturedDay, int, int]] = field(default_factory=list)
    decided: list[tuple[int, IntervalState, str]] = field(default_factory=list)


def hold(
    context: NodeContext, stored: StoredFetch, frame: pl.DataFrame, facts: Sequence[CoverageFact]
) -> ConfirmedSessions:
    """Hold captured sessions against the session's own answer, whose rows and facts these are. It reads all that was
    captured of them, so no transaction waits for it."""
    fetch = stored.record.fetch
    wanted = context.wanted[fetch.dataset]
    silent = [fact for fact in facts if fact.fact == "empty"]
    cells = frame.partition_by("instrument", "session", as_dict=True)
    intervals: dict[tuple[str, dt.date], list[Interval]] = {}
    for interval in context.ledger.intervals.find(
        source=fetch.source, dataset=fetch.dataset, first=fetch.first, last=fetch.last
    ):
        intervals.setdefault((interval.instrument, interval.session), []).append(interval)
    days = [
        day
        for day in context.ledger.streams.days(
            source=fetch.source, dataset=fetch.dataset, first=fetch.first, last=fetch.last
        )
        if (day.instrument, day.session) in cells or _silence_about(day, silent)
    ]
    captured_rows = compare.captured_of(context, fetch.source, wanted, days) if days else {}
    held = ConfirmedSessions()
    for day in days:
        cell = (day.instrument, day.session)
        there = captured_rows.get(cell, compare.nothing(wanted))
        doubts = intervals.get(cell, [])
        if cell in cells:
            _compare(context, stored, day, there, cells[cell], doubts, held)
        else:
            _silence(stored, day, there, doubts, held, proved=_silence_about(day, silent, sound=True))
    return held


def _silence_about(day: CapturedDay, silent: Sequence[CoverageFact], *, sound: bool = False) -> bool:
    return any(
        fact.instrument == day.instrument
        and fact.first <= day.session <= fact.last
        and (fact.sound or not sound)
        for fact in silent
    )


def _compare(
    context: NodeContext,
    stored: StoredFetch,
    day: CapturedDay,
    there: pl.DataFrame,
    history: pl.DataFrame,
    doubts: Sequence[Interval],
    out: ConfirmedSessions,
) -> None:
    wanted = context.wanted[day.dataset]
    comparison = captured.compared(there, history, wanted.dataset.schema.key)
    out.days.append((day, _unnoticed(context, there, history, wanted, day, doubts), comparison.extra))
    for doubt in doubts:
        if doubt.state != "verified" and doubt.end <= compare.answered(stored):
            inside = compare.held_against(context, day.source, there, history, wanted, doubt.start, doubt.end)
            # What was captured and is not in history stays visible: one of the two is wrong.
            state: IntervalState = "verified" if inside.proves else "unverified"
            evidence = f"the session's own answer: {(comparison if inside.proves else inside).sentence}"
            out.decided.append((doubt.interval_id, state, evidence))


def _silence(
    stored: StoredFetch,
    day: CapturedDay,
    there: pl.DataFrame,
    doubts: Sequence[Interval],
    out: ConfirmedSessions,
    *,
    proved: bool,
) -> None:
    """History says that there was nothing. Rows that were captured all the same are not replaced by that; and it verifies
    only where something proves that it could know."""
    rows = there.height
    whole = proved and not rows
    out.days.append((day, 0 if whole else -1, rows))
    for doubt in doubts:
        if doubt.state != "verified" and doubt.end <= compare.answered(stored):
            evidence = f"the session's own answer: history has no rows; {rows:,} were captured"
            out.decided.append((doubt.interval_id, "verified" if whole else "unverified", evidence))


def confirm(context: NodeContext, held: ConfirmedSessions, now: Instant) -> None:
    """Settle sessions and intervals that were held against their answers; inside a transaction."""
    for day, missed, extra in held.days:
        context.ledger.streams.compared(day, missed=missed, extra=extra, now=now)
    for interval_id, state, evidence in held.decided:
        context.ledger.intervals.decide(interval_id, state, evidence, now=now)


def _unnoticed(
    context: NodeContext,
    there: pl.DataFrame,
    history: pl.DataFrame,
    wanted: ConfiguredDataset,
    day: CapturedDay,
    intervals: Sequence[Interval],
) -> int:
    """Rows of history that were not captured while everything seemed well."""
    on, there, history = captured.side_by_side(there, history, wanted.dataset.schema.key)
    # Without a key equal rows are genuine: each has its pair.
    copy = pl.int_range(pl.len()).over(on).alias("copy")
    missing = (
        history.with_columns(copy)
        .join(there.with_columns(copy), on=[*on, "copy"], how="anti", nulls_equal=True)
        .filter(pl.col("ts").is_between(compare.moment(day.start), compare.moment(day.end)))
    )
    for interval in intervals:
        start, end = compare.span_to_fetch(context, interval, wanted)
        missing = missing.filter(~pl.col("ts").is_between(compare.moment(start), compare.moment(end)))
    return missing.height
