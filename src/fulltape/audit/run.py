"""Reads coverage, decides what is missing, and enqueues tasks for it."""

from __future__ import annotations

import dataclasses
import operator
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from fulltape.audit import plan, recheck
from fulltape.context import (
    ConfiguredDataset,
    Event,
    NodeContext,
    Progress,
    bulk_coverage,
    cancel,
    known,
    silent,
    universes,
)
from fulltape.context.jobs import StageReport
from fulltape.coverage.segments import Segments
from fulltape.coverage.series import Series
from fulltape.ledger.task import AGAIN, LAST, NewTask, Task
from fulltape.market import ranges
from fulltape.market.ranges import Range
from fulltape.market.time import Clock, Instant
from fulltape.schedule.rules import Trigger


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport(StageReport):
    """Cells by availability and the tasks that were enqueued."""

    wanted: int
    held: int
    partial: int
    empty: int
    unobtainable: int
    unknown_listing: int
    missing: int
    tasks: int

    @property
    def complete(self) -> bool:
        """Whether every wanted cell is held or confirmed empty."""
        return not (self.missing or self.partial or self.unobtainable or self.unknown_listing)

    @property
    def triggers(self) -> tuple[Trigger, ...]:
        """See `StageReport`."""
        return ("tasks",) if self.tasks else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Incremental(StageReport):
    """What an incremental audit looked at, and the tasks that were enqueued."""

    series: int
    tasks: int

    @property
    def triggers(self) -> tuple[Trigger, ...]:
        """See `StageReport`."""
        return ("tasks",) if self.tasks else ()


STAGE = "audit"
MOST_AGAIN = 1_000
"""So many tasks at most does an audit add for a dataset to ask again what was answered: the rest waits for the next."""
_AT_ONCE = 50
"""So many instruments are looked at at once for these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What an audit of some series has found.

    `whole`, by instrument, names as eligible sources are stored every source that may be asked, if each could answer for all that
    is open; `silent` is whether a source has said that there is nothing, or has refused.
    """

    tasks: Sequence[NewTask]
    whole: Mapping[str, str]
    silent: bool


def run_once(context: NodeContext, clock: Clock, progress: Progress = silent) -> AuditReport:
    """Audit every dataset, end tasks that have become pointless, and enqueue what is missing and not asked for."""
    now = clock.now()
    counts = dict.fromkeys(
        (field.name for field in dataclasses.fields(AuditReport) if field.name != "tasks"), 0
    )
    tasks = 0
    with context.stage(STAGE, clock):
        batch = _new_batch(context)
        for wanted in context.wanted.values():
            if not wanted.instruments:
                progress(Event(stage=STAGE, kind="no_symbols", fields={"dataset": wanted.title}))
            # One transaction: what is known, what is open and what is enqueued must belong together.
            with context.ledger.write():
                _alone(context, wanted)
                tasks += _audit(context, wanted, counts, batch, now, progress)
                _looked_at(context, wanted, now)
        with context.ledger.write():
            cancel.cancel(context, now)
            universes.snapshot(context, now)
    return AuditReport(tasks=tasks, **counts)


def run_incremental(context: NodeContext, clock: Clock, progress: Progress = silent) -> Incremental:
    """Audit only what may have changed since the last audit: series about which something was recorded, sessions that
    have become final, and evidence that has expired. What the settings ask anew of a dataset is audited in full."""
    now = clock.now()
    looked, tasks = 0, 0
    with context.stage(STAGE, clock):
        batch = _new_batch(context)
        with context.ledger.write():
            cancel.cancel(context, now)
        for name, wanted in context.wanted.items():
            with context.ledger.write():
                _alone(context, wanted)
                before = context.ledger.bookmark(STAGE, name)
                if not before or context.ledger.bookmark(STAGE, f"{name} settings") != _settings(wanted):
                    tasks += _audit(context, wanted, {}, batch, now, silent)
                    looked += len(wanted.instruments)
                else:
                    more, added = _audit_changes(context, wanted, before, batch, now)
                    looked, tasks = looked + more, tasks + added
                _looked_at(context, wanted, now)
            progress(Event(stage=STAGE, done=looked, total=looked, unit=name))
    return Incremental(series=looked, tasks=tasks)


