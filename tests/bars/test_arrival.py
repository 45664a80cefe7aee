"""Bars do not depend on how their trades arrived: in pieces, late, twice, corrected."""

from __future__ import annotations

import datetime as dt

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from curated import XNYS
from fulltape.bars import conditions, ticks
from fulltape.bars import every as lengths
from fulltape.bars.ticks import BarRequest
from fulltape.context import choice
from fulltape.decoding import frames
from fulltape.decoding.captured import LIVE
from fulltape.market import datasets

TRADES = datasets.get("equities_trades")
CONDITIONS = conditions.load()
OPEN = dt.datetime(2013, 10, 7, 13, 30, tzinfo=dt.UTC)


def trade(number: int, second: float, price: float, size: float, codes: str) -> dict[str, object]:
    """A trade as a stream tells it."""
    at = OPEN + dt.timedelta(seconds=second, microseconds=number)
    return {
        "source": "alpaca.sip", "instrument": "SPY", "symbol": "SPY", "session": OPEN.date(), "ts": at, "ts_event": at,
        "price": price, "size": size, "conditions": codes, "trade_id": str(number), "exchange": "P", "tape": "B",
        "correction": None, "flags": 0,
    }  # fmt: skip


def curated(rows: list[dict[str, object]]) -> pl.DataFrame:
    """What curation makes of captured rows, in the order in which they came."""
    columns = [column for column in TRADES.schema.columns if column.name != "session"]
    types = {
        **frames.schema(tuple(columns)), "session": pl.Date, "source": pl.String, "origin": pl.String, "flags": pl.UInt32,
        "log_pos": pl.Int64, "connection": pl.UInt32, "ts_recv": pl.Datetime("ns", "UTC"),
    }  # fmt: skip
    raw = pl.DataFrame(rows, schema=types)
    newest = choice.newest(raw, TRADES)
    chosen = newest.select("instrument", "session", "source").unique()
    return choice.rows(newest, chosen, TRADES, XNYS, captured_until=None)


def bars(rows: pl.DataFrame, every: str) -> pl.DataFrame:
    """Bars of all phases."""
    asked = BarRequest(every=lengths.parse(every), calendar=XNYS, phase="all", conditions=CONDITIONS)
    return ticks.bars(rows.lazy(), asked).collect()


@st.composite
def days(draw: st.DrawFn) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Trades as they stand in the end, and how they came: over two connections, some of them twice, some taken back or corrected."""
    count = draw(st.integers(1, 25))
    moments = draw(st.lists(st.integers(-3_600, 26_000), min_size=count, max_size=count))
    stand, arrived = [], []
    for number, second in enumerate(moments):
        price = draw(st.integers(9_000, 11_000)) / 100
        codes = draw(st.sampled_from(["@", "F", "4", "B", "T", "6", "M", "@,F", "?"]))
        row = trade(number, second, price, draw(st.sampled_from([1.0, 100.0, 1 / 3])), codes)
        fate = draw(st.sampled_from(["stands", "stands", "stands", "canceled", "corrected"]))
        arrived.append([row] * draw(st.integers(1, 2)))
        if fate == "canceled":
            arrived[-1].append({**row, "correction": fate})
            stand.append({**row, "correction": fate})
            continue
        if fate == "corrected":
            row = {**row, "price": price + 1, "correction": fate}
            arrived[-1].append(row)
        stand.append(row)
    # What is said of one trade keeps its order; trades come in any.
    order = draw(st.permutations([at for at, rows in enumerate(arrived) for _ in rows]))
    queues = [list(rows) for rows in arrived]
    came = [queues[at].pop(0) for at in order]
    return stand, came


def received(rows: list[dict[str, object]], connections: int) -> list[dict[str, object]]:
    """Captured rows, each received a second after the other."""
    return [
        {
            **row, "origin": "captured", "log_pos": number // 4, "connection": LIVE + number * connections // len(rows),
            "ts_recv": OPEN + dt.timedelta(hours=8, seconds=number),
        }
        for number, row in enumerate(rows)
    ]  # fmt: skip


@given(days(), st.integers(1, 3), st.sampled_from(["1s", "1m", "5m", "1d"]))
def test_the_order_of_arrival_changes_no_bit(
    day: tuple[list[dict[str, object]], list[dict[str, object]]], connections: int, every: str
) -> None:
    stand, came = day
    in_time = sorted(stand, key=lambda row: str(row["ts"]))
    plain = curated(received(in_time, 1))
    expected = bars(plain, every)
    assert bars(curated(received(came, connections)), every).equals(expected)
