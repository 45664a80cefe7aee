"""What an outcome does to a task and to its source's eligibility. Pure."""

from __future__ import annotations

from typing import Literal

from fulltape.contract.vendor import Outcome
from fulltape.market.time import SECOND

Effect = Literal["none", "fail", "refuse", "hold", "stop"]
"""What a fetch's end does beside sealing what is durable: nothing more; a failure is counted and the source leaves the
task alone for a while; the source has refused it for good; the source waits; the source stops for everything."""

_EFFECTS: dict[Outcome, Effect] = {
    Outcome.ROWS: "none",
    Outcome.EMPTY: "none",
    Outcome.NOT_ENTITLED: "refuse",
    Outcome.NOT_SUPPORTED: "refuse",
    Outcome.UNKNOWN_SYMBOL: "refuse",
    Outcome.NOT_YET: "hold",
    Outcome.BAD_CREDENTIALS: "stop",
    Outcome.BAD_REQUEST: "refuse",
    Outcome.CURSOR_REFUSED: "none",
    Outcome.RATE_LIMITED: "none",
    Outcome.TRANSIENT: "fail",
    Outcome.MALFORMED: "fail",
}


def effect(outcome: Outcome) -> Effect:
    """What a fetch's end does to its tasks and its source."""
    return _EFFECTS[outcome]


def backoff(failures: int) -> int:
    """Seconds that a source leaves a failed task to others: a quarter of a minute, doubling, at most an hour."""
    return int(min(15 * 2 ** min(failures, 10), 3_600))


LONGEST_COOLDOWN = 90 * 86_400 * SECOND


def cooldown(base: int, strikes: int) -> int:
    """Microseconds for which a source is not asked again for what it refused `strikes` times in a row: `base`,
    doubling each time, at most 90 days or `base`."""
    return int(min(base * 2 ** min(strikes - 1, 16), max(base, LONGEST_COOLDOWN)))
