"""Sessions that were captured are held against their own answer from history, and what it proves is told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from journals import BEGIN, Received, answer, journal_of, mark, moment, node

import fulltape
from clocks import FakeClock
from fulltape.context import NodeContext
from fulltape.contract.events import ConnectionEvent
from fulltape.curate import run as curate
from fulltape.decoding.captured import LIVE
from fulltape.lake import files, layout
from fulltape.market.time import DAY, HOUR, MINUTE, SECOND, to_datetime
from fulltape.seal import run as seal

BARS = ("alpaca.iex", "equities_bars_minute", "AAPL", "MSFT")
TRADES = ("alpaca.iex", "equities_trades", "AAPL")
LATER = FakeClock(BEGIN + 10 * DAY)
OPEN = (6 * HOUR + 30 * MINUTE) // SECOND
"""Seconds from the beginning of the journals to the open in New York."""


def minute(number: int) -> float:
    """The second at which a minute of the session begins."""
    return OPEN + 60 * number


def iso(second: float) -> str:
    return f"{to_datetime(moment(second)):%Y-%m-%dT%H:%M:%SZ}"


def bar(number: int, *, close: float = 10.0, **more: Any) -> dict[str, Any]:
    return {
        "t": iso(minute(number)), "o": close, "h": close, "l": close, "c": close, "v": 5, "n": 1, "vw": close, **more,
    }  # fmt: skip


def sent(second: float, *rows: dict[str, Any]) -> Received:
    return second, [json.dumps(rows, separators=(",", ":")).encode()]


def minutes(*numbers: int) -> list[Received]:
    return [sent(minute(number + 1), {"T": "b", "S": "AAPL", **bar(number)}) for number in numbers]


def session(*numbers: int, broken: tuple[int, int] = (5, 8)) -> list[ConnectionEvent | Received]:
    """Live from the open to its 13th minute, but for a break between two minutes; these minutes' bars came."""
    first, last = broken
    story: list[ConnectionEvent | Received] = [
        mark("confirmed", minute(0), channels=("b|AAPL",)),
        *minutes(*(number for number in numbers if number < last)),
        mark("disconnected", minute(last) - 1, since=minute(first), reason="broke"),
        mark("confirmed", minute(last), channels=("b|AAPL",)),
        *minutes(*(number for number in numbers if number >= last)),
        mark("closed", minute(13)),
    ]
    return story


def history(*numbers: int) -> dict[str, object]:
    return {"bars": {"AAPL": [bar(number) for number in numbers]}, "next_page_token": None}


@pytest.mark.parametrize(
    ("captured", "known", "state", "counts"),
    [
        ((0, 1, 2, 8, 9, 11), range(12), "verified", (1, 0)),
        ((0, 1, 2, 6, 8, 9, 11), (0, 1, 2, 8, 9, 10, 11), "unverified", (1, 1)),
    ],
    ids=["history has it all", "history lacks what was captured in it"],
)
def test_the_sessions_own_answer_says_what_a_break_has_cost(
    tmp_path: Path, captured: Sequence[int], known: Sequence[int], state: str, counts: tuple[int, int]
) -> None:
    """The bar of minute 10 got lost while all seemed well."""
    with node(tmp_path, *BARS) as context:
        journal_of(context, BARS[0], *session(*captured))
        seal.run_once(context, LATER)
        answer(context, *BARS[:3], history(*known))
        seal.run_once(context, LATER)
        (interval,) = context.ledger.intervals.find()
        assert interval.state == state
        assert interval.evidence.startswith("the session's own answer: history has")
        (day,) = context.ledger.streams.days()
        assert (day.compared_at, day.missed, day.extra) == (LATER.now(), *counts)


def test_parts_of_a_journal_are_replaced_by_the_sessions_own_answer(tmp_path: Path) -> None:
    def origins(context: NodeContext) -> set[str]:
        return {part.origin for part in context.ledger.catalogue.all_current("raw")}

    with node(tmp_path, *BARS) as context:
        journal_of(context, BARS[0], *session(*range(12)))
        for expected in ({"captured"}, {"captured"}):
            seal.run_once(context, LATER)
            assert origins(context) == expected
        answer(context, *BARS[:3], history(*range(12)))
        for expected in ({"captured", "fetched"}, {"fetched"}):
            seal.run_once(context, LATER)
            assert origins(context) == expected


def test_nobody_received_what_history_gave_back(tmp_path: Path) -> None:
    with node(tmp_path, *BARS) as context:
        journal_of(context, BARS[0], *session(0, 1, 2, 8, 9, 10, 11))
        seal.run_once(context, LATER)
        (task,) = context.ledger.tasks.open(BARS[1])
        answer(
            context, *BARS[:3], history(*range(3, 9)),
            narrow=(minute(3), minute(9)), tasks={task.task_id: task.attempt},
        )  # fmt: skip
        seal.run_once(context, LATER)
        assert [interval.state for interval in context.ledger.intervals.find()] == ["verified"]
        parts = [
            pl.read_parquet(context.layout.root / part.path)
            for part in context.ledger.catalogue.all_current("raw")
        ]
        assert len({tuple(part.schema.items()) for part in parts}) == 1
        rows = pl.concat(parts)
        received = rows.group_by(pl.col("connection") >= LIVE).agg(pl.col("ts_recv").count(), pl.len())
        assert sorted(received.rows()) == [(False, 0, 6), (True, 7, 7)]


