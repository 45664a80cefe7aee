"""Sessions are asked for again some time after they were final; what a source says otherwise is taken, counted, and doubted."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

import fulltape
from clocks import SkippingClock
from fulltape.audit import run as audit
from fulltape.checks import restatement
from fulltape.market.time import from_datetime
from fulltape.node import nightly
from fulltape.simulator import market as markets
from fulltape.simulator.market import Market
from fulltape.simulator.run import Running
from nodes import Wish, opened, simulated

DAYS, SOURCE = "equities_bars_day", "alpaca.sip"
WISH = Wish(DAYS, "2012-12-03", "2012-12-31", (SOURCE,))
RESTATED = dt.date(2012, 12, 11)
UNIVERSE = "symbol,listed_from,listed_to,instrument\nAAPL,1980-12-12,,\nIBM,1962-01-02,,\n"


class Night(SkippingClock):
    """A night of December 2012, at 22:00 New York."""

    def __init__(self, day: int) -> None:
        super().__init__()
        moment = dt.datetime(2012, 12, day, 3, 0, tzinfo=dt.UTC) + dt.timedelta(days=1)
        self._skipped = from_datetime(moment) - time.time_ns() // 1_000


def restated(market: Market, *, close: float = 1.02, high: float = 1.02) -> Market:
    """The same market, in which a day of AAPL is told otherwise: two percent higher."""
    told = {
        key: [
            dataclasses.replace(bar, close=round(bar.close * close, 2), high=bar.high * high)
            if key == ("day", "AAPL") and bar.session == RESTATED
            else bar
            for bar in bars
        ]
        for key, bars in market.bars.items()
    }
    return markets.market(told)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[tuple[Path, Running]]:
    """A node that asks again after one day and after two."""
    with simulated(tmp_path / "first", markets.sample(), [WISH], universe=UNIVERSE) as (folder, twins):
        settings = folder / "fulltape.toml"
        text = settings.read_text()
        text = text.replace(f"[dataset.{DAYS}]\n", f'[dataset.{DAYS}]\nrecheck = ["1d", "2d"]\n')
        settings.write_text(text)
        yield folder, twins


@pytest.fixture
def later(tmp_path: Path, node: tuple[Path, Running]) -> Iterator[Path]:
    """The same node, once `turn` was called, with a vendor that has restated a session."""
    with simulated(tmp_path / "second", restated(markets.sample()), [WISH], universe=UNIVERSE) as (other, _):
        yield other


@pytest.fixture
def insane(tmp_path: Path, node: tuple[Path, Running]) -> Iterator[Path]:
    """With a vendor that says a close far above the high."""
    market = restated(markets.sample(), close=1.5, high=1.0)
    with simulated(tmp_path / "third", market, [WISH], universe=UNIVERSE) as (other, _):
        yield other


def ended(folder: Path, day: str) -> None:
    """No later sessions are wanted."""
    settings = folder / "fulltape.toml"
    settings.write_text(re.sub("until = .*", f"until = {day}", settings.read_text()))


def verdict(folder: Path, instrument: str = "AAPL") -> tuple[str, str] | None:
    """What is said of the session now."""
    with opened(folder) as context:
        said = context.ledger.verdicts.of_cell(DAYS, instrument, RESTATED)
        return None if said is None else (said.verdict.value, said.codes)


def exported(folder: Path) -> list[float]:
    """The closes of the session in the newest bundle."""
    with opened(folder) as context:
        bundle = context.layout.bundles()[-1]
    rows = pl.scan_parquet(bundle / "curated" / DAYS / "**" / "*.parquet")
    mine = rows.filter(pl.col("session") == RESTATED, pl.col("instrument") == "AAPL")
    return mine.select("close").collect()["close"].to_list()


def turn(folder: Path, other: Path) -> None:
    """Let a node ask another vendor's server."""
    (address,) = re.findall(
        r'\[vendor\.alpaca\][^[]*base_url = "(.*?)"', (other / "fulltape.toml").read_text()
    )
    settings = folder / "fulltape.toml"
    text = settings.read_text()
    settings.write_text(re.sub(r'(\[vendor\.alpaca\][^[]*base_url = ").*?"', rf'\g<1>{address}"', text))


def night(folder: Path, day: int) -> None:
    """A whole night."""
    with opened(folder) as context:
        nightly.run(context, Night(day))


