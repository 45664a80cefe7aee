"""An invented market beside the bundled sample: crypto, forex, options, a synthetic index, macro series and actions.

Seeded and small: twelve days around the first Sunday of November 2024, when New York's clocks go back. Nothing in it
ever happened.
"""

from __future__ import annotations

import datetime as dt
import functools
import random
from collections.abc import Iterator

from fulltape.calendars import tables
from fulltape.market import days
from fulltape.market.time import DAY, MINUTE, midnight
from fulltape.simulator.market import Action, Market, Vintage, new_york_midnight
from fulltape.simulator.minutes import Bar
from fulltape.simulator.ticks import Tick, quotes, trades

FIRST, LAST = dt.date(2024, 10, 28), dt.date(2024, 11, 8)
TICKS = (dt.date(2024, 11, 3), dt.date(2024, 11, 4))
CRYPTO = {"BTC/USD": (68_000.0, 2), "ETH/USD": (2_500.0, 2), "BTC/USDT": (68_010.0, 2)}
FOREX = {"EURUSD": (1.085, 5), "USDJPY": (152.0, 3)}
SYNTHETIC = {"R_100": (1_500.0, 2), "1HZ100V": (900.0, 2)}
OPTIONS = {"AAPL241115C00230000": (4.2, 2), "AAPL241115P00220000": (2.1, 2)}
ARCHIVED_UNTIL = dt.date(2024, 11, 5)
SEED = 20_241_103


@functools.cache
def market() -> Market:
    """All of it."""
    bars: dict[tuple[str, str], list[Bar]] = {}
    ticks: dict[str, list[Tick]] = {}
    for symbol, (price, digits) in CRYPTO.items():
        _walk(bars, symbol, price, digits, calendar=days.ROUND_THE_CLOCK, thinness=0.02)
        ticks[symbol] = list(trades(symbol, _inside(bars["minute", symbol]), digits, seed=SEED))
    for symbol, (price, digits) in FOREX.items():
        _walk(bars, symbol, price, digits, calendar=days.FOREX, thinness=0.005, utc_days=True)
        ticks[symbol] = list(quotes(symbol, _inside(bars["minute", symbol]), digits, seed=SEED))
    for symbol, (price, digits) in SYNTHETIC.items():
        _walk(bars, symbol, price, digits, calendar=days.ROUND_THE_CLOCK, thinness=0.0)
        ticks[symbol] = list(quotes(symbol, _inside(bars["minute", symbol]), digits, seed=SEED))
    for symbol, (price, digits) in OPTIONS.items():
        _walk(bars, symbol, price, digits, calendar="XNYS", thinness=0.7)
    return Market(
        bars=bars,
        symbols=frozenset([*CRYPTO, *FOREX, *SYNTHETIC, *OPTIONS, "DGS10", "GDP", "SP500", "NVDA"]),
        ticks=ticks,
        vintages={"DGS10": _yields(), "GDP": _gdp()},
        actions=_ACTIONS,
        archived_until=ARCHIVED_UNTIL,
    )


def _walk(
    bars: dict[tuple[str, str], list[Bar]],
    symbol: str,
    price: float,
    digits: int,
    *,
    calendar: str,
    thinness: float,
    utc_days: bool = False,
) -> None:
    """Minute bars of every session between the two days, and the day bars that they make."""
    dice = random.Random(f"{SEED}/{symbol}")
    table = tables.load(calendar)
    minutes: list[Bar] = []
    for position in range(*table.between(FIRST, LAST)):
        session = table.sessions[position]
        for start in range(session.open, session.close, MINUTE):
            if dice.random() < thinness:
                continue
            close = round(price * (1 + dice.gauss(0, 0.0004)), digits)
            opened, edge = round(price, digits), abs(dice.gauss(0, 0.0002)) * price
            minutes.append(
                Bar(
                    start=start,
                    session=session.label,
                    open=opened,
                    high=round(max(opened, close) + edge, digits),
                    low=round(max(min(opened, close) - edge, 10**-digits), digits),
                    close=close,
                    volume=float(dice.randint(1, 90)),
                    trades=dice.randint(1, 40),
                    vwap=round((opened + close) / 2, digits + 2),
                )
            )
            price = max(close, 5 * 10**-digits)
    bars["minute", symbol] = minutes
    rule = days.RULES[days.ROUND_THE_CLOCK if utc_days else calendar]
    by_day: dict[dt.date, list[Bar]] = {}
    for bar in minutes:
        by_day.setdefault(rule.session(bar.start), []).append(bar)
    bars["day", symbol] = [_day(day, minute_bars, calendar) for day, minute_bars in sorted(by_day.items())]


