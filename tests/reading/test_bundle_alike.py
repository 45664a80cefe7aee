"""Whatever history a node has, its bundle gives the same rows for the same question, with the same doubt."""

from __future__ import annotations

import datetime as dt
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from laid import ACTIONS, DAY, HEADER, MINUTES, XNYS, Laid, laid

import fulltape
from clocks import SkippingClock
from fulltape import errors
from fulltape.adjustment import factors
from fulltape.export import run as export
from fulltape.reader import Reader
from nodes import needs_data, opened

pytestmark = needs_data
FIRST, LAST = dt.date(2012, 5, 1), dt.date(2012, 9, 28)
SESSIONS = [XNYS.label(at) for at in range(*XNYS.between(FIRST, LAST))]
NAMES = ("AAA", "BBB", "OLD")
spans = st.tuples(st.integers(0, len(SESSIONS) - 1), st.integers(0, 60)).map(
    lambda pair: (SESSIONS[pair[0]], SESSIONS[min(pair[0] + pair[1], len(SESSIONS) - 1)])
)
asks = st.fixed_dictionaries(
    {
        "adjust": st.sampled_from(["none", "split", "total"]),
        "anchor": st.sampled_from(["latest", "first", "2012-06-15", "2013-03-01"]),
        "symbols": st.sampled_from([None, "AAA", ["BBB", "OLD"]]),
        "grid": st.booleans(),
    }
)


def both(node: Laid) -> tuple[Reader, Reader]:
    """The node, and the bundle that it writes."""
    node.context.ledger.close()
    with opened(node.context.folder) as context:
        report = export.run_once(context, SkippingClock())
    assert report is not None
    return fulltape.open(node.context.folder), fulltape.open(report.path)


def same(node: Reader, bundle: Reader, dataset: str, **asked: Any) -> pl.DataFrame:
    """What both give."""
    expected, given_ = (reader.scan(dataset, **asked).collect() for reader in (node, bundle))
    assert given_.equals(expected, null_equal=True), (asked, expected, given_)
    return expected


def settled(folder: Path, *, until: dt.date) -> Path:
    """A node whose days end."""
    path = folder / "fulltape.toml"
    path.write_text(path.read_text().replace(f"[dataset.{DAY}]\n", f"[dataset.{DAY}]\nuntil = {until}\n"))
    return folder


@settings(max_examples=20, deadline=None)
@given(
    st.lists(spans, min_size=len(NAMES), max_size=len(NAMES)),
    st.lists(st.tuples(st.sampled_from(NAMES), spans), max_size=6),
    st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(SESSIONS)), max_size=3, unique=True),
    st.sampled_from([SESSIONS[40], LAST]),
    asks,
)
def test_rows_lives_and_doubts_are_those_of_the_node(
    lives: list[tuple[dt.date, dt.date]],
    answered: list[tuple[str, tuple[dt.date, dt.date]]],
    happened: list[tuple[str, dt.date]],
    until: dt.date,
    asked: dict[str, Any],
) -> None:
    if asked["adjust"] == "none":
        asked = {**asked, "anchor": "latest"}
    with tempfile.TemporaryDirectory() as folder:
        node = laid(Path(folder) / "node", "".join(f"{name},,,\n" for name in NAMES), DAY, ACTIONS)
        node.lives(dict(zip(NAMES, lives, strict=True)), 10.0)
        node.asked("AAA", "2011-01-03", "2011-01-04")
        for name, (first, last) in answered:
            node.asked(name, str(first), str(last))
        rows = [
            {
                "instrument": name,
                "ex_date": str(day),
                "action_type": "split",
                "ratio_old": 1.0,
                "ratio_new": 2.0,
            }
            for name, day in happened
        ]
        node.actions(*rows)
        for name, day in happened:
            node.fact(ACTIONS, name, day, day)
        settled(node.context.folder, until=until)
        of_node, of_bundle = both(node)
        assert of_bundle.symbols(DAY) == of_node.symbols(DAY)
        rows_of = same(of_node, of_bundle, DAY, **asked)
        if asked["symbols"] is None:
            assert set(rows_of["instrument"].cast(pl.String)) == set(NAMES)


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 8)), max_size=4),
    st.integers(0, 20),
    st.integers(0, 20),
    st.integers(0, 20),
)
def test_prices_across_a_day_without_an_answer_are_incomplete(
    answers: list[tuple[int, int]], one: int, other: int, anchor: int
) -> None:
    """Against every single day between a session and the anchor."""

    def on(at: int) -> dt.date:
        return FIRST + dt.timedelta(days=at)

    first, last = min(one, other, anchor), max(one, other, anchor)
    known = {at for begin, more in answers for at in range(begin, begin + more + 1)}
    edges = factors.unanswered_edges(
        [(on(begin), on(begin + more)) for begin, more in answers], on(first), on(last), on(anchor)
    )
    spans_ = factors.spans("A", [factors.unanswered("A", day) for day in edges], "split", on(anchor))
    for at in range(first, last + 1):
        status = next(span.status for span in reversed(spans_) if span.first <= on(at))
        unknown = [day for day in range(min(at, anchor) + 1, max(at, anchor) + 1) if day not in known]
        assert (status == "incomplete") == bool(unknown), (at, anchor, sorted(known), edges)


