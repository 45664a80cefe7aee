"""`make bench-soak`: two weeks of a service in minutes, with weekends, a hurricane, both nights of daylight saving, a kill -9 and a day
without power.

Clocks of all processes are shared (`fulltape.clock.ClockShift`): time is real while a job runs, and jumps to what is due next while
none does. The node is then held against one that was filled by a single undisturbed night.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zoneinfo
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.report import Report
from fulltape import clock
from fulltape.clock import ClockShift
from fulltape.market.time import to_datetime
from fulltape.reader import Reader
from fulltape.service import memory
from fulltape.simulator import market as markets
from fulltape.simulator import run as simulator
from fulltape.simulator.scenario import Scenario

_BEGIN = dt.datetime(2012, 10, 24, 12, tzinfo=dt.UTC)
_END = dt.datetime(2012, 11, 7, 12, tzinfo=dt.UTC)
_KILLED = dt.datetime(2012, 10, 27, 15, tzinfo=dt.UTC)
_OFF = (dt.datetime(2012, 10, 31, 20, tzinfo=dt.UTC), dt.datetime(2012, 11, 2, 9, tzinfo=dt.UTC))
"""The power is off over a night: what was due then is made up for once."""
_LONGEST = 560.0
_DATASETS = ("equities_bars_day", "equities_bars_minute")
_ZONES = {"export": "UTC", "berlin": "Europe/Berlin", "new_york": "America/New_York"}
"""Entries that are due at 02:30 in a zone."""
_SETTINGS = """
[node]
clock_wait = "0s"
min_free = "1MB"
[universe.all]
file = "universe.csv"
[dataset.equities_bars_day]
universe = "all"
sources = ["alpaca.sip", "massive.sip"]
from = 2012-10-01
[dataset.equities_bars_minute]
universe = "all"
sources = ["alpaca.sip", "massive.sip"]
from = 2012-10-22
[vendor.alpaca]
key = "k"
secret = "s"
base_url = "{alpaca}"
history_from = 1998-01-02
requests_per_minute = 3000
[vendor.massive]
key = "k"
base_url = "{massive}"
history_from = 1998-01-02
requests_per_minute = 3000
[web]
enabled = false
[schedule.audit]
every = "6h"
[schedule.berlin]
job = "keep"
cron = "30 2 * * *"
zone = "Europe/Berlin"
[schedule.new_york]
job = "keep"
cron = "30 2 * * *"
zone = "America/New_York"
"""


def main() -> None:
    """Measure, print the table, end with 1 if a demanded figure is missed."""
    report = Report(name="soak")
    root = Path(tempfile.mkdtemp(prefix="bench-soak-"))
    shift = root / "clock"
    ClockShift.create(shift, int(_BEGIN.timestamp() * 1e9) - time.time_ns())
    environment = {**os.environ, clock.SHIFT: str(shift)}
    try:
        with simulator.running(markets.sample(), Scenario()) as vendors:
            urls = {name: server.url for name, server in vendors.servers.items()}
            began = time.perf_counter()
            memories = _weeks(_node(root / "service", urls), ClockShift(str(shift)), environment)
            report.figures["seconds"] = time.perf_counter() - began
            _once(_node(root / "night", urls), environment)
        _schedule(report, root / "service")
        _rows(report, root)
        _growth(report, root / "service", memories)
    finally:
        shutil.rmtree(root)
    report.end()


def _node(folder: Path, urls: Mapping[str, str]) -> Path:
    folder.mkdir()
    (folder / "fulltape.toml").write_text(_SETTINGS.format(**urls))
    (folder / "universe.csv").write_text(markets.sample_universe())
    return folder


def _weeks(folder: Path, shift: ClockShift, environment: Mapping[str, str]) -> list[int]:
    """Let the service run from begin to end, kill it once, and switch it off once; the supervisor's memory at each noon (bytes)."""
    stops = [(_KILLED, signal.SIGKILL, 0.0), (_OFF[0], signal.SIGTERM, (_OFF[1] - _OFF[0]).total_seconds())]
    stops.append((_END, signal.SIGTERM, 0.0))
    deadline, memories, day = time.monotonic() + _LONGEST, [], _BEGIN.date()
    for until, how, pause in stops:
        with (folder.parent / "service.log").open("a") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "fulltape.service", str(folder)], env=dict(environment), stderr=log
            )
        while (now := _now(shift)) < until:
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                sys.exit(
                    f"the service ended, or {_LONGEST:.0f} s were not enough: it is {now:%Y-%m-%d %H:%M}"
                )
            if now.date() > day:
                day = now.date()
                memories.append(
                    int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
                    * os.sysconf("SC_PAGE_SIZE")
                )
            time.sleep(0.02)
        process.send_signal(how)
        process.wait(60)
        shift.jump(pause)
    return memories


