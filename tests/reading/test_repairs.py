"""Repairs: a person's change of a bar, shown on the row, undone by one command, never in raw."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from laid import Laid
from typer.testing import CliRunner

import fulltape
from clocks import SkippingClock
from fulltape import errors
from fulltape.cli import app
from fulltape.context import NodeContext, noted
from fulltape.context.repaired import BIT
from fulltape.curate import run as curate
from fulltape.export import run as export
from fulltape.ledger.part import Layer
from fulltape.node import nightly, repairing
from fulltape.node.repairing import Change
from fulltape.simulator import market as markets
from nodes import Wish, opened, simulated

DAYS, MINUTES = "equities_bars_day", "equities_bars_minute"
DAY = dt.date(2012, 12, 11)
UNIVERSE = "symbol,listed_from,listed_to,instrument\nAAPL,1980-12-12,,\nIBM,1962-01-02,,\n"
WISHES = [
    Wish(DAYS, "2012-12-03", "2012-12-20", ("alpaca.sip",)),
    Wish(MINUTES, "2012-12-10", "2012-12-12", ("alpaca.sip",)),
]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Path]:
    """A node after a night."""
    with simulated(tmp_path, markets.sample(), WISHES, universe=UNIVERSE) as (folder, _):
        with opened(folder) as context:
            nightly.run(context, SkippingClock())
        yield folder


def bar(folder: Path, dataset: str = DAYS, symbol: str = "AAPL", minute: int = 0) -> dict[str, Any]:
    """A curated bar of the day."""
    rows = fulltape.open(folder).scan(dataset, symbols=symbol, start=DAY, end=DAY).collect()
    return rows.row(minute, named=True)


def files_of(context: NodeContext, layer: Layer) -> list[tuple[str, str]]:
    """The files of a layer, and their digests."""
    return sorted((part.path, part.sha256) for part in context.ledger.catalogue.current(layer, DAYS))


def add(context: NodeContext, change: Change) -> int:
    """A repair, applied."""
    (repair,) = repairing.add(context, SkippingClock(), change, who="me", reason="one bad print")
    curate.run_once(context, SkippingClock())
    return repair.number


def test_a_value_is_changed_flagged_and_restored(node: Path) -> None:
    before, other = bar(node), bar(node, symbol="IBM")
    with opened(node) as context:
        raw = files_of(context, "raw")
        files = files_of(context, "curated")
        number = add(context, Change(dataset=DAYS, symbol="AAPL", session=DAY, values={"close": "540.25"}))
        after = bar(node)
        assert (after["close"], after["flags"] & BIT) == (540.25, BIT)
        assert {**after, "close": before["close"], "flags": 0} == before
        assert bar(node, symbol="IBM") == other
        (repair,) = fulltape.open(node).repairs().to_dicts()
        assert (repair["column"], repair["becomes"], repair["who"]) == ("close", "540.25", "me")
        # It is repaired again, against what the source says.
        second = add(context, Change(dataset=DAYS, symbol="AAPL", session=DAY, values={"close": "541.0"}))
        assert bar(node)["close"] == 541.0
        repairing.undo(context, SkippingClock(), second, who="me", reason="")
        curate.run_once(context, SkippingClock())
        assert bar(node)["close"] == 540.25
        repairing.undo(context, SkippingClock(), number, who="me", reason="")
        curate.run_once(context, SkippingClock())
        assert bar(node) == before
        assert files_of(context, "curated") == files
        assert files_of(context, "raw") == raw


def test_a_minute_is_taken_out(node: Path) -> None:
    rows = fulltape.open(node).scan(MINUTES, symbols="AAPL", start=DAY, end=DAY).collect()
    regular = rows.filter(rows["phase"] == "regular")
    with opened(node) as context:
        add(context, Change(dataset=MINUTES, symbol="AAPL", session=DAY, at="09:31"))
        left = fulltape.open(node).scan(MINUTES, symbols="AAPL", start=DAY, end=DAY).collect()
        assert left.height == rows.height - 1
        gone = set(rows["ts"]) - set(left["ts"])
        assert gone == {regular["ts"][1]}


def test_a_repair_ends_when_the_source_says_something_else(node: Path) -> None:
    with opened(node) as context:
        add(context, Change(dataset=DAYS, symbol="AAPL", session=DAY, values={"close": "540.25"}))
        (repair,) = context.ledger.repairs.holding(DAYS, DAY, DAY)
        other = {"column": "close", "was": "1.5", "becomes": "2.5"}
        with context.ledger.write():
            context.ledger.repairs.undo(repair, who="", reason="", now=1)
            context.ledger.repairs.add(type(repair)(**{**_fields(repair), **other}))
            context.ledger.damages.redo(curate.STAGE, DAYS, ["year=2012"])
        curate.run_once(context, SkippingClock())
        # The source does not say 1.5, so the repair does nothing.
        assert bar(node)["flags"] & BIT == 0


def _fields(repair: Any) -> dict[str, Any]:
    return {name: getattr(repair, name) for name in repair.__slots__ if name not in ("number", "undone")}


def test_a_bar_that_contradicts_itself_is_refused(node: Path) -> None:
    before = bar(node)
    with opened(node) as context:
        with pytest.raises(errors.UsageError, match="open or close outside low to high"):
            add(context, Change(dataset=DAYS, symbol="AAPL", session=DAY, values={"close": "5"}))
        assert context.ledger.repairs.all() == []
        low = str(before["low"] / 2)
        repairing.add(
            context, SkippingClock(), Change(dataset=DAYS, symbol="AAPL", session=DAY, values={"low": low, "close": low}), who="me", reason="r",
        )  # fmt: skip
        curate.run_once(context, SkippingClock())
    after = bar(node)
    assert (after["low"], after["close"], after["flags"] & BIT) == (float(low), float(low), BIT)


def test_the_only_bar_of_a_session_is_not_taken_out(node: Path) -> None:
    with opened(node) as context, pytest.raises(errors.UsageError, match="the only bar"):
        add(context, Change(dataset=DAYS, symbol="AAPL", session=DAY))


def test_what_has_become_of_each_repair_is_told(node: Path) -> None:
    def stands(context: NodeContext) -> list[str]:
        known = context.ledger.repairs.all()
        parts = noted.concerned(context.ledger, known)
        return list(noted.standing(context.layout, context.ledger, known, parts).values())

    close = bar(node)["close"]
    with opened(node) as context:
        change = Change(dataset=DAYS, symbol="AAPL", session=DAY, values={"close": repr(close + 0.01)})
        repairing.add(context, SkippingClock(), change, who="me", reason="r")
        assert stands(context) == ["waiting"]
        curate.run_once(context, SkippingClock())
        assert stands(context) == ["applied"]
        again = Change(dataset=DAYS, symbol="AAPL", session=DAY, values={"close": repr(close + 0.02)})
        number = add(context, again)
        assert stands(context) == ["superseded", "applied"]
        assert fulltape.open(node).repairs()["number"].to_list() == [number]
        told = (
            CliRunner()
            .invoke(app, ["audit", "--explain", DAYS, "AAPL", str(DAY), "--node", str(node)])
            .output
        )
        assert "repair        2 (applied): close" in told
        repairing.undo(context, SkippingClock(), number, who="me", reason="")
        curate.run_once(context, SkippingClock())
        assert stands(context) == ["applied", "undone"]
        Laid(context).answer("AAPL", {DAY.isoformat(): close + 1}, source="alpaca.sip", at=2)
        curate.run_once(context, SkippingClock())
        assert stands(context) == ["lapsed", "undone"]
        assert fulltape.open(node).repairs().is_empty()


def test_rebuilding_gives_the_same_bytes(node: Path) -> None:
    with opened(node) as context:
        add(context, Change(dataset=DAYS, symbol="AAPL", session=DAY, values={"close": "540.25"}))
        files = files_of(context, "curated")
        for part in context.ledger.catalogue.current("curated", DAYS):
            (context.layout.root / part.path).unlink()
        nightly.run(context, SkippingClock())
        assert files_of(context, "curated") == files
        (bundle,) = context.layout.bundles()
        assert pl.read_parquet(bundle / "repairs.parquet")["becomes"].to_list() == ["540.25"]


@pytest.mark.parametrize("how", ["gone", "flipped"])
def test_a_damaged_file_with_a_repair_is_made_again(node: Path, how: str) -> None:
    with opened(node) as context:
        add(context, Change(dataset=DAYS, symbol="AAPL", session=DAY, values={"close": "540.25"}))
        (part,) = noted.concerned(context.ledger, context.ledger.repairs.all())
        file = context.layout.root / part.path
        content = bytearray(file.read_bytes())
        file.unlink()
        if how == "flipped":
            middle = len(content) // 2
            content[middle : middle + 200] = bytes(byte ^ 255 for byte in content[middle : middle + 200])
            file.write_bytes(content)
        done = export.run_once(context, SkippingClock())
        assert done is not None
        assert done.damaged == (part.path,)
        told = CliRunner().invoke(app, ["repairs", "--node", str(node)]).output
        assert "(not curated yet)" in told
        # Without the rows of the file that was withdrawn a bundle would seem whole.
        still = export.run_once(context, SkippingClock())
        assert still is not None
        assert still.damaged == (part.path,)
        curate.run_once(context, SkippingClock())
        again = export.run_once(context, SkippingClock())
        assert again is not None
        assert again.damaged == ()
    assert bar(node)["close"] == 540.25


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"values": {"close": "-1"}}, "cannot be: it is positive"),
        ({"values": {"close": "nan"}}, "cannot be"),
        ({"values": {"close": "dear"}}, "is no number"),
        ({"values": {"close": "null"}}, "is never null"),
        ({"values": {"symbol": "X"}}, "is no value of"),
        ({"values": {"close": "1"}, "at": "09:31"}, "one bar a session"),
        ({"values": {"close": "1"}, "session": dt.date(2012, 12, 9)}, "holds no bar"),
        ({"values": {"close": "1"}, "symbol": "MSFT"}, "is not in its universe"),
        ({"values": {"close": "1"}, "dataset": MINUTES}, "many bars a session"),
        ({"values": {"close": "1"}, "dataset": MINUTES, "at": "noon"}, "is no time"),
        ({"values": {"close": "1"}, "dataset": MINUTES, "at": "2012-12-11T09:31:00"}, "no time zone"),
        ({"values": {"close": "1"}, "dataset": "equities_trades"}, "does not have"),
    ],
)
def test_what_cannot_be_repaired_is_refused(node: Path, change: dict[str, Any], said: str) -> None:
    with opened(node) as context, pytest.raises(errors.UsageError, match=said):
        repairing.add(
            context, SkippingClock(), Change(**{"dataset": DAYS, "symbol": "AAPL", "session": DAY, **change}), who="me", reason="r",
        )  # fmt: skip


def test_the_command_says_what_it_did(node: Path) -> None:
    def said(*args: str) -> str:
        done = CliRunner().invoke(app, ["repairs", *args, "--node", str(node)])
        assert done.exit_code == 0, done.output
        return done.output

    assert said() == "No bar was repaired.\n"
    told = said(
        "add", DAYS, "AAPL", str(DAY), "--set", "close=540.25", "--why", "one bad print", "--who", "me"
    )
    assert "alpaca.sip: close 541.39 to 540.25; me, " in told or "to 540.25; me, " in told
    assert "one bad print" in said()
    said("undo", "1")
    assert "taken back on" in said()
