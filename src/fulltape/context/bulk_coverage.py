"""Reads from the ledger what is known of all series of a dataset at once, as segments: what audits decide by."""

from __future__ import annotations

import datetime as dt
import itertools
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from fulltape.context import ConfiguredDataset, NodeContext, known
from fulltape.coverage import segments, series, silence
from fulltape.coverage.segments import Segments, SeriesOnAxis
from fulltape.coverage.series import Picture, Series
from fulltape.market import ranges
from fulltape.market.instruments import Instrument
from fulltape.market.ranges import Ranges
from fulltape.market.time import Instant

if TYPE_CHECKING:
    import polars as pl


FEW = 500
"""So many series are read one by one, more all at once; and so many are laid on one axis at a time: their number bounds
the memory."""


def read(
    context: NodeContext,
    wanted: ConfiguredDataset,
    now: Instant,
    *,
    only: Collection[str] | None = None,
    start: int = 0,
) -> Iterator[Segments]:
    """The series of a dataset in the order of the universe, `only` some of them, with what is known of their sessions
    from position `start` on; many series at a time."""
    since = wanted.calendar.label(start) if start else None
    listed = list(_listed(context, wanted, now, since, only))
    facts: dict[str, list[tuple[str, ...]]] = {}
    opened: dict[str, list[tuple[str, ...]]] = {}
    for fact in _facts(context, wanted, listed, since):
        facts.setdefault(fact[0], []).append(fact)
    for span in _open(context, wanted, listed, since):
        opened.setdefault(span[0], []).append(span)
    along, sources = segments.axis(wanted.calendar), tuple(known.serving(context, wanted, now))
    for at in range(0, len(listed), FEW):
        some = listed[at : at + FEW]
        numbers = {on_axis.instrument.instrument: number for number, on_axis in enumerate(some)}
        yield segments.lay(
            some,
            _frame(facts, numbers, ("source", "fact")),
            _frame(opened, numbers, ()),
            along,
            sources,
            events=wanted.dataset.expectation == "events",
            votes=wanted.dataset.votes,
        )


def whole(context: NodeContext, wanted: ConfiguredDataset, now: Instant) -> Mapping[str, Ranges]:
    """Instruments that lack nothing, with their wanted positions: every one of these is held whole. They are by far the most,
    and nothing else needs to be known of them."""
    last = known.last_wanted(wanted, now)
    calendar = wanted.calendar
    # Where sources vote, one that has rows is not enough.
    spans = () if wanted.dataset.votes else context.ledger.coverage.held(wanted.dataset.name)
    held = {name: texts for name, *texts in spans}
    lives: dict[tuple[dt.date | None, dt.date | None], tuple[Ranges, str, str]] = {}
    lacks_nothing = {}
    for name, instrument in wanted.instruments.items():
        listing = instrument.listed_from, instrument.listed_to
        if listing not in lives:
            life = series.life(instrument, calendar, wanted.first, last) if last else ranges.EMPTY
            days = [day.isoformat() for span in life for day in wanted.days(span)]
            lives[listing] = (life, days[0], days[-1]) if days else (life, "", "")
        life, begins, ends = lives[listing]
        if not life or (name in held and _covers(held[name], life, (begins, ends), wanted)):
            lacks_nothing[name] = life
    return lacks_nothing


def _covers(texts: Sequence[str], life: Ranges, days: tuple[str, str], wanted: ConfiguredDataset) -> bool:
    """Whether spans (their first and their last days in a text each) hold a life, from its first session to its last."""
    spans = list(zip(*(text.split(",") for text in texts), strict=True))
    if any(start <= days[0] and stop >= days[1] for start, stop in spans):
        return True
    held = ranges.normalise(wanted.calendar.span_of(first, last) for first, last in spans)
    return not ranges.subtract(life, held)


def lacking(context: NodeContext, wanted: ConfiguredDataset, now: Instant) -> Iterator[Series]:
    """Series of which not every wanted session is held whole, in the order of the universe."""
    rest = wanted.instruments.keys() - whole(context, wanted, now).keys()
    return _judged(context, wanted, now, rest)


def pictures(
    context: NodeContext, wanted: ConfiguredDataset, now: Instant
) -> Iterator[tuple[Instrument, Picture]]:
    """Every series of a dataset in ranges, in the order of the universe."""
    lacks_nothing = whole(context, wanted, now)
    rest = [name for name in wanted.instruments if name not in lacks_nothing]
    judged: dict[str, Picture] = {}
    some = iter(rest)
    for name, instrument in wanted.instruments.items():
        if name in lacks_nothing:
            yield instrument, series.nothing_lacks(lacks_nothing[name])
            continue
        if name not in judged:
            # Some at a time: what is known of all of them at once takes more memory than a small machine has to give.
            names = set(itertools.islice(some, FEW))
            read_now = known.read(context, wanted, now, names)
            judged = {known_of.instrument.instrument: series.picture(known_of) for known_of in read_now}
        yield instrument, judged[name]