def _audit_changes(
    context: NodeContext, wanted: ConfiguredDataset, before: int, batch: int, now: Instant
) -> tuple[int, int]:
    """Audit the series touched, and of the others the sessions from position `before` on."""
    touched = set(context.ledger.touched.of(wanted.dataset.name)) & set(wanted.instruments)
    audited = _found(bulk_coverage.read(context, wanted, now, only=touched), wanted)
    _settle_pointless(context, wanted, audited.whole, now)
    tasks, looked = list(audited.tasks), len(touched)
    if wanted.final_until(now) > before:
        since = wanted.calendar.label(before)
        others = {
            name
            for name, instrument in wanted.instruments.items()
            if name not in touched and (instrument.listed_to is None or instrument.listed_to >= since)
        }
        fresh = bulk_coverage.read(context, wanted, now, only=others, start=before)
        tasks += _found(fresh, wanted, newest=before).tasks
        looked = len(wanted.instruments)
    added = _enqueue(context, tasks, batch, now) + recheck.enqueue(context, wanted, batch, now)
    return looked, added + _ask_again(context, wanted, batch, now)


def _alone(context: NodeContext, wanted: ConfiguredDataset) -> None:
    """No facts about the dataset are recorded while it is audited: what is known and what is open belong together."""
    for source in sorted(wanted.sources):
        context.ledger.database.lock(f"coverage {wanted.dataset.name} {source}")


def _settings(wanted: ConfiguredDataset) -> int:
    """A number that changes when the settings ask for something else."""
    listed = sorted(
        f"{name} {dated.symbol} {dated.first} {dated.last}"
        for name, instrument in wanted.instruments.items()
        for dated in instrument.symbols
    )
    return zlib.crc32(repr((wanted.first, wanted.until, tuple(wanted.sources), listed)).encode())


def _new_batch(context: NodeContext) -> int:
    with context.ledger.write():
        return context.ledger.queue.new_batch()


def _looked_at(context: NodeContext, wanted: ConfiguredDataset, now: Instant) -> None:
    context.ledger.touched.forget(wanted.dataset.name)
    context.ledger.set_bookmark(STAGE, wanted.dataset.name, wanted.final_until(now))
    context.ledger.set_bookmark(STAGE, f"{wanted.dataset.name} settings", _settings(wanted))


def _audit(
    context: NodeContext,
    wanted: ConfiguredDataset,
    counts: dict[str, int],
    batch: int,
    now: Instant,
    progress: Progress,
) -> int:
    # Series that lack nothing and of which nothing is asked need no further look.
    settled = dict(bulk_coverage.whole(context, wanted, now))
    for instrument in {name for name, _, _ in context.ledger.tasks.spans(wanted.dataset.name)}:
        settled.pop(instrument, None)
    for name, size in bulk_coverage.sizes_of_whole(settled.values()).items():
        counts[name] = counts.get(name, 0) + size
    rest = wanted.instruments.keys() - settled.keys()

    def counted() -> Iterator[Segments]:
        done, total = len(settled), len(wanted.instruments)
        progress(Event(stage=STAGE, done=done, total=total, unit=wanted.dataset.name))
        for table in bulk_coverage.read(context, wanted, now, only=rest) if rest else ():
            for name, size in bulk_coverage.sizes_of(context, wanted, table, now).items():
                counts[name] = counts.get(name, 0) + size
            done += len(table.listed)
            progress(Event(stage=STAGE, done=done, total=total, unit=wanted.dataset.name))
            yield table

    audited = _found(counted(), wanted)
    _settle_pointless(context, wanted, audited.whole, now)
    tasks = _enqueue(context, audited.tasks, batch, now) + recheck.enqueue(context, wanted, batch, now)
    return tasks + (_ask_again(context, wanted, batch, now) if audited.silent else 0)


