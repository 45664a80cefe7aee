"""Any history of answers, restatements and repairs: each moment's view is what was public then."""

from __future__ import annotations

import datetime as dt
import tempfile
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from laid import ACTIONS, DAY, SOURCES, XNYS, Laid, laid

import fulltape
from clocks import SkippingClock
from fulltape import errors
from fulltape.context import actions, closes
from fulltape.context.point_in_time import PointInTime
from fulltape.curate import run as curate
from fulltape.ledger.repairs import Repair
from fulltape.market.time import DAY as A_DAY
from fulltape.market.time import from_datetime, to_datetime
from fulltape.reader import Reader

SESSIONS = ("2014-06-02", "2014-06-03", "2014-06-04")
FIRST = from_datetime(dt.datetime(2014, 6, 5, 12, tzinfo=dt.UTC))
"""The first answer comes on 2014-06-05."""

answers = st.lists(
    st.tuples(
        st.sampled_from(SOURCES),
        st.dictionaries(st.sampled_from(SESSIONS), st.sampled_from([10.0, 10.5, 11.0]), min_size=1),
    ),
    min_size=1,
    max_size=5,
)


def node_of(folder: Path, *wishes: str) -> Laid:
    return laid(folder, "AAA,1990-01-02,,\n", *wishes)


def chosen(reader: Reader) -> dict[dt.date, str]:
    """Which source each session has."""
    rows = reader.scan(DAY).select("session", pl.col("source").cast(pl.String)).collect()
    return dict(rows.iter_rows())


def then(history: list[tuple[str, dict[str, float]]], source: str, session: str, day: int) -> float:
    """What a source had said of a session on a day: its newest answer by then, or where it had given none its first one."""
    said = [
        (at, closes[session])
        for at, (name, closes) in enumerate(history)
        if name == source and session in closes
    ]
    return [close for at, close in said if at <= day][-1] if said[0][0] <= day else said[0][1]


@settings(max_examples=25, deadline=None)
@given(answers)
def test_every_view_is_that_of_its_moment(history: list[tuple[str, dict[str, float]]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        node = node_of(Path(folder) / "node", DAY)
        for at, (source, closes) in enumerate(history):
            node.answer("AAA", closes, source=source, at=FIRST + at * A_DAY)
            curate.run_once(node.context, SkippingClock())
        reader = node.read()
        sources = chosen(reader)
        for day in range(-1, len(history)):
            as_of = str(dt.date(2014, 6, 5) + dt.timedelta(days=day))
            rows = reader.scan(DAY, as_of=as_of).select("session", "close").collect()
            assert dict(rows.iter_rows()) == {
                session: then(history, source, str(session), day) for session, source in sources.items()
            }


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.dictionaries(st.sampled_from(SESSIONS), st.sampled_from([10.0, 10.5]), min_size=1),
        min_size=1,
        max_size=4,
    ),
    st.data(),
)
def test_what_a_node_knew_is_what_it_gave_then(history: list[dict[str, float]], data: st.DataObject) -> None:
    """Repairs and their undoing among it."""
    with tempfile.TemporaryDirectory() as folder:
        node = node_of(Path(folder) / "node", DAY)
        given_then, clock = [], SkippingClock()
        ledger = node.context.ledger
        for at, closes in enumerate(history):
            moment = FIRST + at * A_DAY
            node.answer("AAA", closes, at=moment)
            session = data.draw(st.sampled_from(SESSIONS))
            what = data.draw(st.sampled_from(["repair", "undo", ""]))
            standing = [repair for repair in ledger.repairs.all() if not repair.undone]
            with ledger.write():
                if what == "repair":
                    ledger.repairs.add(repair_of(session, moment))
                if what == "undo" and standing:
                    ledger.repairs.undo(standing[-1], who="me", reason="", now=moment)
                ledger.set_bookmark(curate.STAGE, DAY, 0)
            curate.run_once(node.context, clock)
            given_then.append(fulltape.open(node.context.folder).scan(DAY).collect())
        reader = node.read()
        before = reader.scan(DAY, known=to_datetime(FIRST - 1)).collect()
        assert before.is_empty()
        for at, rows in enumerate(given_then):
            known = reader.scan(DAY, known=to_datetime(FIRST + at * A_DAY)).collect()
            assert known.equals(rows), (at, known, rows)


def repair_of(session: str, at: int) -> Repair:
    position = XNYS.position(dt.date.fromisoformat(session))
    assert position is not None
    return Repair(
        dataset=DAY, instrument="AAA", session=dt.date.fromisoformat(session), ts=XNYS.sessions[position].open, source=SOURCES[0],
        column="close", was="10.5", becomes="10.5625", who="me", reason="seen elsewhere", at=at,
    )  # fmt: skip


