"""What a machine does beside capturing: backfills and curates, again and again: `python -m benchmarks.live.load FOLDER
SECONDS`; prints how many nights it got through."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from fulltape.clock import SystemClock
from fulltape.node import assemble, nightly
from fulltape.settings import load
from fulltape.simulator import market, run
from fulltape.simulator.scenario import Scenario


def _node(folder: Path, url: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "universe.csv").write_text(market.sample_universe())
    (folder / "fulltape.toml").write_text(
        f"""[universe.all]
file = "universe.csv"
[dataset.equities_bars_minute]
universe = "all"
sources = ["alpaca.sip"]
from = 2012-10-01
until = 2012-12-31
[vendor.alpaca]
key = "any"
secret = "any"
base_url = "{url}"
history_from = 2000-03-01
requests_per_minute = 100000
"""
    )
    return folder


def main() -> None:
    """Night after night, each in a node of its own."""
    folder, until = Path(sys.argv[1]), time.monotonic() + float(sys.argv[2])
    nights = 0
    with run.running(market.sample(), Scenario(), vendors={"alpaca": 0}) as twins:
        while time.monotonic() < until:
            place = _node(folder / f"night{nights}", twins.servers["alpaca"].url)
            context = assemble.open_context(load.load(place))
            nightly.run(context, SystemClock())
            context.close()
            nights += 1
    print(nights)


if __name__ == "__main__":
    main()
