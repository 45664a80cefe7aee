"""Reading as it was, where it is easy to tell too much or too little."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from laid import ACTIONS, DAY, MINUTES, SOURCES, XNYS, Laid, laid

import fulltape
from clocks import SkippingClock
from fulltape import errors
from fulltape.context import actions, drafts
from fulltape.context.point_in_time import PointInTime
from fulltape.coverage.cell import FactKind
from fulltape.coverage.facts import CoverageFact
from fulltape.curate import run as curate
from fulltape.decoding import frames
from fulltape.ledger.repairs import Repair
from fulltape.market import datasets
from fulltape.market.time import DAY as A_DAY
from fulltape.market.time import MINUTE, from_datetime, to_datetime
from fulltape.reader import Reader

FIRST = from_datetime(dt.datetime(2014, 6, 5, 12, tzinfo=dt.UTC))
FOURTH = dt.date(2014, 6, 4)
DIVIDEND = {
    "instrument": "AAA", "ex_date": "2014-06-04", "action_type": "cash_dividend", "amount": 0.5, "event_id": "one",
    "declared_date": dt.date(2014, 5, 1),
}  # fmt: skip

HIGHER = Repair(
    dataset=DAY, instrument="AAA", session=dt.date(2014, 6, 2), source=SOURCES[0], column="close", was="10.0", becomes="10.5", who="me",
    reason="", ts=XNYS.sessions[XNYS.between(dt.date(2014, 6, 2), dt.date(2014, 6, 2))[0]].open, at=FIRST + A_DAY,
)  # fmt: skip
"""The close of 2014-06-02, half a dollar higher."""


def node_of(folder: Path, *wishes: str) -> Laid:
    return laid(folder / "node", "AAA,1990-01-02,,\nBBB,1990-01-02,,\n", *wishes)


def curated(node: Laid) -> Reader:
    curate.run_once(node.context, SkippingClock())
    return fulltape.open(node.context.folder)


def said(node: Laid, dataset: str, day: dt.date, fact: FactKind, since: int) -> None:
    """A source says something about a day, at a moment."""
    record = CoverageFact(
        dataset=dataset, instrument="AAA", source=SOURCES[0], first=day, last=day, fact=fact, sound=True, final=True, since=since,
        evidence="laid",
    )  # fmt: skip
    with node.context.ledger.write():
        node.context.ledger.coverage.record([record], node.context.wanted[dataset].next_session)


def amounts(
    node: Laid, *, until: int | None = None, known: int | None = None
) -> list[tuple[str, float | None]]:
    """The actions of a view: ex-date and amount."""
    context = node.context
    then = PointInTime(ledger=context.ledger, layout=context.layout, calendar=XNYS, until=until, known=known)
    return [(str(action.ex_date), action.amount) for action in actions.events(then, SOURCES)]


def minutes(node: Laid, rows: list[tuple[str, int, float]], at: int, origin: str = "fetched") -> None:
    """Raw minutes (instrument, number, close) of 2014-06-03, as they came at a moment."""
    session = dt.date(2014, 6, 3)
    position = XNYS.position(session)
    assert position is not None
    begin = XNYS.sessions[position].open
    frame = pl.DataFrame(
        [
            {
                "instrument": name, "symbol": name, "session": session, "ts": to_datetime(begin + number * MINUTE), "close": close,
                "phase": "regular", "minute_of_session": number,
            }
            for name, number, close in rows
        ]
    ).with_columns(*(pl.col("close").alias(name) for name in ("open", "high", "low", "vwap")), volume=pl.lit(1.0))  # fmt: skip
    raw = frames.conform(frame, datasets.get(MINUTES).schema.columns).sort("instrument", "ts")
    if origin == "captured":
        raw = raw.with_columns(ts_recv=pl.lit(at, dtype=pl.Int64), connection=pl.lit(1, dtype=pl.Int64))
    draft = drafts.write(
        node.context, node.context.wanted[MINUTES], raw, layer="raw", folder=f"date={session}", source=SOURCES[0],
        origin=origin, metadata={"known_at": str(at)},  # type: ignore[arg-type]
    )  # fmt: skip
    (part,) = drafts.publish(node.context, [draft], now=1)
    with node.context.ledger.write():
        node.context.ledger.catalogue.register(part, now=at)


def test_only_the_sessions_that_were_asked_for_come_whatever_was_repaired(tmp_path: Path) -> None:
    node = node_of(tmp_path, DAY)
    node.answer("AAA", {"2014-06-02": 10.0, "2014-06-04": 11.0}, at=FIRST)
    with node.context.ledger.write():
        node.context.ledger.repairs.add(HIGHER)
    rows = curated(node).scan(DAY, start=FOURTH, end=FOURTH, known=to_datetime(FIRST)).collect()
    assert rows["session"].to_list() == [FOURTH]


def test_an_action_is_there_until_its_source_took_it_back(tmp_path: Path) -> None:
    node = node_of(tmp_path, DAY, ACTIONS)
    node.actions(DIVIDEND, at=FIRST)
    said(node, ACTIONS, FOURTH, "present", FIRST)
    said(node, ACTIONS, FOURTH, "empty", FIRST + 2 * A_DAY)
    for day, there in ((0, True), (1, True), (2, False), (3, False)):
        moment = FIRST + day * A_DAY
        assert bool(amounts(node, until=moment)) is there, day
        assert bool(amounts(node, known=moment)) is there, day


def test_an_ex_date_that_was_moved_is_told_once(tmp_path: Path) -> None:
    node = node_of(tmp_path, DAY, ACTIONS)
    node.actions(DIVIDEND, at=FIRST)
    said(node, ACTIONS, FOURTH, "present", FIRST)
    node.actions({**DIVIDEND, "ex_date": "2014-07-08"}, at=FIRST + A_DAY)
    said(node, ACTIONS, FOURTH, "empty", FIRST + A_DAY)
    assert amounts(node, until=FIRST - 1) == [("2014-06-04", 0.5)]
    assert amounts(node, until=FIRST) == [("2014-06-04", 0.5)]
    assert amounts(node, until=FIRST + A_DAY) == [("2014-07-08", 0.5)]


def test_what_a_source_tells_of_later_makes_it_silent_on_nothing_before(tmp_path: Path) -> None:
    node = node_of(tmp_path, DAY, ACTIONS)
    split = {"action_type": "forward_split", "ratio_old": 1.0, "ratio_new": 2.0, "ex_date": "2014-06-04"}
    node.actions({"instrument": "AAA", **split}, asked=("2014-01-01", "2014-12-31"), at=FIRST)
    node.asked("AAA", "2014-01-01", "2014-12-31", source=SOURCES[1])
    node.actions({"instrument": "BBB", **split, "ex_date": "2014-05-05"}, source=SOURCES[1], at=FIRST + A_DAY)
    context = node.context
    view = PointInTime(ledger=context.ledger, layout=context.layout, calendar=XNYS, known=FIRST)
    (only,) = actions.events(view, SOURCES)
    assert (only.instrument, only.agreement, only.dissent) == ("AAA", "single", ())


def test_a_cell_that_was_captured_and_then_answered_twice(tmp_path: Path) -> None:
    node = node_of(tmp_path, MINUTES)
    minutes(node, [("AAA", 0, 10.0), ("BBB", 0, 20.0)], FIRST - A_DAY, "captured")
    minutes(node, [("AAA", 0, 11.0)], FIRST)
    minutes(node, [("AAA", 0, 11.5)], FIRST + A_DAY)
    reader = curated(node)

    def closes(
        as_of: str | None = None, known: str | None = None, as_of_basis: str = "any"
    ) -> dict[str, float]:
        rows = reader.scan(MINUTES, as_of=as_of, known=known, as_of_basis=as_of_basis).select(
            pl.col("instrument").cast(pl.String), "close"
        )
        return dict(rows.collect().iter_rows())

    assert closes(as_of="2014-06-04") == closes(as_of="2014-06-05") == {"AAA": 11.0, "BBB": 20.0}
    assert closes(as_of="2014-06-05", as_of_basis="observed") == {"AAA": 11.0, "BBB": 20.0}
    assert closes(known="2014-06-04") == {"AAA": 10.0, "BBB": 20.0}
    assert closes(as_of="2014-06-06") == closes() == {"AAA": 11.5, "BBB": 20.0}


def test_a_row_that_has_gone_is_there_before_also_where_nothing_was_noted(tmp_path: Path) -> None:
    node = node_of(tmp_path, DAY, MINUTES)
    minutes(node, [("AAA", 0, 10.0), ("AAA", 1, 11.0)], FIRST)
    minutes(node, [("AAA", 0, 10.0)], FIRST + A_DAY)
    reader = curated(node)
    assert reader.scan(MINUTES, as_of="2014-06-05").collect()["close"].to_list() == [10.0, 11.0]
    assert reader.scan(MINUTES, as_of="2014-06-06").collect()["close"].to_list() == [10.0]


def test_a_quiet_dataset_is_known_after_the_horizon_has_moved(tmp_path: Path) -> None:
    node = node_of(tmp_path, DAY)
    said(node, DAY, FOURTH, "present", FIRST)
    changes = node.context.ledger.changes
    with node.context.ledger.write():
        changes.restart(FIRST + 5 * A_DAY)
    reader = node.read()
    assert reader.coverage(DAY, known="2014-06-20").height == 1
    with pytest.raises(errors.UsageError, match="kept from 2014-06-10T12:00:00Z on"):
        reader.coverage(DAY, known="2014-06-05")


def test_what_bears_an_earlier_moment_than_it_came_at_is_told_no_earlier(tmp_path: Path) -> None:
    node = node_of(tmp_path, DAY)
    said(node, DAY, dt.date(2014, 6, 3), "present", FIRST)
    said(node, DAY, FOURTH, "present", FIRST + 5 * A_DAY)
    said(node, DAY, dt.date(2014, 6, 2), "present", FIRST)
    reader = node.read()
    assert reader.coverage(DAY, known="2014-06-06")["first"].to_list() == [dt.date(2014, 6, 3)]


def test_the_grid_of_what_was_known_ends_with_it(tmp_path: Path) -> None:
    node = node_of(tmp_path, DAY)
    node.answer("AAA", {"2014-06-02": 10.0}, at=FIRST)
    node.answer("AAA", {"2014-06-09": 11.0}, at=FIRST + 9 * A_DAY)
    said(node, DAY, dt.date(2014, 6, 2), "present", FIRST)
    said(node, DAY, dt.date(2014, 6, 9), "present", FIRST + 9 * A_DAY)
    rows = curated(node).scan(DAY, grid=True, known="2014-06-05").collect()
    assert rows["session"].max() <= dt.date(2014, 6, 5)  # type: ignore[operator]
    assert rows.filter(pl.col("instrument") == "AAA")["session"].to_list() == [dt.date(2014, 6, 2)]


def test_rows_come_in_the_same_order_as_they_are_now(tmp_path: Path) -> None:
    node = node_of(tmp_path, DAY)
    for day in ("2014-01-02", "2014-06-02"):
        for name in ("AAA", "BBB"):
            node.answer(name, {day: 1.0}, at=FIRST)
        curated(node)
    node.answer("AAA", {"2014-06-02": 2.0}, at=FIRST + A_DAY)
    reader = curated(node)
    now, then = (
        reader.scan(DAY, as_of=as_of).select("session", "instrument").collect().rows()
        for as_of in (None, "2014-06-05")
    )
    assert now == then


@pytest.mark.parametrize("damage", ["cut", "overwritten"])
def test_a_damaged_raw_file_below_is_named(tmp_path: Path, damage: str) -> None:
    node = node_of(tmp_path, DAY)
    node.answer("AAA", {"2014-06-03": 10.0}, at=FIRST)
    node.answer("AAA", {"2014-06-03": 11.0}, at=FIRST + A_DAY)
    reader = curated(node)
    part = node.context.ledger.catalogue.current("raw", DAY)[0]
    path = node.context.layout.root / part.path
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] if damage == "cut" else b"x" * len(content))
    with pytest.raises(errors.CorruptPartError):
        reader.scan(DAY, as_of="2014-06-05").collect()


def test_a_vintage_that_ends_is_no_other_value(tmp_path: Path) -> None:
    node = laid(tmp_path / "node", "CPI,1990-01-02,,\n", "macro_series")

    def published(at: int, *rows: tuple[str, str, float, str | None]) -> None:
        day = dt.date.fromisoformat
        frame = pl.DataFrame(
            [
                {
                    "instrument": "CPI", "symbol": "CPI", "session": day(start), "value": value, "realtime_start": day(start),
                    "ts": dt.datetime.fromisoformat(period).replace(tzinfo=dt.UTC), "realtime_end": day(end) if end else None,
                }
                for period, start, value, end in rows
            ],
            infer_schema_length=None,
        )  # fmt: skip
        declared = frames.conform(frame, datasets.get("macro_series").schema.columns)
        node._publish("macro_series", declared, "raw", "year=2014", SOURCES[0], at=at)

    published(FIRST, ("2014-03-01", "2014-04-10", 1.0, None), ("2014-04-01", "2014-05-10", 2.0, None))
    published(FIRST + A_DAY, ("2014-04-01", "2014-05-10", 2.0, "2020-05-01"))
    published(FIRST + 2 * A_DAY, ("2014-04-01", "2014-05-10", 2.5, "2020-05-01"))
    moments = [dt.datetime(2014, 6, 1, tzinfo=dt.UTC), dt.datetime(2014, 6, 10, tzinfo=dt.UTC)]
    rows = pl.LazyFrame({"available_at": moments}, schema={"available_at": pl.Datetime("us", "UTC")})
    assert curated(node).with_series(rows, "CPI").collect()["CPI"].to_list() == [2.0, 2.5]


def test_what_had_come_counts_whether_it_was_curated_yet_or_not(tmp_path: Path) -> None:
    node = node_of(tmp_path, DAY)
    node.answer("AAA", {"2014-06-02": 10.0}, at=FIRST)
    reader = curated(node)
    node.answer("AAA", {"2014-06-02": 10.0, "2014-06-04": 11.0}, at=FIRST + A_DAY)
    with node.context.ledger.write():
        node.context.ledger.repairs.add(HIGHER)
    moment = to_datetime(FIRST + A_DAY)
    before = reader.scan(DAY, known=moment).collect()
    assert before["close"].to_list() == [10.5, 11.0]
    curated(node)
    assert reader.scan(DAY, known=moment).collect().equals(before)
    with node.context.ledger.write():
        node.context.ledger.repairs.undo(
            replace(HIGHER, number=1), who="me", reason="", now=FIRST + 2 * A_DAY
        )
    assert reader.scan(DAY, known=moment).collect().equals(before)


def test_a_repaired_row_is_told_apart(tmp_path: Path) -> None:
    node = node_of(tmp_path, DAY)
    node.answer("AAA", {"2014-06-02": 10.0, "2014-06-03": 10.0}, at=FIRST)
    with node.context.ledger.write():
        node.context.ledger.repairs.add(HIGHER)
    reader = curated(node)
    for as_of in (None, "20140605"):
        basis = reader.scan(DAY, as_of=as_of, columns=["available_basis"]).collect()
        assert basis["available_basis"].to_list() == ["repair", "rule"]
