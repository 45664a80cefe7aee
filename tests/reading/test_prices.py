"""What researchers read: adjusted, resampled, as of a day, on real prices of real events."""

from __future__ import annotations

import csv
import datetime as dt
import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import fulltape
from clocks import SkippingClock
from fulltape import errors
from fulltape.node import nightly
from fulltape.reader import Reader
from fulltape.simulator.market import Action, Market
from nodes import LEAN, Wish, lean_days, lean_minutes, merged, needs_data, opened, simulated

pytestmark = needs_data

FIRST, LAST = dt.date(2014, 1, 2), dt.date(2020, 12, 31)
SOURCES = ("alpaca.sip", "massive.sip")
WISHES = (
    Wish("equities_bars_day", "2014-01-02", "2020-12-31", SOURCES[:1]),
    Wish("equities_bars_minute", "2014-06-05", "2014-06-09", SOURCES[:1]),
    Wish("corporate_actions", "2014-01-02", "2020-12-31", SOURCES),
)


def apple() -> Market:
    """Apple's real day and minute bars, its splits, and its dividends as its published factor file implies them."""
    market = merged(lean_days("AAPL", FIRST, LAST), lean_minutes("AAPL"))
    sessions = [bar.session for bar in market.bars["day", "AAPL"]]
    actions = []
    with (LEAN / "factor_files" / "aapl.csv").open() as file:
        rows = [
            (dt.datetime.strptime(day, "%Y%m%d").date(), float(price), float(split), float(close))
            for day, price, split, close in csv.reader(file)
        ]
    for (day, price, split, close), (_, later_price, later_split, _) in itertools.pairwise(rows):
        if not FIRST <= day < LAST:
            continue
        ex_date = next(session for session in sessions if session > day)
        if later_split != split:
            actions.append(
                Action(
                    action_id=f"s{day}", symbol="AAPL", ex_date=ex_date, ratio=(1, round(later_split / split))
                )
            )
        if later_price != price:
            paid = round(close * (1 - price / later_price), 3)
            declared = ex_date - dt.timedelta(days=10)
            actions.append(
                Action(action_id=f"d{day}", symbol="AAPL", ex_date=ex_date, amount=paid, declared=declared)
            )
    return replace(market, actions=tuple(actions))


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    with (
        simulated(tmp_path_factory.mktemp("prices"), apple(), WISHES) as (folder, _),
        opened(folder) as context,
    ):
        nightly.run(context, SkippingClock())
    return fulltape.open(folder)


def close_on(reader: Reader, day: str, **more: object) -> float:
    """One close as a reader gets it."""
    rows = reader.scan("equities_bars_day", symbols="AAPL", start=day, end=day, **more).collect()  # type: ignore[arg-type]
    return float(rows["close"][0])


@pytest.mark.parametrize(
    ("day", "more", "expected"),
    [
        ("2014-06-06", {"adjust": "split", "as_of": "2019-06-30"}, 92.2242857),
        ("2014-06-06", {"adjust": "total", "as_of": "2019-06-30"}, 84.52586),
        ("2014-01-02", {"adjust": "total", "as_of": "2019-06-30"}, 71.59171),
        ("2014-06-06", {"adjust": "total", "anchor": "2020-12-31"}, 20.80876),
        ("2014-06-06", {"adjust": "total"}, 20.80876),
        ("2014-06-09", {"adjust": "split", "anchor": "2014-01-02"}, 655.90),
        ("2014-06-09", {"adjust": "total", "anchor": "2014-01-02"}, 663.5114),
        ("2014-06-09", {"adjust": "total", "anchor": "first"}, 663.5114),
        ("2014-06-06", {}, 645.57),
        ("2014-06-09", {"adjust": "split", "anchor": "2014-06-09"}, 93.70),
    ],
)
def test_adjusted_closes_are_those_that_follow_from_published_factors(
    reader: Reader, day: str, more: dict[str, object], expected: float
) -> None:
    assert close_on(reader, day, **more) == pytest.approx(expected, rel=3e-7)


def test_the_last_session_as_of_a_day_is_the_anchor(reader: Reader) -> None:
    rows = reader.scan("equities_bars_day", symbols="AAPL", as_of="2019-06-30", adjust="total").collect()
    assert rows["session"].max() == dt.date(2019, 6, 28)
    assert rows["adjust_anchor"].unique().to_list() == [dt.date(2019, 6, 28)]
    assert rows["adjust_status"].cast(pl.String).unique().to_list() == ["complete"]


@pytest.mark.parametrize("adjust", ["split", "total"])
def test_volumes_follow_the_count_of_shares(reader: Reader, adjust: str) -> None:
    rows = reader.scan(
        "equities_bars_day",
        symbols="AAPL",
        start="2014-06-06",
        end="2014-06-06",
        adjust=adjust,
        anchor="2014-06-09",
    ).collect()
    raw = reader.scan("equities_bars_day", symbols="AAPL", start="2014-06-06", end="2014-06-06").collect()
    assert rows["volume"][0] == raw["volume"][0] * 7


