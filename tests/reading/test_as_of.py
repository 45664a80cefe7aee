"""Reading as of a day is reading a node to which nothing later has come."""

from __future__ import annotations

import datetime as dt
import tempfile
from pathlib import Path
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from laid import ACTIONS, DAY, SOURCES, XNYS, Laid, laid

from fulltape.adjustment.factors import CONVENTIONS, MODES

FIRST, LAST = dt.date(2014, 6, 2), dt.date(2014, 7, 11)
SESSIONS = [XNYS.label(at) for at in range(*XNYS.between(FIRST, LAST))]
NAMES = ("AAA", "BBB")
WEEK = dt.timedelta(days=7)

days = st.dates(FIRST, LAST)
actions = st.fixed_dictionaries(
    {
        "instrument": st.sampled_from(NAMES),
        "ex": days,
        "declared": st.none() | st.integers(0, 20),
        "source": st.sampled_from(SOURCES),
        "what": st.one_of(
            st.tuples(st.just("split"), st.sampled_from([0.5, 2.0, 7.0, 1.05])),
            st.tuples(st.just("cash_dividend"), st.floats(0.01, 5.0)),
        ),
    }
)


def node_of(folder: Path, until: dt.date, history: list[dict[str, Any]], prices: list[float]) -> Laid:
    """A node with bars up to a day, and these actions."""
    node = laid(folder, "".join(f"{name},1990-01-02,,\n" for name in NAMES), DAY, ACTIONS)
    over = [day for day in SESSIONS if day <= until]
    if over:
        node.days(NAMES, str(over[0]), str(over[-1]), lambda day: prices[SESSIONS.index(day)])
    for source in SOURCES:
        mine = [_row(action) for action in history if action["source"] == source]
        node.actions(*mine, source=source)
        for name in NAMES:
            node.asked(name, str(FIRST - WEEK), str(LAST + WEEK), source=source)
            for row in mine:
                if row["instrument"] == name:
                    node.fact(ACTIONS, name, row["ex_date"], row["ex_date"], source=source)
    return node


def _row(action: dict[str, Any]) -> dict[str, Any]:
    kind, value = action["what"]
    row: dict[str, Any] = {
        "instrument": action["instrument"],
        "ex_date": str(action["ex"]),
        "action_type": kind,
    }
    row |= {"ratio_old": 1.0, "ratio_new": value} if kind == "split" else {"amount": value}
    if action["declared"] is not None:
        row["declared_date"] = action["ex"] - dt.timedelta(days=action["declared"])
    return row


def public(action: dict[str, Any], day: dt.date) -> bool:
    """Whether an action was public at the end of a day: announced, or its session had opened."""
    declared = action["declared"]
    opens = next((session for session in SESSIONS if session >= action["ex"]), action["ex"])
    return opens <= day or (declared is not None and action["ex"] - dt.timedelta(days=declared) <= day)


def _event(action: Any) -> tuple[str, dt.date, str, str]:
    return action["instrument"], action["ex"], action["source"], action["what"][0]


@settings(max_examples=25)
@given(
    st.lists(actions, max_size=6, unique_by=_event),
    st.lists(st.floats(50.0, 150.0), min_size=len(SESSIONS), max_size=len(SESSIONS)),
    st.dates(FIRST, LAST),
    st.sampled_from(MODES),
    st.sampled_from(CONVENTIONS),
    st.sampled_from(["latest", "first", "2014-06-02"]),
)  # fmt: skip
def test_as_of_a_day_equals_a_node_that_ends_with_it(
    history: list[dict[str, Any]], prices: list[float], day: dt.date, mode: str, convention: str, anchor: str
) -> None:
    asked: dict[str, Any] = {"adjust": mode, "convention": convention, "anchor": anchor, "grid": True}
    asked["columns"] = [
        "instrument",
        "session",
        "close",
        "return_1",
        "sma_3",
        "is_filled",
        "adjust_status",
        "adjust_anchor",
        "volume",
    ]
    with tempfile.TemporaryDirectory() as folder:
        everything = node_of(Path(folder) / "all", LAST, history, prices).read()
        known = [action for action in history if public(action, day)]
        then = node_of(Path(folder) / "then", day, known, prices).read()
        seen = everything.scan(DAY, as_of=day, **asked).collect()
        expected = then.scan(DAY, **asked).collect()
        assert seen.sort("instrument", "session").equals(expected.sort("instrument", "session"))
        assert everything.actions(as_of=day).drop("dissent").equals(then.actions(as_of=day).drop("dissent"))
        assert seen.filter(pl.col("session") > day).is_empty()
