"""Bad vendor input never ends in a crash or in curated data; its bytes are kept with the reason and counted."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import fulltape
from clocks import SkippingClock
from fulltape.cli import app
from fulltape.node import nightly
from fulltape.simulator import market as markets
from fulltape.simulator.server import Call, Reply
from nodes import Wish, opened, simulated

WISH = Wish("equities_bars_day", "2012-12-03", "2012-12-14", ("alpaca.sip",))
UNIVERSE = "symbol,listed_from,listed_to,instrument\nAAPL,1980-12-12,,\nIBM,1915-11-11,,\n"
Page = dict[str, Any]


def bars(page: Page) -> list[Page]:
    found: list[Page] = page["bars"]["AAPL"]
    return found


def wrong_type(page: Page) -> None:
    bars(page)[3]["c"] = "much"


def negative(page: Page) -> None:
    bars(page)[3]["l"] = -1.0


def null(page: Page) -> None:
    bars(page)[3]["o"] = None


def contradiction(page: Page) -> None:
    bars(page).insert(4, {**bars(page)[3], "c": 1.0, "l": 1.0})


def copy(page: Page) -> None:
    bars(page).insert(4, dict(bars(page)[3]))


def unsorted_rows(page: Page) -> None:
    bars(page).reverse()


def closed_day(page: Page) -> None:
    bars(page).insert(5, {**bars(page)[4], "t": "2012-12-08T05:00:00Z"})


def not_asked(page: Page) -> None:
    bars(page).append({**bars(page)[4], "t": "2012-12-17T05:00:00Z"})


def bad_stamp(page: Page) -> None:
    bars(page)[3]["t"] = "the day before"


def of_another_year(page: Page) -> None:
    bars(page)[3]["t"] = "2009-02-03T05:00:00Z"


def run(tmp_path: Path, spoil: Callable[[bytes], bytes], wish: Wish = WISH) -> tuple[Path, list[Any], Any]:
    """A night against a vendor whose every page is spoiled."""
    with simulated(tmp_path, markets.sample(), [wish], universe=UNIVERSE) as (folder, twins):
        server = twins.servers["alpaca"]
        genuine = server._handle

        def spoiled(call: Call) -> Reply:
            reply = genuine(call)
            return replace(reply, body=spoil(reply.body)) if "bars" in call.path else reply

        server._handle = spoiled
        with opened(folder) as context:
            done = nightly.run(context, SkippingClock())
            rejections = context.ledger.rejections()
    return folder, rejections, done


def in_json(change: Callable[[Page], None]) -> Callable[[bytes], bytes]:
    def spoil(body: bytes) -> bytes:
        page = json.loads(body)
        change(page)
        return json.dumps(page).encode()

    return spoil


def closes(folder: Path, symbol: str) -> list[float]:
    rows = fulltape.open(folder).scan("equities_bars_day", symbols=[symbol]).select("close").collect()
    return rows["close"].to_list()


TRUTH = {
    symbol: [
        bar.close
        for bar in markets.sample().bars["day", symbol]
        if "2012-12-03" <= str(bar.session) <= "2012-12-14"
    ]
    for symbol in ("AAPL", "IBM")
}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (wrong_type, "close is"),
        (negative, "low breaks the schema"),
        (null, "open breaks the schema"),
        (contradiction, "contradict each other"),
    ],
)
def test_a_bad_row_costs_its_cell_and_nothing_else(tmp_path: Path, change: Any, reason: str) -> None:
    folder, rejections, done = run(tmp_path, in_json(change))
    assert closes(folder, "AAPL") == TRUTH["AAPL"][:3] + TRUTH["AAPL"][4:]
    assert closes(folder, "IBM") == TRUTH["IBM"]
    assert any(reason in row["reason"] for row in rejections)
    assert done.audit.missing + done.audit.unobtainable == 1
    bodies = list((folder / "lake" / "rejected" / "alpaca.sip").glob("*.body"))
    assert json.loads(bodies[0].read_bytes())["bars"]
    assert reason in bodies[0].with_suffix(".json").read_text()


@pytest.mark.parametrize("spoil", [bad_stamp, of_another_year])
def test_a_row_of_unknown_session_makes_no_day_look_empty(tmp_path: Path, spoil: Any) -> None:
    folder, rejections, done = run(tmp_path, in_json(spoil))
    assert closes(folder, "AAPL") == TRUTH["AAPL"][:3] + TRUTH["AAPL"][4:]
    assert done.audit.empty == 0
    assert rejections


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (copy, "one copy taken"),
        (unsorted_rows, "out of order"),
        (closed_day, "closed day"),
        (not_asked, "not asked for"),
    ],
)
def test_what_can_be_put_right_is_taken_and_the_page_is_kept(
    tmp_path: Path, change: Any, reason: str
) -> None:
    folder, rejections, done = run(tmp_path, in_json(change))
    assert closes(folder, "AAPL") == TRUTH["AAPL"]
    assert any(reason in row["reason"] for row in rejections)
    assert done.complete


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"\xff\xfe", b'{"bars":{"AAPL":[{"t":NaN}]}}', b"null", b"<html>busy</html>"]
)
def test_a_body_that_is_no_page_is_asked_again_then_stalled_and_kept(tmp_path: Path, body: bytes) -> None:
    folder, rejections, done = run(tmp_path, lambda _: body)
    assert done.audit.missing == 20
    assert done.export is None
    assert sum(row["pages"] for row in rejections) >= 1
    kept = next((folder / "lake" / "rejected" / "alpaca.sip").glob("*.body"))
    assert kept.read_bytes() == body
    shown = CliRunner().invoke(app, ["status", "--node", str(folder)])
    assert "rejected: alpaca.sip" in shown.output


def test_a_cursor_that_repeats_for_ever_ends_the_ask(tmp_path: Path) -> None:
    def for_ever(body: bytes) -> bytes:
        return json.dumps({**json.loads(body), "next_page_token": "QUFQTHxNfDA="}).encode()

    folder, rejections, done = run(tmp_path, for_ever)
    assert any("repeats its cursor" in row["reason"] for row in rejections)
    assert closes(folder, "AAPL") in ([], TRUTH["AAPL"])
    assert done.filled.requests < 60


def test_a_vendor_that_turns_in_circles_ends_the_ask(tmp_path: Path) -> None:
    """Every page has another cursor, and there is always one more."""
    count = 0

    def for_ever(body: bytes) -> bytes:
        nonlocal count
        count += 1
        token = base64.b64encode(f"AAPL|M|{'0' * count}".encode()).decode()
        return json.dumps({**json.loads(body), "next_page_token": token}).encode()

    folder, _, done = run(tmp_path, for_ever)
    assert count < 5 * 200
    assert closes(folder, "AAPL") in ([], TRUTH["AAPL"])
    with opened(folder) as context:
        reasons = {task.last_error for task in context.ledger.tasks.newest()}
    assert any("far more than were expected" in reason for reason in reasons)
    assert not done.complete or closes(folder, "AAPL") == TRUTH["AAPL"]
