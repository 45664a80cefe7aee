"""A bundle's certificate tells what is not in it, and never says that all is well where it is not."""

from __future__ import annotations

import datetime as dt
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clocks import SkippingClock
from fulltape.export import certificate, gaps, plan
from fulltape.export import run as export
from fulltape.export.certificate import Certificate, DatasetCertificate, StreamCertificate
from fulltape.node import nightly
from fulltape.simulator import market as markets
from holed import LACKING, holed
from nodes import Wish, needs_data, opened, simulated

KINDS: dict[str, tuple[str, str | None, str]] = {
    "good": ("held", "whole", "GREEN"),
    "amber": ("held", "whole", "AMBER"),
    "bad": ("held", "whole", "RED"),
    "holes": ("held", "holes_unexplained", "AMBER"),
    "missing": ("missing", None, "UNCHECKED"),
    "empty": ("empty", None, "UNCHECKED"),
    "unobtainable": ("unobtainable", None, "UNCHECKED"),
    "unknown": ("unknown_listing", None, "UNCHECKED"),
}
WHY = {
    "bad": "held_out",
    "holes": "partial",
    "missing": "missing",
    "unobtainable": "unobtainable",
    "unknown": "unknown_listing",
}


def cells(of: dict[str, list[str]]) -> pl.DataFrame:
    """Cells of instruments, a session each in a row, by their kinds."""
    rows = [
        {
            "dataset": "d", "instrument": name, "symbol": name, "session": dt.date(2024, 1, 1) + dt.timedelta(days=at),
            "availability": KINDS[kind][0], "completeness": KINDS[kind][1], "verdict": KINDS[kind][2], "codes": "", "findings": "",
        }
        for name, kinds in sorted(of.items())
        for at, kind in enumerate(kinds)
    ]  # fmt: skip
    return pl.DataFrame(rows, schema={name: plan.STATUS[name] for name in rows[0]} if rows else plan.STATUS)


@given(
    st.dictionaries(
        st.sampled_from("abc"), st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=12), min_size=1
    )
)
def test_every_cell_that_lacks_something_is_in_one_stretch(of: dict[str, list[str]]) -> None:
    table = cells(of)
    stretches = gaps.of(table, "drop_cell")
    told = {
        (row["instrument"], row["first"] + dt.timedelta(days=at)): row["why"]
        for row in stretches.iter_rows(named=True)
        for at in range((row["last"] - row["first"]).days + 1)
    }
    expected = {
        (name, dt.date(2024, 1, 1) + dt.timedelta(days=at)): WHY[kind]
        for name, kinds in of.items()
        for at, kind in enumerate(kinds)
        if kind in WHY
    }
    assert told == expected
    assert stretches["sessions"].sum() == len(expected)
    (count,) = gaps.counts(table, "drop_cell").iter_rows(named=True)
    everything = [kind for kinds in of.values() for kind in kinds]
    assert count["wanted"] == len(everything)
    assert count["lacking"] == len(expected)
    assert count["empty"] == everything.count("empty")
    assert count["GREEN"] == everything.count("good")


def test_only_the_longest_are_told_and_the_others_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gaps, "MOST", 2)
    table = cells({"a": ["missing", "good", "missing", "missing"], "b": ["missing"] * 3})
    kept, omitted = gaps.longest([gaps.of(table, "drop_cell").lazy()])
    assert kept["sessions"].to_list() == [2, 3]
    assert omitted == 1


@pytest.mark.parametrize(
    ("share", "words"),
    [(100.0, "100 %"), (99.9999999, "99.99 %"), (0.0, "0.00 %"), (50.0, "50.00 %"), (None, "–")],
)
def test_only_what_is_whole_is_100_percent(share: float | None, words: str) -> None:
    assert certificate.percent(share) == words


def dataset(**more: Any) -> DatasetCertificate:
    plain: dict[str, Any] = {
        "name": "d", "wanted": 5, "held": 5, "empty": 0, "lacking": 0, "there": 100.0, "green": 100.0, "verdicts": {"GREEN": 5},
    }  # fmt: skip
    return DatasetCertificate(**plain | more)


def headline(
    *datasets: DatasetCertificate, streams: tuple[StreamCertificate, ...] = (), omitted: int = 0
) -> tuple[str, str]:
    """The page's first words, and how they are meant."""
    made = Certificate(
        bundle="2024-11-27", software="fulltape", policy="drop_cell", datasets=list(datasets), gaps=[], omitted=omitted,
        streams=list(streams),
    )  # fmt: skip
    match = re.search(r'<h1(?: class="(\w+)")?>(.*?)</h1>', certificate.page(made), re.DOTALL)
    assert match
    return match[1] or "", match[2]


def test_the_page_says_that_all_is_well_only_where_it_is() -> None:
    stream = StreamCertificate(
        source="s.f", dataset="d", symbol="A", sessions=1, clean=99.0, verified=100.0, unnoticed=0
    )
    assert headline(dataset(), streams=(stream,))[0] == "well"
    unproved = StreamCertificate(
        source="s.f", dataset="d", symbol="A", sessions=1, clean=99.0, verified=99.5, unnoticed=0
    )
    for doubtful in (
        headline(dataset(verdicts={"GREEN": 4, "AMBER": 1})),
        headline(dataset(verdicts={"UNCHECKED": 5})),
        headline(dataset(), streams=(unproved,)),
    ):
        assert doubtful[0] == ""
    assert headline(dataset(), dataset(name="e", wanted=0, there=None)) == (
        "lacking",
        'The bundle of <span class="when">2024-11-27</span> has nothing of e',
    )
    assert headline(dataset(lacking=3), omitted=3)[0] == "lacking"


@needs_data
def test_a_bundle_has_its_certificate(tmp_path: Path) -> None:
    with holed(tmp_path) as node:
        (bundle,) = (node / "lake" / "exports" / "nightly").iterdir()
        told = json.loads((bundle / "gaps.json").read_text())
        assert [
            (each["symbol"], each["first"], each["last"], each["sessions"], each["why"])
            for each in told["gaps"]
        ] == [(LACKING, "2012-06-01", "2012-06-29", 21, "missing")]
        days = told["datasets"][0]
        assert (days["wanted"], days["lacking"], days["verdicts"]) == (1155, 21, {"GREEN": 1134})
        page = (bundle / "gaps.html").read_text()
        assert "21 of 1,260 cells lack something in the bundle of" in page
        assert "98.18 %" in page
        assert "http" not in page.replace("<!doctype html>", "")
        with opened(node) as context:
            again = export.run_once(context, SkippingClock())
            assert again is not None
            assert not again.written


@needs_data
def test_a_bad_cell_is_left_out_and_said(tmp_path: Path) -> None:
    market = markets.sample()
    bars = dict(market.bars)
    bars["day", "AAPL"] = [
        replace(bar, high=bar.low - 1) if bar.session == dt.date(2012, 3, 5) else bar
        for bar in bars["day", "AAPL"]
    ]
    wishes = (Wish("equities_bars_day", "2012-01-03", "2012-12-31"),)
    with (
        simulated(tmp_path, replace(market, bars=bars), wishes, universe=markets.sample_universe()) as (
            node,
            _,
        ),
        opened(node) as context,
    ):
        nightly.run(context, SkippingClock())
    (bundle,) = (node / "lake" / "exports" / "nightly").iterdir()
    told = json.loads((bundle / "gaps.json").read_text())
    assert [(each["symbol"], each["first"], each["why"]) for each in told["gaps"]] == [
        ("AAPL", "2012-03-05", "held_out")
    ]
    assert "its rows are left out" in (bundle / "gaps.html").read_text()
