"""What a source has answered otherwise than before is shown, value by value."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from laid import DAY, SOURCES, laid
from typer.testing import CliRunner

from fulltape import errors
from fulltape.cli import app
from fulltape.market.time import from_datetime
from fulltape.reader import Reader


def at(day: str) -> int:
    """Noon UTC of a day, in microseconds."""
    return from_datetime(dt.datetime.fromisoformat(f"{day}T12:00:00+00:00"))


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    """Three answers of one source about three sessions, and one of another."""
    node = laid(tmp_path, "AAA,1990-01-02,,\n", DAY)
    node.days("AAA", "2014-06-02", "2014-06-04", lambda _: 100.0)
    node.answer("AAA", {"2014-06-02": 100.0, "2014-06-03": 101.0, "2014-06-04": 102.0}, at=at("2014-06-05"))
    node.answer("AAA", {"2014-06-02": 100.0, "2014-06-03": 202.0}, at=at("2014-06-10"))
    node.answer("AAA", {"2014-06-03": 101.0}, at=at("2014-06-20"))
    node.answer("AAA", {"2014-06-02": 55.0}, source=SOURCES[1], at=at("2014-06-20"))
    return node.read()


def closes(reader: Reader, **asked: str) -> list[tuple[Any, ...]]:
    """Session, close before, close after, change."""
    rows = reader.diff(DAY, "AAA", **asked).to_dicts()
    return [
        (str(row["session"]), row["before"], row["after"], row["change"])
        for row in rows
        if row["column"] == "close"
    ]


def test_answers_are_compared_as_the_node_had_them(reader: Reader) -> None:
    assert closes(reader) == []  # the newest answer is the first one again
    assert closes(reader, until="2014-06-15") == [("2014-06-03", "101.0", "202.0", pytest.approx(1.0))]
    assert closes(reader, since="2014-06-15") == [("2014-06-03", "202.0", "101.0", pytest.approx(-0.5))]
    assert closes(reader, since="2014-06-06", until="2014-06-07") == []
    assert closes(reader, until="2014-06-15", start="2014-06-04") == []


def test_every_column_that_changed_is_told_and_no_other(reader: Reader) -> None:
    rows = reader.diff(DAY, "AAA", until="2014-06-15")
    assert rows["column"].to_list() == ["close", "high", "low", "open", "vwap"]
    assert set(rows["what"]) == {"changed"}


def test_sources_are_not_compared_with_each_other(reader: Reader) -> None:
    assert set(reader.diff(DAY, "AAA", until="2014-06-15")["source"]) == {SOURCES[0]}


def test_the_command_prints_lines_and_json(reader: Reader) -> None:
    node = str(reader).split("'")[1]
    done = CliRunner().invoke(app, ["diff", DAY, "AAA", "--to", "2014-06-15", "--node", node])
    assert done.output.splitlines()[0] == (
        "alpaca.sip  2014-06-03  2014-06-03T13:30:00Z  close 101.0 to 202.0 (+100.0000%)"
    )
    changes = json.loads(
        CliRunner().invoke(app, ["diff", DAY, "AAA", "--to", "2014-06-15", "--json", "--node", node]).output
    )["changes"]
    assert (changes[0]["before"], changes[0]["after"], changes[0]["change"]) == ("101.0", "202.0", 1.0)
    nothing = CliRunner().invoke(app, ["diff", DAY, "AAA", "--node", node])
    assert nothing.output == "No source has answered otherwise than before.\n"


def test_days_the_wrong_way_round_are_refused(reader: Reader) -> None:
    with pytest.raises(errors.UsageError, match="lies after until"):
        reader.diff(DAY, "AAA", since="2014-06-20", until="2014-06-05")
