"""Continuity: sessions that an instrument's life should have and nobody holds."""

from __future__ import annotations

from fulltape.core import ranges
from fulltape.core.ranges import Ranges


def missing(held: Ranges, benign: Ranges, wanted: Ranges) -> Ranges:
    """Positions between the first and the last held session that are wanted, not held and not known to be empty."""
    if not held:
        return ranges.EMPTY
    inside = ranges.clip(wanted, held[0][0], held[-1][1])
    return ranges.subtract(ranges.subtract(inside, held), benign)
