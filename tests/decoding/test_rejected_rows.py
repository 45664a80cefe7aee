"""A rejected row whose session cannot be read makes every session doubtful that it may belong to, and no other."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from fulltape.contract.vendor import Decoded, Rejected, RowFormat, Slice, WireField
from fulltape.decoding import rowwise, tables
from fulltape.market import ranges
from fulltape.market.time import midnight, utc_date
from fulltape.seal.pages import plan

SHAPE = RowFormat(
    fields=(
        WireField(wire="t", column="timestamp", kind="integer"),
        WireField(wire="s", column="symbol", kind="text"),
        WireField(wire="p", column="price", kind="float"),
    ),
    unit="ms",
)
MONDAY, TUESDAY = dt.date(2024, 1, 8), dt.date(2024, 1, 9)


def row(day: dt.date | None, symbol: str | None = "A") -> dict[str, object]:
    moment = (
        "?"
        if day is None
        else int(dt.datetime(day.year, day.month, day.day, 12, tzinfo=dt.UTC).timestamp() * 1000)
    )
    return {"t": moment, "s": symbol, "p": 1.0}


def rejected(*rows: dict[str, object], symbol: str = "") -> list[Rejected]:
    found: list[Rejected] = []
    one = Slice(
        page=1,
        symbol=symbol,
        names={} if symbol else {"A": "A", "B": "B"},
        row_format=SHAPE,
        rows=json.dumps(rows).encode(),
    )
    rowwise.one_by_one(one, SHAPE, utc_date, found)
    return found


def test_a_row_between_two_others_lies_between_them() -> None:
    lost, *beside = rejected(row(MONDAY), row(None), row(TUESDAY), symbol="A")
    assert lost.placed
    assert [(one.session, one.edge) for one in beside] == [(MONDAY, False), (TUESDAY, False)]


@pytest.mark.parametrize("rows", [(row(MONDAY), row(None)), (row(None), row(MONDAY))])
def test_a_row_at_the_end_of_a_page_may_belong_beyond_it(rows: tuple[dict[str, object], ...]) -> None:
    lost, beside = rejected(*rows, symbol="A")
    assert lost.placed
    assert (beside.session, beside.edge) == (MONDAY, True)


def test_a_page_without_a_good_row_places_nothing() -> None:
    assert [one.placed for one in rejected(row(None), row(None), symbol="A")] == [False, False]


def test_rows_of_another_symbol_place_nothing() -> None:
    lost, beside = rejected(row(MONDAY), row(None), row(TUESDAY, "B"))
    assert (lost.symbol, beside.session, beside.edge) == ("A", MONDAY, True)
    assert [one.placed for one in rejected(row(MONDAY), row(None, None), row(TUESDAY, "B"))] == [False]


@pytest.mark.parametrize(
    ("rows", "position", "reach"),
    [
        (((0, 10),), 4, (3, 6)),
        (((0, 3), (7, 9)), 2, (1, 8)),
        (((0, 3), (7, 9)), 7, (2, 9)),
        ((), 5, (5, 6)),
        (((5, 6),), 5, (5, 6)),
    ],
)
def test_beyond_the_end_of_a_page_reaches_to_the_next_rows(
    rows: ranges.Ranges, position: int, reach: ranges.Range
) -> None:
    assert plan.reach(rows, position) == reach


def test_a_page_that_cannot_be_read_leaves_no_session_of_its_answer_present() -> None:
    shown = plan.ShownSymbol(
        symbol="A",
        asked=(0, 5),
        complete_to=5,
        rows=((0, 2),),
        rejected=(),
        why="no JSON",
        unlocated=True,
        anywhere=True,
        exists=True,
        refused=False,
    )
    found = plan.facts(shown, others=(), history_from=0, ended=True)
    assert [(one.span, one.fact) for one in found] == [((0, 5), "refused")]


DATED = RowFormat(
    fields=(
        WireField(wire="d", column="timestamp", kind="text"),
        WireField(wire="p", column="price", kind="float"),
    ),
    unit="date",
    timestamp_kind="text",
)


@pytest.mark.parametrize(
    "day",
    [
        "9999-12-31",
        "2200-01-01",
        "1960-01-04",
        "20240102",
        "2024-W01-2",
        "2024-1-2",
        "nonsense",
        "",
        "2024-02-30",
    ],
)
def test_a_day_that_is_none_is_rejected_by_itself(day: str) -> None:
    """In bulk and one by one alike: a vendor could send it, so it never raises."""
    rows = [{"d": one, "p": 1.0} for one in ("2024-01-02", day, "2024-01-03")]
    one = Slice(page=1, symbol="A", row_format=DATED, rows=json.dumps(rows).encode())
    found, lost = tables.frame(Decoded(slices=(one,)), ["price"], utc_date)
    assert found["timestamp"].to_list() == [midnight(dt.date(2024, 1, day)) for day in (2, 3)]
    assert len([rejection for rejection in lost if rejection.session is None]) == 1
