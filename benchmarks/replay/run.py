"""`make bench-replay`: how late a recording is played, at what it costs."""

from __future__ import annotations

import asyncio
import multiprocessing
import resource
import shutil
import tempfile
import time
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.report import Report
from fulltape.clock import SystemClock
from fulltape.contract.events import ConnectionEvent
from fulltape.contract.streams import Channel
from fulltape.lake import messages
from fulltape.lake.journal import Journal, RecordKind
from fulltape.lake.layout import Layout
from fulltape.replay import run
from fulltape.replay.run import ReplayObserver, ReplaySettings
from fulltape.replay.server import ReplayServer

_NAME = "btcusdt@trade"
_CASES = (("1,000 a second", 1_000, 15, 1.0), ("100 a second, 100 times as fast", 100, 1_500, 100.0))
_BLOCK = 100


def _recorded(root: Path, rate: int, seconds: int) -> int:
    """Write a recording; returns its messages."""
    start = time.time_ns()
    journal = Journal(Layout(root=root), writer="node.capture", source="binance.spot", clock=SystemClock())
    channel = Channel(name=_NAME, dataset="crypto_trades", symbol="BTC/USDT", wire="BTCUSDT", detail="trades")
    for event in (
        ConnectionEvent(what="opened", at=start, carried=(channel,)),
        ConnectionEvent(what="confirmed", at=start, connection=1, channels=(_NAME,)),
    ):
        journal.append(RecordKind.MARK, messages.encode_event(event))
    count = rate * seconds
    for at in range(0, count, _BLOCK):
        numbers = range(at, min(at + _BLOCK, count))
        said = [
            b'{"stream":"%b","data":{"e":"trade","t":%d,"p":"68000.01000000"}}' % (_NAME.encode(), n)
            for n in numbers
        ]
        stamps = array("q", [start + n * 10**9 // rate for n in numbers])
        block = messages.block(1, at // _BLOCK + 1, said, stamps)
        journal.append(RecordKind.MESSAGES, *messages.encode_block(block))
    journal.close()
    return count


def _client(url: str, count: int, told: Any) -> None:
    """Read everything in a process of its own, and tell whether it came in order."""
    from websockets.sync.client import connect

    with connect(f"{url}/ws/{_NAME}") as socket:
        numbers = [int(socket.recv(decode=False).split(b'"t":')[1].split(b",")[0]) for _ in range(count)]
    told.put(numbers == list(range(count)))


class _Started(ReplayObserver):
    def __init__(self, count: int) -> None:
        self._count = count
        self.told: Any = multiprocessing.Queue()

    def listening(self, servers: Sequence[ReplayServer]) -> None:
        """Let the client come."""
        args = (servers[0].url, self._count, self.told)
        multiprocessing.Process(target=_client, args=args, daemon=True).start()


def main() -> None:
    """Measure, print the table, end with 1 if a demanded figure is missed."""
    report, rows = Report(name="replay"), []
    for title, rate, seconds, speed in _CASES:
        root = Path(tempfile.mkdtemp(prefix="bench-replay-"))
        try:
            count = _recorded(root, rate, seconds)
            observer = _Started(count)
            used = time.process_time()
            done = asyncio.run(run.play(ReplaySettings(root=root, speed=speed), observer))
            used = time.process_time() - used
            in_order = observer.told.get(timeout=60)
        finally:
            shutil.rmtree(root)
        report.demand(f"{title}: all in order", float(in_order and done.messages == count), at_least=1)
        report.demand(f"{title}: ms late, 99 %", done.late_p99, at_most=10)
        rows.append((title, count, done.late_p50, done.late_p99, done.late_most, used / count * 1e6))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    report.figures |= {"peak MB": peak, "cases": rows}
    report.table(
        f"A recording, played to one client; peak {peak:.0f} MB",
        ["recording", "messages", "ms late, median", "99 %", "most", "µs of processor a message"],
        rows,
    )
    report.end()


if __name__ == "__main__":
    main()
