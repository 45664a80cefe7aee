"""The small lake that the simulated vendors serve: bars, ticks, published values and actions by symbol, and which symbols exist.

Symbols are written as the node writes them; every simulated vendor spells them its vendor's way.
"""

from __future__ import annotations

import bisect
import csv
import datetime as dt
import functools
import importlib.resources
import zoneinfo
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from fulltape.calendars import tables
from fulltape.market.sessions import Calendar
from fulltape.market.time import Instant, from_datetime
from fulltape.simulator.minutes import Bar, synthesise
from fulltape.simulator.ticks import Tick, trades

_SAMPLE = importlib.resources.files("fulltape.simulator") / "sample"
SYNTHETIC = (dt.date(2012, 10, 1), dt.date(2012, 12, 31))
TRADED = (dt.date(2012, 11, 1), dt.date(2012, 11, 2))
"""Days of which there are single trades, too."""
_THINNESS = {"AAPL": 0.0, "MSFT": 0.001, "GOOG": 0.01, "IBM": 0.02, "FB": 0.002}
SEED = 20121031


@dataclass(frozen=True, slots=True, kw_only=True)
class Vintage:
    """A value as published from `start` on for the period that begins at `date`; None: not available in it."""

    date: dt.date
    value: float | None
    start: dt.date


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """A split (`ratio`: old and new shares) or a cash dividend (`amount`, in dollars; `special` beside the regular ones)."""

    action_id: str
    symbol: str
    ex_date: dt.date
    ratio: tuple[int, int] | None = None
    amount: float | None = None
    special: bool = False
    declared: dt.date | None = None
    record: dt.date | None = None
    pay: dt.date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """Bars in the order of time by ("day" or "minute", symbol), ticks by symbol, vintages by series, actions.

    `archived_until` is the last day that archives of files hold.
    """

    bars: Mapping[tuple[str, str], Sequence[Bar]]
    symbols: frozenset[str] = field(default_factory=frozenset)
    ticks: Mapping[str, Sequence[Tick]] = field(default_factory=dict)
    vintages: Mapping[str, Sequence[Vintage]] = field(default_factory=dict)
    actions: Sequence[Action] = ()
    renames: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)
    """By symbol of today, the days from which it bore others before."""
    archived_until: dt.date = dt.date.min

    def between(self, grain: str, symbol: str, start: Instant, end: Instant) -> Sequence[Bar]:
        """Bars that start in [start, end]."""
        bars = self.bars.get((grain, symbol), ())
        first = bisect.bisect_left(bars, start, key=lambda bar: bar.start)
        return bars[first : bisect.bisect_right(bars, end, key=lambda bar: bar.start)]

    def ticks_between(self, symbol: str, start: int, end: int) -> Sequence[Tick]:
        """Ticks of [start, end], UTC nanoseconds."""
        ticks = self.ticks.get(symbol, ())
        first = bisect.bisect_left(ticks, start, key=lambda tick: tick.at)
        return ticks[first : bisect.bisect_right(ticks, end, key=lambda tick: tick.at)]


def market(bars: Mapping[tuple[str, str], Sequence[Bar]]) -> Market:
    """A market of these bars; every symbol in it exists."""
    return Market(bars=bars, symbols=frozenset(symbol for _, symbol in bars))


def joined(*markets: Market) -> Market:
    """Several markets as one; no symbol may be in two."""
    bars: dict[tuple[str, str], Sequence[Bar]] = {}
    ticks: dict[str, Sequence[Tick]] = {}
    vintages: dict[str, Sequence[Vintage]] = {}
    for member in markets:
        bars |= member.bars
        ticks |= member.ticks
        vintages |= member.vintages
    return Market(
        bars=bars,
        symbols=frozenset().union(*(source.symbols for source in markets)),
        ticks=ticks,
        vintages=vintages,
        actions=tuple(action for source in markets for action in source.actions),
        archived_until=max(source.archived_until for source in markets),
    )


def new_york_midnight(day: dt.date) -> Instant:
    """The stamp of a US day bar."""
    return from_datetime(dt.datetime.combine(day, dt.time(), tzinfo=zoneinfo.ZoneInfo("America/New_York")))


@functools.cache
def sample() -> Market:
    """The bundled sample: real day bars and actions, synthetic minute bars of the last quarter of 2012, and trades of two
    days."""
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
    ticks = {
        symbol: list(trades(symbol, (bar for bar in symbol_bars if bar.session in TRADED), 2, seed=SEED))
        for (grain, symbol), symbol_bars in bars.items()
        if grain == "minute"
    }
    return replace(market(bars), ticks=ticks, actions=_sample_actions())


def _sample_actions() -> tuple[Action, ...]:
    rows = csv.DictReader((_SAMPLE / "actions.csv").read_text().splitlines())
    return tuple(
        Action(
            action_id=f"sample-{number}",
            symbol=row["symbol"],
            ex_date=dt.date.fromisoformat(row["ex_date"]),
            ratio=(1, int(row["split"])) if row["split"] else None,
            amount=float(row["amount"]) if row["amount"] else None,
            special=row["special"] == "yes",
        )
        for number, row in enumerate(rows)
    )


def _minutes(symbol: str, day: Bar, calendar: Calendar) -> list[Bar]:
    position = calendar.position(day.session)
    assert position is not None
    return synthesise(
        symbol, day, calendar.sessions[position], seed=SEED, thinness=_THINNESS.get(symbol, 0.01)
    )


def sample_universe() -> str:
    """The sample's universe.csv."""
    return (_SAMPLE / "universe.csv").read_text()


def of_lake(folder: Path) -> Market:
    """A market out of the curated bars of a node in `folder`."""
    from fulltape import reader
    from fulltape.market import datasets

    node = reader.Reader(folder)
    bars: dict[tuple[str, str], list[Bar]] = {}
    for dataset in datasets.DATASETS.values():
        if dataset.grain not in ("day", "minute") or dataset.adjusted:
            continue
        frame = node.scan(dataset.name).collect()
        volume = "volume" if "volume" in frame.columns else "tick_count"
        names = ("symbol", "session", "ts", "open", "high", "low", "close", volume)
        for row in frame.select(name for name in names if name in frame.columns).iter_rows(named=True):
            bars.setdefault((dataset.grain, row["symbol"]), []).append(
                Bar(
                    start=_stamp_of(dataset.calendar, dataset.grain, row["session"], row["ts"]),
                    session=row["session"],
                    open=row["open"],
                    high=row["high"],
                    low=row["low"],
                    close=row["close"],
                    volume=row.get(volume) or 0,
                )
            )
    return market({key: sorted(symbol_bars, key=lambda bar: bar.start) for key, symbol_bars in bars.items()})


def _stamp_of(calendar: str, grain: str, session: dt.date, ts: dt.datetime) -> Instant:
    """The vendors' stamp of a bar: day bars of exchanges begin at midnight in New York."""
    if grain == "day" and calendar == "XNYS":
        return new_york_midnight(session)
    return from_datetime(ts)
