"""How many requests each kind still needs of a vendor today, so that a kind's share of the day is kept only for need."""

from __future__ import annotations

import math
from collections.abc import Mapping

from fulltape.context import ConfiguredDataset, NodeContext
from fulltape.ledger.task import TaskClass
from fulltape.market.time import Instant


def demand(
    context: NodeContext,
    quota: Mapping[tuple[str, TaskClass], float],
    per_request: Mapping[tuple[str, TaskClass], float],
    now: Instant,
) -> dict[str, dict[str, int]]:
    """Requests by vendor and kind: those of the queued tasks that were shared out to it, and of sessions still due."""
    by_vendor: dict[str, dict[str, float]] = {feed.vendor: {} for feed in context.feeds.values()}
    for (source, of), tasks in quota.items():
        by_kind = by_vendor[context.feeds[source].vendor]
        by_kind[of.kind] = by_kind.get(of.kind, 0.0) + tasks / per_request.get((source, of), 1.0)
    for wanted in context.wanted.values():
        source = wanted.sources[0]
        feed = context.feeds[source]
        due = _due(wanted, now, context.ledger.boots.day_ends(now, feed.limits.day_zone))
        capability = feed.capability(wanted.dataset.name)
        if due and capability:
            carried = max(capability.symbols_per_request, capability.symbols_per_grouped_day)
            requests = math.ceil(len(wanted.instruments) / carried) * due
            by_kind = by_vendor[feed.vendor]
            by_kind["FORWARD"] = by_kind.get("FORWARD", 0.0) + requests
    return {
        vendor: {kind: math.ceil(count) for kind, count in by_kind.items()}
        for vendor, by_kind in by_vendor.items()
    }


def _due(wanted: ConfiguredDataset, now: Instant, until: Instant) -> int:
    """Sessions that become final between now and then."""
    if wanted.until:
        last = wanted.calendar.between(wanted.first, wanted.until)[1]
        return max(0, min(wanted.final_until(until), last) - wanted.final_until(now))
    return wanted.final_until(until) - wanted.final_until(now)
