"""A symbol means one instrument on a day and another on another day; a read never mixes them."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import polars as pl
import pytest

import fulltape
from clocks import SkippingClock
from fulltape import errors
from fulltape.market.instruments import DatedSymbol, Instrument
from fulltape.node import nightly
from fulltape.reader import Reader
from fulltape.reading import symbols
from fulltape.simulator.market import Action
from nodes import Wish, lean_days, merged, needs_data, opened, simulated

DAY = dt.date


def instrument(name: str, *spans: tuple[str, str, str]) -> Instrument:
    """An instrument with its symbols, each from a day to a day ('': now)."""
    dated = tuple(
        DatedSymbol(
            symbol=symbol, first=DAY.fromisoformat(first), last=DAY.fromisoformat(last) if last else None
        )
        for symbol, first, last in spans
    )
    return Instrument(instrument=name, symbols=dated)


META = instrument("META", ("FB", "2012-05-18", "2022-06-08"), ("META", "2022-06-09", ""))
FALCON = instrument("FALCON", ("FB", "1998-01-02", "2008-11-24"))
WASTE = instrument(
    "WASTE", ("UW", "1998-01-02", "1998-07-16"), ("WMI", "1998-07-17", "2009-08-04"), ("WM", "2009-08-05", "")
)
WAMU = instrument("WAMU", ("WM", "1998-01-02", "2008-09-26"))
KNOWN = [META, FALCON, WASTE, WAMU]


@pytest.mark.parametrize(
    ("symbol", "first", "last", "meant"),
    [
        ("FB", "2012-05-18", "2020-12-31", ["META"]),
        ("FB", "1998-01-02", "2012-05-17", ["FALCON"]),
        ("WM", "2009-08-05", "2020-12-31", ["WASTE"]),
        ("WM", "2000-01-03", "2009-08-04", ["WAMU"]),
        ("WMI", "1990-01-02", "2030-01-02", ["WASTE"]),
        ("UW", "2010-01-04", "2010-12-31", []),
    ],
)
def test_a_symbol_means_who_bore_it_in_these_sessions(
    symbol: str, first: str, last: str, meant: list[str]
) -> None:
    chosen = symbols.of_symbols(
        KNOWN, [symbol], DAY.fromisoformat(first), DAY.fromisoformat(last), dataset="d"
    )
    assert [each.instrument for each in chosen] == meant


def test_two_bearers_in_these_sessions_are_refused_with_their_dates() -> None:
    with pytest.raises(errors.UsageError) as refused:
        symbols.of_symbols(KNOWN, ["WM"], DAY(2008, 1, 2), DAY(2010, 1, 4), dataset="d")
    assert refused.value.message == (
        "WM means several instruments in these sessions: WAMU (1998-01-02 to 2008-09-26), WASTE (2009-08-05 to now)."
    )
    assert "instruments=" in refused.value.hint


def test_strangers_are_refused_with_the_nearest_name() -> None:
    with pytest.raises(errors.UsageError) as refused:
        symbols.of_symbols(KNOWN, ["METAA"], DAY.min, DAY.max, dataset="d")
    assert refused.value.hint == "Did you mean META?"
    with pytest.raises(errors.UsageError, match="there is no 'FB'"):
        symbols.of_names(KNOWN, ["FB"], dataset="d")
    assert symbols.ever(KNOWN, ["FB", "META"], dataset="d") == ["META", "FALCON"]


FIRST, LAST = DAY(2013, 6, 17), DAY(2013, 7, 16)
UNIVERSE = (
    "symbol,listed_from,listed_to,instrument\n"
    "NWSA,1998-01-02,2013-06-28,FOX\nFOXA,2013-07-01,,FOX\nNWSA,2013-07-01,,NEWS\nSPY,1993-01-29,,\n"
)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """News Corporation became 21st Century Fox on 2013-07-01, spun off what is News Corp now, and left it the symbol."""
    bars = merged(*(lean_days(symbol, FIRST, LAST) for symbol in ("NWSA", "FOXA", "SPY")))
    spun = Action(action_id="x", symbol="NWSA", ex_date=DAY(2013, 7, 1), amount=3.82)
    wishes = (
        Wish("equities_bars_day", FIRST.isoformat(), LAST.isoformat(), ("alpaca.sip",)),
        Wish("corporate_actions", FIRST.isoformat(), LAST.isoformat(), ("massive.sip",)),
    )
    with (
        simulated(
            tmp_path_factory.mktemp("renamed"), replace(bars, actions=(spun,)), wishes, universe=UNIVERSE
        ) as (folder, _),
        opened(folder) as context,
    ):
        nightly.run(context, SkippingClock())
    return fulltape.open(folder)


@needs_data
def test_a_whole_life_is_read_under_all_its_symbols(reader: Reader) -> None:
    rows = reader.scan("equities_bars_day", instruments="FOX").collect()
    assert rows["symbol"].unique(maintain_order=True).to_list() == ["NWSA", "FOXA"]
    assert rows.filter(pl.col("session") == DAY(2013, 6, 28))["close"].to_list() == [32.60]
    assert reader.scan("equities_bars_day", symbols="FOXA").collect()["session"].min() == DAY(2013, 7, 1)


@needs_data
def test_the_symbol_of_two_lives_is_refused_over_both_and_read_in_each(reader: Reader) -> None:
    with pytest.raises(errors.UsageError, match=r"FOX .*, NEWS "):
        reader.scan("equities_bars_day", symbols="NWSA")
    before = reader.scan("equities_bars_day", symbols="NWSA", end="2013-06-28").collect()
    after = reader.scan("equities_bars_day", symbols="NWSA", start="2013-07-01").collect()
    assert set(before["instrument"]) == {"FOX"}
    assert set(after["instrument"]) <= {"NEWS"}


@needs_data
def test_indicators_of_a_renamed_one_go_back_over_its_rename(reader: Reader) -> None:
    rows = reader.scan(
        "equities_bars_day",
        symbols="FOXA",
        start="2013-07-01",
        end="2013-07-01",
        columns=["symbol", "return_1"],
    ).collect()
    foxa, nwsa = (lean_days(symbol, FIRST, LAST)["day", symbol] for symbol in ("FOXA", "NWSA"))
    first = next(bar for bar in foxa if bar.session == DAY(2013, 7, 1))
    last = next(bar for bar in nwsa if bar.session == DAY(2013, 6, 28))
    assert rows.rows() == [("FOXA", pytest.approx(first.close / last.close - 1))]