def test_the_researchers_line(reader: Reader) -> None:
    rows = reader.scan(
        "equities_bars_minute",
        symbols=["AAPL"],
        start="2014-06-06",
        end="2014-06-09",
        every="5m",
        adjust="split",
        anchor="2014-06-09",
        columns=["ts", "session", "open", "close", "volume", "n"],
    ).collect()
    assert rows.columns == ["ts", "session", "open", "close", "volume", "n"]
    day = rows.filter(pl.col("session") == dt.date(2014, 6, 6))
    assert day.height == 78
    assert day["open"][0] == pytest.approx(650 / 7)
    assert day["close"][-1] == pytest.approx(645.57 / 7)
    assert day["volume"][0] == 802_291 * 7


def test_the_ex_date_holds_for_all_phases_of_its_session(reader: Reader) -> None:
    rows = reader.scan(
        "equities_bars_minute",
        symbols="AAPL",
        start="2014-06-05",
        end="2014-06-09",
        adjust="split",
        anchor="2014-06-09",
    ).collect()
    last = rows.filter(pl.col("session") == dt.date(2014, 6, 6)).sort("ts")[-1]
    assert (last["close"][0], last["phase"][0]) == (pytest.approx(92.242857, rel=1e-8), "post")
    first = rows.filter(pl.col("session") == dt.date(2014, 6, 9)).sort("ts")[0]
    assert (first["open"][0], first["phase"][0]) == (645.57, "pre")


def test_minute_closes_chain_to_day_closes(reader: Reader) -> None:
    """With either grain the split and the dividends bring one session to the other."""
    asked: Any = {
        "symbols": "AAPL",
        "start": "2014-06-05",
        "end": "2014-06-09",
        "adjust": "total",
        "anchor": "2020-12-31",
    }
    days = reader.scan("equities_bars_day", **asked).collect()
    minutes = reader.scan("equities_bars_minute", **asked, every="1d").collect()
    assert minutes["session"].to_list() == days["session"].to_list()
    for minute, day in zip(minutes["close"], days["close"], strict=True):
        assert minute == pytest.approx(day, rel=2e-3)


def test_actions_and_their_factors(reader: Reader) -> None:
    actions = reader.actions("AAPL")
    split = actions.filter(pl.col("action_type") == "split").to_dicts()
    assert [(row["ex_date"], row["ratio"]) for row in split] == [
        (dt.date(2014, 6, 9), 7.0),
        (dt.date(2020, 8, 31), 4.0),
    ]
    assert set(actions["agreement"]) == {"agreed"}
    assert actions["sources"].to_list() == [list(SOURCES)] * actions.height
    factors = reader.factors("AAPL")
    june = factors.filter(pl.col("ex_date") == dt.date(2014, 6, 9)).to_dicts()
    assert (june[0]["split"], june[0]["total"], june[0]["shares"]) == (1 / 7, 1 / 7, 7.0)
    may = factors.filter(pl.col("ex_date") == dt.date(2014, 5, 8)).to_dicts()
    assert may[0]["total"] == pytest.approx(1 - 3.29 / 592.33, abs=1e-15)
    assert may[0]["close"] == 592.33


def test_an_action_is_visible_from_its_announcement(reader: Reader) -> None:
    """A dividend of 8 May 2014 was declared on 28 April; a split that no source announces is public at the open of its day."""

    def dates(as_of: str) -> list[dt.date]:
        return reader.actions("AAPL", as_of=as_of)["ex_date"].to_list()

    assert dt.date(2014, 5, 8) not in dates("2014-04-27")
    assert dt.date(2014, 5, 8) in dates("2014-04-28")
    assert dt.date(2014, 6, 9) not in dates("2014-06-08")
    assert dt.date(2014, 6, 9) not in dates("2014-06-09T09:29:59-04:00")
    assert dt.date(2014, 6, 9) in dates("2014-06-09T09:30:00-04:00")
    # Announced is not effective: prices before the ex-date stay as they are until it has come.
    assert close_on(reader, "2014-05-02", adjust="total", as_of="2014-05-07") == close_on(
        reader, "2014-05-02"
    )


