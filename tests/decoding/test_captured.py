"""What several deliveries of the same trades and quotes come to."""

from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl

from fulltape.context import choice
from fulltape.decoding import captured
from fulltape.decoding.captured import LIVE
from fulltape.market import datasets

KEY = datasets.get("equities_trades").schema.key
MONDAY = dt.date(2026, 11, 16)


def trade(number: str, *, at: int = 0, over: int = LIVE, price: float = 10.0, **more: Any) -> dict[str, Any]:
    return {
        "instrument": "A", "session": MONDAY, "exchange": "D", "trf": None, "trade_id": number, "ts": at // 1_000,
        "ts_event": at, "price": price, "conditions": "@", "correction": None, "connection": over, **more,
    }  # fmt: skip


def frame(*rows: dict[str, Any]) -> pl.DataFrame:
    types = {"trf": pl.String, "correction": pl.String, "conditions": pl.String, "connection": pl.UInt32}
    return pl.DataFrame(rows, schema_overrides=types).with_columns(
        pl.col("ts").cast(pl.Datetime("us", "UTC")), pl.col("ts_event").cast(pl.Datetime("ns", "UTC"))
    )


def taken_back(number: str, at: int) -> dict[str, Any]:
    return trade(number, at=at, conditions=None, correction="canceled")


def shown(found: pl.DataFrame, *columns: str) -> list[tuple[Any, ...]]:
    return list(found.select(columns).iter_rows())


def test_what_takes_a_trade_back_marks_it_and_changes_nothing_else() -> None:
    found = captured.merged(frame(trade("1", at=5_000), taken_back("1", 90_000), trade("2", at=7_000)), KEY)
    assert shown(found, "trade_id", "ts_event", "conditions", "correction") == [
        ("1", found["ts_event"][0], "@", "canceled"),
        ("2", found["ts_event"][1], "@", None),
    ]
    assert found["ts_event"].dt.epoch("ns").to_list() == [5_000, 7_000]


def test_it_does_so_after_history_has_given_the_trade_back() -> None:
    given_back = trade("1", at=5_000, over=3)
    found = captured.merged(frame(trade("1", at=5_000), given_back, taken_back("1", 90_000)), KEY)
    assert shown(found, "trade_id", "connection", "correction") == [("1", 3, "canceled")]


def test_what_is_taken_back_from_before_the_capture_stands_alone() -> None:
    found = captured.merged(frame(taken_back("9", 4_000), trade("1", at=5_000)), KEY)
    assert shown(found, "trade_id", "correction") == [("9", "canceled"), ("1", None)]


def test_ids_may_begin_again_with_a_session_or_at_another_facility() -> None:
    rows = frame(
        trade("1", at=1_000),
        trade("1", at=2_000, session=MONDAY + dt.timedelta(days=1)),
        trade("1", at=3_000, trf="201"),
        trade("1", at=4_000, trf="202"),
        trade("1", at=1_000),
    )
    assert captured.merged(rows, KEY).height == 4


def test_history_and_a_coarser_stream_tell_the_same_trade_once() -> None:
    live = [trade(str(at), at=at * 1_000_000) for at in range(1, 4)]
    history = [trade(str(at), at=at * 1_000_000 + 77_123, over=5) for at in range(1, 5)]
    found = captured.merged(frame(*live, *history), KEY)
    assert found["connection"].to_list() == [5, 5, 5, 5]
    compared = captured.compared(frame(*live), frame(*history), KEY)
    assert (compared.captured, compared.missing, compared.extra) == (3, 1, 0)


def test_one_sources_resolution_says_nothing_of_anothers() -> None:
    def quote(at: int, source: str, over: int) -> dict[str, Any]:
        row = trade("", at=at, over=over, source=source, bid=1.0, fetch=2.0)
        return {name: value for name, value in row.items() if name not in ("trade_id", "correction", "price")}

    coarse = [quote(at * 1_000_000, "massive.sip", LIVE) for at in range(5)]
    coarse += [quote(at * 1_000_000 + 41, "massive.sip", 7) for at in range(5)]
    fine = [quote(at * 1_000_000 + 13, "alpaca.sip", LIVE) for at in range(5)]
    rows = frame(*coarse, *fine).with_columns(pl.lit(1).alias("log_pos"), pl.lit("captured").alias("origin"))
    found = choice.newest(rows.drop("conditions", "trf", "exchange"), datasets.get("equities_quotes"))
    assert found.group_by("source").len().sort("source")["len"].to_list() == [5, 5]


def test_the_same_rows_of_two_parts_are_one_whenever_these_came() -> None:
    def value(at: int, part: int) -> dict[str, Any]:
        row = trade("", at=at, over=LIVE + part, source="deriv.synthetic", log_pos=part, heard_at=part)
        return {
            name: row[name]
            for name in row
            if name not in ("trade_id", "correction", "conditions", "trf", "exchange")
        }

    parts = [value(at * 1_000_000, part) for part in (1, 2) for at in range(5)]
    types = {"connection": pl.UInt32}
    rows = pl.DataFrame(parts, schema_overrides=types).with_columns(
        pl.col("ts").cast(pl.Datetime("us", "UTC")),
        pl.col("ts_event").cast(pl.Datetime("ns", "UTC")),
        pl.lit("captured").alias("origin"),
    )
    assert choice.newest(rows, datasets.get("synthetic_ticks")).height == 5
