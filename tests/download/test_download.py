"""A download against a simulated vendor: what it holds, what a second run asks for, and what a kill leaves."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest

import fulltape
from fulltape.download import formats, records
from fulltape.download.plan import FileLayout
from fulltape.lake import files
from fulltape.simulator import market as markets
from fulltape.simulator import run as simulator
from fulltape.simulator import scenario
from fulltape.simulator.market import Market
from fulltape.simulator.run import Running
from holed import LACKING
from holed import market as holed_market
from nodes import CANARY

RANGE = ("--from", "2012-11", "--to", "2012-12")
USUAL = ("alpaca.sip", "AAPL", "MSFT", "--data", "bars_minute", "--data", "equities_bars_day", *RANGE)
KILLS = int(os.environ.get("FULLTAPE_DOWNLOAD_KILLS", "6"))
pytestmark = pytest.mark.timeout(300)


@contextlib.contextmanager
def vendor(market: Market | None = None, faults: str = "") -> Iterator[Running]:
    with simulator.running(market or markets.sample(), scenario.parse(faults, where="test")) as twins:
        yield twins


def command(twins: Running, out: Path, *arguments: str) -> list[str]:
    name = arguments[0].partition(".")[0] if arguments[0].partition(".")[0] in twins.servers else "alpaca"
    more = ("--base-url", twins.servers[name].url, "--history-from", "2000", "--out", str(out))
    return [sys.executable, "-m", "fulltape", "download", *arguments, *more]


ENVIRONMENT = {**os.environ, "ALPACA_KEY": CANARY, "ALPACA_SECRET": CANARY}


def download(twins: Running, out: Path, *arguments: str, ends: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command(twins, out, *arguments), env=ENVIRONMENT, capture_output=True, text=True, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == ends, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    assert CANARY not in done.stdout + done.stderr
    return done


def content(out: Path) -> dict[str, bytes]:
    """Every file but those of the node."""
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in files.tree(out)
        if records.NODE not in path.relative_to(out).parts
    }


def asked(twins: Running) -> int:
    return len(twins.servers["alpaca"].log)


def test_it_holds_what_the_vendor_has_and_a_second_run_asks_for_nothing(tmp_path: Path) -> None:
    with vendor() as twins:
        done = download(twins, tmp_path / "out", *USUAL, "--max-gap", "off")
        assert "held" in done.stdout
        before, requests = content(tmp_path / "out"), asked(twins)
        download(twins, tmp_path / "out", *USUAL, "--max-gap", "off")
        assert asked(twins) == requests
        assert content(tmp_path / "out") == before
    sample = markets.sample()
    for symbol in ("AAPL", "MSFT"):
        rows = pl.read_parquet(tmp_path / "out" / "equities_bars_minute" / symbol / "*.parquet")
        bars = [bar for bar in sample.bars["minute", symbol] if bar.session.isoformat() >= "2012-11-01"]
        assert rows["close"].to_list() == [bar.close for bar in bars]
        assert rows["ts"].is_sorted()
    report = json.loads(before["report.json"])
    assert report["complete"]
    assert report["sessions"]["held"] == report["sessions"]["wanted"] == 164
    for part in report["parts"]:
        assert files.sha256(tmp_path / "out" / part["file"]) == part["sha256"]
    everything = b"".join(path.read_bytes() for path in files.tree(tmp_path / "out"))
    assert CANARY.encode() not in everything


@pytest.mark.parametrize("form", ["parquet", "csv", "csv.gz", "jsonl"])
@pytest.mark.parametrize("by", ["month", "week", "day", "symbol", "none"])
def test_every_form_and_cut_has_the_same_rows(tmp_path: Path, form: str, by: str) -> None:
    with vendor() as twins:
        download(
            twins, tmp_path / "out", "alpaca.sip", "AAPL,MSFT", "-d", "equities_bars_day", *RANGE, "--by", by, "--format", form,
        )  # fmt: skip
    readers: dict[str, Callable[[Path], pl.DataFrame]] = {
        "parquet": pl.read_parquet, "csv": pl.read_csv, "csv.gz": pl.read_csv, "jsonl": pl.read_ndjson,
    }  # fmt: skip
    read = readers[form]
    paths = [path for path in files.tree(tmp_path / "out") if path.name.endswith(f".{form}")]
    paths = [path for path in paths if records.NODE not in path.parts]
    assert len(paths) == {"month": 4, "week": 20, "day": 82, "symbol": 2, "none": 1}[by]
    rows = pl.concat([read(path) for path in paths], how="vertical_relaxed")
    sample = markets.sample()
    expected = [
        bar.close
        for symbol in ("AAPL", "MSFT")
        for bar in sample.bars["day", symbol]
        if "2012-11-01" <= bar.session.isoformat() <= "2012-12-31"
    ]
    assert rows["close"].to_list() == expected
    assert rows["symbol"].unique().sort().to_list() == ["AAPL", "MSFT"]


def test_it_grows_at_either_end_and_never_shrinks(tmp_path: Path) -> None:
    out, daily = tmp_path / "out", ("alpaca.sip", "AAPL", "-d", "equities_bars_day")
    with vendor() as twins:
        download(twins, out, *daily, "--from", "2012-11-05", "--to", "2012-11-20")
        download(twins, out, *daily, "--from", "2012-11-12", "--to", "2012-12-14")
        download(twins, out, *daily, "--from", "2012-10-15", "--to", "2012-11-06")
        requests = asked(twins)
        download(twins, out, *daily, "--from", "2012-11-12", "--to", "2012-11-13")
        assert asked(twins) == requests
        download(twins, tmp_path / "whole", *daily, "--from", "2012-10-15", "--to", "2012-12-14")
    for month in ("2012-10", "2012-11", "2012-12"):
        grown, whole = (
            pl.read_parquet(folder / "equities_bars_day" / "AAPL" / f"{month}.parquet")
            for folder in (out, tmp_path / "whole")
        )
        assert grown.equals(whole)


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with vendor(holed_market()) as twins:
        done = download(
            twins, tmp_path / "out", "alpaca.sip", LACKING, "AAPL", "-d", "equities_bars_day", "--from", "2012", "--to", "2012", ends=1,
        )  # fmt: skip
        assert f"{LACKING} 2012-06-01 to 2012-06-29" in done.stdout
        report = json.loads((tmp_path / "out" / "report.json").read_bytes())
        assert not report["complete"]
        assert (
            sum(report["sessions"][state] for state in ("missing", "unobtainable", "unknown_listing")) == 21
        )
        holes = download(
            twins, tmp_path / "minutes", "alpaca.sip", "AAPL", "-d", "bars_minute", "--from", "2012-11-23", "--to", "2012-11-23", ends=1,
        )  # fmt: skip
        assert "1 inside sessions" in holes.stdout
        (part,) = json.loads((tmp_path / "minutes" / "report.json").read_bytes())["parts"]
        assert part["gaps"]["listed"] == [
            {"start": "2012-11-23T15:14:00Z", "end": "2012-11-23T15:16:00Z", "seconds": 120.0}
        ]


def test_a_report_of_before_does_not_outlive_a_run_that_fails(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with vendor() as twins:
        download(twins, out, "alpaca.sip", "AAPL", "-d", "equities_bars_day", *RANGE)
        assert (out / "report.json").is_file()
    unreachable = [
        sys.executable,
        "-m",
        "fulltape",
        "download",
        "alpaca.sip",
        "AAPL",
        "-d",
        "equities_bars_day",
        "--from",
        "2012-10",
    ]
    done = subprocess.run(
        [*unreachable, "--to", "2012-12", "--base-url", "http://127.0.0.1:9", "--history-from", "2000", "--out", str(out)],
        env=ENVIRONMENT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 3
    assert "cannot be reached" in done.stderr
    report = json.loads((out / "report.json").read_bytes())
    assert not report["complete"]
    assert any("2012-10-01" in why for why in report["why"])


def test_verify_names_what_is_not_what_was_written(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with vendor() as twins:
        download(twins, out, "alpaca.sip", "AAPL", "-d", "equities_bars_day", *RANGE)
        assert "2 files" in download(twins, out, "alpaca.sip", "--verify").stdout
        path = out / "equities_bars_day" / "AAPL" / "2012-11.parquet"
        whole = path.read_bytes()
        path.write_bytes(whole[:-9] + b"x" + whole[-8:])
        (out / "notes.txt").write_text("mine")
        said = download(twins, out, "alpaca.sip", "--verify", ends=1).stdout
        assert "2012-11.parquet is not what was written" in said
        assert "notes.txt" not in said
        path.unlink()
        requests = asked(twins)
        download(twins, out, "alpaca.sip", "AAPL", "-d", "equities_bars_day", *RANGE)
        assert asked(twins) == requests
        assert path.read_bytes() == whole
        path.unlink()
        path.with_name(f"{path.name}.json").unlink()
        assert "2012-11.parquet.json is gone" in download(twins, out, "--verify", ends=1).stdout
        download(
            twins,
            out,
            "alpaca.sip",
            "AAPL",
            "-d",
            "equities_bars_day",
            "--from",
            "2012-11-12",
            "--to",
            "2012-11-13",
        )
        assert path.read_bytes() == whole, "the whole of it, though less was asked for"
        path.write_bytes(whole[:-9] + b"x" + whole[-8:])
        download(twins, out, "alpaca.sip", "AAPL", "-d", "equities_bars_day", *RANGE)
        assert path.read_bytes() == whole, "also of the same size"
        (out / "report.json").unlink()
        assert "the last run did not end" in download(twins, out, "--verify", ends=1).stdout


def damage(out: Path, folder: str) -> None:
    """Flip a byte of the raw parts of a folder."""
    for path in files.tree(out / records.NODE / "lake" / "raw"):
        if path.parent.name == folder:
            content = bytearray(path.read_bytes())
            content[len(content) // 2] ^= 1
            path.write_bytes(content)


@pytest.mark.parametrize("by", ["symbol", "month", "none"])
def test_damaged_answers_are_fetched_again_and_no_file_loses_rows(tmp_path: Path, by: str) -> None:
    out, wish = tmp_path / "out", ("alpaca.sip", "AAPL", "-d", "equities_bars_day", "--by", by)
    with vendor() as twins:
        download(twins, out, *wish, "--from", "2011-06", "--to", "2012-11")
        before = {path: body for path, body in content(out).items() if path.endswith(".parquet")}
        damage(out, "year=2011")
        # A file that would lose sessions is left as it is, and that is said.
        download(twins, out, *wish, "--from", "2012-12", "--to", "2012-12", ends=0 if by == "month" else 1)
        for path, body in content(out).items():
            assert body == before.get(path, body)
        damage(out, "year=2011")
        download(twins, out, *wish, "--from", "2011-06", "--to", "2012-12")
        download(twins, tmp_path / "whole", *wish, "--from", "2011-06", "--to", "2012-12")
    for path, body in content(tmp_path / "whole").items():
        if path.endswith(".parquet"):
            assert content(out)[path] == body


def test_holes_between_two_runs_in_one_file_are_no_success(tmp_path: Path) -> None:
    with vendor() as twins:
        wish = ("alpaca.sip", "AAPL", "-d", "equities_bars_day", "--by", "symbol")
        download(twins, tmp_path / "out", *wish, "--from", "2012-01", "--to", "2012-01")
        done = download(twins, tmp_path / "out", *wish, "--from", "2012-06", "--to", "2012-06", ends=1)
        assert "NOT COMPLETE" in done.stdout
        assert "2012-02-01 to 2012-05-31" in done.stdout
        download(twins, tmp_path / "out", *wish, "--from", "2012-01", "--to", "2012-06")


def test_more_symbols_than_a_line_holds_and_one_that_there_is_not(tmp_path: Path) -> None:
    many = ",".join(["AAPL", *(f"ZZ{number}" for number in range(60))])
    with vendor() as twins:
        wish = ("-d", "equities_bars_day", "--by", "none", "--from", "2012-11-05", "--to", "2012-11-09")
        done = download(twins, tmp_path / "out", "alpaca.sip", many, *wish, ends=1)
        assert "ZZ0" in done.stdout
        download(twins, tmp_path / "out", "alpaca.sip", "AAPL", *wish)


def test_two_symbols_with_one_file_are_refused(tmp_path: Path) -> None:
    coins = (
        "binance",
        "A-B/USDT",
        "A/B-USDT",
        "-d",
        "bars_day",
        "--from",
        "2024-11-01",
        "--to",
        "2024-11-03",
    )
    with vendor() as twins:
        assert "two symbols would have the file" in download(twins, tmp_path / "out", *coins, ends=2).stderr


def test_what_is_broken_inside_is_one_sentence(tmp_path: Path) -> None:
    out, wish = tmp_path / "out", ("alpaca.sip", "AAPL", "-d", "equities_bars_day", *RANGE)
    with vendor() as twins:
        download(twins, out, *wish)
        sidecar = out / "equities_bars_day" / "AAPL" / "2012-11.parquet.json"
        good = sidecar.read_bytes()
        sidecar.write_bytes(good.replace(b'"2012-11-01"', b'"x"'))
        download(twins, out, *wish)
        assert sidecar.read_bytes() == good
        (out / records.NODE / "download.json").write_bytes(b"{")
        assert "download.json is damaged" in download(twins, out, *wish, ends=4).stderr
        outside = tmp_path / "link"
        (outside).mkdir()
        (outside / "equities_bars_day").symlink_to(out / "equities_bars_day")
        assert "is a link" in download(twins, outside, *wish, ends=2).stderr


def test_nanoseconds_are_kept_in_text(tmp_path: Path) -> None:
    rows = pl.DataFrame(
        {"ts_event": [1_700_000_000_000_000_123], "ts": [1_700_000_000_000_000]}
    ).with_columns(
        pl.col("ts_event").cast(pl.Datetime("ns", "UTC")), pl.col("ts").cast(pl.Datetime("us", "UTC"))
    )
    for form in ("csv", "jsonl"):
        formats.publish(tmp_path / form, [rows], FileLayout(form=form), tmp_path)
        assert "2023-11-14T22:13:20.000000123Z" in (tmp_path / form).read_text()
        assert "2023-11-14T22:13:20.000000Z" in (tmp_path / form).read_text()


def test_a_kill_at_any_moment_leaves_what_the_next_run_uses(tmp_path: Path) -> None:
    """In the end the same bytes as without any, and no answer that had come is asked for again."""
    random.seed(7)
    with vendor() as twins:
        began = time.monotonic()
        download(twins, tmp_path / "calm", *USUAL, "--by", "week", ends=1)
        took, calm = time.monotonic() - began, asked(twins)
        out = tmp_path / "out"
        for _ in range(KILLS):
            child = subprocess.Popen(
                command(twins, out, *USUAL, "--by", "week"), env=ENVIRONMENT, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
            )  # fmt: skip
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(random.uniform(0.3, 1.2) * took)
            child.send_signal(signal.SIGKILL)
            child.wait()
        (out / records.NODE / "spool" / "left").mkdir(parents=True, exist_ok=True)
        (out / "equities_bars_day").mkdir(exist_ok=True)
        (out / "equities_bars_day" / f"{files.TEMPORARY}left").write_bytes(b"half")
        download(twins, out, *USUAL, "--by", "week", ends=1)
        assert content(out) == content(tmp_path / "calm")
        # Only what was on its way at a kill may be asked for twice.
        assert asked(twins) - calm <= calm + 8 * KILLS
    assert not [path for path in files.tree(out) if path.name.startswith(files.TEMPORARY)]
    assert not list((out / records.NODE / "spool").iterdir())


def test_what_cannot_be_is_one_sentence_and_nothing_is_damaged(tmp_path: Path) -> None:
    daily = ("-d", "equities_bars_day", *RANGE)
    with vendor() as twins:
        for arguments, words in (
            (("alpaca.sip", "AAPL", "-d", "equities_bars_day", "--from", "2999"), "lies in the future"),
            (("alpaca.sip", "../../AAPL", *daily), "no ticker"),
            (("nope", "AAPL", *daily), "there is no vendor 'nope'"),
            (("alpaca.sip", "AAPL", *RANGE), "needs --data"),
            (("alpaca.sip", "AAPL", *daily, "--by", "hour"), "--by hour"),
            (("alpaca.sip", "AAPL", "-d", "equities_bars_day", "--from", "2012-11-24", "--to", "2012-11-25"), "no session lies between"),
        ):  # fmt: skip
            done = download(twins, tmp_path / "a", *arguments, ends=2)
            assert words in done.stderr
        assert not (tmp_path / "a").exists() or not content(tmp_path / "a")
        out = tmp_path / "b"
        download(twins, out, "alpaca.sip", "AAPL", *daily)
        before = content(out)
        other = download(twins, out, "alpaca.sip", "AAPL", *daily, "--format", "csv", ends=2)
        assert "is a download of alpaca.sip as parquet by month" in other.stderr
        with files.alone(out / records.NODE / "lock", "a test"):
            assert "already under way" in download(twins, out, "alpaca.sip", "AAPL", *daily, ends=75).stderr
        (tmp_path / "c" / "equities_bars_day").mkdir(parents=True)
        (tmp_path / "c" / "equities_bars_day" / "mine").write_text("mine")
        assert (
            "no download of ours"
            in download(twins, tmp_path / "c", "alpaca.sip", "AAPL", *daily, ends=2).stderr
        )
        assert (tmp_path / "c" / "equities_bars_day" / "mine").read_text() == "mine"
        assert content(out) == before
        missing = subprocess.run(
            command(twins, tmp_path / "d", "alpaca.sip", "AAPL", *daily), capture_output=True, text=True, check=False,
            env={name: value for name, value in os.environ.items() if not name.startswith("ALPACA")}, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert missing.returncode == 2
        assert "ALPACA_KEY" in missing.stderr


def test_a_dry_run_sends_nothing_and_begins_nothing(tmp_path: Path) -> None:
    with vendor() as twins:
        done = download(twins, tmp_path / "out", *USUAL, "--dry-run")
        assert "nothing was sent" in done.stdout
        assert asked(twins) == 0
        assert not (tmp_path / "out").exists()
        about = json.loads(download(twins, tmp_path / "out", *USUAL, "--dry-run", "--json").stdout)
        assert about["free_bytes"] > 0
        assert about["estimate"]["by_source"][0]["requests"] > 0


def init(*arguments: str, where: Path | None = None, ends: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "fulltape", "init", *arguments], capture_output=True, text=True, check=False, cwd=where,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == ends, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_it_becomes_a_node_that_holds_all_of_it(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with vendor() as twins:
        download(twins, out, "alpaca.sip", "AAPL", "-d", "equities_bars_day", *RANGE)
        download(
            twins,
            out,
            "alpaca.sip",
            "MSFT",
            "-d",
            "bars_minute",
            "--from",
            "2012-11",
            "--to",
            "2012-11",
            "--max-gap",
            "off",
        )
        download(twins, out, "alpaca.sip", "GOOG", "-d", "bars_day", "--from", "2012-11", "--dry-run")
        (tmp_path / "node").mkdir()
        init(".", "--from", "../out", where=tmp_path / "node")
        requests = asked(twins)
        settings = tmp_path / "node" / "fulltape.toml"
        text = settings.read_text()
        assert "GOOG" not in text
        for dataset, last in (("equities_bars_day", "2012-12-31"), ("equities_bars_minute", "2012-11-30")):
            at = text.index("from = ", text.index(f"[dataset.{dataset}]"))
            text = f"{text[:at]}until = {last}\n{text[at:]}"
        settings.write_text(text)
        night = subprocess.run(
            [sys.executable, "-m", "fulltape", "nightly", "--node", str(tmp_path / "node")],
            capture_output=True, text=True, check=False, env=ENVIRONMENT,
        )  # fmt: skip
        assert night.returncode == 0, night.stdout + night.stderr
        assert asked(twins) == requests
        reader = fulltape.open(tmp_path / "node")
        assert reader.scan("equities_bars_day", symbols="AAPL").collect().height == 41
        assert reader.scan("equities_bars_minute", symbols="MSFT").collect().height > 8_000
        download(twins, out, "alpaca.sip", "AAPL", "-d", "equities_bars_day", *RANGE)
        assert asked(twins) == requests
    assert "is a node already" in init(str(tmp_path / "node"), "--from", str(out), ends=2).stderr
    assert "is not empty" in init(str(out), "--from", str(out), ends=2).stderr
    assert "is no download" in init(str(tmp_path / "other"), "--from", str(tmp_path / "node"), ends=2).stderr
    assert "no other option" in init(str(tmp_path / "other"), "--from", str(out), "--live", ends=2).stderr
    (tmp_path / "link").symlink_to(tmp_path)
    assert "is no folder" in init(str(tmp_path / "link"), "--from", str(out), ends=2).stderr
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(files.TEMPORARY)]