def _found(tables: Iterable[Segments], wanted: ConfiguredDataset, *, newest: int | None = None) -> _Found:
    """What to ask for, by window first, so that tasks which follow each other share their sessions."""
    tasks: list[NewTask] = []
    whole: dict[str, str] = {}
    silent = False
    for table in tables:
        for missing in table.missing():
            instrument = table.listed[missing.series].instrument
            end = table.newest.get(missing.series) if newest is None else newest
            gaps = plan.gaps(missing, instrument, wanted.calendar, wanted.dataset.raw_folder, newest=end)
            tasks += [_task(gap, wanted) for gap in gaps]
        for listed, able in zip(table.listed, table.whole(), strict=True):
            whole[listed.instrument.instrument] = ",".join(able)
        silent = silent or table.silent
    tasks.sort(key=operator.attrgetter("instrument"))
    tasks.sort(key=operator.attrgetter("first"))
    return _Found(tasks=tasks, whole=whole, silent=silent)


def _enqueue(context: NodeContext, tasks: Sequence[NewTask], batch: int, now: Instant) -> int:
    return context.ledger.queue.enqueue(tasks, now=now, batch=batch)


def _ask_again(context: NodeContext, wanted: ConfiguredDataset, batch: int, now: Instant) -> int:
    """Enqueue, after everything else, what only expired evidence says: emptiness and refusals."""
    name, calendar = wanted.dataset.name, wanted.calendar
    expired = context.ledger.coverage.expired(name, now=now)
    if not expired:
        return 0
    opened: dict[str, list[Range]] = {}
    for instrument, first, last in context.ledger.tasks.spans(name, AGAIN):
        opened.setdefault(instrument, []).append(calendar.span_of(first, last))
    by_name: dict[str, list[tuple[str, str, str, int]]] = {}
    for instrument, source, first, last, is_settled in expired:
        by_name.setdefault(instrument, []).append((source, first, last, is_settled))
    tasks: list[NewTask] = []
    # The oldest evidence first, and no more than a night can bear; what is all asked for already needs no reading.
    order = [name for name, rows in by_name.items() if not _all_open(rows, opened.get(name, []), wanted)]
    for at in range(0, len(order), _AT_ONCE):
        names = order[at : at + _AT_ONCE]
        for series in _ordered(known.read(context, wanted, now, set(names)), names):
            tasks += _again(series, wanted, by_name[series.instrument.instrument], opened)
        if len(tasks) >= MOST_AGAIN:
            break
    return context.ledger.queue.enqueue(tasks[:MOST_AGAIN], now=now, batch=batch, priority=LAST)


def _all_open(
    rows: Sequence[tuple[str, str, str, int]], opened: Sequence[Range], wanted: ConfiguredDataset
) -> bool:
    if not opened:
        return False
    spans = ranges.normalise(wanted.calendar.span_of(first, last) for _, first, last, _ in rows)
    return not ranges.subtract(spans, ranges.normalise(opened))


def _again(
    series: Series,
    wanted: ConfiguredDataset,
    evidence: Sequence[tuple[str, str, str, int]],
    opened: dict[str, list[Range]],
) -> Iterator[NewTask]:
    """What to ask each source again of one instrument; it is added to `opened`. Its `evidence` has expired: (source, first,
    last, whether it is settled)."""
    instrument = series.instrument.instrument
    expired: dict[str, list[Range]] = {}
    settled: dict[str, list[Range]] = {}
    for source, first, last, is_settled in evidence:
        where = settled if is_settled else expired
        where.setdefault(source, []).append(wanted.calendar.span_of(first, last))
    for source, servable in series.servable.items():
        due = plan.due(
            series,
            ranges.normalise(expired.get(source, [])),
            ranges.normalise(settled.get(source, [])),
        )
        spans = plan.again(series, servable, due, ranges.normalise(opened.get(instrument, [])))
        cuts = plan.cuts(series.instrument, spans, wanted.calendar, wanted.dataset.raw_folder)
        for span in ranges.split_at(spans, cuts):
            symbol = series.instrument.symbol_on(wanted.calendar.label(span[0]))
            gap = plan.MissingSessions(
                instrument=instrument, symbol=symbol, span=span, kind="GAP", eligible_sources=(source,)
            )
            yield dataclasses.replace(_task(gap, wanted), purpose=AGAIN)
            opened.setdefault(instrument, []).append(span)


