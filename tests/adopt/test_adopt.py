"""Files of other tools become rows of the node: read as they are meant, asked about where that cannot be told, and never more than
they prove."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

import fulltape
from clocks import SkippingClock
from fulltape import errors
from fulltape.adopt import mapping, run
from fulltape.adopt.adopted import Adoption
from fulltape.adopt.plan import FileMapping, SymbolNames
from fulltape.adopt.report import AdoptReport
from fulltape.audit import run as audit
from fulltape.cli import app
from fulltape.lake import files
from fulltape.node import nightly
from fulltape.verify import run as verify
from nodes import DATA, LEAN, needs_data, opened

CLOCK = SkippingClock()


def made(tmp_path: Path, dataset: str, symbols: list[str], first: str, last: str, *, more: str = "") -> Path:
    node = tmp_path / "node"
    node.mkdir()
    listed = ", ".join(f'"{symbol}"' for symbol in symbols)
    (node / "fulltape.toml").write_text(
        f'[universe.u]\nsymbols = [{listed}]\n[dataset.{dataset}]\nuniverse = "u"\nsources = ["files.mine"]\n'
        f"from = {first}\nuntil = {last}\n[vendor.files]\n{more}"
    )
    return node


def taken(node: Path, path: Path, dataset: str, *, dry_run: bool = False, **given: Any) -> AdoptReport:
    with opened(node) as context:
        adoption = Adoption(root=path, dataset=dataset, source="files.mine", given=FileMapping(**given))
        return run.run(context, CLOCK, adoption, dry_run=dry_run)


def night(node: Path) -> nightly.Night:
    with opened(node) as context:
        return nightly.run(context, CLOCK)


def rows(node: Path, dataset: str, **more: Any) -> pl.DataFrame:
    return fulltape.open(node).scan(dataset, **more).sort("symbol", "ts").collect()


MINUTES = "equities_bars_minute"
DAYS = "equities_bars_day"


def of_docs(name: str, folder: Path) -> FileMapping:
    """A mapping as the documentation shows it."""
    text = (Path(__file__).parents[2] / "docs" / "adopt.md").read_text()
    body = text.partition(f'```toml title="{name}"\n')[2].partition("```")[0]
    (folder / name).write_text(body)
    return mapping.read(folder / name)


@needs_data
def test_minutes_of_lean_by_a_mapping(tmp_path: Path) -> None:
    node = made(tmp_path, MINUTES, ["SPY"], "2013-10-04", "2013-10-11")
    given = of_docs("lean.toml", tmp_path)
    with opened(node) as context:
        adoption = Adoption(root=LEAN / "minute", dataset=MINUTES, source="files.mine", given=given)
        before = {path: files.sha256(path) for path in files.tree(LEAN / "minute" / "spy")}
        report = run.run(context, CLOCK, adoption)
        assert {path: files.sha256(path) for path in files.tree(LEAN / "minute" / "spy")} == before
    assert report.complete
    assert (report.sessions, report.edges) == (6, 0)
    done = night(node)
    assert done.audit.held == 6
    read = rows(node, MINUTES)
    opening = read.filter(pl.col("ts") == dt.datetime(2013, 10, 7, 13, 30, tzinfo=dt.UTC))
    with zipfile.ZipFile(LEAN / "minute" / "spy" / "20131007_trade.zip") as archive:
        lines = archive.read(archive.namelist()[0]).decode().splitlines()
    line = next(text for text in lines if text.startswith(f"{int(9.5 * 3_600_000)},"))
    prices = [float(value) / 10_000 for value in line.split(",")[1:5]]
    assert [opening[name][0] for name in ("open", "high", "low", "close")] == pytest.approx(prices)
    assert opening["source"][0] == "files.mine"
    with opened(node) as context:
        assert not verify.run_once(context, CLOCK, deep=True).findings


def test_minutes_of_dukascopy_by_a_mapping(tmp_path: Path) -> None:
    node = made(tmp_path, "forex_bars_minute", ["EURUSD"], "2024-01-02", "2024-01-05")
    start = dt.datetime(2024, 1, 1, 22)
    lines = [
        f"{start + dt.timedelta(minutes=minute):%d.%m.%Y %H:%M:%S.000},1.1,1.2,1.0,1.15,10.5"
        for minute in range(2 * 1_440)
    ]
    path = tmp_path / "EURUSD_Candlestick_1_M_BID_01.01.2024-31.01.2024.csv"
    path.write_text("\n".join(["Gmt time,Open,High,Low,Close,Volume", *lines]))
    with opened(node) as context:
        adoption = Adoption(
            root=path,
            dataset="forex_bars_minute",
            source="files.mine",
            given=of_docs("dukascopy.toml", tmp_path),
        )
        report = run.run(context, CLOCK, adoption)
    assert report.complete
    assert report.symbols == ("EURUSD",)
    night(node)
    assert set(rows(node, "forex_bars_minute")["price_kind"]) == {"bid"}


def bars(days: list[str], symbol: str = "") -> pl.DataFrame:
    """Minutes of whole New York sessions."""
    moments = [
        dt.datetime.fromisoformat(f"{day}T09:30").replace(tzinfo=None) + dt.timedelta(minutes=minute)
        for day in days
        for minute in range(390)
    ]
    frame = pl.DataFrame({"timestamp": moments}).with_columns(
        pl.col("timestamp").dt.replace_time_zone("America/New_York"),
        *(pl.lit(10.0).alias(name) for name in ("open", "high", "low", "close")),
        pl.lit(100).alias("volume"),
    )
    return frame.with_columns(pl.lit(symbol).alias("symbol")) if symbol else frame


def hive(root: Path, layout: str) -> Path:
    """Three sessions of two symbols as a layout has them."""
    for day in ("2024-01-02", "2024-01-03", "2024-01-04"):
        if layout == "date":
            place = root / f"date={day}" / "data.parquet"
            frame = pl.concat([bars([day], "AAPL"), bars([day], "MSFT")])
            place.parent.mkdir(parents=True)
            frame.write_parquet(place)
            continue
        for symbol in ("AAPL", "MSFT"):
            key = {"symbol": "symbol", "underlier": "underlier"}[layout]
            place = root / f"date={day}" / f"{key}={symbol}" / "data.parquet"
            place.parent.mkdir(parents=True)
            bars([day]).write_parquet(place)
    return root


@pytest.mark.parametrize("layout", ["date", "symbol", "underlier"])
def test_lakes_of_three_layouts(tmp_path: Path, layout: str) -> None:
    node = made(tmp_path, MINUTES, ["AAPL", "MSFT"], "2024-01-02", "2024-01-04")
    lake = hive(tmp_path / "lake", layout)
    report = taken(node, lake, MINUTES, timestamp="start", adjustment="raw")
    assert (report.sessions, report.rows, report.complete) == (6, 6 * 390, True)
    assert night(node).audit.held == 6
    assert rows(node, MINUTES, symbols=["MSFT"]).height == 3 * 390


def test_months_with_sidecars(tmp_path: Path) -> None:
    node = made(tmp_path, MINUTES, ["AAPL"], "2024-01-02", "2024-01-04")
    folder = tmp_path / "months"
    folder.mkdir()
    bars(["2024-01-02", "2024-01-03", "2024-01-04"]).write_parquet(folder / "AAPL_2024-01.parquet")
    (folder / "AAPL_2024-01.json").write_text(json.dumps({"rows": 1170, "source": "somewhere"}))
    report = taken(node, folder, MINUTES, timestamp="start", adjustment="raw")
    assert (report.files, report.sessions, report.unreadable) == (1, 3, {})


def test_what_was_taken_in_is_not_taken_again(tmp_path: Path) -> None:
    node = made(tmp_path, MINUTES, ["AAPL", "MSFT"], "2024-01-02", "2024-01-05")
    lake = hive(tmp_path / "lake", "date")
    about: dict[str, Any] = {"timestamp": "start", "adjustment": "raw"}
    assert taken(node, lake, MINUTES, **about).parts == 1
    again = taken(node, lake, MINUTES, **about)
    assert (again.done_before, again.parts, again.sessions) == (3, 0, 0)
    place = lake / "date=2024-01-05" / "data.parquet"
    place.parent.mkdir()
    bars(["2024-01-05"], "AAPL").write_parquet(place)
    more = taken(node, lake, MINUTES, **about)
    assert (more.done_before, more.sessions) == (3, 1)
    changed = lake / "date=2024-01-02" / "data.parquet"
    bars(["2024-01-02"], "AAPL").with_columns(pl.lit(11.0).alias("high")).write_parquet(changed)
    assert taken(node, lake, MINUTES, **about).known == 1, "what was taken in stands"


def test_questions_are_asked_before_anything_is_taken(tmp_path: Path) -> None:
    node = made(tmp_path, MINUTES, ["AAPL"], "2024-01-02", "2024-01-04")
    naive = bars(["2024-01-02"]).with_columns(pl.col("timestamp").dt.replace_time_zone(None))
    naive.write_csv(tmp_path / "AAPL.csv")
    with pytest.raises(errors.UsageError) as refused:
        taken(node, tmp_path / "AAPL.csv", MINUTES)
    for option in ("--zone", "--timestamp", "--adjustment"):
        assert option in str(refused.value)
    report = taken(node, tmp_path / "AAPL.csv", MINUTES, dry_run=True)
    assert [question.about for question in report.recognised.questions] == ["zone", "timestamp", "adjustment"]
    done = taken(
        node, tmp_path / "AAPL.csv", MINUTES, zone="America/New_York", timestamp="start", adjustment="raw"
    )
    assert done.sessions == 1


def test_stamps_at_the_end_are_moved_to_the_start(tmp_path: Path) -> None:
    node = made(tmp_path, MINUTES, ["AAPL"], "2024-01-02", "2024-01-04")
    late = bars(["2024-01-02"]).with_columns(pl.col("timestamp").dt.offset_by("1m"))
    late.write_parquet(tmp_path / "AAPL.parquet")
    assert taken(node, tmp_path / "AAPL.parquet", MINUTES, timestamp="end", adjustment="raw").sessions == 1
    night(node)
    read = rows(node, MINUTES)
    assert read["ts"][0] == dt.datetime(2024, 1, 2, 14, 30, tzinfo=dt.UTC)
    assert set(read["phase"]) == {"regular"}


def test_a_session_that_may_be_cut_off_proves_nothing(tmp_path: Path) -> None:
    node = made(tmp_path, MINUTES, ["AAPL"], "2024-01-02", "2024-01-04")
    cut = bars(["2024-01-02", "2024-01-03", "2024-01-04"]).head(2 * 390 + 200).tail(2 * 390)
    cut.write_parquet(tmp_path / "AAPL.parquet")
    report = taken(node, tmp_path / "AAPL.parquet", MINUTES, timestamp="start", adjustment="raw")
    assert (report.sessions, report.edges) == (1, 2)
    done = night(node)
    assert done.audit.held == 1
    assert not done.complete


def test_what_breaks_the_contract_is_kept_aside(tmp_path: Path) -> None:
    node = made(tmp_path, MINUTES, ["AAPL"], "2024-01-02", "2024-01-04")
    wrong = bars(["2024-01-02", "2024-01-03"]).with_columns(
        pl.when(pl.int_range(pl.len()) == 5).then(-1.0).otherwise("open").alias("open")
    )
    wrong.write_parquet(tmp_path / "AAPL.parquet")
    report = taken(node, tmp_path / "AAPL.parquet", MINUTES, timestamp="start", adjustment="raw")
    assert report.rejected == {"open breaks the schema (positive)": 1}
    assert (report.sessions, report.complete) == (1, False)
    (reason,) = [path for path in files.tree(node / "lake" / "rejected") if path.suffix == ".json"]
    assert "breaks the schema" in reason.read_text()
    assert b"-1.0" in reason.with_suffix(".body").read_bytes()


def test_the_universe_and_the_wanted_span_decide(tmp_path: Path) -> None:
    node = made(tmp_path, MINUTES, ["AAPL"], "2024-01-03", "2024-01-03")
    report = taken(node, hive(tmp_path / "lake", "date"), MINUTES, timestamp="start", adjustment="raw")
    assert report.unknown == {"MSFT": 3 * 390}
    assert (report.sessions, report.outside) == (1, 2)


def test_symbols_as_other_tools_write_them(tmp_path: Path) -> None:
    """Files of freqtrade: pairs with _, candles without names."""
    node = made(tmp_path, "crypto_bars_minute", ["BTC/USDT"], "2024-01-02", "2024-01-03")
    first = int(dt.datetime(2024, 1, 2, tzinfo=dt.UTC).timestamp() * 1_000)
    candles = [[first + 60_000 * at, 1.0, 2.0, 1.0, 2.0, 5.0] for at in range(2 * 1_440)]
    (tmp_path / "BTC_USDT-1m.json.gz").write_bytes(gzip.compress(json.dumps(candles).encode()))
    report = taken(node, tmp_path / "BTC_USDT-1m.json.gz", "crypto_bars_minute", timestamp="start")
    assert (report.sessions, report.symbols) == (2, ("BTC/USDT",))


def test_days_of_yahoo_are_evidence_only(tmp_path: Path) -> None:
    evidence = '[dataset.equities_adjusted_evidence]\nuniverse = "u"\nsources = ["files.mine"]\nfrom = 2024-01-02\nuntil = 2024-01-04\n'
    node = made(tmp_path, DAYS, ["AAPL"], "2024-01-02", "2024-01-04", more=evidence)
    (tmp_path / "AAPL.csv").write_text(
        "Date,Open,High,Low,Close,Adj Close,Volume\n2024-01-02,187.15,188.44,183.89,185.64,184.73,82488700\n"
        "2024-01-03,184.22,185.88,183.43,184.25,183.35,58414500\n"
    )
    with pytest.raises(errors.UsageError, match="--as-evidence"):
        taken(node, tmp_path / "AAPL.csv", DAYS)
    done = CliRunner().invoke(
        app,
        [
            "adopt",
            str(tmp_path / "AAPL.csv"),
            "-d",
            DAYS,
            "-s",
            "files.mine",
            "--as-evidence",
            "--node",
            str(node),
        ],
    )
    assert done.exit_code == 0, done.output
    assert "as Yahoo exports it" in done.output
    assert "2 sessions of 1 symbol in all taken" in done.output
    night(node)
    read = rows(node, "equities_adjusted_evidence")
    assert read["close"].to_list() == [185.64, 184.25]
    assert set(read["adjustment"]) == {"split"}


@needs_data
def test_prices_by_day_of_many_symbols_in_one_file(tmp_path: Path) -> None:
    node = made(tmp_path, DAYS, ["AAPL", "IBM", "MSFT"], "2012-01-03", "2012-12-31")
    report = taken(node, DATA / "wiki-prices-bokeh" / "stocks.csv.gz", DAYS, adjustment="raw")
    assert set(report.symbols) == {"AAPL", "IBM", "MSFT"}
    assert report.sessions == 3 * 250
    assert night(node).audit.held == 3 * 250


def test_a_kill_between_files_and_ledger_takes_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = made(tmp_path, MINUTES, ["AAPL", "MSFT"], "2024-01-02", "2024-01-04")
    lake = hive(tmp_path / "lake", "symbol")
    monkeypatch.setattr(run, "_BATCH", 400)
    about: dict[str, Any] = {"timestamp": "start", "adjustment": "raw"}

    def dies(*_: object) -> Iterator[None]:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(run._Taking, "_facts", dies)
        with pytest.raises(KeyboardInterrupt):
            taken(node, lake, MINUTES, **about)
    assert taken(node, lake, MINUTES, **about).sessions == 6
    night(node)
    assert rows(node, MINUTES).height == 6 * 390
    with opened(node) as context:
        assert not verify.run_once(context, CLOCK, deep=True).findings
        assert audit.run_once(context, CLOCK).held == 6


def test_ambiguous_dates_are_asked_about(tmp_path: Path) -> None:
    node = made(tmp_path, DAYS, ["AAPL"], "2024-01-02", "2024-12-31")
    path = tmp_path / "AAPL.csv"
    path.write_text("date,open,high,low,close,volume\n03/04/2024,1,2,1,2,5\n04/04/2024,1,2,1,2,5\n")
    report = taken(node, path, DAYS, dry_run=True, adjustment="raw")
    (question,) = report.recognised.questions
    assert set(question.choices) == {"%m/%d/%Y", "%d/%m/%Y"}
    assert taken(node, path, DAYS, adjustment="raw", time_format="%d/%m/%Y").sessions == 2


@pytest.mark.parametrize(
    ("words", "path", "dataset"),
    [
        ("there is no", "nowhere", MINUTES),
        ("no data files", "empty", MINUTES),
        ("this node has no dataset", "good", "forex_ticks"),
        ("has no open", "bad", MINUTES),
    ],
)
def test_what_cannot_be_taken_in_is_one_clear_sentence(
    tmp_path: Path, words: str, path: str, dataset: str
) -> None:
    node = made(tmp_path, MINUTES, ["AAPL"], "2024-01-02", "2024-01-04")
    (tmp_path / "empty").mkdir()
    for name in ("good", "bad"):
        (tmp_path / name).mkdir()
    bars(["2024-01-02"]).write_parquet(tmp_path / "good" / "AAPL.parquet")
    bars(["2024-01-02"]).drop("open").write_parquet(tmp_path / "bad" / "AAPL.parquet")
    with pytest.raises(errors.UsageError, match=words):
        taken(node, tmp_path / path, dataset, timestamp="start", adjustment="raw")


def test_a_source_that_is_not_of_the_dataset_is_refused(tmp_path: Path) -> None:
    node = made(tmp_path, MINUTES, ["AAPL"], "2024-01-02", "2024-01-04")
    done = CliRunner().invoke(
        app, ["adopt", str(tmp_path), "-d", MINUTES, "-s", "files.other", "--node", str(node)]
    )
    assert isinstance(done.exception, errors.UsageError)
    assert "files.mine" in str(done.exception)


@pytest.mark.parametrize(
    ("rows", "dataset", "words"),
    [
        (bars(["2024-01-02"]).filter(pl.col("timestamp").dt.minute() % 5 == 0), MINUTES, "five minutes"),
        (bars(["2024-01-02"]).with_columns(pl.col("timestamp").dt.offset_by("7s")), MINUTES, "whole minutes"),
    ],
    ids=["longer", "between"],
)
def test_bars_of_another_length_are_refused(
    tmp_path: Path, rows: pl.DataFrame, dataset: str, words: str
) -> None:
    node = made(tmp_path, dataset, ["AAPL"], "2024-01-02", "2024-01-04")
    rows.write_parquet(tmp_path / "AAPL.parquet")
    report = taken(node, tmp_path / "AAPL.parquet", dataset, timestamp="start", adjustment="raw")
    assert words in report.unreadable["AAPL.parquet"]
    assert (report.sessions, report.complete) == (0, False)


def test_weeks_are_no_days(tmp_path: Path) -> None:
    node = made(tmp_path, DAYS, ["AAPL"], "2023-01-03", "2024-12-31")
    weeks = [dt.date(2024, 1, 5) + dt.timedelta(days=7 * at) for at in range(20)]
    text = "".join(f"{day},1,2,1,2,5\n" for day in weeks)
    (tmp_path / "AAPL.csv").write_text(f"date,open,high,low,close,volume\n{text}")
    report = taken(node, tmp_path / "AAPL.csv", DAYS, adjustment="raw")
    assert "a week long" in report.unreadable["AAPL.csv"]


def test_a_session_that_two_files_share_is_taken_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where one batch ends between them."""
    node = made(tmp_path, MINUTES, ["AAPL"], "2024-01-02", "2024-01-04")
    whole = bars(["2024-01-02", "2024-01-03", "2024-01-04"])
    folder = tmp_path / "cut"
    folder.mkdir()
    for number, start in enumerate(range(0, whole.height, 300)):
        whole.slice(start, 300).write_parquet(folder / f"AAPL_{number}.parquet")
    monkeypatch.setattr(run, "_BATCH", 100)
    report = taken(node, folder, MINUTES, timestamp="start", adjustment="raw")
    assert (report.sessions, report.rows) == (3, 3 * 390)
    night(node)
    assert rows(node, MINUTES).height == 3 * 390
    assert taken(node, folder, MINUTES, timestamp="start", adjustment="raw").done_before == report.files


