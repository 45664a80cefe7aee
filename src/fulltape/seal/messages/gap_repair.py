"""The closed loop: doubtful intervals are asked of history, filled, and held against what was captured."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass, field

import polars as pl

from fulltape.context import ConfiguredDataset, NodeContext, consumers, drafts, known, sent
from fulltape.context.drafts import Draft
from fulltape.coverage.live import Interval, IntervalState
from fulltape.decoding import captured
from fulltape.decoding.captured import EXTRA, Comparison
from fulltape.decoding.frames import dtype
from fulltape.lake import files, layout
from fulltape.lake.fetches import StoredFetch
from fulltape.ledger.captures import CapturedSpan
from fulltape.ledger.task import FIRST, NewTask
from fulltape.market.time import MINUTE, SECOND, Instant
from fulltape.seal.messages import compare
from fulltape.version import VERSION

_RESTATED_FOR = 20 * MINUTE
"""Vendors that need time until a session is final restate their newest minutes for so long, or keep them back."""


@dataclass(slots=True)
class RepairedIntervals:
    """What history has given back: parts to name, and what each interval has turned out to be."""

    drafts: list[Draft] = field(default_factory=list)
    decided: list[tuple[int, Comparison]] = field(default_factory=list)
    answered_at: Instant = 0
    """When the answer came: of what happened after it, it knows nothing."""


def enqueue(context: NodeContext, source: str, now: Instant) -> int:
    """Ask history for every interval of a source that was not looked at yet; inside a transaction."""
    intervals, queue = context.ledger.intervals, context.ledger.queue
    groups: dict[tuple[str, Instant, Instant], list[Interval]] = {}
    for interval in intervals.find(source=source, state="unverified"):
        wanted = context.wanted.get(interval.dataset)
        if wanted is None or interval.evidence or interval.end > now:
            continue  # what is not over yet is asked when it is
        capability = context.feeds[source].capability(interval.dataset)
        if capability is None:
            intervals.decide(interval.interval_id, "unverifiable", f"{source} has no history to ask", now=now)
        elif not capability.spans:
            evidence = "history has whole sessions only; the session's own answer will tell"
            intervals.decide(interval.interval_id, "unverified", evidence, now=now)
        else:
            start, end = compare.span_to_fetch(context, interval, wanted)
            rule = wanted.calendar.day_rule
            start = max(start, rule.begin(interval.session))
            end = min(end, rule.begin(interval.session + dt.timedelta(days=1)))
            groups.setdefault((interval.dataset, start, end), []).append(interval)
    for (dataset, start, end), some in groups.items():
        tasks = [_hole(context.wanted[dataset], gap, start, end, source) for gap in some]
        queue.enqueue(tasks, now=now, priority=FIRST)
        capability = context.feeds[source].capability(dataset)
        for interval in some:
            task = context.ledger.tasks.for_interval(interval.interval_id)
            if task and capability and capability.delay:
                wait = min(capability.delay * SECOND, _RESTATED_FOR)
                queue.hold_back(task.task_id, source, not_before=end + wait)
            intervals.decide(interval.interval_id, "filling", "", now=now)
    return sum(map(len, groups.values()))


def _hole(
    wanted: ConfiguredDataset, interval: Interval, start: Instant, end: Instant, source: str
) -> NewTask:
    rows = wanted.rows((0, 1)) if len(wanted.calendar) else 1
    share = min(1.0, (end - start) / (86_400 * 1_000_000))
    return NewTask(
        dataset=interval.dataset,
        instrument=interval.instrument,
        symbol=interval.symbol,
        first=interval.session,
        last=interval.session,
        kind="GAP",
        purpose=f"interval {interval.interval_id}",
        interval_id=interval.interval_id,
        start=start,
        end=end,
        eligible_sources=(source,),
        expected_rows=max(1, int(rows * share)),
    )


def fill(
    context: NodeContext, stored: StoredFetch, frame: pl.DataFrame, spoiled: Collection[str | None] = ()
) -> RepairedIntervals:
    """What a narrow fetch has brought: rows of its span become a part, and are held against what was captured in it. Of
    symbols that are `spoiled` (None: the symbol is unknown) rows were rejected, so that the answer verifies nothing."""
    fetch = stored.record.fetch
    wanted = context.wanted[fetch.dataset]
    start, end = compare.moment(fetch.start), compare.moment(fetch.end)
    rows = frame.filter((pl.col("ts") >= start) & (pl.col("ts") < end))
    if wanted.dataset.grain == "minute" and stored.end is not None:
        # The newest bar of an answer is mostly unfinished; the stream will deliver it whole.
        rows = rows.filter(pl.col("ts") < compare.moment(stored.end.ended_at - MINUTE - compare.EDGE))
    out = RepairedIntervals(answered_at=compare.answered(stored))
    complete_through = stored.complete_through()
    by_instrument = {
        stored.record.instruments[symbol]: symbol
        for symbol in fetch.symbols
        if (through := complete_through.get(symbol)) is not None and through >= fetch.last
    }
    rows = rows.filter(pl.col("instrument").is_in(list(by_instrument)))
    asked_of = _intervals_of(context, stored)
    days = [
        day
        for instrument in asked_of
        if (day := context.ledger.streams.day(fetch.source, fetch.dataset, instrument, fetch.first))
    ]
    captured_rows = compare.captured_of(context, fetch.source, wanted, days) if days else {}
    for instrument, interval_id in asked_of.items():
        if instrument not in by_instrument or not {None, by_instrument[instrument]}.isdisjoint(spoiled):
            continue
        there = captured_rows.get((instrument, fetch.first), compare.nothing(wanted))
        history = rows.filter(pl.col("instrument") == instrument)
        # The answer knows nothing of what came after it, and may wait to be sealed while the stream goes on.
        until = min(fetch.end, out.answered_at)
        comparison = compare.held_against(context, fetch.source, there, history, wanted, fetch.start, until)
        out.decided.append((interval_id, comparison))
    if rows.height:
        key = layout.folder_key(wanted.dataset.raw_folder, fetch.first)
        given_back = rows.with_columns(
            pl.lit(None, dtype=dtype("nanos")).alias(EXTRA[0]),
            pl.lit(captured.delivery(stored.record.fetch_id), dtype=pl.UInt32).alias(EXTRA[1]),
        )
        out.drafts.append(
            draft(context, fetch.source, wanted, key, given_back, evidence=stored.record.fetch_id)
        )
    return out


def decide(context: NodeContext, filled: RepairedIntervals, now: Instant) -> None:
    """Note what the intervals have turned out to be; inside a transaction."""
    ends = {interval.interval_id: interval.end for interval in context.ledger.intervals.find(state="filling")}
    for interval_id, comparison in filled.decided:
        if ends.get(interval_id, 0) > filled.answered_at:
            context.ledger.intervals.decide(interval_id, "unverified", "", now=now)  # to be asked again
            continue
        # What was captured and is not in history stays visible: one of the two is wrong.
        state: IntervalState = "verified" if comparison.proves else "unverified"
        context.ledger.intervals.decide(interval_id, state, comparison.sentence, now=now)


def give_up(context: NodeContext, now: Instant) -> None:
    """Intervals whose task has ended without an answer cannot be verified; inside a transaction."""
    for interval in context.ledger.intervals.find(state="filling"):
        task = context.ledger.tasks.for_interval(interval.interval_id)
        if task is None or task.state in ("unobtainable", "cancelled", "done", "stalled"):
            reason = task.last_error if task else ""
            context.ledger.intervals.decide(
                interval.interval_id, "unverifiable", reason or "history gave no answer", now=now
            )


def close_days(context: NodeContext, source: str, now: Instant) -> None:
    """Sessions that are over and about which this source will not be asked: it has no history of them, so that what was
    captured is all there is, or another source has answered already. Inside a transaction."""
    for day in context.ledger.streams.open_days(source):
        wanted = context.wanted.get(day.dataset)
        last = known.last_wanted(wanted, now) if wanted else None
        if wanted is None or last is None or day.session > last:
            continue
        never = wanted.live_only or context.feeds[source].capability(day.dataset) is None
        if never or context.ledger.coverage.answered_by_others(
            day.dataset, day.instrument, source, day.session
        ):
            context.ledger.streams.never_compared(day, now=now)


def expire(context: NodeContext, now: Instant) -> None:
    """Remove sealed journals whose sessions history has confirmed long enough ago, once every place of [sync] has them; the parts made of them are replaced as
    soon as it has."""
    _forget_gone(context, now)
    for path in context.layout.captured_files(layout.SEALED):
        known = context.ledger.captures.get(path.stem)
        confirmed = context.ledger.captures.confirmed_at(known) if known else None
        if known and confirmed is not None and known.source in context.feeds:
            with context.ledger.write():
                retire(context, known, now)
        over = confirmed is not None and confirmed + context.rules.keep_messages <= now
        needed = known is None or consumers.wanted(context, path, known.source, now)
        if known and over and not needed and sent.file(context, path):
            files.remove(path)
            with context.ledger.write():
                context.ledger.captures.forget(known.file)


def _forget_gone(context: NodeContext, now: Instant) -> None:
    """Captures whose journal was removed by a run that was killed before it had noted so."""
    there = {
        path.stem
        for ending in (layout.JOURNAL, layout.SEALED)
        for path in context.layout.captured_files(ending)
    }
    for capture in context.ledger.captures.all():
        if capture.file not in there:
            confirmed = context.ledger.captures.confirmed_at(capture)
            if confirmed is not None and confirmed + context.rules.keep_messages <= now:
                with context.ledger.write():
                    context.ledger.captures.forget(capture.file)


def retire(context: NodeContext, capture: CapturedSpan, now: Instant) -> None:
    """Parts of a journal whose every session has its own answer by now are replaced by that; inside a transaction."""
    for part in context.ledger.catalogue.by_ids(capture.parts):
        if context.ledger.streams.answered(part.source, part.dataset, part.cells):
            context.ledger.catalogue.withdraw(part.part_id, now=now)


def _intervals_of(context: NodeContext, stored: StoredFetch) -> dict[str, int]:
    """The interval of each instrument that a fetch is about."""
    by_instrument = {}
    for task_id in stored.record.tasks:
        task = context.ledger.tasks.get(task_id)
        if task and task.interval_id is not None:
            by_instrument[task.instrument] = task.interval_id
    return by_instrument


def draft(
    context: NodeContext,
    source: str,
    wanted: ConfiguredDataset,
    key: str,
    frame: pl.DataFrame,
    *,
    evidence: str,
) -> Draft:
    """A raw part of captured rows."""
    return drafts.write(
        context,
        wanted,
        frame,
        layer="raw",
        folder=key,
        source=source,
        origin="captured",
        metadata={
            "schema_version": str(wanted.dataset.schema.version),
            "source": source,
            "journal": evidence,
            "software": f"fulltape {VERSION}",
        },
        whole=True,
    )
