"""The demonstration's node: ordinary settings, pointed at the simulated vendors."""

from __future__ import annotations

from pathlib import Path

from fulltape.simulator import market

DAYS = ("2000-03-01", "2013-03-01")
MINUTES = ("2012-10-01", "2012-12-31")
PER_MINUTE = {"alpaca": 200, "massive": 120}
PER_DAY = {"alpaca": 5_000, "massive": 1_000}
KEY = "demo-key-of-no-value"

LANES = 4
"""Conversations with one vendor at once."""
_TEMPLATE = """\
# The node of `fulltape demo`: ordinary settings, pointed at simulated vendors on loopback. They end with the
# demonstration; what is held here stays readable.

[universe.sample]
file = "universe.csv"

[dataset.equities_bars_day]
universe = "sample"
sources = ["alpaca.sip", "massive.sip"]
from = {days[0]}
until = {days[1]}

[dataset.equities_bars_minute]
synthetic = true                 # made by the simulator from the real day bars
universe = "sample"
sources = ["alpaca.sip", "massive.sip"]
from = {minutes[0]}
until = {minutes[1]}

[dataset.corporate_actions]
universe = "sample"
sources = ["alpaca.sip", "massive.sip"]
from = {days[0]}
until = {days[1]}

[vendor.alpaca]
key = "{key}"
secret = "{key}"
base_url = "{alpaca}"
history_from = {days[0]}         # the simulated plan reaches back to the sample's first day
requests_per_minute = {per_minute[alpaca]}
requests_per_day = {per_day[alpaca]}

[vendor.massive]
key = "{key}"
base_url = "{massive}"
history_from = {days[0]}
requests_per_minute = {per_minute[massive]}
requests_per_day = {per_day[massive]}

[backfill]
workers = {workers}
"""


def create(folder: Path, urls: dict[str, str]) -> None:
    """Write the node's settings and universe."""
    folder.mkdir(parents=True, exist_ok=True)
    text = _TEMPLATE.format(
        days=DAYS, minutes=MINUTES, key=KEY, per_minute=PER_MINUTE, per_day=PER_DAY, workers=LANES, **urls
    )
    (folder / "fulltape.toml").write_text(text)
    (folder / "universe.csv").write_text(market.sample_universe())


def plan() -> list[str]:
    """The simulated plan in words."""
    return [
        f"equities_bars_day     {DAYS[0]} to {DAYS[1]}, real prices of AAPL, FB, GOOG, IBM, MSFT",
        f"equities_bars_minute  {MINUTES[0]} to {MINUTES[1]}, synthetic, made from the real day bars",
        f"corporate_actions     {DAYS[0]} to {DAYS[1]}, real splits and dividends, asked of both vendors",
        *(
            f"{name:<21} {PER_MINUTE[name]} requests a minute, {PER_DAY[name]:,} a day (simulated plan)"
            for name in PER_MINUTE
        ),
    ]