def test_what_was_cut_off_is_taken_once_the_rest_has_come(tmp_path: Path) -> None:
    node = made(tmp_path, MINUTES, ["AAPL"], "2024-01-02", "2024-01-04")
    whole = bars(["2024-01-02", "2024-01-03"])
    folder = tmp_path / "growing"
    folder.mkdir()
    whole.head(390 + 200).write_parquet(folder / "AAPL_1.parquet")
    about: dict[str, Any] = {"timestamp": "start", "adjustment": "raw"}
    assert taken(node, folder, MINUTES, **about).edges == 1
    whole.tail(190).write_parquet(folder / "AAPL_2.parquet")
    report = taken(node, folder, MINUTES, **about)
    assert (report.sessions, report.edges, report.rows) == (1, 0, 390)


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("AAPL.csv", "AAPL"), ("aapl.us.txt", "AAPL"), ("BRK_B-1m.parquet", "BRK.B"), ("A_2024-01.parquet", "A"),
        ("ALL_STOCKS.csv", ""), ("A_summary.csv", ""), ("AAPL_Candlestick_1_M_BID_01.01.2024-31.01.2024.csv", "AAPL"),
    ],
)  # fmt: skip
def test_names_of_files_are_read_strictly(name: str, symbol: str) -> None:
    assert SymbolNames(["A", "AAPL", "ALL", "BRK.B"]).in_name(f"some/{name}") == symbol


