"""Stores nodes of the present code, which later code must open: `python tests/stored/make.py NAME`, from the checkout.

Each is an archive of a node's folder whose nights are done, and of the moment at which they were. One has history of two
vendors, with holes and RED cells; one has captured a stream that was interrupted.
"""

from __future__ import annotations

import sys
import tarfile
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "live")]

from living import BINANCE, Later, living  # noqa: E402

from clocks import FakeClock, SkippingClock  # noqa: E402
from fulltape.market.time import DAY  # noqa: E402
from fulltape.node import nightly  # noqa: E402
from fulltape.simulator import market as markets  # noqa: E402
from nodes import Wish, opened, simulated  # noqa: E402

UNIVERSE = "symbol,listed_from,listed_to,instrument\nAAPL,1980-12-12,,\nIBM,1915-11-11,,\nGONE,1990-01-02,2012-11-20,\n"
WISHES = [
    Wish("equities_bars_day", "2012-11-01", "2012-12-31"),
    Wish("equities_bars_minute", "2012-12-03", "2012-12-07", ("alpaca.sip",)),
]
FAULTS = """
[[fault]]
vendor = "alpaca"
do = "missing_days"
symbols = ["IBM"]
first = 2012-11-12
last = 2012-11-14
[[fault]]
vendor = "alpaca"
do = "missing_days"
symbols = ["AAPL"]
grain = "day"
first = 2012-12-10
last = 2012-12-10
[[fault]]
vendor = "massive"
do = "missing_days"
symbols = ["AAPL"]
grain = "day"
first = 2012-12-10
last = 2012-12-10
[[fault]]
vendor = "alpaca"
do = "dst_shift"
symbols = ["IBM"]
grain = "minute"
first = 2012-12-05
last = 2012-12-05
"""


def history(folder: Path) -> int:
    """A node of two vendors in `folder/node`; the moment (µs UTC) after its last night."""
    market = markets.sample()
    with (
        simulated(folder, market, WISHES, universe=UNIVERSE, faults=FAULTS) as (node, _),
        opened(node) as context,
    ):
        clock = SkippingClock()
        for _ in range(2):
            nightly.run(context, clock)
        return clock.now()


def captured(folder: Path) -> int:
    """A node that has captured for some seconds, in `folder/node`; the moment (µs UTC) of its night, two days later."""
    with living(folder, BINANCE) as node:
        for _ in range(2):
            with node.capturing():
                node.until(node.ticks(40))
                node.break_all()
                node.until(node.ticks(40))
        node.seal()
        node.heal()
        node.stream.pause()
        later = Later(2 * DAY)
        with node.opened() as context:
            nightly.run(context, later)
        return later.now()


def main() -> None:
    """Make both, and put them beside this file."""
    (name,) = sys.argv[1:]
    target = HERE / name
    target.mkdir()
    for kind, make in (("history", history), ("captured", captured)):
        with tempfile.TemporaryDirectory() as temporary:
            now = make(Path(temporary))
            with opened(Path(temporary) / "node") as context:
                nightly.run(context, FakeClock(now))
            (Path(temporary) / "node" / "now").write_text(str(now))
            with tarfile.open(target / f"{kind}.tar.xz", "w:xz") as archive:
                archive.add(Path(temporary) / "node", arcname="node")


if __name__ == "__main__":
    main()
