"""A vendor's live self-test with the user's own key: the smallest request of each dataset, and what it showed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace

from fulltape import context as opening
from fulltape.backfill import single
from fulltape.context import ConfiguredSource, NodeContext
from fulltape.contract.vendor import Capability, FetchRequest, Outcome, Page
from fulltape.decoding import frames
from fulltape.market import datasets
from fulltape.market.time import DAY, SECOND, Clock, utc_date

_DAYS = {"event": 40, "day": 7}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """How a source answered for one dataset: what was asked, the outcome, rows that could be read, how long it took
    (seconds), and what its headers say that the key is allowed (requests a minute, 0: nothing)."""

    source: str
    dataset: str
    symbol: str
    first: str
    last: str
    outcome: str = Outcome.EMPTY.value
    rows: int = 0
    reason: str = ""
    requests: int = 0
    took: float = 0.0
    allowed_per_minute: int = 0


def run(context: NodeContext, vendor: str, clock: Clock) -> Iterator[ProbeResult]:
    """Ask for the smallest span of every dataset of every source of a vendor, one conversation each."""
    for feed in context.feeds.values():
        if feed.vendor != vendor:
            continue
        for capability in feed.source.capabilities:
            shown = _ask(context, feed, capability, clock)
            yield shown
            if shown.outcome == Outcome.BAD_CREDENTIALS.value:
                return


def _ask(context: NodeContext, feed: ConfiguredSource, capability: Capability, clock: Clock) -> ProbeResult:
    dataset = datasets.get(capability.dataset)
    symbol = _symbol(context, capability.dataset)
    first, last = _span(capability, dataset.grain, clock)
    shown = ProbeResult(
        source=feed.source.name,
        dataset=capability.dataset,
        symbol=symbol,
        first=first.isoformat(),
        last=last.isoformat(),
    )
    if not symbol:
        reason = "the node has no contract to ask for; name one in a universe"
        return replace(shown, outcome="not asked", reason=reason)
    calendar = opening.calendar(dataset.calendar)
    span = calendar.span(first, last)
    fetch = FetchRequest(
        source=feed.source.name,
        dataset=capability.dataset,
        symbols=(symbol,),
        first=first,
        last=last,
        start=span.start,
        end=span.end,
        known=frozenset({symbol}),
        rows_per_page=capability.rows_per_page,
    )
    module = context.vendors[feed.vendor]
    for exchange in single.hold(context, feed, module.history(fetch, None), clock, kind="QC_PROBE"):
        answer = exchange.answer
        shown = replace(
            shown,
            outcome=answer.outcome.value,
            reason=answer.reason,
            requests=shown.requests + 1,
            took=shown.took + exchange.took,
            allowed_per_minute=answer.allowed_per_minute or shown.allowed_per_minute,
        )
        if answer.keep and exchange.response is not None:
            page = Page(fetch=fetch, number=1, status=exchange.response.status, body=exchange.response.body, memo=answer.memo)  # fmt: skip
            rows = frames.rows(module.decode([page]), dataset, capability, calendar)[0].height
            return replace(shown, rows=rows)
    return shown


def _symbol(context: NodeContext, dataset: str) -> str:
    """One of the node's own symbols, else one that every vendor has."""
    wanted = context.wanted.get(dataset)
    if wanted is not None and wanted.instruments:
        return next(iter(wanted.instruments.values())).symbol
    return datasets.get(dataset).asset_class.known


def _span(capability: Capability, grain: str, clock: Clock) -> tuple[dt.date, dt.date]:
    """The last day whose answer must be final by now, and a few before it for what has a row a day or less."""
    calendar = opening.calendar(datasets.get(capability.dataset).calendar)
    final = calendar.closed_by(clock.now() - capability.delay * SECOND - DAY)
    last = calendar.label(final - 1) if final else utc_date(clock.now())
    position = calendar.position(last) or 0
    return calendar.label(max(0, position - _DAYS.get(grain, 0))), last