@pytest.mark.parametrize("text", ["day = '\\d+'", "symbol_path = '('"])
def test_a_pattern_that_cannot_work_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "m.toml").write_text(text)
    with pytest.raises(errors.ConfigError):
        mapping.read(tmp_path / "m.toml")


def test_the_nodes_own_lake_is_not_taken_in(tmp_path: Path) -> None:
    node = made(tmp_path, MINUTES, ["AAPL"], "2024-01-02", "2024-01-04")
    (node / "lake").mkdir()
    with pytest.raises(errors.UsageError, match="lie in each other"):
        taken(node, node / "lake", MINUTES)


def test_small_slips_are_told(tmp_path: Path) -> None:
    node = made(tmp_path, DAYS, ["AAPL", "IBM"], "2024-01-02", "2024-12-31")
    folder = tmp_path / "days"
    folder.mkdir()
    for symbol in ("AAPL", "IBM"):
        (folder / f"{symbol}.csv").write_text(
            "date,open,high,low,close,volume\n2024-01-02,1,2,1,2,5\n2024-01-03,1,2,1,2,5\n\n"
        )
    with pytest.raises(errors.UsageError, match="has no column foo"):
        taken(node, folder, DAYS, adjustment="raw", fixed={"foo": "1"})
    with pytest.raises(errors.UsageError, match="is no time zone"):
        taken(node, folder, DAYS, adjustment="raw", zone="Foo/Bar")
    report = taken(node, folder, DAYS, adjustment="raw")
    assert (report.sessions, report.first, report.last, report.complete) == (
        4,
        "2024-01-02",
        "2024-01-03",
        True,
    )
    with opened(node) as context:
        adoption = Adoption(
            root=folder, dataset=DAYS, source="files.mine", given=FileMapping(adjustment="raw")
        )
        again = run.run(context, CLOCK, adoption, again=True)
    assert (again.done_before, again.known) == (0, 4)


