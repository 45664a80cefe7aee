"""Bars read out of trades and quotes that lie in a node."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from laid import Laid, laid

from curated import spy_trades
from fulltape import errors
from fulltape.reader import Reader
from nodes import needs_data

TRADES, QUOTES = "equities_trades", "equities_quotes"
DAY = "2013-10-07"


def node(folder: Path, trades: pl.DataFrame) -> Laid:
    """A node with the trades of one instrument."""
    made = laid(folder, "SPY,2000-01-03,,\n", TRADES, "corporate_actions")
    made.ticks(TRADES, trades)
    return made


def invented(*rows: tuple[str, float, float, str, str | None]) -> pl.DataFrame:
    """Trades of a day by New York's clock: time, price, size, conditions, correction."""
    return pl.DataFrame(
        [
            {
                "instrument": "SPY", "symbol": "SPY", "session": dt.date.fromisoformat(DAY),
                "ts": dt.datetime.fromisoformat(f"{DAY}T{clock}-04:00").astimezone(dt.UTC), "price": price, "size": size,
                "conditions": conditions, "tape": "B", "correction": correction, "trade_id": str(number), "source": "alpaca.sip",
            }
            for number, (clock, price, size, conditions, correction) in enumerate(rows)
        ],
        infer_schema_length=None,
    )  # fmt: skip


def one(reader: Reader, dataset: str = TRADES, **asked: Any) -> dict[str, Any]:
    """The one bar that a read gives."""
    (row,) = reader.scan(dataset, symbols="SPY", **asked).collect().to_dicts()
    return row


@needs_data
def test_a_real_day_is_read_as_bars(tmp_path: Path) -> None:
    reader = node(tmp_path, spy_trades(DAY)).read()
    five = reader.scan(TRADES, symbols="SPY", start=DAY, end=DAY, every="5m", columns=["ts", "close", "volume", "sma_3"])  # fmt: skip
    frame = five.collect()
    assert (frame.height, frame["close"][-1]) == (78, 167.45)
    assert frame["sma_3"].null_count() == 2
    day = one(reader, every="1d")
    assert (day["close"], day["close_kind"]) == (167.42, "official")
    assert len(day["eligibility_version"]) == 12


def test_what_trades_count_for(tmp_path: Path) -> None:
    reader = node(
        tmp_path,
        invented(
            ("09:31:00", 100.0, 10, "@", None),
            ("09:31:01", 101.0, 20, "@,4", None),
            ("09:31:02", 500.0, 40, "B", None),
            ("09:31:03", 300.0, 80, "@", "canceled"),
            ("09:31:04", 99.0, 160, "F", "corrected"),
            ("09:31:05", 98.0, 320, "@,?", None),
            ("09:31:06", 97.0, 640, "I", None),
            ("07:00:00", 90.0, 5, "T", None),
        ),
    ).read()
    bar = one(reader, every="1m")
    assert [bar[name] for name in ("open", "high", "low", "close")] == [100.0, 101.0, 97.0, 97.0]
    # An odd lot of 2013 is a plain trade; what was cancelled is none; a code that no table has makes no price.
    assert (bar["volume"], bar["n"], bar["unknown_conditions"]) == (10 + 20 + 40 + 160 + 320 + 640, 6, 1)
    assert bar["vwap"] == pytest.approx((1_000 + 2_020 + 99 * 160 + 97 * 640) / 830)
    early = one(reader, every="1h", phase="pre")
    assert (early["close"], early["volume"]) == (90.0, 5.0)


def test_a_node_says_what_its_codes_mean(tmp_path: Path) -> None:
    made = node(tmp_path, invented(("09:31:00", 100.0, 10, "@", None), ("09:31:01", 98.0, 20, "?", None)))
    (tmp_path / "conditions.toml").write_text('[sip]\nvendors = ["alpaca"]\n[[sip.code]]\ncodes = ["?"]\n')
    bar = one(made.read(), every="1m")
    assert (bar["close"], bar["unknown_conditions"]) == (98.0, 0)


@pytest.mark.parametrize(
    "text",
    ["[sip", "sip = 1", '[[sip.code]]\ncodes = ["x"]\nhigh = true', '[[sip.code]]\ncodes = ["x"]\nvolume = "yes"',
     '[[sip.code]]\ncodes = ["x"]\nfrom = "2013"', "[[sip.code]]\nname = 'x'", '[[sip.code]]\ncodes = ["x"]\nauction = "open"'],
)  # fmt: skip
def test_a_table_that_cannot_be_read_is_named(tmp_path: Path, text: str) -> None:
    made = node(tmp_path, invented(("09:31:00", 100.0, 10, "@", None)))
    (tmp_path / "conditions.toml").write_text(text)
    with pytest.raises(errors.UsageError, match=r"conditions\.toml cannot be read"):
        made.read().scan(TRADES, every="1m")