def test_a_restated_session_is_taken_counted_and_doubted_until_it_is_confirmed(
    node: tuple[Path, Running], later: Path
) -> None:
    folder, _ = node
    night(folder, 11)
    turn(folder, later)
    with opened(folder) as context:
        before = len(context.ledger.catalogue.current("raw", DAYS))
        assert context.ledger.restatements.counted(SOURCE) == {}
    night(folder, 12)
    with opened(folder) as context:
        ledger = context.ledger
        # The 11th after one day, the 10th after two.
        assert ledger.restatements.counted(SOURCE) == {DAYS: (4, 1)}
        (only,) = ledger.restatements.unconfirmed(DAYS, beyond=0.005)
        assert (only.source, only.instrument, only.session, only.rows) == (SOURCE, "AAPL", RESTATED, 1)
        assert only.largest == pytest.approx(0.02, abs=1e-4)
        assert ledger.restatements.unconfirmed(DAYS, beyond=0.05) == []
        (said,) = ledger.verdicts.with_codes(DAYS, restatement.CODE)
        assert (said.instrument, said.first, said.last) == ("AAPL", RESTATED, RESTATED)
        # One answer is new, one is other than before; what was answered as before is not stored again.
        rows = [part.rows for part in ledger.catalogue.current("raw", DAYS)]
        assert sum(rows[before:]) == 2 + 1
    reader = fulltape.open(folder)
    bar = reader.scan(DAYS, symbols="AAPL", start=RESTATED, end=RESTATED).select("close").collect()
    changes = reader.diff(DAYS, "AAPL").filter(pl.col("column") == "close")
    assert [bar.item()] == [float(value) for value in changes["after"]]
    night(folder, 13)
    with opened(folder) as context:
        assert context.ledger.restatements.counted(SOURCE) == {DAYS: (8, 1)}
        assert context.ledger.restatements.unconfirmed(DAYS, beyond=0) == []
        assert context.ledger.verdicts.with_codes(DAYS, restatement.CODE) == []


def test_what_is_restated_to_nonsense_stays_red_and_out_of_bundles(
    node: tuple[Path, Running], insane: Path
) -> None:
    folder, _ = node
    night(folder, 11)
    assert len(exported(folder)) == 1
    turn(folder, insane)
    for day in (12, 13, 14):
        night(folder, day)
        said = verdict(folder)
        assert said is not None
        assert said[0] == "RED"
        assert exported(folder) == []


def test_once_it_is_confirmed_the_verdict_of_the_rows_holds_again(
    node: tuple[Path, Running], later: Path
) -> None:
    folder, _ = node
    ended(folder, "2012-12-12")
    settings = folder / "fulltape.toml"
    settings.write_text(settings.read_text().replace('["1d", "2d"]', '["1d"]'))
    night(folder, 11)
    before = verdict(folder)
    turn(folder, later)
    night(folder, 12)
    assert verdict(folder) == ("AMBER", restatement.CODE)
    # No wait is left: what was restated is asked for until it is confirmed.
    night(folder, 13)
    assert verdict(folder) == before
    assert verdict(folder, "IBM") == before


def test_a_wait_that_is_set_again_begins_anew(node: tuple[Path, Running]) -> None:
    folder, _ = node
    settings = folder / "fulltape.toml"
    text = settings.read_text()
    night(folder, 4)
    settings.write_text(re.sub("recheck = .*\n", "", text))
    night(folder, 13)
    settings.write_text(text)
    night(folder, 14)
    with opened(folder) as context:
        assert context.ledger.restatements.counted(SOURCE) == {}


def test_what_has_stalled_does_not_keep_a_later_wait_from_asking(node: tuple[Path, Running]) -> None:
    folder, _ = node
    night(folder, 11)
    with opened(folder) as context:
        audit.run_once(context, Night(12))
        asked = [task for task in context.ledger.tasks.queued(DAYS) if task[5].startswith("recheck")]
        with context.ledger.write():
            for task_id, *_ in asked:
                context.ledger.queue.finish(task_id, 0, "stalled", now=1, error="a bad night")
    night(folder, 13)
    with opened(folder) as context:
        # The 11th after two days; the 12th was not held yet.
        assert context.ledger.restatements.counted(SOURCE) == {DAYS: (2, 0)}


def test_rows_that_have_gone_are_doubted(tmp_path: Path) -> None:
    minutes = Wish("equities_bars_minute", "2012-12-10", "2012-12-12", (SOURCE,))
    market = markets.sample()
    fewer = {
        key: [
            bar
            for number, bar in enumerate(bars)
            if key != ("minute", "AAPL") or bar.session != RESTATED or number % 2
        ]
        for key, bars in market.bars.items()
    }
    with (
        simulated(tmp_path / "first", market, [minutes], universe=UNIVERSE) as (folder, _),
        simulated(tmp_path / "second", markets.market(fewer), [minutes], universe=UNIVERSE) as (other, _),
    ):
        settings = folder / "fulltape.toml"
        name = minutes.dataset
        settings.write_text(
            settings.read_text().replace(f"[dataset.{name}]\n", f'[dataset.{name}]\nrecheck = ["1d"]\n')
        )
        night(folder, 11)
        turn(folder, other)
        night(folder, 12)
        with opened(folder) as context:
            (only,) = context.ledger.restatements.unconfirmed(name, beyond=0.005)
            assert (only.instrument, only.session, only.rows > 100) == ("AAPL", RESTATED, True)
            said = context.ledger.verdicts.of_cell(name, "AAPL", RESTATED)
            assert said is not None
            assert said.verdict.value in ("AMBER", "RED")
        reader = fulltape.open(folder)
        then, now = (
            reader.scan(name, symbols="AAPL", start=RESTATED, end=RESTATED, as_of=as_of).collect()
            for as_of in (RESTATED, None)
        )
        whole = [bar for bar in market.bars["minute", "AAPL"] if bar.session == RESTATED]
        assert then["close"].to_list() == [bar.close for bar in whole]
        assert now.height < then.height
        assert then.filter(pl.col("ts").is_in(now["ts"].implode())).equals(now)