def test_a_row_without_a_moment_leaves_its_session_out(tmp_path: Path) -> None:
    node = made(tmp_path, MINUTES, ["AAPL"], "2024-01-02", "2024-01-04")
    text = bars(["2024-01-02", "2024-01-03", "2024-01-04"]).with_columns(
        pl.when(pl.int_range(pl.len()).is_between(500, 600))
        .then(pl.lit("garbage"))
        .otherwise(pl.col("timestamp").dt.strftime("%Y-%m-%d %H:%M:%S"))
        .alias("timestamp")
    )
    text.write_csv(tmp_path / "AAPL.csv")
    report = taken(
        node, tmp_path / "AAPL.csv", MINUTES, zone="America/New_York", time_format="%Y-%m-%d %H:%M:%S",
        timestamp="start", adjustment="raw",
    )  # fmt: skip
    assert report.rejected == {"no moment that exists": 101}
    assert report.sessions == 2
    night(node)
    assert set(rows(node, MINUTES)["session"]) == {dt.date(2024, 1, 2), dt.date(2024, 1, 4)}


def test_an_hour_that_the_clocks_have_twice_leaves_its_session_out(tmp_path: Path) -> None:
    node = made(tmp_path, "crypto_bars_minute", ["BTC/USD"], "2023-11-03", "2023-11-07")
    start = dt.datetime(2023, 11, 3, tzinfo=dt.UTC)
    frame = pl.DataFrame({"date": [start + dt.timedelta(minutes=minute) for minute in range(5 * 1_440)]})
    local = pl.col("date").dt.convert_time_zone("America/New_York").dt.strftime("%Y-%m-%d %H:%M:%S")
    frame.select(
        local, *(pl.lit(10.0).alias(name) for name in ("open", "high", "low", "close", "volume"))
    ).write_csv(tmp_path / "BTC_USD.csv")
    report = taken(
        node, tmp_path / "BTC_USD.csv", "crypto_bars_minute", zone="America/New_York", timestamp="start"
    )
    assert report.sessions == 4
    assert "no moment that exists" in report.rejected