def _ordered(many: Iterable[Series], order: Sequence[str]) -> list[Series]:
    place = {name: at for at, name in enumerate(order)}
    return sorted(many, key=lambda series: place[series.instrument.instrument])


def _settle_pointless(
    context: NodeContext, wanted: ConfiguredDataset, whole: Mapping[str, str], now: Instant
) -> None:
    """End queued tasks that no source is left to answer, and correct who is left to answer the others. `whole`, by
    instrument: who could answer all that is open."""
    tasks, name = context.ledger.tasks, wanted.dataset.name
    refusals = tasks.refusals()
    named, ready = tasks.eligible_sources(name), set(whole.values())
    if not refusals and (not named or (named == ready and len(ready) == 1 and "" not in ready)):
        return
    few = list(whole) if len(whole) < len(wanted.instruments) else None
    doubtful = [
        (task_id, instrument, first, last, eligible_sources)
        for task_id, instrument, first, last, eligible_sources, purpose in tasks.queued(name, few)
        if purpose == "fill"
        and instrument in whole
        and (not eligible_sources or eligible_sources != whole[instrument] or task_id in refusals)
    ]
    concerned = {instrument for _, instrument, *_ in doubtful}
    # One by one only where they are few: each costs two statements.
    only = concerned if len(concerned) <= bulk_coverage.FEW else None
    by_name = {series.instrument.instrument: series for series in known.read(context, wanted, now, only)}
    suspects = set()
    corrected = {}
    for task_id, instrument, first, last, eligible_sources in doubtful:
        span = wanted.calendar.span_of(first, last)
        left = by_name[instrument].left
        able = tuple(source for source, where in left.items() if ranges.overlaps(where, span))
        if not able or task_id in refusals:
            suspects.add(instrument)
        if able and ",".join(able) != eligible_sources:
            corrected[task_id] = able
    context.ledger.queue.set_eligible_sources(corrected)
    for instrument in sorted(suspects):
        for task in tasks.queued_of(name, instrument):
            if task.purpose == "fill":
                refused = refusals.get(task.task_id, set())
                _settle_if_pointless(context, wanted, by_name[instrument], task, refused, now)


def _settle_if_pointless(
    context: NodeContext,
    wanted: ConfiguredDataset,
    series: Series,
    task: Task,
    refused: set[str],
    now: Instant,
) -> None:
    span = (wanted.calendar.between(task.first, task.last),)
    if not plan.hopeless(series, span, refused=refused):
        return
    if ranges.subtract(span, series.held):
        error = task.last_error or "no source may serve it"
        context.ledger.queue.finish(task.task_id, task.attempt, "unobtainable", now=now, error=error)
    else:
        context.ledger.queue.finish(task.task_id, task.attempt, "done", now=now)


def _task(gap: plan.MissingSessions, wanted: ConfiguredDataset) -> NewTask:
    return NewTask(
        dataset=wanted.dataset.name,
        instrument=gap.instrument,
        symbol=gap.symbol,
        first=wanted.calendar.label(gap.span[0]),
        last=wanted.calendar.label(gap.span[1] - 1),
        kind=gap.kind,
        eligible_sources=gap.eligible_sources,
        expected_rows=wanted.rows(gap.span),
    )
