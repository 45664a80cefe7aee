"""What the pages are told of a node's cells, rows, findings, tasks and bundles."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

import fulltape
from clocks import SkippingClock
from fulltape.browse import run
from fulltape.browse.questions import (
    BarsAnswer,
    BarsQuestion,
    BrowseRefusal,
    BundlesAnswer,
    BundlesQuestion,
    CellAnswer,
    CellQuestion,
    FindingsAnswer,
    FindingsQuestion,
    Question,
    Reply,
    TasksAnswer,
    TasksQuestion,
)
from fulltape.settings import load
from holed import LACKING, ONE, holed

MINUTES, DAYS = "equities_bars_minute", "equities_bars_day"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with holed(tmp_path_factory.mktemp("browse")) as folder:
        yield folder


def ask(node: Path, question: Question) -> Reply:
    return run.answer(load.load(node, asking=False), SkippingClock(), question)


def bars(node: Path, **given: str) -> BarsAnswer:
    answer = ask(node, BarsQuestion(**given))
    assert isinstance(answer, BarsAnswer), answer
    return answer


def test_the_story_of_a_cell_names_the_minutes_that_are_not_there(node: Path) -> None:
    cell = ask(node, CellQuestion(dataset=MINUTES, symbol="AAPL", session=ONE))
    assert isinstance(cell, CellAnswer)
    assert (cell.rows, cell.expected, cell.holes) == (208, 210, ["10:14 to 10:15"])
    assert (cell.before, cell.after, cell.zone) == ("2012-11-21", "2012-11-26", "America/New_York")
    assert cell.state == "held"
    assert ("verdict", cell.verdict) in cell.pairs
    day = ask(node, CellQuestion(dataset=DAYS, symbol="AAPL", session=ONE))
    assert isinstance(day, CellAnswer)
    assert (day.expected, day.holes) == (0, [])


def test_a_cell_that_is_not_there_says_why(node: Path) -> None:
    cell = ask(node, CellQuestion(dataset=DAYS, symbol=LACKING, session="2012-06-14"))
    assert isinstance(cell, CellAnswer)
    assert cell.state == "missing"
    assert "implausible silence of 21 sessions" in cell.answer


@pytest.mark.parametrize(
    ("question", "words"),
    [
        (CellQuestion(dataset=DAYS, symbol="NOPE", session=ONE), "NOPE is not in its universe"),
        (CellQuestion(dataset="nope", symbol="AAPL", session=ONE), "nope"),
        (CellQuestion(dataset="forex_bars_minute", symbol="AAPL", session=ONE), "this node does not have"),
        (CellQuestion(dataset=DAYS, symbol="AAPL", session="yesterday"), "'yesterday' is no date"),
        (BarsQuestion(dataset=DAYS, symbol="AAPL", every="5m"), "every='5m'"),
        (BarsQuestion(dataset=DAYS, symbol="AAPL", start="x"), "'x' is no date"),
        (BarsQuestion(dataset=DAYS, symbol="AAPL", adjust="much"), "adjust"),
        (BarsQuestion(dataset=DAYS, symbol="AAPL", start="2012-03-01", end="2012-02-01"), "2012-03-01"),
        (TasksQuestion(state="late"), "'late' is no state"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_words(node: Path, question: Question, words: str) -> None:
    answer = ask(node, question)
    assert isinstance(answer, BrowseRefusal)
    assert not answer.ours
    assert words in answer.text


def test_bars_are_the_rows_that_its_line_reads(node: Path) -> None:
    shown = bars(node, dataset=DAYS, symbol="AAPL")
    rows = eval(shown.python, {"fulltape": fulltape}).sort("ts")
    assert shown.time == rows["session"].cast(pl.String).to_list()
    assert shown.close == rows["close"].to_list()
    assert shown.volume == rows["volume"].cast(pl.Float64).to_list()
    assert not shown.cut


def test_a_gap_is_a_gap(node: Path) -> None:
    shown = bars(node, dataset=DAYS, symbol=LACKING, start="2012-05-25", end="2012-07-05")
    lacking = [time for time, close in zip(shown.time, shown.close, strict=True) if close is None]
    assert lacking[0] == "2012-06-01"
    assert lacking[-1] == "2012-06-29"
    assert len(lacking) == 21
    minutes = bars(node, dataset=MINUTES, symbol="AAPL", start=ONE, end=ONE)
    assert minutes.every == "1m"
    empty = [time for time, close in zip(minutes.time, minutes.close, strict=True) if close is None]
    clock = 10 * 3_600 + 14 * 60
    assert [int(time) % 86_400 for time in empty] == [clock, clock + 60]


@pytest.mark.parametrize(
    ("first", "every"), [("2012-11-26", "1m"), ("2012-11-15", "5m"), ("2012-11-01", "5m")]
)
def test_bars_are_as_long_as_makes_a_readable_chart(node: Path, first: str, every: str) -> None:
    shown = bars(node, dataset=MINUTES, symbol="AAPL", start=first, end="2012-11-30")
    assert shown.every == every
    assert 0 < len(shown.time) <= 2_500
    assert shown.time == sorted(set(shown.time))


def test_rows_as_they_are(node: Path) -> None:
    shown = bars(node, dataset=DAYS, symbol="AAPL", every="rows", start="2012-02-01", end="2012-02-03")
    assert shown.kind == "rows"
    assert len(shown.rows) == 3
    assert {"session", "close", "available_at"} <= set(shown.columns)
    assert "every=" not in shown.python


def test_what_the_checks_said_stands_at_the_bars(node: Path) -> None:
    findings = ask(node, FindingsQuestion())
    assert isinstance(findings, FindingsAnswer)
    assert findings.series == len(findings.findings)
    assert sum(each.sessions for each in findings.findings) == sum(many for *_, many in findings.codes)
    for each in findings.findings:
        shown = bars(node, dataset=each.dataset, symbol=each.instrument, start=each.first, end=each.last)
        marked = [mark for mark in shown.markers if (mark.verdict, mark.text) == (each.verdict, each.codes)]
        assert len(marked) == each.sessions
    assert [each.verdict for each in findings.findings] == sorted(
        (each.verdict for each in findings.findings), reverse=True
    )


def test_tasks_and_bundles(node: Path) -> None:
    tasks = ask(node, TasksQuestion(state="done"))
    assert isinstance(tasks, TasksAnswer)
    assert {task["state"] for task in tasks.tasks} == {"done"}
    answer = ask(node, BundlesQuestion())
    assert isinstance(answer, BundlesAnswer)
    (bundle,) = answer.bundles
    place = node / "lake" / "exports" / "nightly" / bundle.day
    assert bundle.digest == hashlib.sha256((place / "manifest.json").read_bytes()).hexdigest()
    assert bundle.at
    for file in bundle.files:
        assert hashlib.sha256((place / file.path).read_bytes()).hexdigest() == file.sha256


def test_a_bundle_that_cannot_be_read_says_so(node: Path) -> None:
    broken = node / "lake" / "exports" / "nightly" / "2012-01-01"
    broken.mkdir()
    try:
        answer = ask(node, BundlesQuestion())
        assert isinstance(answer, BundlesAnswer)
        assert "cannot be read" in answer.bundles[-1].problem
    finally:
        broken.rmdir()