def test_a_file_that_broke_off_in_a_session_does_not_hold_it(tmp_path: Path) -> None:
    """Although the next file goes on with the next day."""
    days = ["2024-01-29", "2024-01-30", "2024-01-31", "2024-02-01", "2024-02-02"]
    node = made(tmp_path, MINUTES, ["AAPL"], days[0], days[-1])
    folder = tmp_path / "months"
    folder.mkdir()
    bars(days[:3]).head(3 * 390 - 200).write_parquet(folder / "AAPL_2024-01.parquet")
    bars(days[3:]).write_parquet(folder / "AAPL_2024-02.parquet")
    report = taken(node, folder, MINUTES, timestamp="start", adjustment="raw")
    assert (report.sessions, report.edges) == (4, 1)


def test_files_cut_at_midnight_utc_give_whole_sessions_of_new_york(tmp_path: Path) -> None:
    """Forex: a session begins at 17:00 the evening before. Files may come one by one."""
    node = made(tmp_path, "forex_bars_minute", ["EURUSD"], "2024-01-02", "2024-01-12")
    folder = tmp_path / "days"
    folder.mkdir()
    taken_so_far = 0
    for day in ("2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05"):
        start = dt.datetime.fromisoformat(day)
        lines = [f"{start + dt.timedelta(minutes=minute)},1.1,1.1,1.1,1.1" for minute in range(1_440)]
        (folder / f"EURUSD_{day}.csv").write_text("\n".join(["time,open,high,low,close", *lines]))
        report = taken(
            node, folder, "forex_bars_minute", zone="UTC", timestamp="start", fixed={"price_kind": "bid"}
        )
        taken_so_far += report.sessions
    assert taken_so_far == 3
    night(node)
    counts = rows(node, "forex_bars_minute").group_by("session").len()
    assert min(counts["len"].to_list()) >= 1_380


