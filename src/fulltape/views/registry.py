"""The registry read out: what each source serves, within which limits, and how it has done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from fulltape.context import ConfiguredSource, NodeContext
from fulltape.contract.streams import streamed
from fulltape.market import datasets
from fulltape.market.time import DAY, SECOND, Clock, iso, to_second


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedDataset:
    """A dataset of a source, and how it is asked for."""

    dataset: str
    wanted: bool
    history_from: str
    symbols_per_request: int
    rows_per_page: int
    final_after_s: int
    refused: Mapping[str, str]
    """Symbols ('*': all) that it must not be asked for now: why, and until when."""
    rechecked: int
    """About how many sessions of instruments it was asked again (`dataset.recheck`),"""
    restated: int
    """and how many of those it said otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A source in the registry; rates and times are those of the last day."""

    source: str
    vendor: str
    scope: str
    preference: float
    limits: Mapping[str, Any]
    learned_per_minute: int
    last_minute: int
    today: Mapping[str, int]
    """Requests today by kind."""
    closed_until: str
    breaker: str
    requests: int
    success: float | None
    latency_ms: float | None
    serves: tuple[ServedDataset, ...]
    streams: tuple[str, ...]
    """Datasets that it can be captured live for."""


def entries(context: NodeContext, clock: Clock) -> list[Entry]:
    """Every configured source, in order of preference."""
    return [_entry(context, feed, clock) for feed in context.feeds.values()]


def _entry(context: NodeContext, feed: ConfiguredSource, clock: Clock) -> Entry:
    name, now = feed.source.name, clock.steady()
    state = context.ledger.budgets.scope_state(feed.vendor, feed.limits, now=now)
    breaker = context.ledger.breakers.of(name)
    rows = [
        row for row in context.ledger.requests.by_outcome(since=clock.now() - DAY) if row["source"] == name
    ]
    requests = sum(int(row["requests"]) for row in rows)
    good = sum(int(row["requests"]) for row in rows if row["outcome"] not in ("transient", "malformed"))
    took = sum(row["requests"] * row["took_us"] for row in rows)
    limits = {key: value for key, value in asdict(feed.limits).items() if value}
    return Entry(
        source=name,
        vendor=feed.vendor,
        scope=feed.source.scope,
        preference=feed.preference,
        limits=limits,
        learned_per_minute=int(state["learned"]),
        last_minute=int(state["last_minute"]),
        today=state["today"]["requests_per_day"],
        closed_until=iso(state["closed_until"]) if state["closed_until"] > now else "",
        breaker=breaker.state
        + (f" until {to_second(breaker.until)}" if breaker.state != "closed" else "")
        + (f", {breaker.failures} fetches failed in a row: {breaker.reason}" if breaker.failures else ""),
        requests=requests,
        success=good / requests if requests else None,
        latency_ms=took / requests / (SECOND / 1_000) if requests else None,
        serves=tuple(_served(context, feed, dataset.dataset, clock) for dataset in feed.source.capabilities),
        streams=tuple(
            name
            for name, dataset in datasets.DATASETS.items()
            if streamed(context.vendors[feed.vendor], feed.source.name, dataset)
        ),
    )


def _served(context: NodeContext, feed: ConfiguredSource, dataset: str, clock: Clock) -> ServedDataset:
    capability = feed.capability(dataset)
    assert capability is not None
    wanted = context.wanted.get(dataset)
    rechecked, restated = context.ledger.restatements.counted(feed.source.name).get(dataset, (0, 0))
    return ServedDataset(
        dataset=dataset,
        wanted=wanted is not None and feed.source.name in wanted.sources,
        history_from=feed.first_day(dataset, clock.now()).isoformat(),
        symbols_per_request=capability.symbols_per_request,
        rows_per_page=capability.rows_per_page,
        final_after_s=capability.delay,
        refused={
            eligibility.symbol: f"{eligibility.state} ({eligibility.reason}) until {to_second(eligibility.until)}"
            for eligibility in context.ledger.eligibility.all()
            if eligibility.source == feed.source.name
            and eligibility.dataset == dataset
            and eligibility.forbids(clock.now())
        },
        rechecked=rechecked,
        restated=restated,
    )
