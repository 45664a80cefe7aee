"""A market that happens while it is watched: invented trades, and the minutes that they make.

What has happened is history at once: the simulated vendors' answers and their streams come from the same ticks.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from fulltape.market import days
from fulltape.market.time import MINUTE
from fulltape.simulator.market import Market
from fulltape.simulator.minutes import Bar
from fulltape.simulator.ticks import Tick

_NS = 1_000
_SMALL = 10
"""Below this a price has five decimals, as pairs of currencies have."""


@dataclass(slots=True)
class Tape:
    """Symbols with their first prices, each with `rate` ticks a second; `now` gives UTC nanoseconds.

    Ticks have contiguous ids from 1 and stamps that never run backwards, on whole `grain` nanoseconds.
    """

    prices: dict[str, float]
    now: Callable[[], int]
    rate: float = 10.0
    grain: int = 1_000_000
    calendar: str = days.ROUND_THE_CLOCK
    seed: int = 7
    plain: bool = False
    """Whether there are no sizes, sides and ids, as with a broker's own prices."""
    ticks: dict[str, list[Tick]] = field(default_factory=dict)
    bars: dict[tuple[str, str], list[Bar]] = field(default_factory=dict)
    _dice: random.Random = field(default_factory=random.Random)
    _owed: float = 0.0
    _last: int = 0
    _open: dict[str, list[Tick]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._dice.seed(self.seed)
        for symbol in self.prices:
            self.ticks[symbol] = []
            self.bars["minute", symbol] = []

    def market(self) -> Market:
        """What has happened, as the simulated vendors serve it: it grows."""
        return Market(bars=self.bars, symbols=frozenset(self.prices), ticks=self.ticks)

    def step(self, more: int = 0) -> tuple[list[tuple[str, Tick]], list[tuple[str, Bar]]]:
        """What has happened since the last step, and `more` ticks beside: ticks, and bars that are complete."""
        now = self.now()
        self._owed += (now - self._last) / 1e9 * self.rate * len(self.prices) if self._last else 0.0
        self._last = now
        count, self._owed = int(self._owed) + more, self._owed % 1
        names = list(self.prices)
        fresh = [self._tick(names[self._dice.randrange(len(names))], now) for _ in range(count)]
        return fresh, self._complete(now)

    def _tick(self, symbol: str, now: int) -> tuple[str, Tick]:
        earlier = self.ticks[symbol]
        digits = 5 if self.prices[symbol] < _SMALL else 2
        price = max(0.01, round(self.prices[symbol] * (1 + self._dice.gauss(0, 0.0002)), digits))
        self.prices[symbol] = price
        at = max(now // self.grain * self.grain, earlier[-1].at if earlier else 0)
        tick = Tick(at=at, price=price)
        if not self.plain:
            size = round(self._dice.uniform(0.001, 2), 4)
            side = self._dice.choice(("buy", "sell"))
            tick = Tick(at=at, price=price, size=size, aggressor=side, trade_id=len(earlier) + 1)
        earlier.append(tick)
        self._open.setdefault(symbol, []).append(tick)
        return symbol, tick

    def _complete(self, now: int) -> list[tuple[str, Bar]]:
        """Bars of minutes that are over."""
        done = []
        minute = now // (MINUTE * _NS) * MINUTE * _NS
        for symbol, ticks in self._open.items():
            over = [tick for tick in ticks if tick.at < minute]
            if not over:
                continue
            self._open[symbol] = [tick for tick in ticks if tick.at >= minute]
            by_minute: dict[int, list[Tick]] = {}
            for tick in over:
                by_minute.setdefault(tick.at // (MINUTE * _NS) * MINUTE, []).append(tick)
            for start, inside in sorted(by_minute.items()):
                bar = _bar(start, inside, self.calendar)
                self.bars["minute", symbol].append(bar)
                done.append((symbol, bar))
        return done


def _bar(start: int, inside: list[Tick], calendar: str) -> Bar:
    prices = [tick.price for tick in inside]
    volume = sum(tick.size for tick in inside) or float(len(inside))
    return Bar(
        start=start,
        session=days.RULES[calendar].session(start),
        open=prices[0],
        high=max(prices),
        low=min(prices),
        close=prices[-1],
        volume=round(volume, 6),
        trades=len(inside),
        vwap=round(sum(prices) / len(prices), 6),
    )
