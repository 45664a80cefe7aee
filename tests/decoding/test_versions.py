"""Answers about one cell against a plain model: which row was public when."""

from __future__ import annotations

import datetime as dt

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from fulltape.decoding import frames, versions
from fulltape.market import datasets

DATASET = datasets.get("equities_bars_minute")
SESSION = dt.date(2024, 6, 3)
BASE = dt.datetime(2024, 6, 3, 14, tzinfo=dt.UTC)

Answer = dict[int, float]
answers = st.lists(
    st.dictionaries(st.integers(0, 3), st.sampled_from([1.0, 2.0]), min_size=1), min_size=1, max_size=5
)


def frame_of(history: list[Answer]) -> pl.DataFrame:
    """Answer n has log_pos 10 n and came at 100 n."""
    rows = [
        {
            "instrument": "AAA", "symbol": "AAA", "session": SESSION, "ts": BASE + dt.timedelta(minutes=minute), "close": close,
            "source": "alpaca.sip", "log_pos": 10 * number, "heard_at": 100 * number,
        }
        for number, answer in enumerate(history, start=1)
        for minute, close in answer.items()
    ]  # fmt: skip
    frame = pl.DataFrame(rows)
    declared = frames.conform(frame, DATASET.schema.columns)
    return declared.with_columns(frame["source"], frame["log_pos"], frame["heard_at"])


def model(history: list[Answer], until: int) -> dict[int, tuple[float, int | None]]:
    """By minute its value and since when it is known to be so, as of a moment."""
    had = max([number for number in range(len(history)) if 100 * (number + 1) <= until], default=0)
    shown: dict[int, tuple[float, int | None]] = {}
    for number, answer in enumerate(history):
        lost = number > 0 and bool(history[number - 1].keys() - answer.keys())
        if number <= had:
            before = shown
            shown = {}
            for minute, close in answer.items():
                heard = 100 * (number + 1)
                seen = any(minute in earlier for earlier in history[:number])
                if minute in before:
                    shown[minute] = (
                        (close, before[minute][1]) if before[minute][0] == close else (close, heard)
                    )
                else:
                    shown[minute] = (close, heard if seen or lost else None)
            continue
        for minute, close in answer.items():
            if not lost and not any(minute in earlier for earlier in history[:number]):
                shown[minute] = (close, None)
    return shown


def table(rows: pl.DataFrame) -> dict[int, tuple[float, int | None]]:
    return {
        int((ts - BASE).total_seconds() // 60): (close, since)
        for ts, close, since in rows.select("ts", "close", versions.RESTATED).iter_rows()
    }


@given(answers, st.integers(0, 600))
def test_a_cell_is_as_its_source_had_it_at_that_moment(history: list[Answer], until: int) -> None:
    assert table(versions.visible(frame_of(history), DATASET, until)) == model(history, until)


@given(answers)
def test_the_newest_answer_knows_what_was_restated(history: list[Answer]) -> None:
    assert table(versions.newest(frame_of(history), DATASET)) == model(history, 10_000)


@given(answers, st.integers(0, 600))
def test_nothing_that_came_later_is_visible(history: list[Answer], until: int) -> None:
    rows = versions.visible(frame_of(history), DATASET, until)
    assert rows.filter(pl.col(versions.RESTATED) > until).is_empty()


def test_rows_without_a_key_are_restated_where_others_went() -> None:
    quotes = datasets.get("forex_quotes")
    rows = pl.DataFrame(
        {
            "instrument": "EURUSD", "symbol": "EURUSD", "session": SESSION, "ts": [BASE, BASE, BASE], "bid": [1.0, 1.1, 1.0], "ask": 1.2,
            "source": "massive.forex", "log_pos": [1, 2, 3], "heard_at": [1, 2, 3],
        }
    )  # fmt: skip
    declared = frames.conform(rows, quotes.schema.columns).with_columns(
        rows["source"], rows["log_pos"], rows["heard_at"]
    )
    assert versions.newest(declared, quotes)[versions.RESTATED].to_list() == [3]
    assert versions.visible(declared, quotes, 2)["bid"].to_list() == [1.1]
    assert versions.visible(declared, quotes, 0)["bid"].to_list() == [1.0]


def test_equal_rows_of_one_answer_are_told_apart() -> None:
    quotes = datasets.get("forex_quotes")

    def answers(*bids: list[float]) -> pl.DataFrame:
        rows = pl.DataFrame(
            [
                {
                    "instrument": "EURUSD", "symbol": "EURUSD", "session": SESSION, "ts": BASE, "bid": bid, "ask": 1.2,
                    "source": "massive.forex", "log_pos": number, "heard_at": number,
                }
                for number, answer in enumerate(bids, start=1)
                for bid in answer
            ]
        )  # fmt: skip
        more = rows["source"], rows["log_pos"], rows["heard_at"]
        return frames.conform(rows, quotes.schema.columns).with_columns(*more)

    changed = versions.newest(answers([1.0, 1.1], [1.0, 1.0]), quotes)
    assert sorted(changed[versions.RESTATED].to_list(), key=str) == [2, None]
    added = versions.visible(answers([1.0], [1.0, 1.0, 1.4]), quotes, 1)
    assert sorted(added["bid"].to_list()) == [1.0, 1.0, 1.4]
