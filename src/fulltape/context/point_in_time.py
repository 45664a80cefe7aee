"""A node's data as it was public at a moment."""

from __future__ import annotations

from dataclasses import dataclass

from fulltape.lake.layout import Layout
from fulltape.ledger.ledger import Ledger
from fulltape.market.sessions import Calendar
from fulltape.market.time import Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class PointInTime:
    """A node's data as it was public at a moment: `until` (UTC microseconds, inclusive), None: all of it."""

    ledger: Ledger
    layout: Layout
    calendar: Calendar
    until: Instant | None = None
