"""Reads from the ledger what the dispatcher decides by."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from fulltape.backfill.plan import Candidate, Capacity
from fulltape.core.time import Instant
from fulltape.ledger.queue import Task
from fulltape.stores import Feed, Stores, Wanted


def candidate(stores: Stores, task: Task) -> Candidate:
    """A task as the planner sees it."""
    wanted = stores.wanted[task.dataset]
    start, stop = wanted.calendar.between(task.first, task.last)
    if wanted.dataset.grain == "day":
        rows = stop - start
    else:
        rows = sum(wanted.calendar.expected_minutes(position) for position in range(start, stop))
    return Candidate(
        task_id=task.task_id,
        dataset=task.dataset,
        instrument=task.instrument,
        symbol=task.symbol,
        first=task.first,
        last=task.last,
        rows=rows,
    )


def capacity(stores: Stores, source: str, feed: Feed) -> dict[str, Capacity]:
    """What one request of a source carries, by dataset that is wanted from it."""
    out = {}
    for name, wanted in stores.wanted.items():
        serves = feed.serves(name)
        if serves is not None and source in wanted.sources:
            out[name] = Capacity(
                symbols_per_request=serves.symbols_per_request, rows_per_page=serves.rows_per_page
            )
    return out


def known_symbols(stores: Stores, source: str, wanted: Wanted, symbols: tuple[str, ...]) -> frozenset[str]:
    """Symbols that this source has shown to exist: by a reference answer, or by rows of their instrument."""
    confirmed = {
        one.symbol for one in stores.ledger.eligibility.all() if one.source == source and one.state == "ok"
    }
    with_rows = {
        fact.instrument
        for fact in stores.ledger.coverage.of_dataset(wanted.dataset.name)
        if fact.source == source and fact.fact in ("present", "partial")
    }
    spelled = {
        dated.symbol
        for name in with_rows
        if name in wanted.instruments
        for dated in wanted.instruments[name].symbols
    }
    return frozenset(symbol for symbol in symbols if symbol in confirmed or symbol in spelled)


def asked(stores: Stores, source: str, tasks: Sequence[Task], now: Instant) -> tuple[dt.date, dt.date]:
    """The sessions to ask for: those of the tasks, and for a gap one more on either side.

    Silence about a session proves something only if the same answer carries rows beside it; the neighbours cost no
    further request. They lie inside the life of every instrument asked for and inside the source's history.
    """
    first, last = tasks[0].first, tasks[0].last
    if tasks[0].kind != "GAP":
        return first, last
    wanted = stores.wanted[tasks[0].dataset]
    start, stop = wanted.calendar.between(first, last)
    before, after = max(0, start - 1), min(stop, len(wanted.calendar) - 1)
    earlier, later = wanted.calendar.label(before), wanted.calendar.label(after)
    if earlier < max(wanted.first, stores.feeds[source].first_day(tasks[0].dataset, now)):
        earlier = first
    if (wanted.until and later > wanted.until) or wanted.final_at(after) > now:
        later = last
    for task in tasks:
        spelled = [dated for dated in wanted.instruments[task.instrument].symbols if dated.covers(first)]
        earlier = earlier if spelled and spelled[0].covers(earlier) else first
        later = later if spelled and spelled[0].covers(later) else last
    return earlier, later
