"""Live capture side by side with bare clients, bare files, bare libraries and another project; `make bench-live`."""

from __future__ import annotations

import contextlib
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.live import appending, clients, sealing
from benchmarks.report import RESULTS, Report
from fulltape.capture import config

_ROOT = Path(__file__).parents[2]
_PEER = _ROOT / ".interop" / "cryptofeed" / "bin" / "python"
_MANY, _FEW = 3_000_000, 200_000
_ROUNDS = 3
_PACE, _SECONDS = 5_000, 40
_LONG, _WARM = 100, 40
"""Seconds for which memory is watched, and those at the beginning in which buffers find their size."""
_ROWS = 500_000


@contextlib.contextmanager
def _flood(count: int, rate: int = 0) -> Iterator[str]:
    """The server's port."""
    command = [sys.executable, "-m", "benchmarks.live.flood", str(count), str(rate)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=_ROOT)
    try:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
    finally:
        server.kill()
        server.wait()


def _ran(*command: str, inside: Path = _ROOT) -> list[float]:
    done = subprocess.run(command, capture_output=True, text=True, cwd=inside, timeout=300, check=False)
    if done.returncode or not done.stdout.strip():
        raise RuntimeError(f"{command[1:4]} failed: {done.stderr[-800:]}")
    return [float(part) for part in done.stdout.split()]


def _client(name: str, port: str, count: int, folder: Path) -> list[float]:
    return _ran(sys.executable, "-m", "benchmarks.live.clients", name, port, str(count), str(folder))


def _received(report: Report, folder: Path) -> None:
    """Socket → journal → fsync, beside a bare client and cryptofeed."""
    best: dict[str, tuple[float, float]] = {}
    with _flood(_MANY) as port:
        for at in range(_ROUNDS):
            for name in ("bare", "capture"):
                took, used = _client(name, port, _MANY, folder / f"{name}{at}")
                kept = best.get(name, (0.0, 0.0))
                best[name] = (max(kept[0], _MANY / took), max(kept[1], _MANY / used))
    (folder / "raw").mkdir()
    with _flood(_FEW) as port:
        script = str(_ROOT / "benchmarks" / "live" / "peers" / "cryptofeed_capture.py")
        for kind in ("memory", "file"):
            took, used = _ran(str(_PEER), script, port, str(_FEW), kind, str(folder / "raw"), inside=folder)
            best[f"cryptofeed, {kind}"] = (_FEW / took, _FEW / used)
    titles = {"bare": "bare picows + msgspec, nothing kept", "capture": "fulltape, every message durable"}
    report.table(
        "Messages received",
        ("", "a second", "a second of processor"),
        [(titles.get(name, name), *figures) for name, figures in best.items()],
    )
    report.figures["received"] = best
    report.demand(
        "socket → journal → fsync, of a bare client's pace",
        best["capture"][0] / best["bare"][0],
        at_least=0.6,
    )
    peer = max(used for name, (_, used) in best.items() if name.startswith("cryptofeed"))
    report.demand("messages a second of processor, ÷ cryptofeed", best["capture"][1] / peer, at_least=3)


def _appended(report: Report, folder: Path) -> None:
    ours, bare, size = appending.timed(folder, 1_000)
    report.table(
        f"One commit of {size:,} bytes",
        ("", "µs"),
        [("journal: append, sync", ours * 1e6), ("write, fdatasync", bare * 1e6)],
    )
    report.demand("journal append ÷ write + fdatasync of the same bytes", ours / bare, at_most=1.15)


def _sealed(report: Report, folder: Path) -> None:
    took, size, plain = sealing.timed(_ROWS, folder, _ROUNDS)
    fastest = min(seconds for name, seconds in took.items() if name != "fulltape")
    report.table(
        f"{_ROWS:,} trades sealed, or decoded, sorted and written",
        ("", "ms", "rows a second"),
        [(name, seconds * 1_000, _ROWS / seconds) for name, seconds in took.items()],
    )
    report.figures["sealed"] = {**took, "bytes a row": size / _ROWS, "pyarrow's bytes a row": plain / _ROWS}
    report.demand("seal, of the fastest bare pace", fastest / took["fulltape"], at_least=0.8)
    report.demand("bytes ÷ pyarrow's defaults", size / plain, at_most=0.65)


def _beside_load(report: Report, folder: Path) -> None:
    """Waiting times while a backfill and a curation run beside."""
    count = _PACE * _SECONDS
    load = [sys.executable, "-m", "benchmarks.live.load", str(folder / "load"), str(_SECONDS)]
    with _flood(count, _PACE) as port:
        beside = subprocess.Popen(load, stdout=subprocess.PIPE, text=True, cwd=_ROOT)
        median, p99, longest = _client("paced", port, count - _PACE, folder / "paced")
        nights = beside.communicate()[0].strip()
    interval = config.CaptureConfig(lake="", writer="", feeds=()).flush_interval
    report.table(
        f"Seconds from receipt to durable, {_PACE:,} a second for {_SECONDS} s, {nights} nights beside",
        ("median", "p99", "longest"),
        [(median, p99, longest)],
    )
    report.demand("p99 of receipt to fsync beyond the flush interval, seconds", p99 - interval, at_most=0.05)


def _memory(report: Report, folder: Path) -> None:
    """The capture process itself, with 500 subscriptions."""
    folder.mkdir()
    pss: list[float] = []
    own: list[float] = []
    with _flood(_PACE * (_LONG + 20), _PACE) as port:
        told = config.encode(clients.told(int(port), str(folder), symbols=500))
        process = subprocess.Popen([sys.executable, "-m", "fulltape.capture"], stdin=subprocess.PIPE)
        assert process.stdin is not None
        process.stdin.write(told + b"\n")
        process.stdin.flush()
        for _ in range(_LONG):
            time.sleep(1)
            told_by_kernel = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
            sizes = dict(re.findall(r"^(\w+):\s+(\d+) kB", told_by_kernel, re.MULTILINE))
            pss.append(int(sizes["Pss"]) / 1_000)
            # What is its own alone: shares of libraries change with what else runs.
            own.append(int(sizes["Private_Dirty"]) / 1_000)
        process.terminate()
        process.wait()
        process.stdin.close()
    late = own[_WARM:]
    slope = statistics.linear_regression(range(len(late)), late).slope * 60
    report.table(
        f"Memory of capture (MB), 500 subscriptions, {_PACE:,} messages a second",
        ("first", "highest", "last", "slope a minute"),
        [(pss[0], max(pss), pss[-1], slope)],
    )
    report.figures["memory"] = pss
    report.demand("memory of capture with 500 subscriptions, MB", max(pss), at_most=40)
    report.demand("slope of its memory, MB a minute", slope, at_most=0.5)


def main() -> None:
    """Everything in one run."""
    report = Report("live")
    # On the disk of the checkout, not in memory as /tmp may be; in the ignored folder, should it be killed.
    RESULTS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=RESULTS) as name:
        folder = Path(name)
        _received(report, folder)
        _appended(report, folder)
        _sealed(report, folder)
        _beside_load(report, folder)
        _memory(report, folder / "memory")
    report.end()


if __name__ == "__main__":
    main()
