"""Asks sources again about sessions that they have answered, some time after these were final: vendors restate.

Each wait of `recheck` has a bookmark: how many sessions of the calendar are due for it. Sessions that have become due since are asked
for once, from every source that has shown rows of them and has not been asked since they were due. What was final before a wait was
first set is left alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from fulltape.audit import plan
from fulltape.context import ConfiguredDataset, NodeContext
from fulltape.coverage.facts import LATER
from fulltape.ledger.task import NewTask
from fulltape.market import ranges
from fulltape.market.ranges import Range, Ranges
from fulltape.market.time import Instant

_STAGE = "recheck"
_Series = tuple[str, str]
"""An instrument and a source."""


def enqueue(context: NodeContext, wanted: ConfiguredDataset, batch: int, now: Instant) -> int:
    """Enqueue what is due, inside the audit's transaction; returns how many tasks."""
    _forget_other_waits(context, wanted)
    if not wanted.recheck:
        return 0
    due = _by_waits(context, wanted, now)
    for series, spans in _to_confirm(context, wanted, now).items():
        due[series] = ranges.union(due.get(series, ranges.EMPTY), spans)
    opened = {source: _open(context, wanted, source) for source in wanted.sources}
    tasks = [
        task
        for (instrument, source), spans in sorted(due.items())
        if instrument in wanted.instruments and source in wanted.sources
        for task in _tasks(
            wanted,
            instrument,
            source,
            ranges.subtract(spans, opened[source].get(instrument, ranges.EMPTY)),
        )
    ]
    return context.ledger.queue.enqueue(tasks, now=now, batch=batch)


def _forget_other_waits(context: NodeContext, wanted: ConfiguredDataset) -> None:
    """A wait that is set anew begins anew."""
    mine = {_log(wanted, wait) for wait in wanted.recheck}
    for log in context.ledger.bookmarks(_STAGE):
        if log.rpartition(" ")[0] == wanted.dataset.name and log not in mine:
            context.ledger.drop_bookmark(_STAGE, log)


def _log(wanted: ConfiguredDataset, wait: int) -> str:
    return f"{wanted.dataset.name} {wait}"


def _by_waits(context: NodeContext, wanted: ConfiguredDataset, now: Instant) -> dict[_Series, Ranges]:
    """What has become due by the waits."""
    windows = {wait: window for wait in wanted.recheck if (window := _due(context, wanted, wait, now))}
    if not windows:
        return {}
    first = min(start for start, _ in windows.values())
    answered = _answered(context, wanted, windows)
    return {
        series: ranges.union(
            *(
                ranges.subtract(ranges.intersect(spans, (window,)), answered[wait].get(series, ranges.EMPTY))
                for wait, window in windows.items()
            )
        )
        for series, spans in _held(context, wanted, first).items()
    }


def _to_confirm(context: NodeContext, wanted: ConfiguredDataset, now: Instant) -> Mapping[_Series, Ranges]:
    """What was restated by more than a little, and is asked for until an answer confirms it: after about a day, and again after twice as
    long each time."""
    restatements = context.ledger.restatements
    beyond = context.rules.thresholds.restated
    due: dict[_Series, list[Range]] = defaultdict(list)
    asked = []
    for each in restatements.unconfirmed(wanted.dataset.name, beyond=beyond):
        since = max(each.at, each.asked_at)
        if now - since >= max(LATER, since - each.at):
            due[each.instrument, each.source].append(wanted.calendar.between(each.session, each.session))
            asked.append(each)
    restatements.asked(wanted.dataset.name, asked, now=now)
    return {series: ranges.normalise(spans) for series, spans in due.items()}


def _due(context: NodeContext, wanted: ConfiguredDataset, wait: int, now: Instant) -> Range | None:
    """The sessions that have become due for a wait since the last look; none at the first."""
    log = _log(wanted, wait)
    stop = wanted.final_until(now - wait)
    start = context.ledger.bookmark(_STAGE, log)
    if stop > start:
        context.ledger.set_bookmark(_STAGE, log, stop)
    return (start, stop) if 0 < start < stop else None


def _held(context: NodeContext, wanted: ConfiguredDataset, first: int) -> Mapping[_Series, Ranges]:
    """The sessions from a position on of which each source has shown rows."""
    calendar = wanted.calendar
    held: dict[_Series, Ranges] = defaultdict(lambda: ranges.EMPTY)
    packed = context.ledger.coverage.packed(wanted.dataset.name, calendar.label(first))
    for instrument, source, fact, firsts, lasts in packed:
        if fact in ("present", "partial"):
            spans = (
                calendar.span_of(*days) for days in zip(firsts.split(","), lasts.split(","), strict=True)
            )
            held[instrument, source] = ranges.union(held[instrument, source], ranges.normalise(spans))
    return held


def _answered(
    context: NodeContext, wanted: ConfiguredDataset, windows: Mapping[int, Range]
) -> Mapping[int, Mapping[_Series, Ranges]]:
    """By wait the sessions about which a source has answered since they were due."""
    calendar = wanted.calendar
    first = min(start for start, _ in windows.values())
    last = max(stop for _, stop in windows.values()) - 1
    parts = context.ledger.catalogue.current(
        "raw", wanted.dataset.name, first=calendar.label(first), last=calendar.label(last)
    )
    answered: dict[int, dict[_Series, Ranges]] = {wait: {} for wait in windows}
    for part in parts:
        if part.origin == "captured":
            continue
        for wait, window in windows.items():
            over = wanted.final_until(part.ingested_at - wait)
            since: Ranges = ((window[0], min(window[1], over)),) if over > window[0] else ranges.EMPTY
            if not since:
                continue
            for instrument, days in part.cells.items():
                spans = ranges.intersect(
                    ranges.normalise(calendar.between(begin, end) for begin, end in days), since
                )
                key = instrument, part.source
                answered[wait][key] = ranges.union(answered[wait].get(key, ranges.EMPTY), spans)
    return answered


def _purpose(source: str) -> str:
    """Of one session each source has a task of its own."""
    return f"recheck {source}"


def _open(context: NodeContext, wanted: ConfiguredDataset, source: str) -> Mapping[str, Ranges]:
    """What a source is to be asked again already."""
    opened: dict[str, list[Range]] = defaultdict(list)
    for instrument, first, last in context.ledger.tasks.asked_spans(wanted.dataset.name, _purpose(source)):
        opened[instrument].append(wanted.calendar.span_of(first, last))
    return {instrument: ranges.normalise(spans) for instrument, spans in opened.items()}


def _tasks(wanted: ConfiguredDataset, instrument: str, source: str, due: Ranges) -> Iterator[NewTask]:
    calendar, listed = wanted.calendar, wanted.instruments[instrument]
    for start, stop in ranges.split_at(due, plan.cuts(listed, due, calendar, wanted.dataset.raw_folder)):
        yield NewTask(
            dataset=wanted.dataset.name,
            instrument=instrument,
            symbol=listed.symbol_on(calendar.label(start)),
            first=calendar.label(start),
            last=calendar.label(stop - 1),
            kind="QC_PROBE",
            purpose=_purpose(source),
            eligible_sources=(source,),
            expected_rows=wanted.rows((start, stop)),
        )
