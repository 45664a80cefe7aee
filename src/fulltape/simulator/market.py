"""The small lake that the twins serve: bars by symbol, and which symbols exist."""

from __future__ import annotations

import bisect
import datetime as dt
import functools
import importlib.resources
import zoneinfo
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fulltape.calendars import tables
from fulltape.core.sessions import Calendar
from fulltape.core.time import Instant, from_datetime
from fulltape.simulator.minutes import Bar, synthesise

_SAMPLE = importlib.resources.files("fulltape.simulator") / "sample"
SYNTHETIC = (dt.date(2012, 10, 1), dt.date(2012, 12, 31))
_THINNESS = {"AAPL": 0.0, "MSFT": 0.001, "GOOG": 0.01, "IBM": 0.02, "FB": 0.002}
SEED = 20121031


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """Bars in the order of time, by ("day" or "minute", symbol)."""

    bars: Mapping[tuple[str, str], Sequence[Bar]]
    symbols: frozenset[str] = field(default_factory=frozenset)

    def between(self, grain: str, symbol: str, start: Instant, end: Instant) -> Sequence[Bar]:
        """Bars that start in [start, end]."""
        bars = self.bars.get((grain, symbol), ())
        first = bisect.bisect_left(bars, start, key=lambda bar: bar.start)
        return bars[first : bisect.bisect_right(bars, end, key=lambda bar: bar.start)]


def market(bars: Mapping[tuple[str, str], Sequence[Bar]]) -> Market:
    """A market of these bars; every symbol in it exists."""
    return Market(bars=bars, symbols=frozenset(symbol for _, symbol in bars))


def new_york_midnight(day: dt.date) -> Instant:
    """The stamp of a US day bar."""
    return from_datetime(dt.datetime.combine(day, dt.time(), tzinfo=zoneinfo.ZoneInfo("America/New_York")))


@functools.cache
def sample() -> Market:
    """The bundled sample: real day bars, and synthetic minute bars of the last quarter of 2012."""
    import polars as pl

    with importlib.resources.as_file(_SAMPLE / "wiki_prices.parquet") as path:
        frame = pl.read_parquet(path)
    calendar = tables.load("XNYS")
    bars: dict[tuple[str, str], list[Bar]] = {}
    for symbol, session, opens, high, low, close, volume in frame.iter_rows():
        day = Bar(
            start=new_york_midnight(session),
            session=session,
            open=opens,
            high=high,
            low=low,
            close=close,
            volume=volume,
        )
        bars.setdefault(("day", symbol), []).append(day)
        if SYNTHETIC[0] <= session <= SYNTHETIC[1]:
            bars.setdefault(("minute", symbol), []).extend(_minutes(symbol, day, calendar))
    return market(bars)


def _minutes(symbol: str, day: Bar, calendar: Calendar) -> list[Bar]:
    position = calendar.position(day.session)
    assert position is not None
    return synthesise(
        symbol, day, calendar.sessions[position], seed=SEED, thinness=_THINNESS.get(symbol, 0.01)
    )


def sample_universe() -> str:
    """The sample's universe.csv."""
    return (_SAMPLE / "universe.csv").read_text()
