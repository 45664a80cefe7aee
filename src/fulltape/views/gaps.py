"""What is not there and should be: as ranges, and as a grid of instruments by months."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fulltape import errors
from fulltape.context import ConfiguredDataset, NodeContext, bulk_coverage, known
from fulltape.coverage import series
from fulltape.coverage.facts import CoverageFact
from fulltape.coverage.series import Picture, Series
from fulltape.ledger.eligibility import ANY
from fulltape.market import datasets, ranges
from fulltape.market.ranges import Range, Ranges
from fulltape.market.time import Instant, to_second, utc_date

_LISTED = 10
REASONS = ("missing", "partial", "unobtainable", "unknown_listing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Consecutive sessions of one instrument that are lacking for one reason, and what is done about it."""

    dataset: str
    instrument: str
    first: dt.date
    last: dt.date
    sessions: int
    reason: str
    next: str


def gaps(context: NodeContext, now: Instant, *, dataset: str = "", symbol: str = "") -> Iterator[Gap]:
    """Every gap, by dataset and instrument, the oldest first; of one dataset or symbol if asked."""
    for wanted, known_series, shown in _lacking(context, now, dataset, symbol):
        for reason in REASONS:
            where: Ranges = getattr(shown, reason)
            for span in ranges.split_at(where, [edge for opened in known_series.open for edge in opened]):
                yield Gap(
                    dataset=wanted.dataset.name,
                    instrument=known_series.instrument.instrument,
                    first=wanted.calendar.label(span[0]),
                    last=wanted.calendar.label(span[1] - 1),
                    sessions=span[1] - span[0],
                    reason=reason,
                    next=_next(context, wanted, known_series, span, reason, now),
                )


def pictures(
    context: NodeContext, now: Instant, *, dataset: str = "", symbol: str = "", all_series: bool = False
) -> Mapping[str, list[tuple[str, Picture]]]:
    """By dataset the instruments that lack something, or all of them, with their pictures."""
    by_dataset: dict[str, list[tuple[str, Picture]]] = {}
    if all_series:
        for name, wanted in context.wanted.items():
            if dataset in ("", name):
                some = set(named(wanted, symbol)) if symbol else wanted.instruments.keys()
                drawn = bulk_coverage.pictures(context, wanted, now)
                by_dataset[name] = [
                    (instrument.instrument, shown)
                    for instrument, shown in drawn
                    if instrument.instrument in some
                ]
        return {name: some for name, some in by_dataset.items() if some}
    for wanted, known_series, shown in _lacking(context, now, dataset, symbol):
        if any(getattr(shown, reason) for reason in REASONS):
            by_dataset.setdefault(wanted.dataset.name, []).append((known_series.instrument.instrument, shown))
    return by_dataset


def listed(context: NodeContext, dataset: str, symbol: str) -> bool:
    """Whether any universe has the symbol; of one dataset if asked."""
    return any(named(wanted, symbol) for name, wanted in context.wanted.items() if dataset in ("", name))


def named(wanted: ConfiguredDataset, symbol: str) -> list[str]:
    """The instruments that are or were known by a symbol."""
    return [
        instrument.instrument
        for instrument in wanted.instruments.values()
        if symbol == instrument.instrument or any(dated.symbol == symbol for dated in instrument.symbols)
    ]


def series_of(context: NodeContext, dataset: str, symbol: str) -> tuple[ConfiguredDataset, str]:
    """A dataset of the node, and the instrument of it that is or was known by a symbol; `UsageError` where it is not just one."""
    wanted = context.wanted.get(datasets.get(dataset).name)
    if wanted is None:
        raise errors.UsageError(
            f"this node does not have {dataset}.", hint=f"It has {', '.join(sorted(context.wanted))}."
        )
    names = named(wanted, symbol)
    if len(names) != 1:
        known_as = f"is the symbol of {', '.join(names)}" if names else "is not in its universe"
        listed = sorted(wanted.instruments)
        raise errors.UsageError(
            f"{symbol} {known_as}.",
            hint=f"It has {', '.join(listed[:_LISTED])}{'' if len(listed) <= _LISTED else ', …'}.",
        )
    return wanted, names[0]


