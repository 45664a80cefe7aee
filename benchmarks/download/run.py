"""`make bench-download`: one-line downloads from simulated vendors, beside a vendor's own client and ccxt over the same servers.

How much of what a limit allows is used, processor time for each row, and whether memory grows with the range.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.report import Report
from fulltape.calendars import tables
from fulltape.market import days
from fulltape.market.time import DAY, MINUTE, midnight
from fulltape.simulator import run as simulator
from fulltape.simulator import scenario
from fulltape.simulator.market import Market, market
from fulltape.simulator.minutes import Bar
from fulltape.simulator.run import Running

_CLIENTS = Path(".interop/clients/bin/python")
_OTHERS = Path(__file__).parent / "others.py"
_STOCKS, _COINS = ("AAPL", "IBM", "MSFT", "SPY"), ("BTC/USD", "BTC/USDT")
_FIRST, _LAST = "2023-01", "2023-12"
_LIMIT = 15
_LEAST_USED, _MOST_CPU, _MOST_GROWTH, _MOST_MEMORY = 0.95, 0.5, 1.25, 200.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Measured:
    """One program: seconds, seconds of processor time, rows, requests, and the most memory it had (MB)."""

    seconds: float
    cpu: float
    rows: int
    requests: int
    memory: float

    @property
    def cpu_per_row(self) -> float:
        """Microseconds."""
        return self.cpu / max(1, self.rows) * 1e6


def main() -> None:
    """Measure, print the table, end with 1 if a demanded figure is missed."""
    report = Report(name="download")
    folder = Path(tempfile.mkdtemp(prefix="bench-download-"))
    try:
        with simulator.running(_market(), scenario.parse("", where="benchmark")) as twins:
            _measure(report, folder, twins)
    finally:
        shutil.rmtree(folder)
    report.end()


def _measure(report: Report, folder: Path, twins: Running) -> None:
    stocks = _download(twins, folder / "a", "alpaca.sip", *_STOCKS, limit=100_000)
    quarter = _download(twins, folder / "q", "alpaca.sip", *_STOCKS, limit=100_000, last="2023-03")
    coins = _download(twins, folder / "b", "coinbase.exchange", "BTC/USD", limit=100_000)
    limited = _download(twins, folder / "c", "alpaca.sip", *_STOCKS, limit=_LIMIT)
    lines = [
        ("fulltape, Alpaca", stocks),
        ("fulltape, Alpaca, a quarter", quarter),
        ("fulltape, Coinbase", coins),
    ]
    lines.append((f"fulltape, Alpaca, {_LIMIT} requests a minute", limited))
    if _CLIENTS.exists():
        sdk = _other(twins, "alpaca", "alpaca", *_STOCKS)
        paging = _other(twins, "coinbase", "ccxt", "BTC/USD")
        lines += [("alpaca-py, one symbol after the other", sdk), ("ccxt, one page after the other", paging)]
        report.demand(
            "processor time a row, of alpaca-py's", stocks.cpu_per_row / sdk.cpu_per_row, at_most=_MOST_CPU
        )
        report.demand(
            "processor time a row, of ccxt's", coins.cpu_per_row / paging.cpu_per_row, at_most=_MOST_CPU
        )
    report.table(
        "Minutes of a year",
        ["program", "s", "cpu s", "rows", "requests", "µs cpu a row", "MB"],
        [
            (
                name,
                f"{each.seconds:.1f}",
                f"{each.cpu:.1f}",
                f"{each.rows:,}",
                each.requests,
                f"{each.cpu_per_row:.1f}",
                f"{each.memory:.0f}",
            )
            for name, each in lines
        ],
    )
    # No minute holds more than the limit: so many minutes lie between the first request and the last one at the least.
    least = (limited.requests - 1) // _LIMIT * 60
    report.demand(
        "of the requests that the limit allows",
        least / (limited.seconds - stocks.seconds * 0.2),
        at_least=_LEAST_USED,
    )
    report.demand(
        "memory of a year, of that of a quarter", stocks.memory / quarter.memory, at_most=_MOST_GROWTH
    )
    report.demand(
        "memory, MB",
        max(each.memory for name, each in lines if name.startswith("fulltape")),
        at_most=_MOST_MEMORY,
    )


def _market() -> Market:
    """A year of minutes: four stocks, and a coin at two venues."""
    bars: dict[tuple[str, str], list[Bar]] = {}
    calendar = tables.load("XNYS")
    start, stop = calendar.between(dt.date(2023, 1, 1), dt.date(2023, 12, 31))
    for symbol in _STOCKS:
        walk = _walk(symbol)
        bars["minute", symbol] = [
            next(walk).at(at, session.label)
            for session in calendar.sessions[start:stop]
            for at in range(session.open, session.close, MINUTE)
        ]
    first = midnight(dt.date(2023, 1, 1))
    rule = days.RULES[days.ROUND_THE_CLOCK]
    for symbol in _COINS:
        walk = _walk(symbol)
        bars["minute", symbol] = [
            next(walk).at(at, rule.session(at)) for at in range(first, first + 365 * DAY, MINUTE)
        ]
    return market(bars)


@dataclasses.dataclass(frozen=True)
class _Price:
    value: float

    def at(self, start: int, session: dt.date) -> Bar:
        """A bar at this price."""
        price = self.value
        return Bar(
            start=start,
            session=session,
            open=price,
            high=price + 0.5,
            low=price - 0.5,
            close=price + 0.25,
            volume=100,
        )


def _walk(symbol: str) -> Iterator[_Price]:
    generator, price = random.Random(symbol), 100.0
    while True:
        price = max(10.0, price + generator.choice((-0.25, 0.0, 0.25)))
        yield _Price(price)


def _download(
    twins: Running, out: Path, source: str, *symbols: str, limit: int, last: str = _LAST
) -> Measured:
    vendor = source.partition(".")[0]
    command = [
        sys.executable, "-m", "fulltape", "download", source, *symbols, "--data", "bars_minute", "--from", _FIRST, "--to", last,
        "--out", str(out), "--base-url", twins.servers[vendor].url, "--history-from", "2000", "--limit", str(limit), "--max-gap", "off",
        "--quiet",
    ]  # fmt: skip
    measured = _child(twins, vendor, command, {"ALPACA_KEY": "k", "ALPACA_SECRET": "s"})
    report = json.loads((out / "report.json").read_bytes())
    assert report["complete"], report["why"][:3]
    return dataclasses.replace(measured, rows=report["rows"])


def _other(twins: Running, vendor: str, how: str, *symbols: str) -> Measured:
    """Another program over the same server; it prints how many rows it had."""
    command = [str(_CLIENTS), str(_OTHERS), how, twins.servers[vendor].url, _FIRST, *symbols]
    return _child(twins, vendor, command, {})


def _child(twins: Running, vendor: str, command: list[str], environment: dict[str, str]) -> Measured:
    before, began, memory = len(twins.servers[vendor].log), time.perf_counter(), 0
    cpu = os.times().children_user + os.times().children_system
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment}
    ) as child:
        while child.poll() is None:
            memory = max(memory, _high_water(child.pid))
            time.sleep(0.02)
        assert child.stdout is not None
        said = child.stdout.read()
    assert child.returncode == 0, command
    return Measured(
        seconds=time.perf_counter() - began,
        cpu=os.times().children_user + os.times().children_system - cpu,
        rows=int(said) if said.strip().isdecimal() else 0,
        requests=len(twins.servers[vendor].log) - before,
        memory=memory / 1e3,
    )


def _high_water(process: int) -> int:
    """The most memory that a process has had, kB."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)


if __name__ == "__main__":
    main()
