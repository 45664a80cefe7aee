"""A calendar ends: the node says so in time, and beyond it nothing is complete."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from clocks import FakeClock
from fulltape.market.time import midnight
from fulltape.node import nightly
from fulltape.simulator import market as markets
from fulltape.views import state
from nodes import Wish, opened, simulated

UNIVERSE = "symbol,listed_from,listed_to,instrument\nAAPL,1980-12-12,2012-12-31,\n"
WISH = Wish("equities_bars_day", "2012-12-03", "2012-12-14", ("alpaca.sip",))


@pytest.mark.parametrize(
    ("days", "said", "complete"),
    [(-61, "", True), (-59, "ends on", True), (0, "ends on", True), (1, "ended on", False)],
)
def test_the_end_of_a_calendar_is_said(tmp_path: Path, days: int, said: str, complete: bool) -> None:
    with simulated(tmp_path, markets.sample(), [WISH], universe=UNIVERSE) as (folder, _):
        settings = folder / "fulltape.toml"
        settings.write_text(settings.read_text().replace("until = 2012-12-14\n", ""))
        with opened(folder) as context:
            end = context.wanted["equities_bars_day"].calendar.known_to
            clock = FakeClock(midnight(end + dt.timedelta(days=days)))
            told = state.horizons(context, clock.now())
            assert len(told) == bool(said)
            assert all(said in sentence and "calendars refresh XNYS" in sentence for sentence in told)
            done = nightly.run(context, clock)
            assert not done.audit.missing
            assert done.complete == complete


def test_what_ends_before_its_calendar_is_complete_for_ever(tmp_path: Path) -> None:
    with (
        simulated(tmp_path, markets.sample(), [WISH], universe=UNIVERSE) as (folder, _),
        opened(folder) as context,
    ):
        end = context.wanted["equities_bars_day"].calendar.known_to
        clock = FakeClock(midnight(end + dt.timedelta(days=700)))
        assert state.horizons(context, clock.now()) == []
        assert nightly.run(context, clock).complete
