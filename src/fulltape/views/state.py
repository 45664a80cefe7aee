"""A node's state, read out for people and programs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from fulltape.context import ConfiguredDataset, NodeContext, bulk_coverage
from fulltape.coverage.series import Picture
from fulltape.lake import capture_state as state_file
from fulltape.market.time import Clock, Instant, iso, to_second, utc_date


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceState:
    """A source today: requests sent by outcome, its budgets, and what it may not be asked for."""

    source: str
    requests: int
    outcomes: dict[str, int]
    per_minute: int
    last_minute: int
    per_day: int
    today: int
    closed_until: str
    refusals: dict[str, str]


def pictures(context: NodeContext, now: Instant) -> Iterator[tuple[ConfiguredDataset, str, Picture]]:
    """Every series as ranges: (dataset as wanted, instrument, picture)."""
    for wanted in context.wanted.values():
        for instrument, shown in bulk_coverage.pictures(context, wanted, now):
            yield wanted, instrument.instrument, shown


HORIZON = dt.timedelta(days=60)
"""So long before a calendar ends this is said."""


def not_begun(context: NodeContext, now: Instant) -> list[str]:
    """Sentences on datasets that are wanted only from a day on that has not come."""
    return [
        f"{wanted.title} is wanted from {wanted.first} on, a day that has not come: nothing is fetched for it"
        for wanted in context.wanted.values()
        if wanted.first > utc_date(now)
    ]


def horizons(context: NodeContext, now: Instant) -> list[str]:
    """Sentences on datasets whose calendar ends soon, or has ended."""
    today = utc_date(now)
    sentences = []
    for wanted in context.wanted.values():
        calendar = wanted.calendar
        if (wanted.until and wanted.until <= calendar.known_to) or today + HORIZON <= calendar.known_to:
            continue
        over = "ended" if today > calendar.known_to else "ends"
        sentences.append(
            f"{wanted.title}: the calendar {calendar.name} {over} on {calendar.known_to}; of what comes after it nothing is "
            f"known or asked for (fulltape calendars refresh {calendar.name}, or a newer fulltape)"
        )
    return sentences


def beyond(context: NodeContext, now: Instant) -> tuple[str, ...]:
    """Datasets of which sessions are wanted that their calendar does not know."""
    today = utc_date(now)
    return tuple(
        name
        for name, wanted in context.wanted.items()
        if today > wanted.calendar.known_to
        and (wanted.until is None or wanted.until > wanted.calendar.known_to)
    )


def cells(context: NodeContext, now: Instant) -> dict[str, dict[str, int]]:
    """Number of cells by dataset and availability."""
    return {name: dict(bulk_coverage.sizes(context, wanted, now)) for name, wanted in context.wanted.items()}


def verdicts(context: NodeContext, now: Instant) -> dict[str, dict[str, int]]:
    """Number of curated cells that are wanted and final by dataset and verdict."""
    out: dict[str, dict[str, int]] = {}
    for name, wanted in context.wanted.items():
        counts = out.setdefault(name, {})
        begin, end = wanted.calendar.between(wanted.first, wanted.until or wanted.calendar.known_to)
        end = min(end, wanted.final_until(now))
        for said in context.ledger.verdicts.of_dataset(name):
            if said.instrument not in wanted.instruments:
                continue
            start, stop = wanted.calendar.between(said.first, said.last)
            many = min(stop, end) - max(start, begin)
            if many > 0:
                counts[said.verdict.value] = counts.get(said.verdict.value, 0) + many
    return out


def sources(context: NodeContext, clock: Clock) -> list[SourceState]:
    """Every source of the node."""
    now = clock.steady()
    by_outcome = context.ledger.requests.by_outcome()
    out = []
    for name, feed in context.feeds.items():
        outcomes = {row["outcome"]: int(row["requests"]) for row in by_outcome if row["source"] == name}
        budget = context.ledger.budgets.scope_state(feed.vendor, feed.limits, now=now)
        closed = budget["closed_until"]
        out.append(
            SourceState(
                source=name,
                requests=sum(outcomes.values()),
                outcomes=outcomes,
                per_minute=budget["per_minute"],
                last_minute=budget["last_minute"],
                per_day=feed.limits.per_day,
                today=sum(budget["today"]["requests_per_day"].values()),
                closed_until=iso(closed) if closed > now else "",
                refusals={
                    f"{_title(context, eligibility.dataset)} {eligibility.symbol}": f"{eligibility.state}: {eligibility.reason}"
                    for eligibility in context.ledger.eligibility.all()
                    if eligibility.source == name and eligibility.forbids(clock.now())
                },
            )
        )
    return out


def captured(context: NodeContext, now: Instant) -> str:
    """A sentence on live capture; '' where nothing is wanted live."""
    if not any(wanted.live for wanted in context.wanted.values()):
        return ""
    capture_state = state_file.read(context.layout.capture_state(context.capture_writer))
    if capture_state is None:
        return "capture: has never run (fulltape capture)"
    at = capture_state.at // 1_000
    if not capture_state.running or now - at > state_file.OLD:
        return f"capture: not running since {to_second(at)}"
    channels = [channel for source in capture_state.sources for channel in source.channels]
    live = sum(channel.live for channel in channels)
    why = "; ".join(f"{source.source}: {source.reason}" for source in capture_state.sources if source.reason)
    return f"capture: running, {live:,} of {len(channels):,} streams live{f' ({why})' if why else ''}"


def _title(context: NodeContext, dataset: str) -> str:
    return context.wanted[dataset].title if dataset in context.wanted else dataset


def fetched(context: NodeContext) -> dict[tuple[str, str], tuple[int, int]]:
    """Rows and parts that each source brought, by (source, dataset)."""
    out: dict[tuple[str, str], tuple[int, int]] = {}
    for part in context.ledger.catalogue.all_current("raw"):
        rows, parts = out.get((part.source, part.dataset), (0, 0))
        out[part.source, part.dataset] = (rows + part.rows, parts + 1)
    return dict(sorted(out.items()))
