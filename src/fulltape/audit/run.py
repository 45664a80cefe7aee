"""Reads coverage, decides what is missing, and enqueues tasks for it."""

from __future__ import annotations

from dataclasses import dataclass

from fulltape.audit import plan
from fulltape.core import ranges, series
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
    """Audit every dataset and enqueue what is missing and not yet asked for."""
    now = clock.now()
    counts = dict.fromkeys(
        ("wanted", "held", "partial", "empty", "unobtainable", "unknown_listing", "missing"), 0
    )
    tasks = 0
    with stores.stage("audit", clock):
        for wanted in stores.wanted.values():
            found: list[tuple[int, NewTask]] = []
            for done, one in enumerate(known.read(stores, wanted, now), start=1):
                shown = series.picture(one, busy=series.is_busy(one))
                for name in counts:
                    counts[name] += ranges.size(getattr(shown, name))
                gaps = plan.gaps(one, wanted.calendar, wanted.dataset.raw_folder)
                found.extend((gap.span[0], _task(gap, wanted)) for gap in gaps)
                progress(
                    Event(stage="audit", done=done, total=len(wanted.instruments), unit=wanted.dataset.name)
                )
            # By window first, so that tasks which follow each other share their sessions and make few requests.
            found.sort(key=lambda pair: (pair[0], pair[1].instrument))
            with stores.ledger.write():
                tasks += stores.ledger.queue.enqueue([task for _, task in found], now=now)
        settle_hopeless(stores, now)
    return Report(tasks=tasks, **counts)


def settle_hopeless(stores: Stores, now: Instant) -> int:
    """End queued tasks that no source may be asked for any more; returns how many."""
    ended = 0
    with stores.ledger.write():
        barred = known.forbidden(stores, now)
        for name, wanted in stores.wanted.items():
            for task in stores.ledger.queue.open(name):
                span = wanted.calendar.between(task.first, task.last)
                sources = known.servable(stores, wanted, task.instrument, barred, now)
                if task.state == "queued" and not any(
                    ranges.intersect((span,), where) for where in sources.values()
                ):
                    error = task.last_error or "no source may serve it"
                    stores.ledger.queue.finish(
                        task.task_id, task.attempt, "unobtainable", now=now, error=error
                    )
                    ended += 1
    return ended


def _task(gap: plan.Gap, wanted: Wanted) -> NewTask:
    return NewTask(
        dataset=wanted.dataset.name,
        instrument=gap.instrument,
        symbol=gap.symbol,
        first=wanted.calendar.label(gap.span[0]),
        last=wanted.calendar.label(gap.span[1] - 1),
        kind=gap.kind,
    )
