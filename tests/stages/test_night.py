"""Whole nights over real sockets and real files: everything arrives, once, and a second night does nothing."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

import fulltape
from clocks import SkippingClock
from fulltape.coverage.cell import Availability, Completeness, Verdict
from fulltape.demo import proof
from fulltape.ledger.task import Task
from fulltape.node import nightly
from fulltape.node.nightly import Night
from fulltape.simulator import market as markets
from fulltape.views import explain, state
from nodes import (
    CANARY,
    DAYS_2012,
    MINUTES_2012,
    Wish,
    lean_days,
    lean_minutes,
    merged,
    needs_data,
    opened,
    simulated,
)

SAMPLE_UNIVERSE = markets.sample_universe()


def night(folder: Path) -> Night:
    with opened(folder) as context:
        return nightly.run(context, SkippingClock())


def different(folder: Path, market: markets.Market, dataset: str, wish: Wish) -> pl.DataFrame:
    """Curated rows that the market does not have, and market rows that are not curated."""
    grain = "day" if "day" in dataset else "minute"
    timestamp = "session" if grain == "day" else "ts"
    names = ("symbol", timestamp, "open", "high", "low", "close", "volume")
    curated = fulltape.open(folder).scan(dataset).select(names).collect()
    first, last = dt.date.fromisoformat(wish.first), dt.date.fromisoformat(wish.last)
    rows = [
        (
            symbol,
            bar.session if grain == "day" else bar.start,
            bar.open,
            bar.high,
            bar.low,
            bar.close,
            bar.volume,
        )
        for (kind, symbol), bars in market.bars.items()
        if kind == grain
        for bar in bars
        if first <= bar.session <= last
    ]
    truth = pl.DataFrame(rows, schema=dict.fromkeys(names), orient="row", infer_schema_length=None)
    truth = truth.select(pl.col(name).cast(dtype) for name, dtype in curated.schema.items())
    return pl.concat([curated.join(truth, on=names, how="anti"), truth.join(curated, on=names, how="anti")])


def test_a_clean_night_brings_every_row_and_a_second_one_brings_nothing(tmp_path: Path) -> None:
    market = markets.sample()
    with simulated(tmp_path, market, [DAYS_2012, MINUTES_2012], universe=SAMPLE_UNIVERSE) as (folder, twins):
        done = night(folder)
        assert done.complete
        assert different(folder, market, "equities_bars_day", DAYS_2012).is_empty()
        assert different(folder, market, "equities_bars_minute", MINUTES_2012).is_empty()
        before, asked = proof.snapshot(folder / "lake"), len(twins.log())
        again = night(folder)
        assert len(twins.log()) == asked
        assert proof.snapshot(folder / "lake") == before
        assert again.export
        assert not again.export.written
        assert not proof.asked_twice(twins.log(), ())


def test_nothing_is_asked_of_closed_days_or_before_a_listing(tmp_path: Path) -> None:
    wish = Wish("equities_bars_day", "2001-08-01", "2012-12-31")
    with simulated(tmp_path, markets.sample(), [wish], universe=SAMPLE_UNIVERSE) as (folder, twins):
        done = night(folder)
        for line in twins.log():
            if "FB" in (line.params.get("symbols", "") + line.path):
                start = line.params.get("start") or line.path.split("/")[-2]
                assert start[:10] >= "2012-05-17"  # the session's evening before
        with opened(folder) as context:
            wanted = context.wanted["equities_bars_day"]
            stories = {
                day: explain.explain(context, SkippingClock(), wanted, "IBM", dt.date.fromisoformat(day)).cell
                for day in ("2012-10-29", "2001-09-12", "2012-10-26")
            }
            fb = explain.explain(context, SkippingClock(), wanted, "FB", dt.date(2012, 5, 17)).cell
    assert done.audit.missing == 0
    assert stories["2012-10-29"].availability is stories["2001-09-12"].availability is Availability.CLOSED
    assert stories["2012-10-26"].availability is Availability.HELD
    assert fb.availability is Availability.UNLISTED


FAULTS = """
[limits]
alpaca = 200
massive = 200
[[fault]]
vendor = "alpaca"
do = "missing_days"
grain = "day"
symbols = ["IBM"]
first = 2012-03-01
last = 2012-03-06
[[fault]]
vendor = "massive"
do = "not_entitled"
symbols = ["GOOG"]
[[fault]]
vendor = "alpaca"
do = "empty_page"
grain = "minute"
page = 2
[[fault]]
vendor = "alpaca"
do = "rate_limit"
requests = [1]
[[fault]]
vendor = "massive"
do = "error"
requests = [1, 3]
[[fault]]
vendor = "alpaca"
do = "truncate"
requests = [4]
[[fault]]
vendor = "massive"
do = "garbage"
requests = [4]
"""


def test_a_bad_night_ends_with_the_same_rows(tmp_path: Path) -> None:
    market = markets.sample()
    with simulated(
        tmp_path,
        market,
        [DAYS_2012, MINUTES_2012],
        universe=SAMPLE_UNIVERSE,
        faults=FAULTS,
        per_minute=200,
        preferred="massive",
    ) as (folder, twins):
        done = night(folder)
        assert done.complete, done
        assert different(folder, market, "equities_bars_day", DAYS_2012).is_empty()
        assert different(folder, market, "equities_bars_minute", MINUTES_2012).is_empty()
        statuses = [line.status for line in twins.log()]
        assert statuses.count(429) == 1
        assert statuses.count(503) == 2
        assert not proof.asked_twice(
            twins.log(), [line for line in twins.log() if line.vendor == "massive" and line.rows]
        )
        with opened(folder) as context:
            (refused,) = {
                why for source in state.sources(context, SkippingClock()) for why in source.refusals.values()
            }
            assert "not entitled" in refused
            reasons = [row["reason"] for row in context.ledger.rejections()]
            assert any("not a page of equities_bars" in reason for reason in reasons)


def test_a_vendor_without_a_day_is_believed_only_with_a_second_opinion(tmp_path: Path) -> None:
    """Both lack the day: for a busy name two sound answers are needed, and here they are."""
    faults = "".join(
        f'[[fault]]\nvendor = "{name}"\ndo = "missing_days"\nsymbols = ["IBM"]\nfirst = 2012-03-01\nlast = 2012-03-01\n'
        for name in ("alpaca", "massive")
    )
    with simulated(tmp_path, markets.sample(), [DAYS_2012], universe=SAMPLE_UNIVERSE, faults=faults) as (
        folder,
        _,
    ):
        done = night(folder)
        assert (done.audit.empty, done.audit.missing) == (1, 0)
        with opened(folder) as context:
            wanted = context.wanted["equities_bars_day"]
            story = explain.explain(context, SkippingClock(), wanted, "IBM", dt.date(2012, 3, 1))
        assert story.cell.availability is Availability.EMPTY
        assert {fact["source"] for fact in story.facts} == {"alpaca.sip", "massive.sip"}
        assert story.requests


def test_a_single_source_is_not_believed_about_a_busy_name_and_not_asked_again(tmp_path: Path) -> None:
    faults = '[[fault]]\nvendor = "alpaca"\ndo = "missing_days"\nsymbols = ["IBM"]\nfirst = 2012-03-01\nlast = 2012-03-01\n'
    wish = Wish("equities_bars_day", "2012-01-03", "2012-12-31", ("alpaca.sip",))
    with simulated(tmp_path, markets.sample(), [wish], universe=SAMPLE_UNIVERSE, faults=faults) as (
        folder,
        twins,
    ):
        done = night(folder)
        assert not done.complete
        assert (done.audit.empty, done.audit.missing) == (0, 1)
        assert done.check.broken == 1
        (bundle,) = (folder / "lake" / "exports" / "nightly").iterdir()
        cell = pl.read_parquet(bundle / "qc" / "partition_status.parquet").filter(
            pl.col("availability") == "missing"
        )
        assert cell.select("instrument", "session", "verdict", "codes").rows() == [
            ("IBM", dt.date(2012, 3, 1), "AMBER", "continuity")
        ]
        asked = len(twins.log())
        night(folder)
        assert len(twins.log()) == asked


def test_unknown_symbols_are_looked_up_once_and_end_unobtainable(tmp_path: Path) -> None:
    universe = "symbol,listed_from,listed_to,instrument\nAAPL,1980-12-12,,\nZZZZ,2000-01-03,,\n"
    with simulated(tmp_path, markets.sample(), [DAYS_2012], universe=universe) as (folder, twins):
        done = night(folder)
        look_ups = [line for line in twins.log() if "assets" in line.path or "reference" in line.path]
        assert sorted(line.vendor for line in look_ups) == ["alpaca", "massive"]
        assert done.audit.unobtainable == 250
        with opened(folder) as context:
            tasks: list[Task] = context.ledger.tasks.newest(state="unobtainable")
        assert {task.instrument for task in tasks} == {"ZZZZ"}
        assert "no such asset" in tasks[0].last_error or "not found" in tasks[0].last_error
        night(folder)
        assert len([line for line in twins.log() if "ZZZZ" in str(line)]) == 4


def test_wrong_credentials_stop_the_source_and_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fulltape.simulator import server
    from fulltape.simulator.vendors import alpaca

    wrong = server.Reply(status=401, body=b'{"message": "unauthorized ' + CANARY.encode() + b'"}')
    monkeypatch.setattr(alpaca.Alpaca, "__call__", lambda *_: wrong)
    wish = Wish("equities_bars_day", "2012-01-03", "2012-12-31", ("alpaca.sip",))
    with simulated(tmp_path, markets.sample(), [wish], universe=SAMPLE_UNIVERSE) as (folder, twins):
        done = night(folder)
        assert len(twins.log()) == 1
    ((source, reason),) = done.filled.stopped
    assert source == "alpaca.sip"
    assert CANARY not in reason


@needs_data
def test_real_minutes_half_days_thin_names_and_a_split(tmp_path: Path) -> None:
    """GOOG over Christmas 2015, SHY in 2008, AAPL around its 7:1 split: as recorded, no gap, no false alarm."""
    market = merged(lean_minutes("GOOG"), lean_minutes("SHY"), lean_minutes("AAPL"))
    sessions = sorted({bar.session for bars in market.bars.values() for bar in bars})
    extra = "".join(
        f"{symbol},{min(days)},{max(days)},\n"
        for symbol in ("GOOG", "SHY", "AAPL")
        for days in [[bar.session for bar in market.bars["minute", symbol]]]
    )
    wish = Wish("equities_bars_minute", sessions[0].isoformat(), sessions[-1].isoformat(), ("alpaca.sip",))
    universe = "symbol,listed_from,listed_to,instrument\n" + extra
    with simulated(tmp_path, market, [wish], universe=universe) as (folder, _):
        done = night(folder)
        assert done.complete
        assert different(folder, market, "equities_bars_minute", wish).is_empty()
        with opened(folder) as context:
            wanted = context.wanted["equities_bars_minute"]
            thin = explain.explain(context, SkippingClock(), wanted, "GOOG", dt.date(2015, 12, 28))
            half = explain.explain(context, SkippingClock(), wanted, "GOOG", dt.date(2015, 12, 24))
        assert (thin.checked["rows"], thin.checked["expected_high"]) == (382, 390)
        assert thin.cell.availability is Availability.HELD
        assert thin.cell.completeness is Completeness.UNMEASURED
        assert thin.cell.verdict is Verdict.UNCHECKED
        assert (half.checked["rows"], half.checked["expected_high"], half.cell.verdict) == (
            210,
            210,
            Verdict.GREEN,
        )
        phases = fulltape.open(folder).scan(
            "equities_bars_minute", symbols=["GOOG"], start="2015-12-24", end="2015-12-24"
        )
        assert dict(phases.group_by("phase").len().collect().iter_rows())["post"] == 15


@needs_data
def test_real_days_across_the_split_of_june_2014(tmp_path: Path) -> None:
    first, last = dt.date(2014, 1, 2), dt.date(2014, 12, 31)
    market = merged(lean_days("AAPL", first, last), lean_days("SPY", first, last))
    wish = Wish("equities_bars_day", first.isoformat(), last.isoformat())
    with simulated(tmp_path, market, [wish]) as (folder, _):
        done = night(folder)
        assert done.complete
        assert different(folder, market, "equities_bars_day", wish).is_empty()
        rows = fulltape.open(folder).scan(
            "equities_bars_day", symbols=["AAPL"], start="2014-06-06", end="2014-06-09"
        )
        assert rows.select("close").collect()["close"].to_list() == [645.57, 93.70]


def test_no_secret_is_anywhere(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The canary key is in the settings only: not in ledger, journal, lake, bundle, rejected bytes or messages."""
    with simulated(
        tmp_path, markets.sample(), [DAYS_2012], universe=SAMPLE_UNIVERSE, faults=FAULTS, per_minute=200
    ) as (folder, twins):
        echo = twins.servers["massive"]
        genuine = echo._handle
        from dataclasses import replace

        def echoing(call: object) -> object:
            reply = genuine(call)  # type: ignore[arg-type]
            return replace(
                reply, body=reply.body.replace(b'"status"', f'"echo": "{CANARY}", "status"'.encode())
            )

        echo._handle = echoing  # type: ignore[assignment]
        words: list[str] = []
        with opened(folder) as context:
            nightly.run(context, SkippingClock(), lambda event: words.append(repr(event)))
            assert CANARY not in repr(context.accounts)
    assert not any(CANARY in sentence for sentence in words)
    out = capfd.readouterr()
    assert CANARY not in out.out + out.err
    for path in folder.rglob("*"):
        if path.is_file() and path.name != "fulltape.toml":
            assert CANARY.encode() not in path.read_bytes(), path


def test_the_same_night_over_a_ledger_on_postgresql(tmp_path: Path, database: str) -> None:
    """The stages do not know which engine keeps what the node knows."""
    market = markets.sample()
    extra = f'[cluster]\nledger = "{database}"\n[backfill]\nretry_wait = "1ms"\n'
    with simulated(
        tmp_path,
        market,
        [DAYS_2012, MINUTES_2012],
        universe=SAMPLE_UNIVERSE,
        faults=FAULTS,
        extra=extra,
        per_minute=200,
    ) as (folder, twins):
        assert night(folder).complete
        assert not (folder / "ledger.db").exists()
        assert different(folder, market, "equities_bars_day", DAYS_2012).is_empty()
        assert different(folder, market, "equities_bars_minute", MINUTES_2012).is_empty()
        before, asked = proof.snapshot(folder / "lake"), len(twins.log())
        assert night(folder).complete
        assert len(twins.log()) == asked
        assert proof.snapshot(folder / "lake") == before