@pytest.mark.parametrize(
    ("dataset", "asked", "said"),
    [
        (TRADES, {"every": "1m", "price_kind": "bid"}, "of which side of quotes"),
        (TRADES, {"price_kind": "bid"}, "of which side of quotes"),
        (TRADES, {"every": "10 ticks", "origin": "clock"}, "about bars of time"),
        (TRADES, {"every": "0 ticks"}, "no length of a bar"),
        (TRADES, {"every": "1.5 ticks"}, "no length of a bar"),
        (TRADES, {"every": "10 apples"}, "no length of a bar"),
        (TRADES, {"every": "1m", "grid": True}, "has no grid"),
        (TRADES, {"columns": ["sma_3"]}, "cannot be computed"),
        ("corporate_actions", {"every": "1m"}, "for minute bars and ticks"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    tmp_path: Path, dataset: str, asked: dict[str, Any], said: str
) -> None:
    reader = node(tmp_path, invented(("09:31:00", 100.0, 10, "@", None))).read()
    with pytest.raises(errors.UsageError, match=said):
        reader.scan(dataset, symbols="SPY", **asked)


def test_trades_are_adjusted_before_they_are_bars(tmp_path: Path) -> None:
    made = node(tmp_path, invented(("09:31:00", 100.0, 10, "@", None)))
    for source in ("alpaca.sip", "massive.sip"):
        made.actions(
            {"instrument": "SPY", "action_type": "split", "ex_date": "2013-10-08", "ratio_new": 2.0, "ratio_old": 1.0},
            source=source, asked=("2013-10-01", "2013-10-31"),
        )  # fmt: skip
    bar = one(made.read(), every="1m", adjust="split", anchor="2013-10-09")
    assert (bar["close"], bar["volume"], bar["vwap"]) == (50.0, 20.0, 50.0)


def test_quotes_as_bars_of_their_middle(tmp_path: Path) -> None:
    made = laid(tmp_path, "SPY,2000-01-03,,\n", QUOTES)
    times = [dt.datetime(2013, 10, 7, 14, 0, second, tzinfo=dt.UTC) for second in range(3)]
    quotes = pl.DataFrame(
        {
            "instrument": "SPY", "symbol": "SPY", "session": dt.date(2013, 10, 7), "ts": times,
            "bid": [10.0, 0.0, 12.0], "ask": [11.0, 12.0, 14.0], "bid_size": 1.0, "ask_size": 1.0, "source": "alpaca.sip",
        }
    )  # fmt: skip
    made.ticks(QUOTES, quotes)
    reader = made.read()
    bar = one(reader, QUOTES, every="1m")
    # A quote without a bid has no middle.
    assert (bar["open"], bar["close"], bar["tick_count"], bar["price_kind"]) == (10.5, 13.0, 2, "mid")
    assert one(reader, QUOTES, every="1m", price_kind="ask")["tick_count"] == 3
    with pytest.raises(errors.UsageError, match="tells of no sizes"):
        reader.scan(QUOTES, symbols="SPY", every="100 volume")
    with pytest.raises(errors.UsageError, match="does not tell auctions apart"):
        reader.scan(QUOTES, symbols="SPY", every="1m", phase="close_auction")


def test_as_of_a_moment_bars_that_may_change_are_not_final(tmp_path: Path) -> None:
    reader = node(
        tmp_path,
        invented(
            ("09:31:00", 100.0, 60, "@", None),
            ("09:32:00", 101.0, 60, "@", None),
            ("09:33:00", 102.0, 60, "@", None),
            ("16:00:01", 103.0, 500, "6", None),
            ("16:00:09", 104.0, 500, "M", None),
        ),
    ).read()

    def final(every: str, as_of: str, **more: Any) -> list[tuple[float, bool]]:
        rows = reader.scan(TRADES, symbols="SPY", every=every, as_of=f"{DAY}T{as_of}-04:00", **more)
        return rows.select("close", "is_final").collect().rows()

    assert final("100 volume", "09:32:30") == [(101.0, False)]
    assert final("100 volume", "09:33:30") == [(101.0, True), (102.0, False)]
    assert final("1d", "16:00:05") == [(103.0, False)]
    assert final("1d", "16:00:30") == [(104.0, False)]
    assert final("1m", "16:00:05", phase="all") == [
        (100.0, True),
        (101.0, True),
        (102.0, True),
        (103.0, False),
    ]
    assert final("1d", "20:00:01") == [(104.0, True)]


def test_bars_in_one_moment_keep_their_order_for_indicators(tmp_path: Path) -> None:
    rows = [("09:31:00", 100.0 + number, 100.0, "@", None) for number in range(300)]
    reader = node(tmp_path, invented(*rows)).read()
    made = reader.scan(TRADES, symbols="SPY", every="100 volume", columns=["close", "return_1"])
    for engine in ("streaming", "in-memory"):
        frame = made.collect(engine=engine)
        assert frame["close"].is_sorted()
        assert (frame["return_1"].drop_nulls() > 0).all()


def test_a_source_whose_codes_nothing_tells_is_refused(tmp_path: Path) -> None:
    made = node(tmp_path, invented(("09:31:00", 100.0, 10, "@", None)))
    rows = invented(("09:31:00", 100.0, 10, "@", None)).with_columns(source=pl.lit("finnhub.us"))
    made.raw_ticks(TRADES, rows, "finnhub.us")
    with pytest.raises(errors.UsageError, match=r"sale conditions of finnhub\.us"):
        made.read().scan(TRADES, every="1m")


def test_a_bar_of_time_is_public_when_it_is_over(tmp_path: Path) -> None:
    reader = node(
        tmp_path, invented(("10:00:02", 100.0, 60, "@", None), ("10:30:00", 100.0, 60, "@", None))
    ).read()
    hours = reader.scan(TRADES, symbols="SPY", every="1h").collect()
    assert hours["available_at"].to_list() == hours["bucket_end"].to_list()
    early = reader.scan(TRADES, symbols="SPY", every="1h", as_of=f"{DAY}T10:10:00-04:00").collect()
    assert early.select("is_final", "n").rows() == [(False, 1)]
    assert early["available_at"][0] == dt.datetime.fromisoformat(f"{DAY}T10:00:02-04:00")
