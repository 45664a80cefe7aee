"""`make bench-web`: how quickly the pages of a large node answer while its ledger is written to.

5,000 symbols over twenty years of sessions (25 million cells), a million tasks, and a writer that never rests.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import httpx2

from benchmarks import browser as browsing
from benchmarks.ledger import world
from benchmarks.report import Report
from fulltape.clock import SystemClock
from fulltape.context import open_ledger
from fulltape.heatmap import run as heatmap
from fulltape.ledger.ledger import Ledger
from fulltape.node import assemble
from fulltape.service.config import WebSettingsConfig, encode
from fulltape.settings import load

_SERIES = "dataset=equities_bars_day&symbol=S0012"
_PAGES = (
    "/", "/log", "/schedule", "/vendors", "/tasks", "/quality", "/bundles", "/coverage", f"/cell?{_SERIES}&session=2012-11-23",
    "/api/v1/node", "/api/v1/coverage/equities_bars_day", "/metrics",
)  # fmt: skip
_TIMES = 200
_MEDIAN, _P99, _PAINT = 50.0, 200.0, 1_000.0
_WAL = 16.0
_PATIENCE = 120.0
_SETTINGS = """
[universe.all]
file = "universe.csv"
[dataset.equities_bars_day]
universe = "all"
sources = ["alpaca.sip"]
from = {first}
until = {last}
[vendor.alpaca]
key = "k"
secret = "s"
history_from = 1990-01-02
"""


def main() -> None:
    """Measure, print the table, end with 1 if a demanded figure is missed."""
    report = Report(name="web")
    folder = Path(tempfile.mkdtemp(prefix="bench-web-"))
    try:
        ledger = _filled(folder)
        stop = threading.Event()
        writer = threading.Thread(target=_writing, args=(ledger, stop))
        writer.start()
        try:
            _measure(report, folder)
        finally:
            stop.set()
            writer.join()
            ledger.close()
    finally:
        shutil.rmtree(folder)
    report.end()


def _filled(folder: Path) -> Ledger:
    calendar, begin = world.CALENDAR, world.BEGIN
    text = _SETTINGS.format(first=calendar.label(begin), last=calendar.label(begin + world.SESSIONS - 1))
    (folder / "fulltape.toml").write_text(text)
    rows = "".join(f"{name},1990-01-02,,\n" for name in world.names())
    (folder / "universe.csv").write_text(f"symbol,listed_from,listed_to,instrument\n{rows}")
    world.SOURCE = "alpaca.sip"
    ledger = open_ledger(folder)
    world.fill_coverage(ledger)
    world.fill_queue(ledger)
    ledger.database.statement("PRAGMA wal_checkpoint(TRUNCATE)")
    with contextlib.closing(assemble.open_context(load.load(folder))) as context:
        heatmap.run_once(context, SystemClock())
    return ledger


def _writing(ledger: Ledger, stop: threading.Event) -> None:
    """Small transactions without end, as a backfill has them."""
    number = 0
    while not stop.wait(0.02):
        number += 1
        with ledger.write():
            for name in range(20):
                ledger.set_bookmark("bench", f"log {name}", number)


def _measure(report: Report, folder: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    order = WebSettingsConfig(
        folder=str(folder),
        text=(folder / "fulltape.toml").read_text(),
        host="127.0.0.1",
        port=port,
        hosts=("127.0.0.1",),
    )
    process = subprocess.Popen([sys.executable, "-m", "fulltape.web"], stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(encode(order))
    process.stdin.flush()
    url = f"http://127.0.0.1:{port}"
    try:
        counts = _counts(url)
        lines, worst, usual = [], 0.0, 0.0
        with httpx2.Client(timeout=30) as client:
            client.get(
                f"{url}/cell?{_SERIES}&session=2012-11-23"
            ).raise_for_status()  # what reads for pages comes now
            for page in _PAGES:
                spans = sorted(_timed(client, f"{url}{page}") for _ in range(_TIMES))
                middle, late = statistics.median(spans), spans[int(0.99 * len(spans))]
                usual, worst = max(usual, middle), max(worst, late)
                lines.append((page, f"{middle:.1f}", f"{late:.1f}"))
        report.table(f"Pages beside a writer, {_TIMES} times each", ["page", "median ms", "p99 ms"], lines)
        report.demand("slowest page, median ms", usual, at_most=_MEDIAN)
        report.demand("slowest page, p99 ms", worst, at_most=_P99)
        report.figures["seconds to read the ledger, for all pages"] = counts["took"]
        report.table(
            "Reading the ledger, beside the pages",
            ["cells", "seconds"],
            [(_cells(counts), f"{counts['took']:.1f}")],
        )
        if browsing.CHROMIUM:
            report.demand("first paint of the coverage page, ms", _first_paint(url), at_most=_PAINT)
        report.demand("WAL, MB", (folder / "ledger.db-wal").stat().st_size / 1e6, at_most=_WAL)
        pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
        report.figures["resident MB of the web process"] = pages * os.sysconf("SC_PAGE_SIZE") / 1e6
        report.figures["cells"] = counts["datasets"][0]["cells"]
    finally:
        process.stdin.close()
        process.wait(30)


def _counts(url: str) -> dict[str, Any]:
    """What the pages have read of the ledger, once they have."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        try:
            counts: dict[str, Any] | None = httpx2.get(f"{url}/api/v1/node").json()["node"]["counts"]
        except httpx2.HTTPError:
            counts = None
        if counts:
            return counts
        time.sleep(0.2)
    sys.exit(f"the pages have not read the ledger within {_PATIENCE:.0f} s")


def _cells(counts: dict[str, Any]) -> str:
    return f"{counts['datasets'][0]['cells']['wanted']:,}"


def _first_paint(url: str) -> float:
    """Milliseconds from the request for the map to its drawing."""
    with browsing.browser() as tab:
        tab.open(f"{url}/healthz")
        began = time.perf_counter()
        tab.open(f"{url}/coverage")
        tab.until("document.getElementById('key').textContent.length > 0")
        return (time.perf_counter() - began) * 1_000


def _timed(client: httpx2.Client, url: str) -> float:
    began = time.perf_counter()
    client.get(url).raise_for_status()
    return (time.perf_counter() - began) * 1_000


if __name__ == "__main__":
    main()
