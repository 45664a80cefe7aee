"""The capture process: orders in, sockets on one event loop, a status file out."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from fulltape import clock as clock_module
from fulltape.capture import config as telling
from fulltape.capture import plan
from fulltape.capture.config import CaptureConfig
from fulltape.capture.config import SourceConfig as Order
from fulltape.capture.plan import Clocks
from fulltape.capture.source import SourceCapture
from fulltape.capture.writer import Synced
from fulltape.lake import capture_state
from fulltape.lake.capture_state import CapturedChannel, CapturedSource, CaptureState
from fulltape.lake.layout import Layout
from fulltape.market.time import Clock

_STATUS_EVERY = 1.0


async def capture(
    orders: CaptureConfig,
    clock: Clock,
    stop: asyncio.Event,
    *,
    timestamp: Callable[[], int] = clock_module.wall_ns,
    synced: Synced | None = None,
) -> None:
    """Capture until `stop` is set; everything that was delivered until then is durable when this returns."""
    layout = Layout(root=Path(orders.lake))
    status = layout.capture_state(orders.writer)
    boot = clock_module.this_boot()
    known = _clocks(capture_state.read(status), boot, clock, timestamp)
    feeds: dict[str, SourceCapture] = {}

    async def kept(order: Order) -> None:
        """One source for as long as we run: a defect in its part ends its part only, and that begins again."""
        ends = 0
        while not stop.is_set():
            try:
                earlier = feeds[order.source].clocks if order.source in feeds else known
                feed = SourceCapture(
                    order,
                    orders,
                    layout=layout,
                    clock=clock,
                    timestamp=timestamp,
                    clocks=replace(earlier),
                    synced=synced,
                )
                feeds[order.source] = feed
                await feed.run(stop)
            except Exception as error:  # noqa: BLE001 — one vendor's failure must not touch another
                words = f"{order.source}: {type(error).__name__}: {error}; it begins again"
                sys.stderr.write(f"{words}\n")
                ends += 1
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), plan.wait_before(ends, 1.0))

    teller = asyncio.create_task(_tell(feeds, status, timestamp, boot))
    try:
        await asyncio.gather(*(kept(order) for order in orders.feeds))
    finally:
        teller.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await teller
        if feeds:
            capture_state.write(status, _state(feeds, timestamp, boot, running=False))


def _clocks(before: CaptureState | None, boot: str, clock: Clock, timestamp: Callable[[], int]) -> Clocks:
    """How far the wall clock and the steady one are apart: as the process before has left them in the same boot, so that a
    clock that was set between two processes is noticed, too."""
    if before is not None and before.boot == boot:
        return Clocks(apart=before.apart, since=before.since)
    now = timestamp()
    return Clocks(apart=now - 1_000 * clock.steady(), since=now)


async def _tell(
    feeds: Mapping[str, SourceCapture], status: Path, timestamp: Callable[[], int], boot: str
) -> None:
    while True:
        if feeds:  # Before, there is nothing to tell.
            capture_state.write(status, _state(feeds, timestamp, boot, running=True))
        await asyncio.sleep(_STATUS_EVERY)


def _state(
    feeds: Mapping[str, SourceCapture], timestamp: Callable[[], int], boot: str, *, running: bool
) -> CaptureState:
    # Who has not noticed yet that the clock was set counts: what is noticed twice costs nothing.
    clocks = min((feed.clocks for feed in feeds.values()), key=lambda reading: reading.since)
    return CaptureState(
        boot=boot,
        apart=clocks.apart,
        since=clocks.since,
        at=timestamp(),
        running=running,
        process=os.getpid(),
        sources=tuple(_source(feed) for feed in feeds.values()),
    )


def _source(feed: SourceCapture) -> CapturedSource:
    written = feed.writer.written
    return CapturedSource(
        source=feed.source,
        state=", ".join(sorted({line.state for line in feed.lines})),
        reason=next((line.reason for line in feed.lines if line.reason), ""),
        reconnects=sum(line.reconnects for line in feed.lines),
        messages=sum(line.messages for line in feed.lines),
        bytes=sum(line.bytes for line in feed.lines),
        durable=written.messages,
        lag=written.lag,
        dropped=feed.dropped,
        trouble=written.trouble,
        journal=str(feed.writer.path or ""),
        channels=tuple(
            CapturedChannel(
                dataset=channel.dataset,
                symbol=channel.symbol,
                live=any(channel.name in names for names in line.live.copy().values()),
                last=line.last_ns.get(channel.name, 0),
            )
            for line in feed.lines
            for channel in line.stream.channels
        ),
    )


def main() -> None:
    """Read orders from the first line of standard input, and capture until SIGTERM, SIGINT, or the end of that input:
    then there is no parent that could stop us."""
    import uvloop

    from fulltape.clock import SystemClock

    orders = telling.decode(sys.stdin.buffer.readline())

    async def until_told() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        lifeline = sys.stdin.fileno()

        def alone() -> None:
            loop.remove_reader(lifeline)
            stop.set()

        loop.add_reader(lifeline, alone)
        await capture(orders, SystemClock.since_boot(), stop)

    uvloop.run(until_told())
