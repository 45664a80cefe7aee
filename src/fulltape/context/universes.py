"""Who is in a universe, written down whenever it changes: what was known at the time is the only cure for survivorship."""

from __future__ import annotations

from fulltape.context import NodeContext
from fulltape.market.time import Instant, utc_date


def snapshot(context: NodeContext, now: Instant) -> int:
    """Write down who has come into each universe and who has left it since the last time, inside a transaction; returns
    how many."""
    return sum(
        context.ledger.reference.snapshot(name, members, utc_date(now), now=now)
        for name, members in context.universes.items()
    )