def test_what_was_observed_is_what_this_node_had(tmp_path: Path) -> None:
    node = node_of(tmp_path / "node", DAY)
    node.answer("AAA", {"2014-06-03": 10.0}, at=FIRST)
    node.answer("AAA", {"2014-06-03": 10.5, "2014-06-04": 11.0}, source=SOURCES[1], at=FIRST + A_DAY)
    curate.run_once(node.context, SkippingClock())
    reader = node.read()
    shown = {
        (day, basis): reader.scan(DAY, as_of=day, as_of_basis=basis)
        .select("session", "close")
        .collect()
        .rows()
        for day in ("2014-06-04", "2014-06-05", "2014-06-06")
        for basis in ("any", "observed")
    }
    third, fourth = (dt.date(2014, 6, 3), 10.0), (dt.date(2014, 6, 4), 11.0)
    assert shown == {
        ("2014-06-04", "any"): [third, fourth],
        ("2014-06-04", "observed"): [],
        ("2014-06-05", "any"): [third, fourth],
        ("2014-06-05", "observed"): [third],
        ("2014-06-06", "any"): [third, fourth],
        ("2014-06-06", "observed"): [third, fourth],
    }
    query = "select close from equities_bars_day order by session"
    seen = reader.query(query, as_of="2014-06-05", as_of_basis="observed")
    assert seen["close"].to_list() == [10.0]
    with pytest.raises(errors.UsageError, match="as_of is not given"):
        reader.scan(DAY, as_of_basis="observed")
    for read in (reader.scan, reader.coverage, reader.verdicts):
        with pytest.raises(errors.UsageError, match="lies in the future"):
            read(DAY, known="2200-01-01")
    with pytest.raises(errors.UsageError, match="as_of_basis"):
        reader.scan(DAY, as_of="2014-06-05", as_of_basis="seen")


def test_a_factor_is_of_the_close_as_it_was_said_then(tmp_path: Path) -> None:
    node = node_of(tmp_path / "node", DAY)
    node.answer("AAA", {"2014-06-03": 10.0}, at=FIRST)
    node.answer("AAA", {"2014-06-03": 11.0}, at=FIRST + A_DAY)
    curate.run_once(node.context, SkippingClock())
    context = node.context
    for until, close in ((None, 11.0), (FIRST + A_DAY - 1, 10.0), (FIRST + A_DAY, 11.0)):
        view = PointInTime(ledger=context.ledger, layout=context.layout, calendar=XNYS, until=until)
        day = dt.date(2014, 6, 4)
        known = closes.of(view, {"AAA": [day]})["AAA"].before(day)
        assert known is not None
        assert known.price == close
    context.ledger.close()


@pytest.mark.parametrize("event_id", ["one", "another"])
def test_an_action_is_as_it_was_announced_then(tmp_path: Path, event_id: str) -> None:
    """Also where the source gives the amended one another number."""
    node = node_of(tmp_path / "node", DAY, ACTIONS)
    row = {
        "instrument": "AAA",
        "ex_date": "2014-06-04",
        "action_type": "cash_dividend",
        "declared_date": dt.date(2014, 5, 1),
    }
    node.actions({**row, "amount": 0.5, "event_id": "one"}, at=FIRST)
    node.actions({**row, "amount": 0.6, "event_id": event_id}, at=FIRST + A_DAY)
    context = node.context
    for until, amounts in ((FIRST - 1, [0.5]), (FIRST, [0.5]), (FIRST + A_DAY, [0.6]), (None, [0.6])):
        view = PointInTime(ledger=context.ledger, layout=context.layout, calendar=XNYS, until=until)
        assert [action.amount for action in actions.events(view, SOURCES)] == amounts
    context.ledger.close()


def test_a_row_as_it_was_has_all_that_curated_rows_have(tmp_path: Path) -> None:
    node = node_of(tmp_path / "node", DAY)
    node.answer("AAA", {"2014-06-03": 10.0}, at=FIRST)
    node.answer("AAA", {"2014-06-03": 11.0}, at=FIRST + A_DAY)
    curate.run_once(node.context, SkippingClock())
    reader = node.read()
    rows = reader.scan(DAY, as_of="2014-06-05").collect()
    assert rows["close"].to_list() == [10.0]
    assert rows.schema == reader.scan(DAY).collect_schema()
    assert rows["available_at"].item() == dt.datetime(2014, 6, 3, 20, tzinfo=dt.UTC)