def _day(day: dt.date, minute_bars: list[Bar], calendar: str) -> Bar:
    return Bar(
        start=new_york_midnight(day) if calendar == "XNYS" else midnight(day),
        session=day,
        open=minute_bars[0].open,
        high=max(bar.high for bar in minute_bars),
        low=min(bar.low for bar in minute_bars),
        close=minute_bars[-1].close,
        volume=sum(bar.volume for bar in minute_bars),
        trades=sum(bar.trades or 0 for bar in minute_bars),
        vwap=None,
    )


def _inside(bars: list[Bar]) -> Iterator[Bar]:
    first, last = midnight(TICKS[0]), midnight(TICKS[1]) + DAY
    return (bar for bar in bars if first <= bar.start < last)


def _yields() -> list[Vintage]:
    """A yield each weekday, published the next one; holidays are published as not available."""
    dice = random.Random(f"{SEED}/yields")
    vintages = []
    value = 4.2
    day = FIRST - dt.timedelta(days=7)
    while day <= LAST:
        if day.weekday() < 5:
            value = round(value + dice.gauss(0, 0.03), 2)
            after = day + dt.timedelta(days=3 if day.weekday() == 4 else 1)
            vintages.append(
                Vintage(date=day, value=None if day == dt.date(2024, 10, 31) else value, start=after)
            )
        day += dt.timedelta(days=1)
    return vintages


def _gdp() -> list[Vintage]:
    """Quarters, each published and then revised twice; one value is withdrawn for a while."""
    vintages = []
    for at, quarter in enumerate((dt.date(2024, 1, 1), dt.date(2024, 4, 1), dt.date(2024, 7, 1))):
        for revision, days_later in enumerate((30, 58, 87)):
            start = quarter + dt.timedelta(days=91 + days_later)
            value = None if (at, revision) == (1, 1) else 28_000.0 + 400 * at + 12.5 * revision
            vintages.append(Vintage(date=quarter, value=value, start=start))
    return sorted(vintages, key=lambda vintage: (vintage.start, vintage.date))


_ACTIONS = (
    Action(
        action_id="0fe1117c-0c5c-5d8f-b843-a9f4aeeb0fc8",
        symbol="AAPL",
        ex_date=dt.date(2024, 10, 31),
        amount=0.25,
        declared=dt.date(2024, 10, 1),
        record=dt.date(2024, 11, 1),
        pay=dt.date(2024, 11, 14),
    ),
    Action(
        action_id="da6776de-5e6b-58c2-936a-fd3dfdede400", symbol="AAPL", ex_date=dt.date(2024, 11, 4), ratio=(1, 4)
    ),
    Action(
        action_id="8b113403-8238-5b7c-8487-a2c7538c0441", symbol="NVDA", ex_date=dt.date(2024, 11, 6), ratio=(8, 1)
    ),
    Action(
        action_id="ec49dd63-1db3-5a86-bc23-3a614c770617",
        symbol="NVDA",
        ex_date=dt.date(2024, 11, 7),
        amount=0.01,
        declared=dt.date(2024, 10, 20),
    ),
)  # fmt: skip