def test_what_was_final_before_is_left_alone_and_nights_that_were_missed_ask_once(
    node: tuple[Path, Running],
) -> None:
    folder, twins = node
    night(folder, 7)
    asked = len(twins.log())
    night(folder, 7)
    assert len(twins.log()) == asked
    night(folder, 14)
    with opened(folder) as context:
        # Of the 7th both waits have run out, of the 6th one; all others were asked for the first time just now.
        assert context.ledger.restatements.counted(SOURCE) == {DAYS: (4, 0)}
    asked = len(twins.log())
    night(folder, 14)
    assert len(twins.log()) == asked


def test_without_waits_nothing_is_asked_again(node: tuple[Path, Running]) -> None:
    folder, twins = node
    settings = folder / "fulltape.toml"
    settings.write_text(re.sub("recheck = .*\n", "", settings.read_text()))
    for day in (11, 12, 13):
        night(folder, day)
    with opened(folder) as context:
        assert context.ledger.restatements.counted(SOURCE) == {}
    assert len(twins.log()) == 3


def closes(folder: Path, *, as_of: str | None = None) -> list[float]:
    """The closes of the restated session as `scan` gives them."""
    rows = fulltape.open(folder).scan(DAYS, symbols="AAPL", start=RESTATED, end=RESTATED, as_of=as_of)
    return rows.select("close").collect()["close"].to_list()


def test_as_of_a_day_before_it_was_restated_a_session_is_as_it_was(
    node: tuple[Path, Running], later: Path
) -> None:
    folder, _ = node
    night(folder, 11)
    (before,) = closes(folder)
    turn(folder, later)
    night(folder, 12)
    (after,) = closes(folder)
    assert after == pytest.approx(1.02 * before, abs=0.01)
    # The night of the 12th ends at 22:00 New York: its answer was there on that day.
    assert closes(folder, as_of="2012-12-11") == [before]
    assert closes(folder, as_of="2012-12-13T02:59:59+00:00") == [before]
    assert closes(folder, as_of="2012-12-12") == [after]
    assert closes(folder, as_of="2012-12-10") == []
    reader = fulltape.open(folder)
    whole, then = reader.scan(DAYS), reader.scan(DAYS, known="2012-12-11")
    assert then.select("session").collect().height == 2 * 7
    assert then.collect().equals(reader.scan(DAYS, as_of="2012-12-11").collect())
    assert reader.scan(DAYS, known="2012-12-12").collect().equals(whole.collect())
    for moment, said in (("2012-12-11", False), ("2012-12-12", True)):
        verdicts = reader.verdicts(DAYS, known=moment)
        assert (restatement.CODE in verdicts["codes"].to_list()) is said
        assert reader.coverage(DAYS, known=moment)["last"].max() == dt.date.fromisoformat(moment)
    basis = reader.scan(DAYS, symbols="AAPL", columns=["session", "available_basis"]).collect()
    assert dict(basis.iter_rows())[RESTATED] == "observed"
    assert basis["available_basis"].unique().sort().to_list() == ["observed", "rule"]
    rows = fulltape.open(folder).scan(DAYS, as_of="2012-12-11").collect()
    assert rows.height == 2 * 7
    now = whole.filter(pl.col("session") <= RESTATED).select("instrument", "session").collect()
    assert rows.select("instrument", "session").equals(now)
    known = fulltape.open(folder).scan(DAYS, symbols="AAPL", start=RESTATED, end=RESTATED).collect()
    answered = dt.datetime(2012, 12, 13, 3, tzinfo=dt.UTC)
    assert answered <= known["available_at"].item() < answered + dt.timedelta(hours=1)
    (other,) = (
        fulltape.open(folder).scan(DAYS, symbols="IBM", start=RESTATED, end=RESTATED).collect().to_dicts()
    )
    assert other["available_at"] == dt.datetime(2012, 12, 11, 21, tzinfo=dt.UTC)
