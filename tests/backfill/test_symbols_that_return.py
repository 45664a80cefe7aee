"""A symbol that comes back to its instrument (QQQ, QQQQ, QQQ) is not asked for while it was somebody else's."""

from __future__ import annotations

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from fulltape import context as opening
from fulltape.backfill.facts import Planner
from fulltape.context import ConfiguredDataset, ConfiguredSource
from fulltape.contract.plans import Limits
from fulltape.contract.vendor import Capability, Source
from fulltape.ledger.task import AGAIN, Claimable, Kind
from fulltape.market import datasets, ranges
from fulltape.market.instruments import DatedSymbol, Instrument

DATASET = datasets.get("equities_bars_day")
CALENDAR = opening.calendar("XNYS")
BEGIN = CALENDAR.between(dt.date(2012, 1, 3), dt.date(2012, 1, 3))[0]
NOW = 2**50
FEED = ConfiguredSource(
    source=Source(
        name="a.x",
        feed="x",
        scope="consolidated",
        capabilities=(
            Capability(
                dataset=DATASET.name,
                history_from=dt.date(1990, 1, 2),
                symbols_per_request=100,
                rows_per_page=10_000,
            ),
        ),
    ),
    vendor="a",
    limits=Limits(),
    history_from=None,
)

stretches = st.lists(st.tuples(st.sampled_from("QRS"), st.integers(1, 8)), min_size=1, max_size=6)


def instrument(history: list[tuple[str, int]]) -> tuple[Instrument, list[str]]:
    """An instrument with these symbols one after the other, and its symbol by session from `BEGIN` on."""
    by_session = [symbol for symbol, sessions in history for _ in range(sessions)]
    dated, at = [], BEGIN
    for symbol, sessions in history:
        first, last = CALENDAR.label(at), CALENDAR.label(at + sessions - 1)
        dated.append(DatedSymbol(symbol=symbol, first=first, last=last))
        at += sessions
    return Instrument(instrument="X", symbols=tuple(dated)), by_session


@given(stretches, st.data())
def test_no_ask_reaches_over_sessions_on_which_the_spelling_was_not_this_instruments(
    history: list[tuple[str, int]], data: st.DataObject
) -> None:
    one, by_session = instrument(history)
    wanted = ConfiguredDataset(
        dataset=DATASET,
        calendar=CALENDAR,
        instruments={"X": one},
        sources=("a.x",),
        first=dt.date(2012, 1, 3),
        until=None,
        final_after=0,
    )
    planner = Planner(FEED, wanted, NOW)
    at = data.draw(st.integers(0, len(by_session) - 1))
    symbol = by_session[at]
    stop = at + 1
    while stop < len(by_session) and by_session[stop] == symbol and data.draw(st.booleans()):
        stop += 1
    kind: Kind = data.draw(st.sampled_from(["GAP", "BOOTSTRAP", "FORWARD"]))
    task = Claimable(
        task_id=1,
        attempt=0,
        instrument="X",
        symbol=symbol,
        first=CALENDAR.label(BEGIN + at).isoformat(),
        last=CALENDAR.label(BEGIN + stop - 1).isoformat(),
        kind=kind,
        purpose=data.draw(st.sampled_from(["fill", AGAIN])),
        expected_rows=1,
    )
    first, last = planner.asked([planner.candidate(task)])
    asked = CALENDAR.between(first, last)
    assert asked[0] <= BEGIN + at
    assert asked[1] >= BEGIN + stop
    assert {by_session[position - BEGIN] for position in range(*asked)} == {symbol}
    assert ranges.subtract((asked,), wanted.spelled("X", symbol)) == ()
