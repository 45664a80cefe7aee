"""Reads coverage, decides what is missing, and enqueues tasks for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from fulltape.audit import plan
from fulltape.core import ranges, series
from fulltape.core.ranges import Ranges
from fulltape.core.series import Series
from fulltape.core.time import Clock, Instant
from fulltape.ledger.queue import NewTask, Task
from fulltape.stores import Event, Progress, Stores, Wanted, known, silent


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


def run_once(stores: Stores, clock: Clock, progress: Progress = silent) -> Report:
    """Audit every dataset, end tasks that have become pointless, and enqueue what is missing and not asked for."""
    now = clock.now()
    counts = dict.fromkeys((field.name for field in dataclasses.fields(Report) if field.name != "tasks"), 0)
    tasks = 0
    with stores.stage("audit", clock):
        for wanted in stores.wanted.values():
            # One transaction: what is known, what is open and what is enqueued must belong together.
            with stores.ledger.write():
                tasks += _audit(stores, wanted, counts, now, progress)
        with stores.ledger.write():
            _cancel_unwanted(stores, now)
    return Report(tasks=tasks, **counts)


def _audit(stores: Stores, wanted: Wanted, counts: dict[str, int], now: Instant, progress: Progress) -> int:
    found: list[tuple[int, NewTask]] = []
    askable = {}
    for done, one in enumerate(known.read(stores, wanted, now), start=1):
        askable[one.instrument.instrument] = series.to_ask(one)
        shown = series.picture(one, busy=series.is_busy(one))
        for name in counts:
            counts[name] += ranges.size(getattr(shown, name))
        gaps = plan.gaps(one, wanted.calendar, wanted.dataset.raw_folder)
        found.extend((gap.span[0], _task(gap, wanted)) for gap in gaps)
        progress(Event(stage="audit", done=done, total=len(wanted.instruments), unit=wanted.dataset.name))
    # By window first, so that tasks which follow each other share their sessions and make few requests.
    found.sort(key=lambda pair: (pair[0], pair[1].instrument))
    added = stores.ledger.queue.enqueue([task for _, task in found], now=now)
    _settle_pointless(stores, wanted, askable, now)
    return added


def _settle_pointless(stores: Stores, wanted: Wanted, askable: Mapping[str, Ranges], now: Instant) -> None:
    """End queued tasks that no source is left to answer; `askable` are the positions that some source could."""
    queue = stores.ledger.queue
    refusals = queue.refusals()
    suspects = {
        instrument
        for task_id, instrument, first, last in queue.queued(wanted.dataset.name)
        if instrument in askable
        and (
            task_id in refusals
            or not ranges.overlaps(askable[instrument], wanted.calendar.span_of(first, last))
        )
    }
    if not suspects:
        return
    for one in known.read(stores, wanted, now):
        if one.instrument.instrument in suspects:
            for task in queue.queued_of(wanted.dataset.name, one.instrument.instrument):
                _settle_if_pointless(stores, wanted, one, task, refusals.get(task.task_id, set()), now)


def _settle_if_pointless(
    stores: Stores, wanted: Wanted, one: Series, task: Task, refused: set[str], now: Instant
) -> None:
    span = (wanted.calendar.between(task.first, task.last),)
    if not plan.hopeless(one, span, refused=refused):
        return
    held = ranges.union(*(known_of.present for known_of in one.known.values()))
    if ranges.subtract(span, held):
        error = task.last_error or "no source may serve it"
        stores.ledger.queue.finish(task.task_id, task.attempt, "unobtainable", now=now, error=error)
    else:
        stores.ledger.queue.finish(task.task_id, task.attempt, "done", now=now)


def _cancel_unwanted(stores: Stores, now: Instant) -> None:
    """End queued tasks of datasets and instruments that the settings no longer name."""
    queue = stores.ledger.queue
    for dataset, instrument in queue.queued_series():
        wanted = stores.wanted.get(dataset)
        if wanted is None or instrument not in wanted.instruments:
            for task in queue.queued_of(dataset, instrument):
                queue.finish(task.task_id, task.attempt, "cancelled", now=now, error="no longer wanted")


def _task(gap: plan.Gap, wanted: Wanted) -> NewTask:
    return NewTask(
        dataset=wanted.dataset.name,
        instrument=gap.instrument,
        symbol=gap.symbol,
        first=wanted.calendar.label(gap.span[0]),
        last=wanted.calendar.label(gap.span[1] - 1),
        kind=gap.kind,
    )
