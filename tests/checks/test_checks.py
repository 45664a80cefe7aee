"""Checks on real and on crafted bars: they find what is wrong, and leave alone what is only unusual."""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import replace

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fulltape.calendars import tables
from fulltape.checks import completeness, findings, profiles, registry, rows, time_shift
from fulltape.checks.beside import Beside
from fulltape.checks.findings import CheckContext
from fulltape.contract.vendor import Capability, Decoded, Table
from fulltape.decoding import frames
from fulltape.market import datasets, instruments
from fulltape.market.dataset import Dataset
from fulltape.market.sessions import Session
from fulltape.market.time import MINUTE
from fulltape.simulator.market import new_york_midnight
from fulltape.simulator.minutes import Bar
from nodes import DATA, lean_minutes, needs_data

XNYS = tables.load("XNYS")
MINUTES = datasets.get("equities_bars_minute")
DAYS = datasets.get("equities_bars_day")
SERVES = Capability(
    dataset=MINUTES.name,
    history_from=dt.date(2000, 1, 3),
    symbols_per_request=1,
    rows_per_page=1,
    timestamp_zone="UTC",
)


def context(dataset: Dataset = MINUTES, universe: str = "X,1990-01-02,,") -> CheckContext:
    found = instruments.parse_universe(f"symbol,listed_from,listed_to,instrument\n{universe}\n", where="test")
    return CheckContext(
        dataset=dataset,
        calendar=XNYS,
        instruments={one.instrument: one for one in found},
        now=XNYS.sessions[-1].close,
    )


def frame(bars: list[Bar], dataset: Dataset = MINUTES, symbol: str = "X") -> pl.DataFrame:
    """Bars as raw rows with flags."""
    capability = SERVES if dataset is MINUTES else replace(SERVES, timestamp_zone="America/New_York")
    columns: dict[str, list[object]] = {
        "timestamp": [bar.start for bar in bars],
        "open": [bar.open for bar in bars],
        "high": [bar.high for bar in bars],
        "low": [bar.low for bar in bars],
        "close": [bar.close for bar in bars],
        "volume": [float(bar.volume) for bar in bars],
        "vwap": [bar.vwap for bar in bars],
    }
    decoded = Decoded(tables=(Table(page=1, symbol=symbol, columns=columns),))
    raw, _ = frames.rows(decoded, dataset, capability, XNYS)
    raw = raw.drop("page").with_columns(instrument=pl.col("symbol"))
    return rows.flagged(raw, context(dataset)).sort("instrument", "ts")


def minute(session: Session, at: int, **changes: float) -> Bar:
    values = {"open": 10.0, "high": 10.0, "low": 10.0, "close": 10.0, **changes}
    return Bar(start=session.open + at * MINUTE, session=session.label, volume=1_000, **values)  # type: ignore[arg-type]


def sessions(first: str, count: int) -> list[Session]:
    start, _ = XNYS.between(dt.date.fromisoformat(first), XNYS.known_to)
    return list(XNYS.sessions[start : start + count])


ALONE = Beside()


def beside(raw: pl.DataFrame) -> Beside:
    """The rows as their own neighbours."""
    learned = profiles.of(raw, context())
    return Beside(profiles=learned, baseline=completeness.occupancy(learned, context()))


def found(bars: list[Bar]) -> pl.DataFrame:
    raw = frame(bars)
    return registry.run(raw, beside(raw), context())


