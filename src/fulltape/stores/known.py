"""Reads from the ledger what is known of every series; several stages and the reader decide by it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping

from fulltape.core import ranges, series
from fulltape.core.cell import FactKind
from fulltape.core.ranges import Range, Ranges
from fulltape.core.series import Series
from fulltape.core.time import Instant
from fulltape.ledger.eligibility import ANY
from fulltape.stores import Stores, Wanted


def read(stores: Stores, wanted: Wanted, now: Instant) -> Iterator[Series]:
    """Every series of a dataset with what is known of it, in the order of the universe."""
    facts: dict[str, dict[str, list[tuple[FactKind, bool, Range]]]] = {}
    for fact in stores.ledger.coverage.of_dataset(wanted.dataset.name):
        span = wanted.calendar.between(fact.first, fact.last)
        facts.setdefault(fact.instrument, {}).setdefault(fact.source, []).append(
            (fact.fact, fact.sound, span)
        )
    opened: dict[str, list[Range]] = {}
    # A stalled task stands for its sessions until somebody retries it: a new one would fail just as often.
    for task in (
        *stores.ledger.queue.open(wanted.dataset.name),
        *stores.ledger.queue.stalled(wanted.dataset.name),
    ):
        opened.setdefault(task.instrument, []).append(wanted.calendar.between(task.first, task.last))
    last = last_wanted(wanted, now)
    barred = forbidden(stores, now)
    for name, instrument in wanted.instruments.items():
        by_source = facts.get(name, {})
        yield Series(
            instrument=instrument,
            wanted=series.life(instrument, wanted.calendar, wanted.first, last) if last else ranges.EMPTY,
            known={source: series.known(spans) for source, spans in by_source.items()},
            servable=servable(stores, wanted, name, barred, now),
            open=ranges.normalise(opened.get(name, [])),
        )


def last_wanted(wanted: Wanted, now: Instant) -> dt.date | None:
    """The newest session that is wanted and final, None while there is none."""
    final = wanted.final_until(now)
    if final == 0:
        return None
    last = wanted.calendar.label(final - 1)
    return min(last, wanted.until) if wanted.until else last


def servable(
    stores: Stores, wanted: Wanted, instrument: str, barred: set[tuple[str, str, str]], now: Instant
) -> Mapping[str, Ranges]:
    """By source in order of preference, the positions that it may be asked for."""
    if instrument not in wanted.instruments:
        return {}
    name, calendar = wanted.dataset.name, wanted.calendar
    out = {}
    for source in wanted.sources:
        if (source, name, ANY) in barred:
            continue
        serves = ranges.normalise(
            [calendar.between(stores.feeds[source].first_day(name, now), calendar.known_to)]
        )
        for dated in wanted.instruments[instrument].symbols:
            if (source, name, dated.symbol) in barred:
                spelled = calendar.between(
                    dated.first or calendar.known_from, dated.last or calendar.known_to
                )
                serves = ranges.subtract(serves, ranges.normalise([spelled]))
        if serves:
            out[source] = serves
    return out


def forbidden(stores: Stores, now: Instant) -> set[tuple[str, str, str]]:
    """(source, dataset, symbol or '*') that must not be asked for now."""
    return {
        (one.source, one.dataset, one.symbol) for one in stores.ledger.eligibility.all() if one.forbids(now)
    }
