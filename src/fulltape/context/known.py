"""Reads from the ledger what is known of every series; several stages and the reader decide by it."""

from __future__ import annotations

import bisect
import datetime as dt
import functools
import statistics
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

from fulltape.context import ConfiguredDataset, NodeContext
from fulltape.coverage import series
from fulltape.coverage.cell import FactKind
from fulltape.coverage.series import Series
from fulltape.coverage.silence import Around
from fulltape.ledger.eligibility import ANY
from fulltape.market import datasets, ranges
from fulltape.market.dataset import Dataset
from fulltape.market.ranges import Range, Ranges
from fulltape.market.time import Instant


def read(
    context: NodeContext, wanted: ConfiguredDataset, now: Instant, only: Collection[str] | None = None
) -> Iterator[Series]:
    """Every series of a dataset with what is known of it, in the order of the universe; `only` some instruments."""
    facts, opened = _everything(context, wanted) if only is None else _some(context, wanted, only)
    last = last_wanted(wanted, now)
    barred, served = forbidden(context, now), serving(context, wanted, now)
    decided = accepted(context, wanted)
    peers, others = _Peers(context, wanted), _tell_trades(context, wanted.dataset)
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
            votes=wanted.dataset.votes,
            accepted=decided.get(name, ranges.EMPTY),
            around=Around(
                prior=wanted.dataset.density,
                peers=functools.partial(peers.density, name),
                siblings=functools.partial(_siblings, context, wanted, others, name),
            ),
        )


def accepted(context: NodeContext, wanted: ConfiguredDataset) -> dict[str, Ranges]:
    """By instrument the positions whose silence the user has decided to accept."""
    decided: dict[str, Ranges] = {}
    for acceptance in context.ledger.acceptances.of_dataset(wanted.dataset.name):
        span = ranges.normalise([wanted.calendar.between(acceptance.first, acceptance.last)])
        before = decided.get(acceptance.instrument, ranges.EMPTY)
        decided[acceptance.instrument] = (
            ranges.subtract(before, span) if acceptance.revoked else ranges.union(before, span)
        )
    return decided


_SAMPLE = 40
"""So many other instruments stand for all of them."""
_FEWEST_PEERS = 5


class _Peers:
    """How dense other instruments' rows are, read when first asked for."""

    def __init__(self, context: NodeContext, wanted: ConfiguredDataset) -> None:
        self._context = context
        self._wanted = wanted
        self._told = functools.cache(self._read)

    def density(self, instrument: str, source: str, span: Range) -> float | None:
        """The median share of answered sessions of a span in which other instruments have rows at a source; None with
        fewer than five that were answered for in half of it."""
        if not self._wanted.dataset.peers:
            return None
        peers, lacking = self._told(source)
        # Where fewer than half of them lack anything, the one in the middle lacks nothing.
        if len(peers) > _FEWEST_PEERS and 2 * (lacking.overlapping(span) + 1) < len(peers):
            return 1.0
        # Sessions that the source lacks for all symbols say nothing about one of them.
        alive = ranges.union(*(ranges.clip(rows, *span) for peer, rows, _ in peers if peer != instrument))
        shares = []
        for peer, rows, answered in peers:
            within = ranges.size(ranges.intersect(answered, alive))
            if peer != instrument and within and 2 * within >= span[1] - span[0]:
                shares.append(ranges.size(ranges.clip(rows, *span)) / within)
        return statistics.median(shares) if len(shares) >= _FEWEST_PEERS else None

    def _read(self, source: str) -> tuple[list[tuple[str, Ranges, Ranges]], _Spans]:
        names = sorted(self._wanted.instruments, key=lambda name: (zlib.crc32(name.encode()), name))[:_SAMPLE]
        peers = []
        for name in names:
            spans = [
                (fact, proof, self._wanted.calendar.span_of(first, last))
                for of, fact, proof, first, last in self._context.ledger.coverage.spans_of(
                    self._wanted.dataset.name, name
                )
                if of == source
            ]
            evidence = series.known(spans)
            peers.append((name, ranges.union(evidence.present, evidence.partial), evidence.answered))
        everything: Ranges = ((0, len(self._wanted.calendar)),)
        return peers, _Spans(span for _, rows, _ in peers for span in ranges.subtract(everything, rows))


class _Spans:
    """Spans that may overlap each other, counted quickly."""

    def __init__(self, spans: Iterable[Range]) -> None:
        all_spans = list(spans)
        self._starts = sorted(start for start, _ in all_spans)
        self._stops = sorted(stop for _, stop in all_spans)

    def overlapping(self, span: Range) -> int:
        """How many overlap a span."""
        return bisect.bisect_left(self._starts, span[1]) - bisect.bisect_right(self._stops, span[0])


