"""What the pages are told of a node's cells, rows, findings, tasks and bundles."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from laid import laid

import fulltape
from clocks import SkippingClock
from curated import spy_trades
from fulltape.browse import charts, run, series
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
from fulltape.coverage.cell import Verdict
from fulltape.coverage.series import Picture
from fulltape.heatmap import plan
from fulltape.heatmap.plan import CellState
from fulltape.settings import load
from fulltape.simulator import market as markets
from holed import LACKING, ONE, holed
from nodes import DAYS_2012, needs_data, opened, simulated

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


def by_line(shown: BarsAnswer) -> pl.DataFrame:
    """What the line below a chart reads."""
    importing, _, reading = shown.python.partition("; ")
    assert importing == "import fulltape"
    rows: pl.DataFrame = eval(reading, {"fulltape": fulltape})
    return rows.sort("ts")


def test_the_story_of_a_cell_names_the_minutes_that_are_not_there(node: Path) -> None:
    cell = ask(node, CellQuestion(dataset=MINUTES, symbol="AAPL", session=ONE))
    assert isinstance(cell, CellAnswer)
    assert (cell.rows, cell.expected, cell.holes) == (208, 210, ["10:14 to 10:15"])
    assert (cell.before, cell.after, cell.zone) == ("2012-11-21", "2012-11-26", "America/New_York")
    assert cell.state == cell.verdict.lower()
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
    rows = by_line(shown)
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


def test_what_lacks_at_an_end_of_the_window_is_a_gap_too(node: Path) -> None:
    """Also where nothing held lies behind it."""
    shown = bars(node, dataset=DAYS, symbol=LACKING, start="2012-05-25", end="2012-06-20")
    lacking = [time for time, close in zip(shown.time, shown.close, strict=True) if close is None]
    assert (lacking[0], lacking[-1], len(lacking), shown.lacking) == ("2012-06-01", "2012-06-20", 14, 14)
    nothing = bars(node, dataset=DAYS, symbol=LACKING, start="2012-06-04", end="2012-06-08")
    assert nothing.close == [None] * 5
    assert nothing.session == nothing.time


def test_longer_bars_tell_how_many_minutes_are_not_in_them(node: Path) -> None:
    for every in ("15m", "1d"):
        shown = bars(node, dataset=MINUTES, symbol="AAPL", start="2012-11-20", end="2012-11-26", every=every)
        minutes = bars(node, dataset=MINUTES, symbol="AAPL", start="2012-11-20", end="2012-11-26", every="1m")
        assert shown.short == minutes.close.count(None) == 2
        assert None not in shown.close
        assert minutes.short == 0


def test_what_would_take_too_much_memory_is_refused(node: Path) -> None:
    question = BarsQuestion(dataset=MINUTES, symbol="AAPL", start="2000-01-03", end="2020-01-03", every="1m")
    answer = ask(node, question)
    assert isinstance(answer, BrowseRefusal)
    assert "Ask for longer bars" in answer.text


def test_amber_is_left_unmarked_before_red(monkeypatch: pytest.MonkeyPatch, node: Path) -> None:
    monkeypatch.setattr(charts, "_MOST_MARKERS", 3)
    findings = ask(node, FindingsQuestion())
    assert isinstance(findings, FindingsAnswer)
    worst = max(findings.findings, key=lambda each: each.sessions)
    assert worst.sessions > 3
    shown = bars(node, dataset=worst.dataset, symbol=worst.instrument, start=worst.first, end=worst.last)
    assert shown.unmarked
    assert len(shown.markers) + shown.unmarked >= worst.sessions


@pytest.mark.parametrize("verdict", list(Verdict))
@pytest.mark.parametrize("kind", ["held", "partial", "empty", "unobtainable", "unknown_listing", "missing"])
def test_a_cell_is_coloured_as_the_map_colours_it(kind: str, verdict: Verdict) -> None:
    states = ("held", "partial", "empty", "unobtainable", "unknown_listing", "missing")
    shown = Picture(wanted=((5, 6),), **{name: ((5, 6),) if name == kind else () for name in states})
    state = series.state(shown, verdict, 5)
    assert state == plan.row(shown, [((5, 6), verdict)], (5, 6))[0]
    assert series.state(shown, verdict, None) is CellState.NOT_WANTED
    if kind not in ("held", "empty"):
        assert state >= CellState.UNKNOWN_LISTING


def test_an_id_means_itself_whoever_was_known_by_it(tmp_path: Path) -> None:
    listed = "symbol,listed_from,listed_to,instrument\n" + "".join(
        f"{line}\n" for line in ("FB,2012-05-18,2012-06-29,META", "META,2012-07-02,,META", "FB,2012-07-02,,")
    )
    with simulated(tmp_path, markets.sample(), [DAYS_2012], universe=listed) as (folder, _), opened(folder):
        pass
    for symbol in ("FB", "META"):
        cell = ask(folder, CellQuestion(dataset=DAYS, symbol=symbol, session="2012-08-01"))
        assert isinstance(cell, CellAnswer)
        assert cell.instrument == symbol


@needs_data
@pytest.mark.parametrize(("every", "bars_of_it"), [("auto", "5m"), ("1m", "1m"), ("5s", "5s"), ("1d", "1d")])
def test_ticks_are_shown_as_bars(tmp_path: Path, every: str, bars_of_it: str) -> None:
    trades, session = "equities_trades", "2013-10-07"
    made = laid(tmp_path, "SPY,2000-01-03,,\n", trades, "corporate_actions")
    made.ticks(trades, spy_trades(session))
    made.fact(trades, "SPY", session, session)
    question = BarsQuestion(dataset=trades, symbol="SPY", start=session, end=session, every=every)
    if every == "auto":
        question = BarsQuestion(dataset=trades, symbol="SPY", start="2013-09-10", end=session)
    made.context.close()
    shown = ask(made.context.folder, question)
    assert isinstance(shown, BarsAnswer), shown
    assert shown.every == bars_of_it
    assert shown.time == sorted(set(shown.time))
    assert len([close for close in shown.close if close is not None]) > 0


def test_a_file_that_is_broken_is_told_and_the_next_answer_comes(tmp_path: Path) -> None:
    with holed(tmp_path) as folder:
        for path in (folder / "lake" / "curated" / DAYS).rglob("*.parquet"):
            content = bytearray(path.read_bytes())
            content[4:400] = bytes(396)
            path.write_bytes(content)
        answer = ask(folder, BarsQuestion(dataset=DAYS, symbol="AAPL"))
        assert isinstance(answer, BrowseRefusal)
        assert answer.ours
        assert "verify --repair" in answer.text


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
    assert (bundle.files, bundle.problem, answer.older) == ([], "", 0)
    of_one = ask(node, BundlesQuestion(day=bundle.day))
    assert isinstance(of_one, BundlesAnswer)
    (bundle,) = of_one.bundles
    assert bundle.count == len(bundle.files) > 0
    place = node / "lake" / "exports" / "nightly" / bundle.day
    assert bundle.digest == hashlib.sha256((place / "manifest.json").read_bytes()).hexdigest()
    assert bundle.at
    for file in bundle.files:
        assert hashlib.sha256((place / file.path).read_bytes()).hexdigest() == file.sha256


def test_a_bundle_of_which_a_file_is_cut_says_so(tmp_path: Path) -> None:
    with holed(tmp_path) as folder:
        (place,) = (folder / "lake" / "exports" / "nightly").iterdir()
        cut = next(place.rglob("*.parquet"))
        content = cut.read_bytes()
        cut.unlink()
        cut.write_bytes(content[:100])
        answer = ask(folder, BundlesQuestion())
        assert isinstance(answer, BundlesAnswer)
        assert cut.relative_to(place).as_posix() in answer.bundles[0].problem


def test_a_bundle_that_cannot_be_read_says_so(node: Path) -> None:
    broken = node / "lake" / "exports" / "nightly" / "2012-01-01"
    broken.mkdir()
    try:
        answer = ask(node, BundlesQuestion())
        assert isinstance(answer, BundlesAnswer)
        assert "cannot be read" in answer.bundles[-1].problem
        (broken / "manifest.json").write_text('{"rows": 1, "verdicts": ["x"], "files": []}')
        odd = ask(node, BundlesQuestion())
        assert isinstance(odd, BundlesAnswer)
        assert "cannot be read" in odd.bundles[-1].problem
        assert not odd.bundles[0].problem
        (broken / "manifest.json").unlink()
    finally:
        broken.rmdir()