RAW: dict[str, Any] = {"timestamp": "start", "adjustment": "raw"}


def test_what_is_told_of_one_file_is_not_put_on_another_kind(tmp_path: Path) -> None:
    node = made(tmp_path, MINUTES, ["AAPL", "IBM", "MSFT"], "2024-01-02", "2024-01-04")
    folder = tmp_path / "mixed"
    folder.mkdir()
    good = bars(["2024-01-02"])
    good.write_parquet(folder / "AAPL.parquet")
    good.with_columns(pl.col("timestamp").dt.replace_time_zone(None)).write_parquet(folder / "IBM.parquet")
    good.with_columns(pl.lit(1.0).alias("Adj Close")).write_parquet(folder / "MSFT.parquet")
    report = taken(node, folder, MINUTES, **RAW)
    assert report.symbols == ("AAPL",)
    assert set(report.unreadable) == {"IBM.parquet", "MSFT.parquet"}


def test_numbers_of_another_unit_are_refused(tmp_path: Path) -> None:
    node = made(tmp_path, MINUTES, ["AAPL", "MSFT"], "2024-01-02", "2024-01-04")
    folder = tmp_path / "units"
    folder.mkdir()
    for symbol, unit in (("AAPL", "ms"), ("MSFT", "us")):
        bars(["2024-01-02"]).with_columns(pl.col("timestamp").dt.epoch(unit)).write_parquet(  # type: ignore[arg-type]
            folder / f"{symbol}.parquet"
        )
    report = taken(node, folder, MINUTES, **RAW)
    assert report.symbols == ("AAPL",)
    assert "not numbers in ms" in report.unreadable["MSFT.parquet"]


