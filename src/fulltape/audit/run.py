"""Reads coverage, decides what is missing, and enqueues tasks for it."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from fulltape.audit import plan
from fulltape.core import ranges, series
from fulltape.core.ranges import Range, Ranges
from fulltape.core.series import Series
from fulltape.core.time import Clock, Instant
from fulltape.ledger.task import AGAIN, LAST, NewTask, Task
from fulltape.stores import Event, Progress, Stores, Wanted, known, silent, universes, unwanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Cells by availability and the tasks that were enqueued."""

    wanted: int
    held: int
    partial: int
    empty: int
    unobtainable: int
    unknown_listing: int
    missing: int
    tasks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Incremental:
    """What an incremental audit looked at, and the tasks that were enqueued."""

    series: int
    tasks: int


STAGE = "audit"
_FEW = 500
"""Of fewer series the queued tasks are read one by one, of more all at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Left:
    """By source the positions that it could still answer for; `whole` names them if each could answer for all that is
    open, as takers are stored."""

    by_source: Mapping[str, Ranges]
    whole: str


def run_once(stores: Stores, clock: Clock, progress: Progress = silent) -> Report:
    """Audit every dataset, end tasks that have become pointless, and enqueue what is missing and not asked for."""
    now = clock.now()
    counts = dict.fromkeys((field.name for field in dataclasses.fields(Report) if field.name != "tasks"), 0)
    tasks = 0
    with stores.stage(STAGE, clock):
        batch = _new_batch(stores)
        for wanted in stores.wanted.values():
            if not wanted.instruments:
                words = f"{wanted.title} wants nobody: its universe is empty (see fulltape symbols)"
                progress(Event(stage=STAGE, sentence=words))
            # One transaction: what is known, what is open and what is enqueued must belong together.
            with stores.ledger.write():
                _alone(stores, wanted)
                tasks += _audit(stores, wanted, counts, batch, now, progress)
                _looked_at(stores, wanted, now)
        with stores.ledger.write():
            unwanted.cancel(stores, now)
            universes.snapshot(stores, now)
    return Report(tasks=tasks, **counts)


def run_incremental(stores: Stores, clock: Clock, progress: Progress = silent) -> Incremental:
    """Audit only what may have changed since the last audit: series about which something was recorded, sessions that
    have become final, and evidence that has expired. What the settings ask anew of a dataset is audited in full."""
    now = clock.now()
    looked, tasks = 0, 0
    with stores.stage(STAGE, clock):
        batch = _new_batch(stores)
        with stores.ledger.write():
            unwanted.cancel(stores, now)
        for name, wanted in stores.wanted.items():
            with stores.ledger.write():
                _alone(stores, wanted)
                before = stores.ledger.bookmark(STAGE, name)
                if not before or stores.ledger.bookmark(STAGE, f"{name} settings") != _settings(wanted):
                    tasks += _audit(stores, wanted, {}, batch, now, silent)
                    looked += len(wanted.instruments)
                else:
                    more, added = _audit_changes(stores, wanted, before, batch, now)
                    looked, tasks = looked + more, tasks + added
                _looked_at(stores, wanted, now)
            progress(Event(stage=STAGE, done=looked, total=looked, unit=name))
    return Incremental(series=looked, tasks=tasks)


def _audit_changes(stores: Stores, wanted: Wanted, before: int, batch: int, now: Instant) -> tuple[int, int]:
    """Audit the series touched, and of the others the sessions from position `before` on."""
    touched = set(stores.ledger.coverage.touched(wanted.dataset.name)) & set(wanted.instruments)
    found, left = _gaps_of(known.read(stores, wanted, now, touched), wanted)
    _settle_pointless(stores, wanted, left, now)
    looked = len(touched)
    if wanted.final_until(now) > before:
        fresh = (
            one
            for one in known.recent(stores, wanted, now, before)
            if one.instrument.instrument not in touched
        )
        found += _gaps_of(fresh, wanted, newest=before)[0]
        looked = len(wanted.instruments)
    return looked, _enqueue(stores, wanted, found, batch, now) + _ask_again(stores, wanted, batch, now)


def _alone(stores: Stores, wanted: Wanted) -> None:
    """Nobody records facts about the dataset while it is audited: what is known and what is open belong together."""
    for source in sorted(wanted.sources):
        stores.ledger.database.lock(f"coverage {wanted.dataset.name} {source}")


def _settings(wanted: Wanted) -> int:
    """A number that changes when the settings ask for something else."""
    listed = sorted((name, repr(one.symbols)) for name, one in wanted.instruments.items())
    return zlib.crc32(repr((wanted.first, wanted.until, tuple(wanted.sources), listed)).encode())


def _new_batch(stores: Stores) -> int:
    with stores.ledger.write():
        return stores.ledger.queue.new_batch()


def _looked_at(stores: Stores, wanted: Wanted, now: Instant) -> None:
    stores.ledger.coverage.forget_touched(wanted.dataset.name)
    stores.ledger.set_bookmark(STAGE, wanted.dataset.name, wanted.final_until(now))
    stores.ledger.set_bookmark(STAGE, f"{wanted.dataset.name} settings", _settings(wanted))


def _audit(
    stores: Stores, wanted: Wanted, counts: dict[str, int], batch: int, now: Instant, progress: Progress
) -> int:
    def counted() -> Iterator[Series]:
        for done, one in enumerate(known.read(stores, wanted, now), start=1):
            shown = series.picture(one)
            for name in counts:
                counts[name] += ranges.size(getattr(shown, name))
            progress(Event(stage=STAGE, done=done, total=len(wanted.instruments), unit=wanted.dataset.name))
            yield one

    found, left = _gaps_of(counted(), wanted)
    _settle_pointless(stores, wanted, left, now)
    return _enqueue(stores, wanted, found, batch, now) + _ask_again(stores, wanted, batch, now)


def _gaps_of(
    found: Iterable[Series], wanted: Wanted, *, newest: int | None = None
) -> tuple[list[plan.Gap], dict[str, _Left]]:
    """What to ask for, by window first, so that tasks which follow each other share their sessions; and by instrument
    what each source could still answer."""
    gaps: list[plan.Gap] = []
    left: dict[str, _Left] = {}
    for one in found:
        whole = tuple(source for source, where in one.left.items() if not ranges.subtract(one.open, where))
        left[one.instrument.instrument] = _Left(
            by_source=one.left, whole=",".join(whole) if len(whole) == len(one.left) else ""
        )
        gaps += plan.gaps(one, wanted.calendar, wanted.dataset.raw_folder, newest=newest)
    gaps.sort(key=lambda gap: (gap.span[0], gap.instrument))
    return gaps, left


def _enqueue(stores: Stores, wanted: Wanted, gaps: Sequence[plan.Gap], batch: int, now: Instant) -> int:
    return stores.ledger.queue.enqueue([_task(gap, wanted) for gap in gaps], now=now, batch=batch)


def _ask_again(stores: Stores, wanted: Wanted, batch: int, now: Instant) -> int:
    """Enqueue, after everything else, what only expired evidence says: emptiness and refusals."""
    name, calendar = wanted.dataset.name, wanted.calendar
    found = stores.ledger.coverage.expired(name, now=now)
    if not found:
        return 0
    opened: dict[str, list[Range]] = {}
    for instrument, first, last in stores.ledger.queue.spans(name, AGAIN):
        opened.setdefault(instrument, []).append(calendar.span_of(first, last))
    expired: dict[tuple[str, str], list[Range]] = {}
    for instrument, source, first, last in found:
        expired.setdefault((instrument, source), []).append(calendar.span_of(first, last))
    tasks = []
    for one in known.read(stores, wanted, now, {instrument for instrument, _ in expired}):
        instrument = one.instrument.instrument
        for source, servable in one.servable.items():
            spans = plan.again(
                one,
                servable,
                ranges.normalise(expired.get((instrument, source), [])),
                ranges.normalise(opened.get(instrument, [])),
            )
            for span in ranges.split_at(
                spans, plan.cuts(one.instrument, spans, calendar, wanted.dataset.raw_folder)
            ):
                symbol = one.instrument.symbol_on(calendar.label(span[0]))
                gap = plan.Gap(instrument=instrument, symbol=symbol, span=span, kind="GAP", takers=(source,))
                tasks.append(dataclasses.replace(_task(gap, wanted), purpose=AGAIN))
                opened.setdefault(instrument, []).append(span)
    return stores.ledger.queue.enqueue(tasks, now=now, batch=batch, priority=LAST)


def _settle_pointless(stores: Stores, wanted: Wanted, left: Mapping[str, _Left], now: Instant) -> None:
    """End queued tasks that no source is left to answer, and correct who is left to answer the others."""
    queue = stores.ledger.queue
    refusals = queue.refusals()
    suspects = set()
    corrected = {}
    few = list(left) if len(left) < _FEW else None
    for task_id, instrument, first, last, takers, purpose in queue.queued(wanted.dataset.name, few):
        if purpose != "fill" or instrument not in left:
            continue
        if takers and takers == left[instrument].whole:
            if task_id in refusals:
                suspects.add(instrument)
            continue
        span = wanted.calendar.span_of(first, last)
        able = tuple(
            source for source, where in left[instrument].by_source.items() if ranges.overlaps(where, span)
        )
        if not able or task_id in refusals:
            suspects.add(instrument)
        if able and ",".join(able) != takers:
            corrected[task_id] = able
    queue.set_takers(corrected)
    for one in known.read(stores, wanted, now, suspects) if suspects else ():
        for task in queue.queued_of(wanted.dataset.name, one.instrument.instrument):
            if task.purpose == "fill":
                _settle_if_pointless(stores, wanted, one, task, refusals.get(task.task_id, set()), now)


def _settle_if_pointless(
    stores: Stores, wanted: Wanted, one: Series, task: Task, refused: set[str], now: Instant
) -> None:
    span = (wanted.calendar.between(task.first, task.last),)
    if not plan.hopeless(one, span, refused=refused):
        return
    if ranges.subtract(span, one.held):
        error = task.last_error or "no source may serve it"
        stores.ledger.queue.finish(task.task_id, task.attempt, "unobtainable", now=now, error=error)
    else:
        stores.ledger.queue.finish(task.task_id, task.attempt, "done", now=now)


def _task(gap: plan.Gap, wanted: Wanted) -> NewTask:
    return NewTask(
        dataset=wanted.dataset.name,
        instrument=gap.instrument,
        symbol=gap.symbol,
        first=wanted.calendar.label(gap.span[0]),
        last=wanted.calendar.label(gap.span[1] - 1),
        kind=gap.kind,
        takers=gap.takers,
        expected_rows=wanted.rows(gap.span),
    )
