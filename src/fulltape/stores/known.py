"""Reads from the ledger what is known of every series; several stages and the reader decide by it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet

from fulltape.core import ranges, series
from fulltape.core.cell import FactKind
from fulltape.core.ranges import Range, Ranges
from fulltape.core.series import Series
from fulltape.core.time import Instant
from fulltape.ledger.eligibility import ANY
from fulltape.stores import Stores, Wanted


def read(
    stores: Stores, wanted: Wanted, now: Instant, only: Collection[str] | None = None
) -> Iterator[Series]:
    """Every series of a dataset with what is known of it, in the order of the universe; `only` some instruments."""
    facts, opened = _everything(stores, wanted) if only is None else _some(stores, wanted, only)
    last = last_wanted(wanted, now)
    barred, served = forbidden(stores, now), serving(stores, wanted, now)
    for name, listed in wanted.instruments.items():
        if only is not None and name not in only:
            continue
        by_source = facts.get(name, {})
        yield Series(
            instrument=listed,
            wanted=series.life(listed, wanted.calendar, wanted.first, last) if last else ranges.EMPTY,
            known={source: series.known(spans) for source, spans in by_source.items()},
            servable=servable(wanted, name, served, barred),
            open=ranges.normalise(opened.get(name, [])),
            events=wanted.dataset.expectation == "events",
        )


_Facts = dict[str, dict[str, list[tuple[FactKind, bool, Range]]]]


def _everything(stores: Stores, wanted: Wanted) -> tuple[_Facts, dict[str, list[Range]]]:
    """Facts and open tasks of all series of a dataset."""
    name, span_of = wanted.dataset.name, wanted.calendar.span_of
    facts = _gathered(stores.ledger.coverage.spans(name), wanted)
    # A stalled task stands for its sessions until somebody retries it: a new one would fail just as often.
    opened: dict[str, list[Range]] = {}
    for instrument, start, stop in stores.ledger.queue.spans(name):
        opened.setdefault(instrument, []).append(span_of(start, stop))
    return facts, opened


def _some(stores: Stores, wanted: Wanted, only: Collection[str]) -> tuple[_Facts, dict[str, list[Range]]]:
    """Facts and open tasks of some series."""
    name, span_of = wanted.dataset.name, wanted.calendar.span_of
    rows = (
        (instrument, *row) for instrument in only for row in stores.ledger.coverage.spans_of(name, instrument)
    )
    opened = {
        instrument: [span_of(*span) for span in stores.ledger.queue.spans_of(name, instrument)]
        for instrument in only
    }
    return _gathered(rows, wanted), opened


def _gathered(rows: Iterable[tuple[str, str, FactKind, int, str, str]], wanted: Wanted) -> _Facts:
    """Facts as stored, by instrument and source."""
    span_of = wanted.calendar.span_of
    facts: _Facts = {}
    for instrument, source, fact, sound, start, stop in rows:
        by_source = facts.setdefault(instrument, {})
        by_source.setdefault(source, []).append((fact, bool(sound), span_of(start, stop)))
    return facts


def last_wanted(wanted: Wanted, now: Instant) -> dt.date | None:
    """The newest session that is wanted and final, None while there is none."""
    final = wanted.final_until(now)
    if final == 0:
        return None
    last = wanted.calendar.label(final - 1)
    return min(last, wanted.until) if wanted.until else last


def serving(stores: Stores, wanted: Wanted, now: Instant) -> Mapping[str, Ranges]:
    """By source in order of preference, the positions that it has of a dataset."""
    name, calendar = wanted.dataset.name, wanted.calendar
    return {
        source: ranges.normalise(
            [calendar.between(stores.feeds[source].first_day(name, now), calendar.known_to)]
        )
        for source in wanted.sources
        if stores.feeds[source].serves(name) is not None
    }


def servable(
    wanted: Wanted, instrument: str, served: Mapping[str, Ranges], barred: AbstractSet[tuple[str, str, str]]
) -> Mapping[str, Ranges]:
    """By source in order of preference, the positions that it may be asked for: what is `served` less what is `barred`."""
    if instrument not in wanted.instruments:
        return {}
    if not barred:
        return served
    name, calendar = wanted.dataset.name, wanted.calendar
    out = {}
    for source, positions in served.items():
        if (source, name, ANY) in barred:
            continue
        left = positions
        for dated in wanted.instruments[instrument].symbols:
            if (source, name, dated.symbol) in barred:
                spelled = calendar.between(
                    dated.first or calendar.known_from, dated.last or calendar.known_to
                )
                left = ranges.subtract(left, ranges.normalise([spelled]))
        if left:
            out[source] = left
    return out


def forbidden(stores: Stores, now: Instant) -> set[tuple[str, str, str]]:
    """(source, dataset, symbol or '*') that must not be asked for now."""
    return {
        (one.source, one.dataset, one.symbol) for one in stores.ledger.eligibility.all() if one.forbids(now)
    }