def _tell_trades(context: NodeContext, dataset: Dataset) -> list[str]:
    """Other datasets, of which something is known, whose rows say that an instrument of this one was traded: bars and
    trades of the same class over the same sessions."""
    names = []
    for name, declared in datasets.DATASETS.items():
        other = context.wanted[name].dataset if name in context.wanted else declared
        traded = {"price", "close"}.intersection(other.schema.names)
        alike = other.asset_class is dataset.asset_class and other.calendar == dataset.calendar
        if alike and traded and name != dataset.name and dataset.expectation != "events":
            names.append(name)
    streams = context.ledger.streams
    return [name for name in names if context.ledger.coverage.knows(name) or streams.knows(name)]


def _siblings(
    context: NodeContext, wanted: ConfiguredDataset, others: Sequence[str], instrument: str
) -> Ranges:
    """Positions in which other datasets of bars or trades hold rows of the same instrument, or any has captured some."""
    spans = []
    for name in (wanted.dataset.name, *others):
        spans += [
            wanted.calendar.between(day, day) for day in context.ledger.streams.captured(name, instrument)
        ]
    for other in others:
        for _, fact, _, first, last in context.ledger.coverage.spans_of(other, instrument):
            if fact in ("present", "partial"):
                spans.append(wanted.calendar.span_of(first, last))
    return ranges.normalise(spans)


_Facts = dict[str, dict[str, list[tuple[FactKind, int, Range]]]]


def _everything(context: NodeContext, wanted: ConfiguredDataset) -> tuple[_Facts, dict[str, list[Range]]]:
    """Facts and open tasks of all series of a dataset."""
    name, span_of = wanted.dataset.name, wanted.calendar.span_of
    facts = _gathered(context.ledger.coverage.spans(name), wanted)
    # A stalled task stands for its sessions until the user retries it: a new one would fail just as often.
    opened: dict[str, list[Range]] = {}
    for instrument, start, stop in context.ledger.tasks.spans(name):
        opened.setdefault(instrument, []).append(span_of(start, stop))
    return facts, opened


def _some(
    context: NodeContext, wanted: ConfiguredDataset, only: Collection[str]
) -> tuple[_Facts, dict[str, list[Range]]]:
    """Facts and open tasks of some series."""
    name, span_of = wanted.dataset.name, wanted.calendar.span_of
    rows = (
        (instrument, *row)
        for instrument in only
        for row in context.ledger.coverage.spans_of(name, instrument)
    )
    opened = {
        instrument: [span_of(*span) for span in context.ledger.tasks.spans_of(name, instrument)]
        for instrument in only
    }
    return _gathered(rows, wanted), opened


def _gathered(rows: Iterable[tuple[str, str, FactKind, int, str, str]], wanted: ConfiguredDataset) -> _Facts:
    """Facts as stored, by instrument and source."""
    span_of = wanted.calendar.span_of
    facts: _Facts = {}
    for instrument, source, fact, proof, start, stop in rows:
        by_source = facts.setdefault(instrument, {})
        by_source.setdefault(source, []).append((fact, proof, span_of(start, stop)))
    return facts


def last_wanted(wanted: ConfiguredDataset, now: Instant) -> dt.date | None:
    """The newest session that is wanted and final, None while there is none."""
    final = wanted.final_until(now)
    if final == 0:
        return None
    last = wanted.calendar.label(final - 1)
    return min(last, wanted.until) if wanted.until else last


def serving(context: NodeContext, wanted: ConfiguredDataset, now: Instant) -> Mapping[str, Ranges]:
    """By source in order of preference, the positions that it has of a dataset."""
    name, calendar = wanted.dataset.name, wanted.calendar
    return {
        source: ranges.normalise(
            [calendar.between(context.feeds[source].first_day(name, now), calendar.known_to)]
        )
        for source in wanted.sources
        if context.feeds[source].capability(name) is not None
    }


def servable(
    wanted: ConfiguredDataset,
    instrument: str,
    served: Mapping[str, Ranges],
    barred: AbstractSet[tuple[str, str, str]],
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


def forbidden(context: NodeContext, now: Instant) -> set[tuple[str, str, str]]:
    """(source, dataset, symbol or '*') that must not be asked for now."""
    return {
        (eligibility.source, eligibility.dataset, eligibility.symbol)
        for eligibility in context.ledger.eligibility.all()
        if eligibility.forbids(now)
    }
