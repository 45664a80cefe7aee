"""Identity: a price that jumps across a long silence suggests two companies under one symbol."""

from __future__ import annotations

from fulltape.coverage.series import Picture
from fulltape.market import ranges
from fulltape.market.ranges import Ranges

CODE = "identity.jump"
SENTENCE = "after a long silence the price is another one: perhaps another company's rows"
SILENCE = 60
"""So many sessions without rows are a long silence."""
RATIO = 2.0
"""By so much a price jumps that may be another company's."""


def stretches(shown: Picture) -> list[Ranges]:
    """What is held, where a long silence divides it; one of them where none does."""
    divided: list[Ranges] = []
    for span in ranges.union(shown.held, shown.partial):
        if divided and span[0] - divided[-1][-1][1] < SILENCE:
            divided[-1] = (*divided[-1], span)
        else:
            divided.append((span,))
    return divided


def jumped(before: float, after: float) -> bool:
    """Whether a price is another one."""
    return max(before, after) >= RATIO * min(before, after)