def traded(days: list[Session], p: float, *, seed: int = 1) -> list[Bar]:
    """Sessions in which each minute has a bar with probability p."""
    dice = random.Random(seed)
    return [
        minute(day, at)
        for day in days
        for at in range((day.close - day.open) // MINUTE)
        if p >= 1 or dice.random() < p
    ]


@pytest.mark.parametrize("p", [1.0, 0.98, 0.5, 0.05])
def test_thin_and_busy_names_are_whole_as_they_are(p: float) -> None:
    assert found(traded(sessions("2012-10-01", 30), p)).is_empty()


@pytest.mark.parametrize(("length", "severity"), [(5, "AMBER"), (60, "RED")])
def test_a_hole_in_a_busy_name_is_found_wherever_it_is(length: int, severity: str) -> None:
    days = sessions("2012-10-01", 20)
    for start in (0, 200, 390 - length):
        hole = {(days[7].label, at) for at in range(start, start + length)}
        bars = [
            bar
            for bar in traded(days, 0.99)
            if (bar.session, (bar.start - days[7].open) // MINUTE) not in hole
        ]
        stretches = found(bars).filter(pl.col("code") == "completeness.stretch")
        assert stretches.select("session", "severity").rows() == [(days[7].label, severity)]


def test_the_same_hole_in_a_thin_name_is_how_it_trades() -> None:
    days = sessions("2012-10-01", 20)
    bars = [
        bar
        for bar in traded(days, 0.05)
        if bar.session != days[7].label or bar.start >= days[7].open + 20 * MINUTE
    ]
    assert found(bars).is_empty()


def volumes(raw: pl.DataFrame, share: float) -> pl.DataFrame:
    """Day bars of which the minutes have that share of the volume."""
    return raw.group_by("instrument", "session").agg(pl.col("volume").sum() / share)


@pytest.mark.parametrize(
    ("share", "said"),
    [(0.995, []), (0.9, ["completeness.unmeasured"]), (0.02, ["completeness.day"])],
)
def test_without_a_baseline_the_day_bar_says_whether_minutes_lack(share: float, said: list[str]) -> None:
    raw = frame([minute(day, at) for day in sessions("2012-10-01", 1) for at in range(6)])
    around = beside(raw)
    told = registry.run(raw, replace(around, volumes=volumes(raw, share)), context())
    assert told["code"].to_list() == said
    assert findings.verdicts(told, raw)["verdict"].unique().to_list() == [
        {0.995: "GREEN", 0.9: "UNCHECKED", 0.02: "AMBER"}[share]
    ]
    assert registry.run(raw, around, context())["severity"].to_list() == ["UNCHECKED"]


@needs_data
@pytest.mark.parametrize("symbol", ["SPY", "GOOG", "AAPL"])
@pytest.mark.parametrize("lag", [1, -1, 2, 5, 10, 60, -60, 240, -300])
def test_a_history_that_is_shifted_as_a_whole_is_red(symbol: str, lag: int) -> None:
    true = frame(lean_minutes(symbol)["minute", symbol])
    moved = true.with_columns(pl.col("minute_of_session") + lag)
    told = registry.run(moved, ALONE, context())
    told = told.filter(pl.col("code") == "session_timing.shift")
    assert set(told["session"]) == set(true["session"])
    assert told["severity"].unique().to_list() == ["RED"]
    if abs(lag) < 15:
        assert told["measure"].unique().to_list() == [lag]


@needs_data
@pytest.mark.parametrize("symbol", ["SPY", "GOOG", "AAPL", "NWSA", "FOXA"])
@pytest.mark.parametrize("lag", [60, -60, 300, -300])
def test_one_session_an_hour_off_is_red_and_the_others_are_not(symbol: str, lag: int) -> None:
    true = frame(lean_minutes(symbol)["minute", symbol])
    session = true["session"].max()
    moved = true.with_columns(
        pl.col("minute_of_session") + pl.when(pl.col("session") == session).then(lag).otherwise(0)
    )
    told = registry.run(moved, ALONE, context())
    assert told.filter(pl.col("code") == "session_timing.shift")["session"].to_list() == [session]


@pytest.mark.parametrize("opens", [20, 60, 120])
def test_a_late_open_with_some_trading_after_hours_is_no_shift(opens: int) -> None:
    days = sessions("2012-10-01", 3)
    bars = [minute(day, at) for day in days[:2] for at in range(390)]
    bars += [minute(days[2], at) for at in range(opens, 390)]
    quiet = [replace(minute(days[2], at), volume=150) for at in range(390, 450)]
    told = found(bars + quiet)
    assert told.filter(pl.col("code") == "session_timing.shift").is_empty()


def test_trades_before_the_open_are_not_in_its_first_minute() -> None:
    (day,) = sessions("2012-10-01", 1)
    ticks = pl.DataFrame(
        {"instrument": ["X"] * 3, "session": [day.label] * 3, "size": [1.0, 2.0, 4.0],
         "ts": [day.open - MINUTE, day.open - 1, day.open]}
    ).with_columns(pl.col("ts").cast(pl.Datetime("us", "UTC")))  # fmt: skip
    minutes = time_shift.as_minutes(ticks, context()).sort("minute_of_session")
    assert minutes.select("minute_of_session", "volume").rows() == [(-1, 3.0), (0, 4.0)]


@needs_data
def test_minutes_that_bear_their_ends_are_a_minute_late() -> None:
    """Another vendor's file of SPY, a month, stamped at the ends of minutes."""
    rows = pl.read_csv(
        DATA / "pyalgotrade-misc" / "nt-spy-minute-2011.csv",
        separator=";",
        has_header=False,
        new_columns=["timestamp", "open", "high", "low", "close", "volume"],
    ).with_columns(pl.col("timestamp").str.to_datetime("%Y%m%d %H%M%S", time_unit="us", time_zone="UTC"))
    bars = [
        Bar(
            start=int(timestamp.timestamp()) * 1_000_000,
            session=timestamp.date(),
            open=a,
            high=b,
            low=c,
            close=d,
            volume=v,
        )
        for timestamp, a, b, c, d, v in rows.iter_rows()
    ]
    late = frame(bars)
    right = late.with_columns(pl.col("minute_of_session") - 1)
    shifts = {
        name: registry.run(some, ALONE, context())
        .filter(pl.col("code") == "session_timing.shift")["measure"]
        .to_list()
        for name, some in (("late", late), ("right", right))
    }
    assert shifts["right"] == []
    assert set(shifts["late"]) == {1.0}
    busy = right.filter(pl.col("phase") == "regular").group_by("session").len().filter(pl.col("len") > 300)
    assert len(shifts["late"]) == busy.height == 20


def test_with_too_few_sessions_a_lack_is_not_judged_and_not_green() -> None:
    days = sessions("2012-10-01", 9)
    bars = [bar for bar in traded(days, 1) if bar.session != days[3].label] + traded(days[3:4], 0.5)
    told = found(sorted(bars, key=lambda bar: bar.start))
    assert told.select("session", "code", "severity").rows() == [
        (days[3].label, "completeness.unmeasured", "UNCHECKED")
    ]


def test_half_days_are_measured_by_their_own_length() -> None:
    days = sessions("2012-11-12", 30)
    assert any(day.label == dt.date(2012, 11, 23) for day in days)
    assert found(traded(days, 1)).is_empty()


def test_market_wide_halts_are_not_holes() -> None:
    days = sessions("2020-02-18", 40)
    bars = [
        bar
        for day in days
        for bar in traded([day], 1)
        if (bar.start - day.open) // MINUTE not in XNYS.halted_minutes(XNYS.position(day.label) or 0)
    ]
    assert len(bars) < 390 * 40
    assert found(bars).is_empty()
    baseline = completeness.occupancy(profiles.of(frame(bars), context()), context())
    # A minute in which the market stood still was no chance to trade.
    assert baseline.filter(pl.col("seen") != pl.col("chances")).is_empty()
    assert set(baseline["chances"]) > {40}
    measured = completeness.expected(frame(bars), baseline, context())
    assert measured.filter(pl.col("session") == dt.date(2020, 3, 9)).select("rows", "minutes").row(0) == (
        376,
        376,
    )


def test_a_full_session_on_a_half_day_puts_the_calendar_in_doubt() -> None:
    (half,) = (day for day in sessions("2012-11-12", 30) if day.label == dt.date(2012, 11, 23))
    bars = traded([half], 1) + [minute(half, at) for at in range(210, 390)]
    codes = found(bars)["code"].to_list()
    assert codes == ["session_timing.early_close"]
    thin = traded([half], 1) + [
        Bar(start=bar.start, session=bar.session, open=10, high=10, low=10, close=10, volume=10)
        for bar in (minute(half, at) for at in range(210, 390))
    ]
    assert found(thin).is_empty()


@given(st.lists(st.floats(0.001, 0.999), min_size=5, max_size=60))
def test_the_lower_band_is_close_to_the_exact_quantile(p: list[float]) -> None:
    """Against the exact Poisson-binomial distribution, computed by convolution."""
    exact = [1.0]
    for chance in p:
        exact = [
            (exact[k] * (1 - chance) if k < len(exact) else 0.0) + (exact[k - 1] * chance if k else 0.0)
            for k in range(len(exact) + 1)
        ]
    below, quantile = 0.0, 0
    while below + exact[quantile] < 0.001:
        below += exact[quantile]
        quantile += 1
    band = completeness.lower_band(
        sum(p), sum(q * (1 - q) for q in p), sum(q * (1 - q) * (1 - 2 * q) for q in p), 0.001
    )
    assert abs(band - quantile) <= 1


@needs_data
@pytest.mark.parametrize("symbol", ["SPY", "GOOG", "SHY", "AAPL", "NWSA", "FOXA"])
def test_real_minutes_raise_no_alarm(symbol: str) -> None:
    bars = lean_minutes(symbol)["minute", symbol]
    raw = frame(bars)
    told = registry.run(raw, beside(raw), context())
    assert told.filter(pl.col("severity") != "UNCHECKED").is_empty()
    assert set(raw["phase"].unique()) <= {"overnight", "pre", "regular", "post"}


@needs_data
def test_real_minutes_are_counted_as_their_readme_states() -> None:
    raw = frame(lean_minutes("GOOG")["minute", "GOOG"])
    regular = raw.filter(pl.col("phase") == "regular").group_by("session").len().sort("session")
    counts = dict(regular.iter_rows())
    assert (counts[dt.date(2015, 12, 24)], counts[dt.date(2015, 12, 28)]) == (210, 382)


@pytest.mark.parametrize(
    ("changes", "code", "severity"),
    [
        ({"low": 10.5}, "sanity.ohlc", "RED"),
        ({"high": 9.5}, "sanity.ohlc", "RED"),
        ({"vwap": 11.0}, "sanity.vwap", "AMBER"),
        ({"volume": 0, "vwap": 10.0}, "sanity.vwap_volume", "AMBER"),
    ],
)
def test_single_rows_are_held_to_sense(changes: dict[str, float], code: str, severity: str) -> None:
    (day,) = sessions("2012-10-01", 1)
    values = {"open": 10.0, "high": 10.0, "low": 10.0, "close": 10.0, "volume": 100, "vwap": None, **changes}
    raw = frame([Bar(start=new_york_midnight(day.label), session=day.label, **values)], DAYS)  # type: ignore[arg-type]
    told = registry.run(raw, ALONE, context(DAYS))
    assert told.select("code", "severity").rows() == [(code, severity)]


def test_one_bad_minute_in_a_session_is_flagged_but_does_not_hold_it_out() -> None:
    (day,) = sessions("2012-10-01", 1)
    bars = [minute(day, at, low=10.5) if at == 5 else minute(day, at) for at in range(390)]
    raw = frame(bars)
    assert raw.filter(pl.col("flags") > 0).height == 1
    assert found(bars).select("code", "severity").rows() == [("sanity.ohlc", "AMBER")]


def test_rows_outside_the_life_or_from_the_future_are_red() -> None:
    (day,) = sessions("2012-10-01", 1)
    raw = frame([minute(day, at) for at in range(390)]).drop("flags")
    before = context(universe="X,2013-01-02,,")
    told = registry.run(rows.flagged(raw, before), ALONE, before)
    assert told.select("code", "severity").rows() == [("order.outside_life", "RED")]
    early = CheckContext(dataset=MINUTES, calendar=XNYS, instruments=context().instruments, now=day.open)
    told = registry.run(rows.flagged(raw, early), ALONE, early)
    assert told.select("code", "severity").rows() == [("order.future", "RED")]


def test_repeated_and_backward_rows_are_red() -> None:
    (day,) = sessions("2012-10-01", 1)
    raw = frame([minute(day, at) for at in range(390)])
    doubled = pl.concat([raw, raw.head(1)])
    codes = registry.run(doubled, ALONE, context())["code"].to_list()
    assert codes == ["order.duplicate_key", "order.unsorted"]


@pytest.mark.parametrize("bars", [[], [0], [-60]], ids=["none", "one", "only before the open"])
def test_odd_frames_are_no_trouble(bars: list[int]) -> None:
    (day,) = sessions("2012-10-01", 1)
    assert set(found([minute(day, at) for at in bars])["severity"]) <= {"UNCHECKED"}


def test_findings_become_the_worst_verdict_of_each_cell() -> None:
    day = dt.date(2012, 10, 1)
    told = pl.DataFrame(
        [("A", day, "x", "AMBER"), ("A", day, "y", "RED"), ("B", day, "x", "AMBER")],
        schema=["instrument", "session", "code", "severity"],
        orient="row",
    )
    told = findings.shaped(told.with_columns(rows=1, measure=0.0, threshold=0.0, sentence=pl.lit("")))
    cells = pl.DataFrame({"instrument": ["A", "B", "C"], "session": [day] * 3})
    assert findings.verdicts(told, cells).select("verdict", "codes").rows() == [
        ("RED", "x,y"),
        ("AMBER", "x"),
        ("GREEN", ""),
    ]
