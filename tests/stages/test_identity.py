"""Two companies under one symbol: dates that contradict each other, and a price that jumps across a long silence."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from clocks import SkippingClock
from fulltape.calendars import tables
from fulltape.checks import identity
from fulltape.coverage.series import Picture
from fulltape.market import ranges
from fulltape.node import nightly
from fulltape.simulator.market import market, new_york_midnight
from fulltape.simulator.minutes import Bar
from fulltape.vendors.massive.reference import _Details, listings
from nodes import Wish, opened, simulated

XNYS = tables.load("XNYS")


def bars(first: str, last: str, price: float) -> list[Bar]:
    start, stop = XNYS.between(dt.date.fromisoformat(first), dt.date.fromisoformat(last))
    return [
        Bar(
            start=new_york_midnight(one.label),
            session=one.label,
            open=price,
            high=price,
            low=price,
            close=price,
            volume=1_000,
        )
        for one in XNYS.sessions[start:stop]
    ]


@pytest.mark.parametrize(("price", "codes"), [(49.9, {"identity.jump"}), (3.9, {""})])
def test_rows_before_a_silence_after_which_the_price_is_another_one_are_not_green(
    tmp_path: Path, price: float, codes: set[str]
) -> None:
    found = market(
        {
            ("day", "ULTR"): bars("2012-01-03", "2012-01-10", 3.5)
            + bars("2012-09-03", "2012-09-28", 3.5)
            + bars("2013-08-06", "2013-08-30", price)
        }
    )
    wish = Wish("equities_bars_day", "2012-01-03", "2013-08-30", ("alpaca.sip",))
    universe = "symbol,listed_from,listed_to,instrument\nULTR,2006-10-13,,\n"
    with simulated(tmp_path, found, [wish], universe=universe) as (folder, _), opened(folder) as context:
        for _ in range(2):
            nightly.run(context, SkippingClock())
        said = {one.codes for one in context.ledger.verdicts.of_dataset("equities_bars_day")} - {"continuity"}
        bundle = max((folder / "lake" / "exports").rglob("partition_status.parquet"))
    status = pl.read_parquet(bundle).filter(pl.col("availability") == "held")
    early = status.filter(pl.col("session") < dt.date(2013, 1, 1))
    assert early.height == 6 + 19
    assert set(early["codes"]) == codes
    assert set(early["verdict"]) == ({"GREEN"} if codes == {""} else {"AMBER"})
    assert set(status.filter(pl.col("session") > dt.date(2013, 1, 1))["verdict"]) == {"GREEN"}
    assert codes <= said


def test_only_a_long_silence_divides() -> None:
    def shown(held: ranges.Ranges) -> Picture:
        rest = ranges.subtract(((0, 500),), held)
        return Picture(
            wanted=((0, 500),),
            held=held,
            partial=(),
            empty=rest,
            unobtainable=(),
            unknown_listing=(),
            missing=(),
        )

    assert identity.stretches(shown(((0, 100), (159, 200)))) == [((0, 100), (159, 200))]
    assert identity.stretches(shown(((0, 50), (60, 100), (160, 200)))) == [
        ((0, 50), (60, 100)),
        ((160, 200),),
    ]
    assert identity.jumped(3.5, 49.9)
    assert identity.jumped(10.0, 5.0)
    assert not identity.jumped(10.0, 6.0)


@pytest.mark.parametrize(
    ("event", "first", "conflict"),
    [
        ("2019-08-06", "2019-08-06", True),
        ("2003-09-10", "2001-05-01", False),  # the first day of the vendor's data
        ("2000-01-03", "2000-01-03", False),
    ],
)
def test_of_dates_that_contradict_each_other_the_later_one_counts_if_an_event_says_so(
    event: str, first: str, conflict: bool
) -> None:
    details = _Details(ticker="ULTR", list_date=dt.date(2001, 5, 1))
    (one,) = listings("ULTR", details, [(dt.date.fromisoformat(event), "ULTR")])
    assert one.first == dt.date.fromisoformat(first)
    assert bool(one.facts.conflict) is conflict