def test_trades_of_no_reporting_facility_are_known_again(tmp_path: Path) -> None:
    def trade(number: int) -> dict[str, Any]:
        return {"i": number, "x": "V", "p": 10.0, "s": 1, "c": ["@"], "t": iso(OPEN + number), "z": "C"}

    with node(tmp_path, *TRADES) as context:
        journal_of(
            context,
            TRADES[0],
            mark("confirmed", OPEN, channels=("t|AAPL",)),
            *(sent(OPEN + number, {"T": "t", "S": "AAPL", **trade(number)}) for number in (1, 2, 4)),
            mark("closed", OPEN + 60),
        )
        seal.run_once(context, LATER)
        answer(context, *TRADES, {"trades": {"AAPL": [trade(number) for number in (1, 2, 3, 4)]}})
        seal.run_once(context, LATER)
        (day,) = context.ledger.streams.days()
        assert (day.rows, day.missed, day.extra) == (3, 1, 0)


def test_of_a_bar_that_was_sent_twice_every_version_is_kept_and_the_newest_counts(tmp_path: Path) -> None:
    together = sent(
        minute(1),
        {"T": "b", "S": "AAPL", **bar(0)},
        {"T": "b", "S": "MSFT", **bar(0, close=20.0)},
        {"T": "u", "S": "AAPL", **bar(0, close=11.0)},
    )
    with node(tmp_path, *BARS) as context:
        live = mark("confirmed", minute(0), channels=("b|AAPL", "b|MSFT"))
        journal_of(context, BARS[0], live, together, mark("closed", minute(3)))
        assert seal.run_once(context, LATER).captured.rows == 3
        assert curate.run_once(context, LATER).rows == 2
        rows = fulltape.open(context.folder).scan(BARS[1]).collect()
        assert rows.select("symbol", "close").rows() == [("AAPL", 11.0), ("MSFT", 20.0)]


@pytest.mark.parametrize("gone", [False, True], ids=["there", "removed by a run that was killed"])
def test_messages_are_known_for_as_long_as_they_are_kept(tmp_path: Path, gone: bool) -> None:
    clock = FakeClock(BEGIN + 10 * DAY)
    with node(tmp_path, *BARS, extra='[capture]\nkeep_messages = "3d"\n') as context:
        journal_of(context, BARS[0], mark("closed", 1))
        known = []
        for days in (0, 2, 1):
            clock.sleep(days * DAY / SECOND)
            seal.run_once(context, clock)
            known.append(len(context.ledger.captures.all()))
            for path in context.layout.captured_files(layout.SEALED) if gone else ():
                files.remove(path)
        assert known == [1, 1, 0]


def test_what_was_only_captured_is_curated_beside_what_was_answered(tmp_path: Path) -> None:
    with node(tmp_path, *BARS) as context:
        journal_of(context, BARS[0], *session(*range(12)))
        answer(
            context,
            *BARS[:2],
            "MSFT",
            {"bars": {"MSFT": [bar(number) for number in range(9)]}, "next_page_token": None},
        )
        seal.run_once(context, LATER)
        curate.run_once(context, LATER)
        rows = fulltape.open(context.folder).scan(BARS[1]).collect()
        counted = rows.group_by("symbol", "is_final", maintain_order=True).len()
        assert counted.rows() == [("AAPL", False, 12), ("MSFT", True, 9)]


def test_rows_of_a_journal_whose_first_record_is_damaged_are_a_captured_session(tmp_path: Path) -> None:
    """Without a live span nothing was proved of it; its own answer settles it all the same, and its messages may go."""
    clock = FakeClock(BEGIN + 10 * DAY)
    with node(tmp_path, *BARS, extra='[capture]\nkeep_messages = "3d"\n') as context:
        path = journal_of(context, BARS[0], *minutes(*range(12)), mark("closed", minute(13)))
        content = bytearray(path.read_bytes())
        content[30] ^= 1
        path.write_bytes(content)
        assert seal.run_once(context, clock).captured.rows == 12
        assert [(day.rows, day.end - day.start) for day in context.ledger.streams.days()] == [(12, 0)]
        answer(context, *BARS[:3], history(*range(12)))
        for _ in range(2):
            seal.run_once(context, clock)
        clock.sleep(100 * DAY / SECOND)
        seal.run_once(context, clock)
        assert context.layout.captured_files(".sealed") == []
        assert {part.origin for part in context.ledger.catalogue.all_current("raw")} == {"fetched"}
