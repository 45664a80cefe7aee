"""`fulltape curate --explain`: which source a cell has, why, and what the others say."""

from __future__ import annotations

import json
from pathlib import Path

from laid import DAY, SOURCES, XNYS, Laid, day_of, laid
from typer.testing import CliRunner

from clocks import FakeClock
from fulltape import errors
from fulltape.cli import app
from fulltape.curate import explained
from fulltape.curate import run as curate
from fulltape.curate.explained import SourceCell
from fulltape.ledger.repairs import Repair

SESSION = "2012-12-11"


def node(folder: Path) -> Laid:
    """A node with raw day bars of two sources."""
    made = laid(folder, "AAPL,2000-01-03,,\n", DAY)
    made.answer("AAPL", {SESSION: 540.0, "2012-12-12": 541.0}, source=SOURCES[0])
    return made


def explain(made: Laid) -> list[SourceCell]:
    """What is told of the cell."""
    after = XNYS.sessions[XNYS.between(day_of("2012-12-20"), day_of("2012-12-20"))[0]].close
    return explained.explain(made.context, made.context.wanted[DAY], "AAPL", day_of(SESSION), after)


def test_the_only_source(tmp_path: Path) -> None:
    (only,) = explain(node(tmp_path))
    assert (only.source, only.chosen, only.rows, only.reason) == (
        SOURCES[0],
        True,
        1,
        "the only source with rows",
    )
    assert (only.values["close"], only.values["volume"]) == (540.0, 100.0)


def test_of_two_that_are_as_good_the_first_of_the_settings(tmp_path: Path) -> None:
    made = node(tmp_path)
    made.answer("AAPL", {SESSION: 545.0}, source=SOURCES[1])
    first, second = explain(made)
    assert (first.source, first.chosen, second.chosen) == (SOURCES[0], True, False)
    assert first.reason == "as good as any, and the first of the dataset's sources"
    assert second.reason == f"as good as {SOURCES[0]}, which stands before it in the dataset's sources"
    assert second.values["close"] == 545.0


def test_the_present_choice_stays(tmp_path: Path) -> None:
    made = laid(tmp_path, "AAPL,2000-01-03,,\n", DAY)
    made.answer("AAPL", {SESSION: 545.0}, source=SOURCES[1])
    curate.run_once(made.context, FakeClock())
    made.answer("AAPL", {SESSION: 540.0}, source=SOURCES[0])
    first, second = explain(made)
    assert (first.source, first.reason) == (SOURCES[1], "as good as any, and chosen before")
    assert second.reason == f"no better than {SOURCES[1]}, which was chosen before"


def test_a_bad_row_loses_and_says_why(tmp_path: Path) -> None:
    made = laid(tmp_path, "AAPL,2000-01-03,,\n", DAY)
    made.answer("AAPL", {SESSION: 545.0}, source=SOURCES[0])
    made.answer("AAPL", {SESSION: 540.0}, source=SOURCES[1])
    session = day_of(SESSION)
    opened = XNYS.sessions[XNYS.between(session, session)[0]].open
    bad = Repair(
        dataset=DAY, instrument="AAPL", session=session, ts=opened, source=SOURCES[0], column="close", was="545.0", becomes="999.0",
        who="me", reason="a close above the high", at=1,
    )  # fmt: skip
    with made.context.ledger.write():
        made.context.ledger.repairs.add(bad)
    first, second = explain(made)
    assert (first.source, first.reason) == (SOURCES[1], "the best verdict, and fetched before captured")
    assert (second.verdict, second.codes) == ("RED", "sanity.ohlc")
    assert second.reason == f"RED, where {SOURCES[1]} is GREEN"


def test_the_command_tells_it(tmp_path: Path) -> None:
    made = node(tmp_path)
    made.answer("AAPL", {SESSION: 545.0}, source=SOURCES[1])
    made.context.close()

    def said(*args: str) -> str:
        done = CliRunner().invoke(app, ["curate", "--explain", *args, "--node", str(tmp_path)])
        assert done.exit_code == 0, done.output
        return done.output

    text = said(DAY, "AAPL", SESSION)
    assert f"{SOURCES[0]}: chosen: as good as any" in text
    assert "1 row, GREEN; open 540, high 540, low 540, close 540, volume 100" in text
    told = json.loads(said(DAY, "AAPL", SESSION, "--json"))["sources"]
    assert [each["chosen"] for each in told] == [True, False]
    assert "no source has rows" in said(DAY, "AAPL", "2012-12-13")
    done = CliRunner().invoke(app, ["curate", "--explain", DAY, "IBM", SESSION, "--node", str(tmp_path)])
    assert isinstance(done.exception, errors.UsageError) or "not in its universe" in str(done.output)
