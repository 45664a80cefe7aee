"""A finished node in whose minutes there is a hole, and of which one month of days is missing."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
from collections.abc import Iterator
from pathlib import Path

from clocks import SkippingClock
from fulltape.market.time import MINUTE, from_datetime
from fulltape.node import nightly
from fulltape.simulator import market as markets
from fulltape.simulator.market import Market
from nodes import Wish, opened, simulated

HOLE = dt.datetime(2012, 11, 23, 15, 14, tzinfo=dt.UTC)
"""10:14 in New York; two minutes are not there."""
ONE = "2012-11-23"
WISHES = (
    Wish("equities_bars_day", "2012-01-03", "2012-12-31"),
    Wish("equities_bars_minute", "2012-11-01", "2012-11-30"),
)
LACKING = "IBM"
"""Has no days in June, at any vendor."""


def market() -> Market:
    """The sample market with its holes."""
    whole = markets.sample()
    begin = from_datetime(HOLE)
    bars = dict(whole.bars)
    bars["minute", "AAPL"] = [
        bar for bar in bars["minute", "AAPL"] if not begin <= bar.start < begin + 2 * MINUTE
    ]
    bars["day", LACKING] = [bar for bar in bars["day", LACKING] if bar.session.month != 6]
    return dataclasses.replace(whole, bars=bars)


@contextlib.contextmanager
def holed(folder: Path, extra: str = "") -> Iterator[Path]:
    """The node after a night."""
    with simulated(folder, market(), WISHES, universe=markets.sample_universe(), extra=extra) as (node, _):
        with opened(node) as context:
            nightly.run(context, SkippingClock())
        yield node