def test_the_time_goes_by_its_name_before_its_type(tmp_path: Path) -> None:
    node = made(tmp_path, DAYS, ["AAPL"], "2024-01-02", "2024-01-12")
    pl.DataFrame(
        {
            "date": ["2024-01-02", "2024-01-03"],
            **{name: [1.0, 1.0] for name in ("open", "high", "low", "close", "volume")},
            "fetched": [dt.datetime(2024, 1, 4), dt.datetime(2024, 1, 5)],
            "sound": [True, False],
        }
    ).write_parquet(tmp_path / "AAPL.parquet")
    report = taken(node, tmp_path / "AAPL.parquet", DAYS, adjustment="raw")
    assert (report.first, report.last) == ("2024-01-02", "2024-01-03")


def test_days_that_are_stamped_at_their_end_are_not_a_day_late(tmp_path: Path) -> None:
    node = made(tmp_path, "crypto_bars_day", ["BTC/USD"], "2024-01-01", "2024-01-05")
    moments = [dt.datetime(2024, 1, day, tzinfo=dt.UTC) for day in (2, 3)]
    pl.DataFrame(
        {"timestamp": moments, **{name: [1.0, 1.0] for name in ("open", "high", "low", "close", "volume")}}
    ).write_parquet(tmp_path / "BTC_USD.parquet")
    asked = taken(node, tmp_path / "BTC_USD.parquet", "crypto_bars_day", dry_run=True, zone="UTC")
    assert [question.about for question in asked.recognised.questions] == ["timestamp"]
    report = taken(node, tmp_path / "BTC_USD.parquet", "crypto_bars_day", zone="UTC", timestamp="end")
    assert (report.first, report.last) == ("2024-01-01", "2024-01-02")