def _judged(
    context: NodeContext, wanted: ConfiguredDataset, now: Instant, names: Collection[str]
) -> Iterator[Series]:
    only = names if len(names) <= FEW else None
    return (
        incomplete
        for incomplete in known.read(context, wanted, now, only)
        if incomplete.instrument.instrument in names
    )


def sizes(context: NodeContext, wanted: ConfiguredDataset, now: Instant) -> Mapping[str, int]:
    """How many wanted sessions of a dataset are in each state of `series.Picture`."""
    lacks_nothing = whole(context, wanted, now)
    rest = wanted.instruments.keys() - lacks_nothing.keys()
    counts = Counter(sizes_of_whole(lacks_nothing.values()))
    if len(rest) <= FEW:  # without polars, which takes longer to import than these to read
        for incomplete in known.read(context, wanted, now, rest):
            counts.update(series.sizes(series.picture(incomplete)))
    else:
        for table in read(context, wanted, now, only=rest):
            counts.update(sizes_of(context, wanted, table, now))
    return counts


def sizes_of_whole(lives: Iterable[Ranges]) -> Mapping[str, int]:
    """The same of series that lack nothing."""
    return series.sizes(series.nothing_lacks(ranges.EMPTY)) | dict.fromkeys(
        ("wanted", "held"), sum(map(ranges.size, lives))
    )


def sizes_of(
    context: NodeContext, wanted: ConfiguredDataset, table: Segments, now: Instant
) -> Mapping[str, int]:
    """The same of the series of one table. Those with silent sessions, or with a user's decision, are few and judged one by
    one."""
    numbers = {on_axis.instrument.instrument: at for at, on_axis in enumerate(table.listed)}
    apart = {
        *table.silent_series(),
        *(numbers[name] for name in known.accepted(context, wanted) if name in numbers),
    }
    counts = Counter(table.sizes(sorted(apart)))
    if apart:
        names = [table.listed[at].instrument.instrument for at in sorted(apart)]
        for judged in known.read(context, wanted, now, names):
            counts.update(series.sizes(series.picture(judged)))
    return counts


def _listed(
    context: NodeContext,
    wanted: ConfiguredDataset,
    now: Instant,
    since: dt.date | None,
    only: Collection[str] | None,
) -> Iterator[SeriesOnAxis]:
    last = known.last_wanted(wanted, now)
    first = max(wanted.first, since) if since else wanted.first
    barred, served = known.forbidden(context, now), known.serving(context, wanted, now)
    lives: dict[tuple[dt.date | None, dt.date | None], Ranges] = {}
    for name, instrument in wanted.instruments.items():
        if only is None or name in only:
            listing = instrument.listed_from, instrument.listed_to
            if listing not in lives:
                lives[listing] = (
                    series.life(instrument, wanted.calendar, first, last) if last else ranges.EMPTY
                )
            servable = known.servable(wanted, name, served, barred)
            yield SeriesOnAxis(instrument=instrument, wanted=lives[listing], servable=servable)


def _facts(
    context: NodeContext, wanted: ConfiguredDataset, listed: Sequence[SeriesOnAxis], since: dt.date | None
) -> Iterable[tuple[str, ...]]:
    coverage, name = context.ledger.coverage, wanted.dataset.name
    if len(listed) > FEW:
        return coverage.packed(name, since)
    return (
        (
            on_axis.instrument.instrument,
            source,
            "sound" if fact == "empty" and proof & silence.SOUND else fact,
            first,
            last,
        )
        for on_axis in listed
        for source, fact, proof, first, last in coverage.spans_of(name, on_axis.instrument.instrument)
    )


def _open(
    context: NodeContext, wanted: ConfiguredDataset, listed: Sequence[SeriesOnAxis], since: dt.date | None
) -> Iterable[tuple[str, ...]]:
    """Open tasks. A stalled one stands for its sessions until the user retries it: a new one would fail just as often."""
    tasks, name = context.ledger.tasks, wanted.dataset.name
    if len(listed) > FEW:
        return tasks.packed(name, since)
    return (
        (on_axis.instrument.instrument, *span)
        for on_axis in listed
        for span in tasks.spans_of(name, on_axis.instrument.instrument)
    )


def _frame(
    rows: dict[str, list[tuple[str, ...]]], numbers: Mapping[str, int], keys: Sequence[str]
) -> pl.DataFrame:
    """Packed rows as a frame with a row for each span, under the numbers of their series. They are taken out of `rows`:
    what is laid needs its memory."""
    import polars as pl

    lists = ("first", "last")
    packed = [(number, *row[1:]) for name, number in numbers.items() for row in rows.pop(name, ())]
    types = {"series": pl.Int64, **dict.fromkeys([*keys, *lists], pl.String)}
    frame = pl.DataFrame(packed, schema=types, orient="row")
    return frame.with_columns(pl.col(lists).str.split(",")).explode(lists)
