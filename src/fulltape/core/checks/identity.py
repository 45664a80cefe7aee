"""Identity: a price that jumps across a long silence suggests two companies under one symbol."""

from __future__ import annotations

import itertools

from fulltape.core import ranges
from fulltape.core.ranges import Range
from fulltape.core.series import Picture

CODE = "identity.jump"
SENTENCE = "after a long silence the price is another one: perhaps another company's rows"
SILENCE = 60
"""So many sessions without rows are a long silence."""
RATIO = 2.0
"""By so much a price jumps that may be another company's."""


def stretches(shown: Picture) -> list[tuple[Range, Range]]:
    """Held stretches that a long silence divides: each with the one after it."""
    held: list[Range] = []
    for start, stop in ranges.union(shown.held, shown.partial):
        if held and start - held[-1][1] < SILENCE:
            held[-1] = (held[-1][0], stop)
        else:
            held.append((start, stop))
    return list(itertools.pairwise(held))


def jumped(before: float, after: float) -> bool:
    """Whether a price is another one."""
    return max(before, after) >= RATIO * min(before, after)
