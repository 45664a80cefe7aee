"""Provisional bars from trades as they come. Pure.

Bars lie on a grid that begins with the session: no bar crosses one. A late trade changes the bar that it belongs into, and
every coarser one; each change has a number. Only the newest bars are kept: a trade that is later than that is counted,
and stands in the final bars.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from fulltape.market.time import DAY, HOUR, MINUTE, SECOND, Instant

GRAINS: dict[str, Instant] = {
    "1s": SECOND,
    "5s": 5 * SECOND,
    "1m": MINUTE,
    "5m": 5 * MINUTE,
    "15m": 15 * MINUTE,
    "1h": HOUR,
    "4h": 4 * HOUR,
    "1d": DAY,
}
_KEPT = 4
"""Bars of one symbol and grain that late trades may still change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondBar:
    """Trades of one symbol inside one second, put together; `first` and `last` are the stamps of open and close."""

    symbol: str
    first: Instant
    last: Instant
    open: float
    high: float
    low: float
    close: float
    volume: float
    trades: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Provisional:
    """A bar that may still change, `start` in UTC microseconds; `revision` counts its changes, `over` says that a later
    bar has begun."""

    symbol: str
    grain: str
    start: Instant
    open: float
    high: float
    low: float
    close: float
    volume: float
    trades: int
    revision: int
    over: bool
    first: Instant
    last: Instant


Anchor = Callable[[Instant], Instant]
"""The beginning of the session that an instant lies in."""


@dataclass(slots=True)
class Aggregator:
    """All bars of all symbols; `late` counts trades that came too late for any bar that is kept."""

    anchor: Anchor
    late: int = 0
    _bars: dict[tuple[str, str], list[Provisional]] = field(default_factory=dict)

    def add(self, pieces: Iterable[SecondBar]) -> list[Provisional]:
        """Take in trades; every bar that has changed, once, coarser ones after finer ones."""
        changed: dict[tuple[str, str, Instant], Provisional] = {}
        for piece in pieces:
            anchor = self.anchor(piece.first)
            for grain, length in GRAINS.items():
                start = anchor + (piece.first - anchor) // length * length
                for bar in self._taken(piece, grain, start):
                    changed[bar.symbol, bar.grain, bar.start] = bar
        order = {grain: at for at, grain in enumerate(GRAINS)}
        return sorted(changed.values(), key=lambda bar: (bar.symbol, order[bar.grain], bar.start))

    def newest(self, symbol: str, grain: str) -> Provisional | None:
        """The newest bar of a symbol."""
        bars = self._bars.get((symbol, grain))
        return bars[-1] if bars else None

    def _taken(self, piece: SecondBar, grain: str, start: Instant) -> list[Provisional]:
        bars = self._bars.setdefault((piece.symbol, grain), [])
        at = next((place for place, bar in enumerate(bars) if bar.start >= start), len(bars))
        if at < len(bars) and bars[at].start == start:
            bars[at] = _joined(bars[at], piece)
            return [bars[at]]
        if at == 0 and len(bars) == _KEPT:
            self.late += piece.trades if grain == "1s" else 0
            return []
        fresh = _bar(piece, grain, start, over=at < len(bars))
        bars.insert(at, fresh)
        out = [fresh]
        if at and not bars[at - 1].over:
            bars[at - 1] = replace(bars[at - 1], over=True, revision=bars[at - 1].revision + 1)
            out.insert(0, bars[at - 1])
        del bars[:-_KEPT]
        return out


def _bar(piece: SecondBar, grain: str, start: Instant, *, over: bool) -> Provisional:
    return Provisional(
        symbol=piece.symbol,
        grain=grain,
        start=start,
        open=piece.open,
        high=piece.high,
        low=piece.low,
        close=piece.close,
        volume=piece.volume,
        trades=piece.trades,
        revision=1,
        over=over,
        first=piece.first,
        last=piece.last,
    )


def _joined(bar: Provisional, piece: SecondBar) -> Provisional:
    return replace(
        bar,
        open=piece.open if piece.first < bar.first else bar.open,
        close=piece.close if piece.last >= bar.last else bar.close,
        high=max(bar.high, piece.high),
        low=min(bar.low, piece.low),
        volume=bar.volume + piece.volume,
        trades=bar.trades + piece.trades,
        revision=bar.revision + 1,
        first=min(bar.first, piece.first),
        last=max(bar.last, piece.last),
    )
