"""Raw files that a night has merged are read like those that it has not."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from laid import ACTIONS, DAY, laid

from clocks import FakeClock
from fulltape.compact import run as compact
from fulltape.market.time import DAY as A_DAY
from fulltape.market.time import from_datetime, midnight


def test_actions_and_answers_are_read_out_of_merged_and_single_files(tmp_path: Path) -> None:
    node = laid(tmp_path, "AAA,1990-01-02,,\n", DAY, ACTIONS)
    node.days("AAA", "2013-01-02", "2014-12-31", lambda _: 100.0)
    for number, day in enumerate(("2013-03-04", "2013-06-03", "2013-09-03", "2013-12-02"), start=1):
        paid = {
            "instrument": "AAA",
            "ex_date": day,
            "action_type": "cash_dividend",
            "amount": number / 10,
            "event_id": day,
        }
        node.actions(paid)
        node.answer("AAA", {day: 100.0 + number}, at=number)
    clock = FakeClock(midnight(dt.date(2015, 6, 1)) + A_DAY)
    merged = compact.run_once(node.context, clock)
    node.actions(
        {
            "instrument": "AAA",
            "ex_date": "2014-03-03",
            "action_type": "cash_dividend",
            "amount": 1.0,
            "event_id": "last",
        }
    )
    node.answer("AAA", {"2013-03-04": 55.0}, at=from_datetime(dt.datetime(2015, 1, 2, tzinfo=dt.UTC)))
    parts = node.context.ledger.catalogue.current("raw", ACTIONS) + node.context.ledger.catalogue.current(
        "raw", DAY
    )
    assert {bool(part.merged) for part in parts} == {True, False}, merged
    reader = node.read()
    assert reader.actions()["amount"].to_list() == [0.1, 0.2, 0.3, 0.4, 1.0]
    changes = reader.diff(DAY, "AAA")
    assert set(changes["after"]) == {"55.0"}
