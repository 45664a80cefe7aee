"""The rules of live capture that need no socket: when to connect, whom to doubt, what goes first, what bars come to."""

from __future__ import annotations

import dataclasses
import json
import random
import re
from array import array
from collections import Counter

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from fulltape.capture import plan
from fulltape.capture.plan import SilenceMonitor, WaitingMessages
from fulltape.capture.queue import MessageQueue, Router, size_of
from fulltape.contract.events import ConnectionEvent
from fulltape.contract.plans import Connecting
from fulltape.contract.streams import DETAILS, Channel, Detail, MessageFormat
from fulltape.contract.vendor import RowFormat, WireField
from fulltape.decoding import captured, template
from fulltape.lake import messages
from fulltape.lake.messages import Block
from fulltape.live.plan import GRAINS, Aggregator, SecondBar
from fulltape.market.time import DAY, MINUTE, SECOND
from fulltape.seal.messages import timeline
from fulltape.seal.messages.timeline import Live


@given(st.integers(0, 10_000), st.floats(0, 0.999))
def test_waits_grow_to_a_minute_and_no_further(attempt: int, dice: float) -> None:
    wait = plan.wait_before(attempt, dice)
    assert 0 <= wait <= plan.LONGEST_WAIT
    assert plan.wait_before(0, dice) == 0
    assert plan.wait_before(attempt, 0.5) <= plan.wait_before(attempt + 1, 0.5) or attempt == 0


@given(st.lists(st.integers(0, 500), max_size=80), st.integers(1, 10), st.integers(1, 120))
def test_no_window_ever_holds_more_attempts_than_allowed(
    fetches: list[int], attempts: int, seconds: int
) -> None:
    limits = Connecting(attempts=attempts, seconds=seconds)
    made: list[float] = []
    now = 0.0
    for fetch in sorted(fetches):
        now = max(now, float(fetch))
        now += plan.room_for_attempt(made, now, limits)
        made.append(now)
    for at in made:
        assert sum(1 for other in made if at - seconds < other <= at) <= attempts


def test_a_channel_is_doubted_by_its_own_rhythm() -> None:
    busy, quiet, new = SilenceMonitor(last=0.0), SilenceMonitor(last=0.0), SilenceMonitor(last=0.0)
    for at in range(1, 100):
        busy.spoke(float(at))
    for moment in (33.0, 66.0, 99.0):
        quiet.spoke(moment)
    two = SilenceMonitor(last=0.0)
    for moment in (1.0, 1.1):
        two.spoke(moment)
    assert plan.doubtful({"two": two}, {}, 10_000.0, 10.0) == [], "two quick trades make no rhythm"
    rhythms = {"busy": busy, "quiet": quiet, "new": new}
    assert plan.doubtful(rhythms, {}, 118.0, 10.0) == []
    assert plan.doubtful(rhythms, {}, 125.0, 10.0) == ["busy"]
    assert "new" not in plan.doubtful(rhythms, {}, 10_000.0, 10.0), "nobody knows how often it speaks"
    assert plan.doubtful({"new": new}, {"new": 2.0}, 41.0, 10.0) == ["new"], (
        "but the venue has said it of this one"
    )
    busy.doubted(125.0)
    assert plan.doubtful({"busy": busy}, {}, 150.0, 10.0) == [], "a closed market is asked ever more rarely"


@given(
    st.lists(st.tuples(st.integers(0, 20), st.sampled_from(DETAILS), st.integers(1, 100)), max_size=40),
    st.integers(0, 2_000),
)
def test_books_go_before_quotes_before_bars_before_trades(
    found: list[tuple[int, Detail, int]], allowed: int
) -> None:
    waiting = [
        WaitingMessages(block=block, detail=detail, bytes=size)
        for block, detail, size in sorted(found, key=lambda one: one[0])
    ]
    gone = plan.to_drop(waiting, allowed)
    left = sum(one.bytes for one in waiting) - sum(one.bytes for one in gone)
    assert left <= allowed or not waiting
    if gone:
        assert left + gone[-1].bytes > allowed, "no more than needed"
        worst = max(DETAILS.index(one.detail) for one in gone)
        kept = [one for one in waiting if one not in gone]
        assert all(DETAILS.index(one.detail) >= worst for one in kept)


def _router() -> Router:
    details: dict[str, Detail] = {"t": "trades", "b": "books"}
    channels = {
        name: Channel(name=name, dataset="d", symbol=name, wire=name, detail=detail)
        for name, detail in details.items()
    }
    return Router(route=re.compile(rb'"c":"(\w)"'), channels=channels)