def test_instruments_are_those_of_each_dataset(tmp_path: Path) -> None:
    universe = (
        "FB,2000-01-03,2012-06-29,FB\nMETA,2012-07-02,,FB\nGONE,1990-01-02,1999-12-31,\nNEW,2020-01-02,,\n"
    )
    node = laid(tmp_path / "node", universe, DAY, MINUTES)
    node.days("FB", "2012-06-01", "2012-06-29", lambda _: 10.0)
    node.minutes("FB", "2012-06-28", range(390), lambda _: 10.0)
    path = node.context.folder / "fulltape.toml"
    text = path.read_text()
    at = text.index(f"[dataset.{MINUTES}]")
    few = text[at:].replace('universe = "all"', 'universe = "few"', 1)
    path.write_text(text[:at] + few + '\n[universe.few]\nfile = "few.csv"\n')
    (node.context.folder / "few.csv").write_text(HEADER + "FB,,,\n")
    of_node, of_bundle = both(node)
    assert of_bundle.symbols(DAY) == of_node.symbols(DAY) == ("FB", "GONE", "META", "NEW")
    assert of_bundle.symbols(MINUTES) == of_node.symbols(MINUTES) == ("FB",)
    same(of_node, of_bundle, DAY, grid=True)
    assert same(of_node, of_bundle, DAY, symbols="GONE").is_empty()
    windows = [reader.batches(DAY, window=5) for reader in (of_node, of_bundle)]
    assert windows[0].instruments == windows[1].instruments == ("FB", "GONE", "NEW")


def test_windows_of_doubtful_prices_are_not_valid(tmp_path: Path) -> None:
    node = laid(tmp_path / "node", "AAA,2000-01-03,,\n", DAY, ACTIONS)
    node.days("AAA", "2012-06-01", "2012-06-29", lambda _: 10.0)
    node.asked("AAA", "2012-06-15", "2012-06-29")
    for reader in both(node):
        (plain,) = reader.batches(DAY, window=21)
        (adjusted,) = reader.batches(DAY, window=21, adjust="split")
        (all_of_them,) = reader.batches(DAY, window=21, adjust="split", accept=("complete", "incomplete"))
        assert plain.valid.all()
        days = adjusted.sessions.astype("datetime64[D]")
        assert np.array_equal(adjusted.valid[0, :, 0], days >= np.datetime64("2012-06-14"))
        assert all_of_them.valid.all()


def test_a_split_never_sees_a_later_split_of_shares(tmp_path: Path) -> None:
    node = laid(tmp_path / "node", "AAA,2000-01-03,,\n", DAY, ACTIONS)
    node.days("AAA", "2012-06-01", "2012-08-31", lambda day: 10.0 if day < dt.date(2012, 8, 15) else 5.0)
    row = {
        "instrument": "AAA",
        "ex_date": "2012-08-15",
        "action_type": "split",
        "ratio_old": 1.0,
        "ratio_new": 2.0,
    }
    node.actions(row, asked=("2012-05-01", "2012-09-28"))
    path = node.context.folder / "fulltape.toml"
    path.write_text(path.read_text() + '\n[export]\nsplits = { train = "2012-06-01", test = "2012-08-01" }\n')
    for reader in both(node):
        train = reader.batches(DAY, window=5, split="train", adjust="split", columns=["close"])
        assert {value for each in train for value in each.values[each.valid]} == {10.0}
        whole = reader.batches(DAY, window=5, adjust="split", columns=["close"])
        assert {value for each in whole for value in each.values[each.valid]} == {5.0}


def test_a_node_that_is_written_meanwhile_gives_windows_of_one_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = laid(tmp_path / "node", "AAA,2000-01-03,,\n", DAY)
    node.days("AAA", "2012-06-01", "2012-08-31", lambda _: 10.0)
    monkeypatch.setattr("fulltape.reading.windows._BLOCK", 1)
    laying = fulltape.reading.windows._dense
    written: list[bool] = []

    def written_between(*arguments: Any) -> Any:
        if not written:
            written.append(True)
            with opened(node.context.folder) as context:
                Laid(context).days("AAA", "2012-06-01", "2012-08-31", lambda _: 7.0)
        return laying(*arguments)

    monkeypatch.setattr("fulltape.reading.windows._dense", written_between)
    reader = node.read()
    windows = reader.batches(DAY, window=64, columns=["close"])
    assert written
    assert {value for each in windows for value in each.values[each.valid]} == {10.0}
    assert reader.scan(DAY).collect()["close"].unique().to_list() == [7.0]


def test_a_name_that_the_bundle_does_not_have_is_told(tmp_path: Path) -> None:
    node = laid(tmp_path / "node", "AAA,2000-01-03,,\n", DAY)
    node.days("AAA", "2012-06-01", "2012-06-29", lambda _: 10.0)
    for reader in both(node):
        with pytest.raises(errors.UsageError, match=f"there is no 'ZZZ' in {DAY}"):
            reader.scan(DAY, symbols="ZZZ")
