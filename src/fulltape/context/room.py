"""How much room the lake's disk has, and how the lake has grown."""

from __future__ import annotations

from fulltape.context import NodeContext
from fulltape.lake import disk
from fulltape.lake.disk import Room
from fulltape.market.time import DAY, Instant

_LOOK_BACK = 30 * DAY


def of(context: NodeContext) -> Room:
    """The room on the lake's disk."""
    return disk.measured(context.layout.root, context.rules.min_free)


def forecast(context: NodeContext, now: Instant) -> Room:
    """The room, and how the lake has grown in the last thirty days, or since its first file."""
    here = of(context)
    since, grown = context.ledger.catalogue.grown(now - _LOOK_BACK)
    days = (now - max(since, now - _LOOK_BACK)) / DAY if since is not None else 0.0
    return Room(free=here.free, total=here.total, wanted=here.wanted, grown=grown, days=days)
