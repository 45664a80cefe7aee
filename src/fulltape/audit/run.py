"""Reads coverage, decides what is missing, and enqueues tasks for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from fulltape.audit import plan
from fulltape.core import ranges, series
from fulltape.core.series import Series
from fulltape.core.time import Clock, Instant
from fulltape.ledger.queue import NewTask
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
    all_series = {}
    for done, one in enumerate(known.read(stores, wanted, now), start=1):
        all_series[one.instrument.instrument] = one
        shown = series.picture(one, busy=series.is_busy(one))
        for name in counts:
            counts[name] += ranges.size(getattr(shown, name))
        gaps = plan.gaps(one, wanted.calendar, wanted.dataset.raw_folder)
        found.extend((gap.span[0], _task(gap, wanted)) for gap in gaps)
        progress(Event(stage="audit", done=done, total=len(wanted.instruments), unit=wanted.dataset.name))
    # By window first, so that tasks which follow each other share their sessions and make few requests.
    found.sort(key=lambda pair: (pair[0], pair[1].instrument))
    added = stores.ledger.queue.enqueue([task for _, task in found], now=now)
    _settle_pointless(stores, wanted, all_series, now)
    return added


def _settle_pointless(stores: Stores, wanted: Wanted, all_series: Mapping[str, Series], now: Instant) -> None:
    """End queued tasks that no source is left to answer."""
    queue = stores.ledger.queue
    refusals = queue.refusals()
    for task in queue.open(wanted.dataset.name):
        one = all_series.get(task.instrument)
        if task.state != "queued" or one is None:
            continue
        span = (wanted.calendar.between(task.first, task.last),)
        if plan.hopeless(one, span, refused=refusals.get(task.task_id, set())):
            held = ranges.union(*(known_of.present for known_of in one.known.values()))
            if ranges.subtract(span, held):
                error = task.last_error or "no source may serve it"
                queue.finish(task.task_id, task.attempt, "unobtainable", now=now, error=error)
            else:
                queue.finish(task.task_id, task.attempt, "done", now=now)


def _cancel_unwanted(stores: Stores, now: Instant) -> None:
    """End queued tasks of datasets and instruments that the settings no longer name."""
    for task in stores.ledger.queue.open():
        wanted = stores.wanted.get(task.dataset)
        if task.state == "queued" and (wanted is None or task.instrument not in wanted.instruments):
            stores.ledger.queue.finish(
                task.task_id, task.attempt, "cancelled", now=now, error="no longer wanted"
            )


def _task(gap: plan.Gap, wanted: Wanted) -> NewTask:
    return NewTask(
        dataset=wanted.dataset.name,
        instrument=gap.instrument,
        symbol=gap.symbol,
        first=wanted.calendar.label(gap.span[0]),
        last=wanted.calendar.label(gap.span[1] - 1),
        kind=gap.kind,
    )
