"""Single trades and quotes of the simulated market, and how they are made out of minutes."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from fulltape.market.time import SECOND, Instant
from fulltape.simulator.minutes import Bar


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """One trade or quote; `at` in UTC nanoseconds. Where nothing trades, size, side and id are absent."""

    at: int
    price: float
    size: float = 0.0
    aggressor: str = ""
    trade_id: int = 0


def trades(symbol: str, bars: Iterable[Bar], digits: int, *, seed: int) -> Iterator[Tick]:
    """Two trades a minute, with ids that begin high and have no gap."""
    dice = random.Random(f"{seed}/trades/{symbol}")
    trade_id = 1_000_000
    for bar in bars:
        for second in sorted(dice.sample(range(60), 2)):
            trade_id += 1
            at = (bar.start + second * SECOND) * 1_000 + dice.randrange(1_000) * 1_000_000
            price = round(dice.uniform(bar.low, bar.high), digits)
            side = dice.choice(("buy", "sell"))
            yield Tick(at=at, price=price, size=dice.randint(1, 500) / 100, aggressor=side, trade_id=trade_id)


def quotes(symbol: str, bars: Iterable[Bar], digits: int, *, seed: int) -> Iterator[Tick]:
    """A price every ten seconds."""
    dice = random.Random(f"{seed}/quotes/{symbol}")
    for bar in bars:
        for second in range(0, 60, 10):
            at: Instant = bar.start + second * SECOND
            yield Tick(at=at * 1_000, price=round(dice.uniform(bar.low, bar.high), digits))


def iso(ns: int) -> str:
    """UTC nanoseconds as RFC 3339, in microseconds."""
    second, rest = divmod(ns, 10**9)
    return f"{dt.datetime.fromtimestamp(second, dt.UTC):%Y-%m-%dT%H:%M:%S}.{rest // 1_000:06d}Z"