def test_ticks_of_two_files_are_not_counted_twice(tmp_path: Path) -> None:
    node = made(tmp_path, "forex_ticks", ["EURUSD"], "2024-01-02", "2024-01-12")
    folder = tmp_path / "ticks"
    folder.mkdir()
    start = dt.datetime(2024, 1, 2, 22, tzinfo=dt.UTC)
    ticks = pl.DataFrame({"ts": [start + dt.timedelta(seconds=30 * at) for at in range(2_880)]}).with_columns(
        price=pl.lit(1.1)
    )
    for number in (1, 2):
        ticks.write_parquet(folder / f"EURUSD_{number}.parquet")
    report = taken(node, folder, "forex_ticks", fixed={"price_kind": "mid"})
    assert report.sessions == 0
    assert "two files have ticks of the same time" in report.rejected


def test_one_bad_file_keeps_no_other_from_it(tmp_path: Path) -> None:
    node = made(tmp_path, MINUTES, ["AAPL"], "2024-01-02", "2024-01-04")
    folder = tmp_path / "some"
    folder.mkdir()
    (folder / "A.parquet").write_bytes(b"damaged")
    bars(["2024-01-02"]).write_parquet(folder / "AAPL.parquet")
    report = taken(node, folder, MINUTES, **RAW)
    assert report.sessions == 1
    assert list(report.unreadable) == ["A.parquet"]
