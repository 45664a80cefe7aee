"""An adjusted price is right, or it says that it may not be."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from laid import ACTIONS, DAY, MINUTES, SOURCES, Laid, laid

from fulltape.reader import Reader

SPLIT = {
    "instrument": "AAA",
    "ex_date": "2014-06-09",
    "action_type": "split",
    "ratio_old": 1.0,
    "ratio_new": 7.0,
}
ALWAYS = ("2014-01-02", "2014-12-31")


def paid(day: str, amount: float, **more: Any) -> dict[str, Any]:
    """A dividend of AAA."""
    return {"instrument": "AAA", "ex_date": day, "action_type": "cash_dividend", "amount": amount, **more}


def days_of(tmp_path: Path, *names: str) -> Laid:
    """A node with day bars of 100, a year of them."""
    node = laid(tmp_path, "".join(f"{name},1990-01-02,,\n" for name in names), DAY, ACTIONS)
    node.days(names, *ALWAYS, lambda _: 100.0)
    return node


def shown(reader: Reader, day: str, dataset: str = DAY, **asked: Any) -> list[tuple[Any, ...]]:
    """Symbol, close and status of the rows of a day."""
    rows = reader.scan(dataset, start=day, end=day, **asked).collect().sort("instrument", "ts")
    return [
        (symbol, pytest.approx(close, rel=1e-12), status)
        for symbol, close, status in rows.select(
            "symbol", "close", pl.col("adjust_status").cast(pl.String)
        ).iter_rows()
    ]


def test_rows_of_whom_the_universe_has_lost_keep_their_own_factors(tmp_path: Path) -> None:
    node = days_of(tmp_path, "AAA", "BBB")
    node.actions(SPLIT, asked=ALWAYS)
    node.asked("BBB", *ALWAYS)
    (tmp_path / "universe.csv").write_text("symbol,listed_from,listed_to,instrument\nAAA,1990-01-02,,\n")
    reader = node.read()
    assert shown(reader, "2014-06-06", adjust="split") == [
        ("AAA", 100 / 7, "complete"),
        ("BBB", 100.0, "complete"),
    ]
    assert shown(reader, "2014-06-06", adjust="split", symbols="AAA") == [("AAA", 100 / 7, "complete")]


def test_what_no_source_was_asked_about_is_not_complete(tmp_path: Path) -> None:
    """Actions are held from June on; what happened before is not known."""
    node = days_of(tmp_path, "AAA", "BBB")
    node.actions(paid("2014-09-08", 1.0), asked=("2014-06-02", "2014-12-31"))
    reader = node.read()
    assert shown(reader, "2014-05-30", adjust="split")[0] == ("AAA", 100.0, "incomplete")
    assert shown(reader, "2014-06-02", adjust="split")[0] == ("AAA", 100.0, "complete")
    assert shown(reader, "2014-12-30", adjust="split")[1] == ("BBB", 100.0, "incomplete")
    # Seen from before the gap, what lies beyond it is not known either.
    assert shown(reader, "2014-06-03", adjust="split", anchor="2014-03-03")[0] == ("AAA", 100.0, "incomplete")


def test_a_refused_answer_is_no_answer(tmp_path: Path) -> None:
    node = days_of(tmp_path, "AAA")
    node.asked("AAA", *ALWAYS)
    node.fact(ACTIONS, "AAA", "2014-06-09", "2014-06-09", "refused")
    reader = node.read()
    assert shown(reader, "2014-06-06", adjust="total") == [("AAA", 100.0, "incomplete")]
    assert shown(reader, "2014-06-09", adjust="total") == [("AAA", 100.0, "complete")]


def test_who_was_asked_and_has_no_action_is_adjusted_by_nothing(tmp_path: Path) -> None:
    node = days_of(tmp_path, "AAA")
    node.asked("AAA", *ALWAYS)
    assert shown(node.read(), "2014-06-06", adjust="total") == [("AAA", 100.0, "complete")]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        # Between Friday's close and Monday's open: ten new shares for one, each of which pays 1.
        ([{**SPLIT, "ex_date": "2014-06-07", "ratio_new": 10.0}, paid("2014-06-09", 1.0)], 9.0),
        # One old share pays 10, then it becomes ten.
        ([paid("2014-06-07", 10.0), {**SPLIT, "ratio_new": 10.0}], 9.0),
        ([paid("2014-06-07", 10.0)], 90.0),
    ],
)
def test_events_of_a_weekend_are_one_factor_on_the_basis_of_fridays_close(
    tmp_path: Path, rows: list[dict[str, Any]], expected: float
) -> None:
    node = days_of(tmp_path, "AAA")
    node.actions(*rows, asked=ALWAYS)
    assert shown(node.read(), "2014-06-06", adjust="total") == [("AAA", expected, "complete")]


def test_a_dispute_about_cash_is_none_about_splits(tmp_path: Path) -> None:
    node = days_of(tmp_path, "AAA")
    node.actions(paid("2014-06-09", 1.0), asked=ALWAYS)
    node.actions(paid("2014-06-09", 2.0), source=SOURCES[1], asked=ALWAYS)
    reader = node.read()
    assert shown(reader, "2014-06-06", adjust="split") == [("AAA", 100.0, "complete")]
    assert shown(reader, "2014-06-06", adjust="total") == [("AAA", 99.0, "disputed")]


def test_silence_about_what_a_source_never_tells_of_is_no_contradiction(tmp_path: Path) -> None:
    node = days_of(tmp_path, "AAA")
    spun = {"instrument": "AAA", "ex_date": "2014-06-09", "action_type": "spin_off", "amount": 5.0}
    node.actions(spun, paid("2014-03-10", 1.0), asked=ALWAYS)
    node.actions(paid("2014-03-10", 1.0), source=SOURCES[1], asked=ALWAYS)
    agreements = {row["action_type"]: row["agreement"] for row in node.read().actions().to_dicts()}
    assert agreements == {"cash_dividend": "agreed", "spin_off": "single"}


def test_a_source_that_is_not_heard_yet_is_not_silent(tmp_path: Path) -> None:
    """Both tell of it; only one states when it was announced."""
    node = days_of(tmp_path, "AAA")
    node.actions(paid("2014-06-16", 2.0, declared_date=dt.date(2014, 6, 2)), asked=ALWAYS)
    node.actions(paid("2014-06-16", 2.0), source=SOURCES[1], asked=ALWAYS)
    reader = node.read()
    assert reader.actions(as_of="2014-06-13")["agreement"].to_list() == ["single"]
    assert reader.actions(as_of="2014-06-16")["agreement"].to_list() == ["agreed"]


def test_an_announcement_is_public_at_the_end_of_the_markets_day(tmp_path: Path) -> None:
    node = days_of(tmp_path, "AAA")
    node.actions(paid("2014-06-16", 2.0, declared_date=dt.date(2014, 6, 3)), asked=ALWAYS)
    reader = node.read()
    assert reader.actions(as_of="2014-06-03T23:59:59-04:00").is_empty()
    assert reader.actions(as_of="2014-06-03").height == 1


def minutes_of(tmp_path: Path, *sessions: str, whole: bool = True, until: int = 390) -> Laid:
    """A node with minutes only; their closes are the number of the minute and 100."""
    node = laid(tmp_path, "AAA,1990-01-02,,\n", MINUTES, ACTIONS)
    for session in sessions:
        node.minutes("AAA", session, range(until), lambda number: 100.0 + number, whole=whole)
    return node


def test_a_price_in_the_midst_of_a_session_is_no_close(tmp_path: Path) -> None:
    node = minutes_of(tmp_path, "2014-06-02", "2014-06-03")
    node.actions(paid("2014-06-03", 4.89), asked=ALWAYS)
    reader = node.read()
    noon = {"as_of": "2014-06-03T12:00-04:00", "adjust": "total"}
    assert shown(reader, "2014-06-02", MINUTES, **noon, convention="ex_close")[0] == (
        "AAA",
        100.0,
        "incomplete",
    )
    assert shown(reader, "2014-06-02", MINUTES, **noon)[0] == ("AAA", 99.0, "complete")
    evening = {"as_of": "2014-06-03", "adjust": "total", "convention": "ex_close"}
    assert shown(reader, "2014-06-02", MINUTES, **evening)[0] == ("AAA", 100 * 489 / 493.89, "complete")


def test_the_last_price_of_half_a_session_is_no_close(tmp_path: Path) -> None:
    node = minutes_of(tmp_path, "2014-06-02", whole=False, until=60)
    node.actions(paid("2014-06-03", 1.59), asked=ALWAYS)
    reader = node.read()
    assert shown(reader, "2014-06-02", MINUTES, adjust="total", anchor="2014-06-03")[0] == (
        "AAA",
        99.0,
        "incomplete",
    )


def test_closes_of_minutes_serve_who_has_no_day_bars(tmp_path: Path) -> None:
    node = laid(tmp_path, "AAA,1990-01-02,,\nBBB,1990-01-02,,\n", DAY, MINUTES, ACTIONS)
    node.days("BBB", *ALWAYS, lambda _: 100.0)
    node.minutes("AAA", "2014-06-02", range(390), lambda number: 100.0 + number)
    node.actions(paid("2014-06-03", 4.89), asked=ALWAYS)
    (factor,) = node.read().factors("AAA").to_dicts()
    assert (factor["close"], factor["total"], factor["status"]) == (489.0, 0.99, "complete")


def test_the_anchor_is_a_session_whose_rows_can_be_read(tmp_path: Path) -> None:
    """The session of 9 June is sealed and not curated yet: its split is not laid over what is there."""
    node = laid(tmp_path, "AAA,1990-01-02,,\n", DAY, ACTIONS)
    node.days("AAA", "2014-06-02", "2014-06-06", lambda _: 100.0)
    node.fact(DAY, "AAA", "2014-06-09", "2014-06-09")
    node.actions(SPLIT, asked=ALWAYS)
    reader = node.read()
    assert shown(reader, "2014-06-05", adjust="split") == [("AAA", 100.0, "complete")]
    assert reader.scan(DAY, adjust="split").collect()["adjust_anchor"].unique().to_list() == [
        dt.date(2014, 6, 6)
    ]


def test_indicators_do_not_depend_on_the_start_of_a_read(tmp_path: Path) -> None:
    """Two years without a bar lie before the last ones, and the instrument changed its symbol."""
    node = laid(tmp_path, "OLD,1990-01-02,2016-06-30,AAA\nNEW,2016-07-01,,AAA\n", DAY, ACTIONS)
    walk: list[dt.date] = []

    def price(day: dt.date) -> float:
        walk.append(day)
        return 100.0 + len(walk) % 17 + len(walk) / 50

    node.days("AAA", "2012-01-03", "2014-03-31", price, symbol="OLD")
    node.days("AAA", "2016-05-02", "2016-06-30", price, symbol="OLD")
    node.days("AAA", "2016-07-01", "2016-07-29", price, symbol="NEW")
    reader = node.read()
    columns = ["session", "return_1", "sma_50", "ema_20", "rsi_14", "macd_12_26_9"]
    whole = reader.scan(DAY, instruments="AAA", columns=columns).collect()
    assert whole.filter(pl.col("session").dt.year() == 2016).height == 63
    for start in ("2016-05-02", "2016-06-01", "2016-07-01", "2016-07-11"):
        for names in ({"instruments": "AAA"}, {"symbols": "NEW"}):
            late = reader.scan(DAY, start=start, columns=columns, **names).collect()  # type: ignore[arg-type]
            begin = max(start, "2016-07-01") if "symbols" in names else start
            expected = whole.filter(pl.col("session") >= dt.date.fromisoformat(begin))
            assert late["session"].to_list() == expected["session"].to_list()
            for name in columns[1:]:
                assert late[name].to_list() == pytest.approx(expected[name].to_list(), rel=1e-12), (
                    name,
                    start,
                )
