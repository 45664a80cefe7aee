"""Many series at once and one by one say the same, in whatever state they are."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clocks import SkippingClock
from fulltape.check import run as check
from fulltape.context import NodeContext, bulk_coverage
from fulltape.export import status
from fulltape.node import nightly
from fulltape.simulator import market as markets
from fulltape.simulator.market import Market
from fulltape.views import gaps, state
from nodes import Wish, opened, simulated

DAYS = Wish("equities_bars_day", "2012-10-01", "2012-12-31", ("alpaca.sip",))
MINUTES = Wish("equities_bars_minute", "2012-11-01", "2012-12-14", ("alpaca.sip",))
UNIVERSE = (
    "symbol,listed_from,listed_to,instrument\nAAPL,1980-12-12,,\nFB,2012-05-18,,\nGONE,,,\nIBM,1915-11-11,,\n"
    "MSFT,1986-03-13,2012-11-30,\nNEVER,2000-01-03,,\nSPY,1993-01-29,,\n"
)


def lacking() -> Market:
    """Real bars, of which some sessions and minutes are not there."""
    bars = dict(markets.sample().bars)
    for (grain, symbol), found in bars.items():
        months = ("2012-11",) if symbol == "SPY" else ("2012-11-2",) if symbol == "IBM" else ()
        bars[grain, symbol] = [bar for bar in found if not bar.session.isoformat().startswith(months or "-")]
    bars["minute", "AAPL"] = [
        bar for at, bar in enumerate(bars["minute", "AAPL"]) if bar.session.day != 15 or at % 7
    ]
    return markets.market(bars)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with simulated(tmp_path_factory.mktemp("laid"), lacking(), [DAYS, MINUTES], universe=UNIVERSE) as (
        folder, _,
    ):  # fmt: skip
        with opened(folder) as context:
            nightly.run(context, SkippingClock())
        settings = folder / "fulltape.toml"
        # Some more sessions are wanted, which nobody was asked for yet.
        settings.write_text(settings.read_text().replace("2012-12-14", "2012-12-20"))
        yield folder


def told(context: NodeContext) -> list[Any]:
    clock = SkippingClock()
    now = clock.now()
    cells = status.gather(context, now)
    with context.ledger.write():
        broken = [check._across(context, wanted, now) for wanted in context.wanted.values()]
    return [
        state.cells(context, now),
        [(name, instrument, shown) for name, instrument, shown in pictures(context, now)],
        [dataclasses.astuple(gap) for gap in gaps.gaps(context, now)],
        dict(gaps.pictures(context, now)),
        dict(gaps.pictures(context, now, all_series=True)),
        dict(gaps.pictures(context, now, all_series=True, symbol="IBM")),
        {name: found.facts() for name, found in cells.items()},
        broken,
    ]


def pictures(context: NodeContext, now: int) -> Iterator[tuple[str, str, object]]:
    return ((wanted.dataset.name, name, shown) for wanted, name, shown in state.pictures(context, now))


def test_one_by_one_and_all_at_once_say_the_same(node: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(node) as context:
        each = told(context)
        for few in (1, 3):
            monkeypatch.setattr(bulk_coverage, "FEW", few)
            for one, other in zip(told(context), each, strict=True):
                assert one == other
    counts = each[0]
    assert all(counts["equities_bars_minute"][name] for name in ("held", "partial", "missing"))
    assert any(counts["equities_bars_day"][name] for name in ("empty", "unobtainable", "unknown_listing")), (
        counts
    )
    assert each[7] != [0, 0]
