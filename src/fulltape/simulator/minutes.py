"""Synthetic minute bars out of real day bars: seeded, and consistent with the day.

The first minute opens at the day's open, some minute reaches the high, some the low, the last closes at the close, and
volumes add up to the day's. Prices lie on the cent grid wherever the day's do. A few minutes of the thinner symbols
have no bar, as in life.
"""

from __future__ import annotations

import datetime as dt
import itertools
import math
import random
from dataclasses import dataclass

from fulltape.market.sessions import Session
from fulltape.market.time import MINUTE, Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar as a vendor's server knows it; `start` in UTC microseconds. What the lake lacks is None."""

    start: Instant
    session: dt.date
    open: float
    high: float
    low: float
    close: float
    volume: float
    trades: int | None = None
    vwap: float | None = None


def synthesise(symbol: str, day: Bar, session: Session, *, seed: int, thinness: float) -> list[Bar]:
    """The minutes of one session; `thinness` is the share of minutes without a trade."""
    dice = random.Random(f"{seed}/{symbol}/{day.session.isoformat()}")
    length = (session.close - session.open) // MINUTE
    kept = [at for at in range(length) if at in (0, length - 1) or dice.random() >= thinness]
    path = _path(day, len(kept), dice)
    volumes = _volumes(int(day.volume), kept, length, dice)
    bars = []
    for place, at in enumerate(kept):
        opens, closes = path[place], path[place + 1]
        wiggle = abs(dice.gauss(0, 0.0002)) * closes
        high = min(day.high, _cents(max(opens, closes) + wiggle, math.ceil))
        low = max(day.low, _cents(min(opens, closes) - wiggle, math.floor))
        volume = volumes[place]
        bars.append(
            Bar(
                start=session.open + at * MINUTE,
                session=day.session,
                open=opens,
                high=max(high, opens, closes),
                low=min(low, opens, closes),
                close=closes,
                volume=volume,
                trades=max(1, volume // 180),
                vwap=round((opens + closes + high + low) / 4, 4),
            )
        )
    return bars


def _path(day: Bar, steps: int, dice: random.Random) -> list[float]:
    """Prices at the edges of the minutes: from open to close, touching high and low, never outside."""
    touches = sorted(dice.sample(range(1, steps), 2))
    if dice.random() < 0.5:
        touches.reverse()
    anchors = dict(sorted({0: day.open, touches[0]: day.high, touches[1]: day.low, steps: day.close}.items()))
    points = list(anchors.items())
    path = [day.open]
    for (start, begin), (stop, end) in itertools.pairwise(points):
        span = stop - start
        noise = 0.0
        for step in range(1, span):
            noise = 0.9 * noise + dice.gauss(0, 0.0006) * begin
            bridge = begin + (end - begin) * step / span + noise * (1 - step / span)
            path.append(min(day.high, max(day.low, _cents(bridge, round))))
        path.append(end)
    return path


def _volumes(total: int, kept: list[int], length: int, dice: random.Random) -> list[int]:
    """Shares per minute: more at the open and the close, and in all exactly `total`."""
    weights = [(0.4 + 1.6 * (2 * at / length - 1) ** 2) * dice.uniform(0.5, 1.5) for at in kept]
    scale = (total - len(kept)) / sum(weights)
    volumes = [1 + int(weight * scale) for weight in weights]
    volumes[-1] += total - sum(volumes)
    return volumes


def _cents(price: float, rounding: object) -> float:
    assert callable(rounding)
    return float(rounding(round(price * 100, 6))) / 100
