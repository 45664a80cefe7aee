"""Continuity: sessions that an instrument's life should have and no source holds."""

from __future__ import annotations

from fulltape.coverage.series import Picture
from fulltape.market import ranges
from fulltape.market.ranges import Ranges

CODE = "continuity"
SENTENCE = "no rows, though sessions before and after have some"


def broken(shown: Picture) -> Ranges:
    """Positions between the first and the last held session that are neither held nor known to be confirmed empty."""
    held = ranges.union(shown.held, shown.partial)
    if not held:
        return ranges.EMPTY
    inside = ranges.clip(shown.wanted, held[0][0], held[-1][1])
    return ranges.subtract(ranges.subtract(inside, held), shown.empty)