def _now(shift: ClockShift) -> dt.datetime:
    return dt.datetime.fromtimestamp((time.time_ns() + shift.wall) / 1e9, dt.UTC)


def _once(folder: Path, environment: Mapping[str, str]) -> None:
    """One undisturbed night, at the time at which the service has ended."""
    command = [sys.executable, "-m", "fulltape", "nightly", "--quiet", "--node", str(folder)]
    subprocess.run(command, env=dict(environment), check=True)


def _moments(zone: str) -> Iterator[dt.datetime]:
    """Half past two of every day in a zone, within the weeks; on a night in which it does not exist, right after the gap."""
    local = zoneinfo.ZoneInfo(zone)
    day = _BEGIN.date()
    while day <= _END.date():
        at = dt.datetime(day.year, day.month, day.day, 2, 30, tzinfo=local).astimezone(dt.UTC)
        if _BEGIN < at < _END:
            yield at
        day += dt.timedelta(days=1)


def _schedule(report: Report, folder: Path) -> None:
    """Every moment has run once, and those in the pause were made up for once."""
    runs = memory.runs(folder, 100_000)
    late, wrong, lines = 0.0, 0, []
    for entry, zone in _ZONES.items():
        wanted = [at for at in _moments(zone) if not _OFF[0] < at < _OFF[1]]
        missed = [at for at in _moments(zone) if _OFF[0] < at < _OFF[1]]
        due = Counter(
            to_datetime(run.due) for run in runs if run.entry == entry and run.due and run.outcome == "done"
        )
        wrong += sum(due[at] != 1 for at in wanted) + abs(sum(due[at] for at in missed) - bool(missed))
        wrong += len(set(due) - set(wanted) - set(missed))
        lines.append((entry, zone, len(wanted), len(missed), sum(due.values())))
    for run in runs:
        if run.due and not _OFF[0] <= to_datetime(run.due) <= _OFF[1]:
            late = max(late, (run.started - run.due) / 1e6)
    report.table("Moments of the schedule", ["entry", "zone", "due", "in the pause", "runs"], lines)
    report.figures["failed"] = sum(run.outcome in ("failed", "died") for run in runs)
    report.demand("moments that did not run exactly once", wrong, at_most=0)
    report.demand("seconds by which a run began late, at most", late, at_most=120)


def _rows(report: Report, root: Path) -> None:
    """The same rows, and the same verdicts, as after one night."""
    lines, differ = [], 0
    for dataset in _DATASETS:
        ours, once = (Reader(root / name).scan(dataset).collect() for name in ("service", "night"))
        columns = [name for name in ours.columns if name not in ("available_at", "ingested_at", "source")]
        both = [frame.select(columns).sort("symbol", "ts") for frame in (ours, once)]
        same = both[0].equals(both[1])
        differ += not same
        verdicts = [
            {
                row["verdict"]: row["len"]
                for row in Reader(root / name)
                .verdicts(dataset)
                .group_by("verdict")
                .len()
                .sort("verdict")
                .iter_rows(named=True)
            }
            for name in ("service", "night")
        ]
        differ += verdicts[0] != verdicts[1]
        lines.append(
            (dataset, ours.height, once.height, "same" if same else "DIFFER", verdicts[0], verdicts[1])
        )
    report.table(
        "Rows and verdicts", ["dataset", "service", "one night", "rows", "verdicts", "of one night"], lines
    )
    report.demand("datasets that differ from one undisturbed night", differ, at_most=0)


def _growth(report: Report, folder: Path, memories: list[int]) -> None:
    """The supervisor's memory after its first days, and what the service keeps."""
    settled = memories[3:] or memories
    report.figures["supervisor bytes by day"] = memories
    size = sum(path.stat().st_size for path in (folder / "service").iterdir() if path.is_file())
    report.demand("supervisor: memory of the last day / of the fourth", settled[-1] / settled[0], at_most=1.1)
    report.demand("kB in service/", size / 1_000, at_most=2_200)
    leftovers = [
        path for path in (folder / "lake").rglob("*") if ".tmp-" in path.name or path.suffix == ".journal"
    ]
    report.demand("leftover files", len(leftovers), at_most=0)


if __name__ == "__main__":
    main()