@settings(max_examples=60)
@given(
    st.lists(st.lists(st.sampled_from(["t", "b"]), min_size=1, max_size=30), min_size=1, max_size=20),
    st.integers(500, 6_000),
)
def test_a_full_queue_drops_in_order_and_counts_every_message(kinds: list[list[str]], bound: int) -> None:
    queue = MessageQueue(bound, routers={7: _router()})
    put = 0
    blocks = []
    for number, some in enumerate(kinds, start=1):
        found = [
            json.dumps({"c": kind, "n": put + at}, separators=(",", ":")).encode()
            for at, kind in enumerate(some)
        ]
        blocks.append(messages.block(7, number, found, array("q", range(put, put + len(found)))))
        put += len(found)
    queue.put(blocks)
    taken, _, _ = queue.take()
    left = [one for item in taken if isinstance(item, Block) for one in item.messages()]
    told = sum(item.count for item in taken if isinstance(item, ConnectionEvent))
    assert len(left) + told == put
    assert told == queue.dropped
    assert sum(size_of(item) for item in taken if isinstance(item, Block)) <= bound
    assert left == sorted(left, key=lambda one: json.loads(one)["n"])
    if any(b'"b"' in one for one in left):
        assert not any("t" in item.channels for item in taken if isinstance(item, ConnectionEvent)), (
            "books go first"
        )


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 400), st.floats(1, 100), st.floats(0.1, 9)), min_size=1, max_size=60),
    st.randoms(),
)
def test_provisional_bars_are_those_of_all_trades_whatever_their_order(
    trades: list[tuple[int, float, float]], dice: random.Random
) -> None:
    """As long as no bar is so old that it is not kept any more."""
    shuffled = list(enumerate(trades))
    dice.shuffle(shuffled)
    bars = Aggregator(lambda at: at // DAY * DAY)
    for place, (second, price, size) in shuffled:
        at = second * SECOND + place
        bars.add(
            [
                SecondBar(
                    symbol="X",
                    first=at,
                    last=at,
                    open=price,
                    high=price,
                    low=price,
                    close=price,
                    volume=size,
                    trades=1,
                )
            ]
        )
    for grain in ("5m", "1h", "1d"):
        length = GRAINS[grain]
        newest = (
            max(second * SECOND + place for place, (second, _, _) in enumerate(trades)) // length * length
        )
        inside = sorted(
            (second * SECOND + place, price, size) for place, (second, price, size) in enumerate(trades)
        )
        inside = [one for one in inside if one[0] >= newest]
        bar = bars.newest("X", grain)
        assert bar is not None
        assert bar.start == newest
        assert (bar.open, bar.close) == (inside[0][1], inside[-1][1])
        assert (bar.high, bar.low) == (max(one[1] for one in inside), min(one[1] for one in inside))
        assert bar.trades == len(inside)
        assert abs(bar.volume - sum(one[2] for one in inside)) < 1e-6


def test_a_trade_too_late_for_every_bar_is_counted() -> None:
    bars = Aggregator(lambda _: 0)
    for second in range(0, 60, 10):
        bars.add(
            [
                SecondBar(
                    symbol="X",
                    first=second * SECOND,
                    last=second * SECOND,
                    open=1,
                    high=1,
                    low=1,
                    close=1,
                    volume=1,
                    trades=1,
                )
            ]
        )
    bars.add([SecondBar(symbol="X", first=0, last=0, open=2, high=2, low=2, close=2, volume=1, trades=3)])
    assert bars.late == 3
    day = bars.newest("X", "1d")
    assert day is not None
    assert day.trades == 9, "the day's bar has them"


_SHAPE = MessageFormat(
    kind="x",
    dataset="d",
    row_format=RowFormat(
        fields=(
            WireField(wire="s", column="symbol", kind="text"),
            WireField(wire="p", column="price", kind="decimal"),
            WireField(wire="T", column="timestamp", kind="integer"),
            WireField(wire="m", column="maker", kind="boolean"),
        ),
        unit="ms",
    ),
)


@settings(max_examples=80)
@given(
    st.lists(
        st.tuples(
            st.text(alphabet='abcXYZ019-/_. ,"\\:{}[]é', min_size=1, max_size=8),
            st.floats(0.01, 1e6).map(lambda one: f"{one:.4f}"),
            st.integers(0, 2**53),
            st.booleans(),
        ),
        min_size=200,
        max_size=205,
    ),
    st.sampled_from([",", ", "]),
)
def test_lines_read_by_their_template_are_what_json_says_or_are_not_read(
    rows: list[tuple[str, str, int, bool]], comma: str
) -> None:
    lines = [
        json.dumps(
            {"e": "x", "s": s, "p": p, "T": t, "m": m, "z": 1}, separators=(comma, ":"), ensure_ascii=False
        ).encode()
        for s, p, t, m in rows
    ]
    found = template.read(b"\n".join(lines), len(lines), _SHAPE)
    if found is not None:
        assert found.rows() == rows


def test_lines_that_machines_write_alike_are_read_by_their_template() -> None:
    lines = [
        b'{"e":"x","s":"BTC","p":"%d.5","T":%d,"m":%s,"M":true}' % (at, at, b"true" if at % 2 else b"false")
        for at in range(300)
    ]
    found = template.read(b"\n".join(lines), 300, _SHAPE)
    assert found is not None
    assert found.rows()[7] == ("BTC", "7.5", 7, True)
    for wrong in (b'{"e":"x","p":"1.5","s":"BTC","T":1,"m":true,"M":true}', b'{"e":"x","s":"BTC","p":null,"T":1,"m":true,"M":true}',
                  b'{"e":"x","s":"BTC","p":"1.5","T":1.5,"m":true,"M":true}'):  # fmt: skip
        assert template.read(b"\n".join([*lines, wrong]), 301, _SHAPE) is None


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=12),
    st.integers(0, 12),
    st.integers(0, 12),
)
def test_what_overlapping_deliveries_share_counts_once(
    truth: list[tuple[int, int]], cut: int, overlap: int
) -> None:
    """Equal ticks are genuine inside a delivery; two deliveries that overlap come to what happened."""
    ordered = sorted(truth)
    first, second = ordered[:cut], ordered[max(0, cut - overlap) :]
    rows = [
        {
            "instrument": "X",
            "session": 1,
            "ts": ts,
            "price": float(price),
            "ts_recv": 0,
            "connection": captured.LIVE + number,
        }
        for number, part in enumerate((first, second))
        for ts, price in part
    ]
    frame = pl.DataFrame(rows, schema_overrides={"connection": pl.UInt32})
    found = captured.merged(frame, ())
    rows_found = Counter(zip(found["ts"], map(int, found["price"]), strict=True))
    assert not rows_found - Counter(ordered)
    # A tick may only be taken for another where both deliveries have it as often as it can be told.
    for one in set(ordered):
        assert found.filter((pl.col("ts") == one[0]) & (pl.col("price") == one[1])).height == max(
            first.count(one), second.count(one)
        )


