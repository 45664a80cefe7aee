"""SQL and frames of facts over a node with real days."""

from __future__ import annotations

import datetime as dt
import json
import sys
import time
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

import fulltape
from clocks import SkippingClock
from fulltape import errors
from fulltape.cli import app
from fulltape.node import nightly
from fulltape.reader import Reader
from fulltape.simulator.market import Action
from nodes import Wish, lean_days, merged, needs_data, opened, simulated

pytestmark = needs_data

SPLIT = Action(action_id="s", symbol="AAPL", ex_date=dt.date(2014, 6, 9), ratio=(1, 7))
WISHES = (
    Wish("equities_bars_day", "2014-06-02", "2014-06-30", ("alpaca.sip",)),
    Wish("corporate_actions", "2014-06-02", "2014-06-30", ("alpaca.sip",)),
)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    days = merged(
        *(lean_days(symbol, dt.date(2014, 6, 2), dt.date(2014, 6, 30)) for symbol in ("AAPL", "SPY"))
    )
    market = replace(days, actions=(SPLIT,))
    with (
        simulated(tmp_path_factory.mktemp("query"), market, WISHES) as (folder, _),
        opened(folder) as context,
    ):
        nightly.run(context, SkippingClock())
    return fulltape.open(folder)


FRIDAY = "select close from equities_bars_day where symbol = 'AAPL' and session = date '2014-06-06'"


def test_sql_sees_the_rows_of_a_scan(reader: Reader) -> None:
    assert reader.query(FRIDAY)["close"].to_list() == [645.57]
    assert reader.query(FRIDAY, adjust="split")["close"].to_list() == [pytest.approx(645.57 / 7)]
    assert reader.query(FRIDAY, as_of="2014-06-05").is_empty()
    counted = reader.query(
        "select symbol, count(*) as n from equities_bars_day group by symbol order by symbol"
    )
    assert counted.rows() == [("AAPL", 21), ("SPY", 21)]


def test_sql_joins_rows_with_what_is_known_of_them(reader: Reader) -> None:
    joined = reader.query(
        "select d.instrument, a.ratio from equities_bars_day d join actions a on a.instrument = d.instrument and a.ex_date = d.session"
    )
    assert joined.rows() == [("AAPL", 7.0)]
    assert (
        reader.query("select distinct verdict from verdicts where dataset = 'equities_bars_day'").height >= 1
    )
    assert reader.query("select minutes from sessions where session = date '2014-06-06' and dataset = 'equities_bars_day'").rows() == [(390,)]  # fmt: skip
    assert reader.query("select split from factors").rows() == [(1 / 7,)]


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("select * from equities_bars_dya", "equities_bars_dya does not exist"),
        ("select * form x", "DuckDB refuses"),
        ("select nothing_like_it from equities_bars_day", "DuckDB refuses"),
        ("set threads = 1", "no query"),
        ("select 1; select 2", "no query"),
        ("copy (select 1) to 'x.csv'", "no query"),
    ],
)
def test_sql_that_cannot_be_meant_is_refused(reader: Reader, sql: str, words: str) -> None:
    with pytest.raises(errors.UsageError, match=words):
        reader.query(sql)


def test_tables_are_joined_in_every_way(reader: Reader) -> None:
    using = "select a.close from equities_bars_day a join Equities_Bars_Day b using (symbol, session) where symbol = 'AAPL'"
    assert reader.query(using).height == 21
    closest = """
        select d.session, f.split from equities_bars_day d
        asof join factors f on d.instrument = f.instrument and d.session >= f.ex_date
        where d.symbol = 'AAPL' order by d.session limit 1
    """
    assert reader.query(closest).rows() == [(dt.date(2014, 6, 9), 1 / 7)]


def test_times_are_utc_on_every_machine(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = "select ts, hour(ts) as hour from equities_bars_day where symbol = 'AAPL' and session = date '2014-06-06'"
    for zone in ("Asia/Tokyo", "America/New_York", "UTC"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        rows = reader.query(asked)
        assert rows["hour"].to_list() == [13]
        assert rows.schema["ts"] == pl.Datetime("us", "UTC")
    monkeypatch.undo()
    time.tzset()


def test_files_of_the_machine_are_no_tables(reader: Reader) -> None:
    with pytest.raises(errors.UsageError, match="DuckDB refuses"):
        reader.query("select * from read_csv('/etc/passwd')")


def test_without_duckdb_the_extra_is_named(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(errors.UsageError) as refused:
        reader.query(FRIDAY)
    assert "extra sql" in refused.value.hint


def test_coverage_and_verdicts_are_ranges(reader: Reader) -> None:
    coverage = reader.coverage("equities_bars_day")
    assert set(coverage.select("instrument", "source", "fact", "first", "last").rows()) == {
        (name, "alpaca.sip", "present", dt.date(2014, 6, 2), dt.date(2014, 6, 30)) for name in ("AAPL", "SPY")
    }
    verdicts = reader.verdicts("equities_bars_day")
    assert set(verdicts["instrument"]) == {"AAPL", "SPY"}
    assert verdicts.schema["first"] == pl.Date
    sessions = reader.sessions("equities_bars_day")
    assert sessions["session"][0] == dt.date(2014, 6, 2)
    with pytest.raises(errors.UsageError, match="no dataset"):
        reader.coverage("crypto_trades")


def test_a_universe_is_known_from_its_first_night_on(reader: Reader) -> None:
    with pytest.raises(errors.UsageError, match="is not known"):
        reader.universe("test", as_of="1999-01-04")
    with pytest.raises(errors.UsageError, match="no universe"):
        reader.universe("tset", as_of="2014-06-30")
    assert reader.universe("test", as_of=dt.date(2099, 1, 1)) == ("AAPL", "SPY")


def shown(reader: Reader, *arguments: str) -> str:
    """What the command prints."""
    node = str(reader).split("'")[1]
    result = CliRunner().invoke(app, ["query", *arguments, "--node", node])
    assert result.exit_code == 0, result.output
    return result.output


def test_the_command_prints_tables_csv_and_json(reader: Reader) -> None:
    assert "645.57" in shown(reader, FRIDAY)
    assert shown(reader, FRIDAY, "--csv") == "close\n645.57\n"
    actions = shown(reader, "select instrument, sources from actions", "--csv")
    assert actions == "instrument,sources\nAAPL,alpaca.sip\n"
    assert json.loads(shown(reader, FRIDAY, "--json", "--adjust", "split", "--anchor", "2014-06-06")) == {
        "rows": [{"close": 645.57}]
    }


def test_nothing_of_the_node_is_changed(reader: Reader) -> None:
    root = Path(str(reader).split("'")[1])
    before = {
        path: path.read_bytes() for path in root.rglob("*") if path.is_file() and path.suffix != ".db-shm"
    }
    reader.query("select count(*) from equities_bars_day")
    assert before == {path: path.read_bytes() for path in before}
    assert {path for path in root.rglob("*") if path.is_file()} >= before.keys()