@pytest.mark.parametrize("as_of", ["2014-03-31", "2014-06-06", "2014-06-08", "2016-02-29", "2019-06-30"])
def test_nothing_public_later_is_read(reader: Reader, as_of: str) -> None:
    limit = dt.datetime.combine(dt.date.fromisoformat(as_of), dt.time(23, 59)).replace(
        tzinfo=dt.UTC
    ) + dt.timedelta(hours=5)
    for dataset in ("equities_bars_day", "equities_bars_minute"):
        for adjust in ("none", "split", "split_spin", "total"):
            rows = reader.scan(dataset, as_of=as_of, adjust=adjust).collect()
            assert rows.filter(pl.col("available_at") > limit).is_empty()
    assert all(day <= limit.date() + dt.timedelta(days=60) for day in reader.actions(as_of=as_of)["ex_date"])


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"adjust": "dividends"}, "adjust='dividends' is not known"),
        ({"adjust": "total", "anchor": "tomorrow"}, "anchor='tomorrow' is no date"),
        ({"every": "5m"}, "is for minute bars"),
        ({"columns": ["clsoe"]}, "Did you mean close"),
        ({"symbols": "AAPL", "instruments": "AAPL"}, "symbols and instruments are given"),
        ({"instruments": "APPL"}, "Did you mean AAPL"),
        ({"adjust": "total", "convention": "close"}, "convention='close' is not known"),
        ({"adjust": "total", "anchor": "2016-01-04", "as_of": "2015-02-25"}, "was not known then"),
        ({"columns": "adjust_status"}, "comes with adjust="),
        ({"columns": ["rsi14"]}, "Did you mean rsi_14?"),
        ({"convention": "ex_close"}, "adjust is not given"),
        ({"phase": "post"}, "every is not given"),
        ({"columns": ["close", "close"]}, "more than once"),
        ({"as_of": "9999-12-31"}, "lies beyond every calendar"),
        ({"as_of": "someday"}, "as_of='someday' is no date"),
    ],
)
def test_what_cannot_be_meant_is_refused(reader: Reader, more: dict[str, object], words: str) -> None:
    with pytest.raises(errors.UsageError) as refused:
        reader.scan("equities_bars_day", **more)  # type: ignore[arg-type]
    assert words in f"{refused.value} {refused.value.hint}"


def test_without_actions_nothing_is_adjusted(tmp_path: Path) -> None:
    wishes: Sequence[Wish] = (Wish("equities_bars_day", "2014-06-02", "2014-06-30", SOURCES[:1]),)
    with simulated(tmp_path, apple(), wishes) as (folder, _), opened(folder) as context:
        nightly.run(context, SkippingClock())
    with pytest.raises(errors.UsageError, match="knows of no corporate_actions"):
        fulltape.open(folder).scan("equities_bars_day", adjust="split")


def test_indicators_read_what_they_need_before_the_start(reader: Reader) -> None:
    columns = ["session", "close", "return_1", "ema_20", "rsi_14"]
    asked = {"symbols": "AAPL", "adjust": "total", "anchor": "2020-12-31", "columns": columns}
    whole = reader.scan("equities_bars_day", **asked).collect()  # type: ignore[arg-type]
    late = reader.scan("equities_bars_day", start="2018-06-01", **asked).collect()  # type: ignore[arg-type]
    assert late["session"][0] == dt.date(2018, 6, 1)
    assert late.null_count().sum_horizontal().sum() == 0
    overlap = whole.filter(pl.col("session") >= dt.date(2018, 6, 1))
    for name in columns[1:]:
        assert late[name].to_list() == pytest.approx(overlap[name].to_list(), rel=1e-12)
    assert whole["ema_20"][:19].is_null().all()


def test_a_split_is_no_return(reader: Reader) -> None:
    asked = {"symbols": "AAPL", "start": "2014-06-09", "end": "2014-06-09", "columns": ["return_1"]}
    raw = reader.scan("equities_bars_day", **asked).collect()  # type: ignore[arg-type]
    adjusted = reader.scan("equities_bars_day", adjust="split", **asked).collect()  # type: ignore[arg-type]
    assert raw["return_1"][0] == pytest.approx(93.70 / 645.57 - 1)
    assert adjusted["return_1"][0] == pytest.approx(93.70 * 7 / 645.57 - 1)


def test_indicators_along_longer_bars(reader: Reader) -> None:
    rows = reader.scan(
        "equities_bars_minute",
        symbols="AAPL",
        start="2014-06-06",
        end="2014-06-06",
        every="5m",
        columns=["ts", "close", "n", "return_1", "vwap_session"],
    )
    with pytest.raises(errors.UsageError, match="no column 'retrun_1'"):
        reader.scan("equities_bars_minute", columns=["retrun_1"])
    assert rows.collect().height == 78
    assert rows.collect()["return_1"].null_count() == 0  # the first bar has the last one of the day before


def test_what_has_no_bars_has_no_indicators(reader: Reader) -> None:
    with pytest.raises(errors.UsageError, match="cannot be computed along corporate_actions"):
        reader.scan("corporate_actions", columns=["sma_20"])


def test_the_grid_of_a_read(reader: Reader) -> None:
    rows = reader.scan(
        "equities_bars_minute", symbols="AAPL", start="2014-06-06", end="2014-06-06", grid=True
    ).collect()
    assert rows.filter(pl.col("phase") == "regular").height == 390
    assert not rows.filter("is_filled").select("close", "volume").to_series().is_not_null().any()
    with pytest.raises(errors.UsageError, match="has no grid"):
        reader.scan("corporate_actions", grid=True)
    with pytest.raises(errors.UsageError, match="the phase post has no grid"):
        reader.scan("equities_bars_minute", grid=True, every="5m", phase="post")