def _lacking(
    context: NodeContext, now: Instant, dataset: str, symbol: str
) -> Iterator[tuple[ConfiguredDataset, Series, Picture]]:
    """Series that may lack something."""
    for name, wanted in context.wanted.items():
        if dataset and name != dataset:
            continue
        some = (
            known.read(context, wanted, now, named(wanted, symbol))
            if symbol
            else bulk_coverage.lacking(context, wanted, now)
        )
        for known_series in some:
            yield wanted, known_series, series.picture(known_series)


def _next(
    context: NodeContext,
    wanted: ConfiguredDataset,
    known_series: Series,
    span: Range,
    reason: str,
    now: Instant,
) -> str:
    """What happens next with it, or what it waits for."""
    if ranges.overlaps(known_series.open, span):
        return "queued"
    left = [source for source, where in known_series.left.items() if ranges.overlaps(where, span)]
    if left:
        return f"the next audit asks {', '.join(left)}"
    if not any(ranges.overlaps(known_of.answered, span) for known_of in known_series.known.values()):
        first = wanted.calendar.label(span[0])
        answers = [
            f"{source} {asked(context, wanted, known_series, source, first, now)}"
            for source in wanted.sources
        ]
        return "; ".join(answers) or "no source serves it"
    if doubt := known_series.doubt(span[0]):
        again = _again(context, wanted, known_series, span, now, doubted=True)
        return f"{doubt}; {again}, or say that it is right: fulltape accept"
    if reason == "unknown_listing":
        return "no source has rows; give its listed_from (universe.csv, or fulltape symbols import)"
    if ranges.overlaps(known_series.spoiled, span):
        return "rows came and were rejected: see fulltape status"
    return f"{_said(context, wanted, known_series, span)}; {_again(context, wanted, known_series, span, now, doubted=False)}"


def _facts(
    context: NodeContext, wanted: ConfiguredDataset, known_series: Series, span: Range
) -> list[CoverageFact]:
    """What sources said of it, but for rows."""
    first, last = wanted.calendar.label(span[0]), wanted.calendar.label(span[1] - 1)
    return [
        fact
        for fact in context.ledger.coverage.of_series(wanted.dataset.name, known_series.instrument.instrument)
        if fact.fact in ("empty", "refused") and fact.first <= last and fact.last >= first
    ]


def _said(context: NodeContext, wanted: ConfiguredDataset, known_series: Series, span: Range) -> str:
    reasons = {fact.source: fact.reason for fact in _facts(context, wanted, known_series, span)}
    return (
        "; ".join(f"{source}: {reason or 'no rows'}" for source, reason in reasons.items()) or "no rows came"
    )


def _again(
    context: NodeContext,
    wanted: ConfiguredDataset,
    known_series: Series,
    span: Range,
    now: Instant,
    *,
    doubted: bool,
) -> str:
    """When a source is asked again of its own accord."""
    facts = [
        (fact.again_at, fact.source)
        for fact in _facts(context, wanted, known_series, span)
        if (doubted or not fact.settled)
        and ranges.overlaps(known_series.servable.get(fact.source, ranges.EMPTY), span)
    ]
    if not facts:
        return "it is not asked again; another source may have it"
    at, source = min(facts)
    return (
        f"the next audit asks {source} again"
        if at <= now
        else f"{source} is asked again after {utc_date(at)}"
    )


def asked(
    context: NodeContext,
    wanted: ConfiguredDataset,
    known_series: Series,
    source: str,
    session: dt.date,
    now: Instant,
) -> str:
    """Whether a source may be asked for a cell, and if not, why and until when."""
    name = wanted.dataset.name
    if context.feeds[source].capability(name) is None:
        return "has no history of it: it exists live only"
    first = context.feeds[source].first_day(name, now)
    if session < first:
        return (
            f"serves from {first} on"
            if first.year < dt.MAXYEAR
            else "has it not in the files that were taken in"
        )
    for symbol in (known_series.instrument.symbol_on(session), ANY):
        known_of = context.ledger.eligibility.of(source, name, symbol)
        if known_of and known_of.forbids(now):
            return f"is skipped until {to_second(known_of.until)}: {known_of.state} ({known_of.reason})"
    return "may be asked"