def test_gaps_lie_between_what_was_live() -> None:
    spans = [Live(start=100, end=200, why="disconnected: broke"), Live(start=250, end=300, why="")]
    (one,) = timeline.gaps(spans, before=None, joined=False)
    assert (one.start, one.end, one.kind, one.detail) == (200, 250, "disconnected", "broke")
    both = timeline.gaps(spans, before=50, joined=False)
    assert [(gap.start, gap.end) for gap in both] == [(50, 100), (200, 250)]
    assert timeline.gaps(spans, before=50, joined=True) == [one]


def test_what_is_asked_for_covers_clocks_that_differ_and_bars_that_come_late() -> None:
    assert timeline.span_to_fetch(100 * SECOND + 1, 101 * SECOND, bars=False, tolerance=5 * SECOND) == (
        95 * SECOND,
        106 * SECOND,
    )
    start, end = timeline.span_to_fetch(10 * MINUTE, 11 * MINUTE, bars=True, tolerance=5 * SECOND)
    assert start <= 8 * MINUTE
    assert end >= 11 * MINUTE
    assert start % MINUTE == end % MINUTE == 0


def _ids(*rows: tuple[int, int]) -> pl.DataFrame:
    """Rows of (milliseconds, id)."""
    return pl.DataFrame(
        {"ts": [at * 1_000 for at, _ in rows], "trade_id": [str(number) for _, number in rows]}
    ).with_columns(pl.col("ts").cast(pl.Datetime("us", "UTC")))


def test_ids_that_neither_the_stream_nor_history_has_are_counted() -> None:
    assert captured.lost_ids(_ids((0, 1), (1, 2), (2, 3)), "trade_id") == 0
    assert captured.lost_ids(_ids((0, 1), (1, 2), (1, 2), (9, 6), (5, 7)), "trade_id") == 3
    anew = _ids((0, 1_001), (1_000, 1_002), (2_000, 1), (3_000, 2), (4_000, 4))
    assert captured.lost_ids(anew, "trade_id") == 1, "the venue has counted anew"
    assert captured.lost_ids(_ids(), "trade_id") == 0


def test_an_answer_without_the_missing_ids_proves_nothing() -> None:
    whole = captured.Comparison(history=2, captured=2, missing=0, extra=0, differing=0)
    assert whole.proves
    lacking = dataclasses.replace(whole, lost=7)
    assert not lacking.proves
    assert "7 ids neither of them has" in lacking.sentence


def test_ids_that_a_venue_gives_twice_in_a_session_are_different_trades() -> None:
    def rows(*found: tuple[int, int, float]) -> pl.DataFrame:
        return pl.DataFrame(
            {
                "instrument": ["A"] * len(found),
                "session": [1] * len(found),
                "ts": [at * 1_000 for at, _, _ in found],
                "trade_id": [str(number) for _, number, _ in found],
                "price": [price for _, _, price in found],
                "connection": [2**31 + 1] * len(found),
            },
            schema_overrides={"connection": pl.UInt32},
        ).with_columns(pl.col("ts").cast(pl.Datetime("us", "UTC")))

    key = ("instrument", "session", "trade_id")
    again = rows((0, 1, 5.0), (10, 2, 6.0), (12, 2, 6.0), (60_000, 1, 7.0), (60_010, 2, 8.0))
    assert captured.merged(again, key)["price"].to_list() == [5.0, 6.0, 7.0, 8.0]
    assert captured.merged(again, key).columns == again.columns
    newest = rows((0, 1, 5.0), (0, 1, 5.5))
    assert captured.merged(newest, key)["price"].to_list() == [5.5]
