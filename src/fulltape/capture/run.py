"""The capture process: orders in, sockets on one event loop, a status file out."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

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


class CapturedSources:
    """The sources that are captured now, each in a task of its own; `configure` changes which."""

    def __init__(
        self,
        clock: Clock,
        *,
        timestamp: Callable[[], int] = clock_module.wall_ns,
        synced: Synced | None = None,
    ) -> None:
        self._clock, self._timestamp, self._synced = clock, timestamp, synced
        self._boot = clock_module.this_boot()
        self._config: CaptureConfig | None = None
        self._known: Clocks | None = None
        self._running: dict[str, tuple[Order, asyncio.Event, asyncio.Task[None]]] = {}
        self.feeds: dict[str, SourceCapture] = {}

    async def configure(self, orders: CaptureConfig) -> None:
        """Capture what these orders say. Sources about which they say the same as before are left alone; of the others
        everything delivered until then is durable before they begin anew."""
        alike = self._config is not None and _without_feeds(self._config) == _without_feeds(orders)
        wanted = {order.source: order for order in orders.feeds}
        gone = [
            source
            for source, (order, _, _) in self._running.items()
            if not alike or not _same(order, wanted.get(source))
        ]
        await self._end(gone)
        for source in set(gone) - set(wanted):
            self.feeds.pop(source, None)
        self._config = orders
        if self._known is None:
            state = capture_state.read(self._status(orders))
            self._known = _clocks(state, self._boot, self._clock, self._timestamp)
        for source, order in wanted.items():
            if source not in self._running:
                stop = asyncio.Event()
                task = asyncio.create_task(self._kept(order, orders, stop))
                self._running[source] = order, stop, task

    async def end(self) -> None:
        """End every source; everything that was delivered is durable then."""
        await self._end(list(self._running))

    def tell(self, *, running: bool) -> None:
        """Write how everything is."""
        if self.feeds and self._config is not None:  # Before, there is nothing to tell.
            state = _state(self.feeds, self._timestamp, self._boot, running=running)
            capture_state.write(self._status(self._config), state)

    def _status(self, orders: CaptureConfig) -> Path:
        return Layout(root=Path(orders.lake)).capture_state(orders.writer)

    async def _end(self, sources: Sequence[str]) -> None:
        ending = [self._running.pop(source) for source in sources]
        for _, stop, _ in ending:
            stop.set()
        await asyncio.gather(*(task for _, _, task in ending))

    async def _kept(self, order: Order, orders: CaptureConfig, stop: asyncio.Event) -> None:
        """One source until it is stopped: a defect in its part ends its part only, and that begins again."""
        ends = 0
        assert self._known is not None
        while not stop.is_set():
            try:
                earlier = self.feeds[order.source].clocks if order.source in self.feeds else self._known
                feed = SourceCapture(
                    order,
                    orders,
                    layout=Layout(root=Path(orders.lake)),
                    clock=self._clock,
                    timestamp=self._timestamp,
                    clocks=replace(earlier),
                    synced=self._synced,
                )
                self.feeds[order.source] = feed
                await feed.run(stop)
            except Exception as error:  # noqa: BLE001 — one vendor's failure must not touch another
                words = f"{order.source}: {type(error).__name__}: {error}; it begins again"
                sys.stderr.write(f"{words}\n")
                ends += 1
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), plan.wait_before(ends, 1.0))


def _without_feeds(orders: CaptureConfig) -> CaptureConfig:
    """The orders without their sources: what concerns all of them."""
    return msgspec.structs.replace(orders, feeds=())


def _same(before: Order, now: Order | None) -> bool:
    """Whether a source is captured as before; the newest journal of it moves on by itself."""
    return now is not None and msgspec.structs.replace(now, after="") == msgspec.structs.replace(
        before, after=""
    )


async def capture(
    orders: CaptureConfig,
    clock: Clock,
    stop: asyncio.Event,
    *,
    timestamp: Callable[[], int] = clock_module.wall_ns,
    synced: Synced | None = None,
    more: asyncio.Queue[CaptureConfig] | None = None,
) -> None:
    """Capture until `stop` is set; everything that was delivered until then is durable when this returns. Each of the orders that
    come by `more` takes the place of those before."""
    captures = CapturedSources(clock, timestamp=timestamp, synced=synced)
    following = asyncio.create_task(_follow(captures, more)) if more is not None else None
    teller = asyncio.create_task(_tell(captures))
    try:
        await captures.configure(orders)
        await stop.wait()
    finally:
        for task in (following, teller):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        await captures.end()
        captures.tell(running=False)


async def _follow(captures: CapturedSources, more: asyncio.Queue[CaptureConfig]) -> None:
    while True:
        await captures.configure(await more.get())


async def _tell(captures: CapturedSources) -> None:
    while True:
        captures.tell(running=True)
        await asyncio.sleep(_STATUS_EVERY)


def _clocks(before: CaptureState | None, boot: str, clock: Clock, timestamp: Callable[[], int]) -> Clocks:
    """How far the wall clock and the steady one are apart: as the process before has left them in the same boot, so that a
    clock that was set between two processes is noticed, too."""
    if before is not None and before.boot == boot:
        return Clocks(apart=before.apart, since=before.since)
    now = timestamp()
    return Clocks(apart=now - 1_000 * clock.steady(), since=now)


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


class _Input:
    """Lines of orders, read without buffering more than what has come."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._rest = b""
        self.over = False

    def read(self) -> list[CaptureConfig]:
        """What has come: whole lines. Waits for at least something."""
        piece = os.read(self.fd, 1 << 16)
        self.over = not piece
        *lines, self._rest = (self._rest + piece).split(b"\n")
        return [telling.decode(line) for line in lines]


def main() -> None:
    """Read orders, a line each, from standard input, and capture by the newest ones until SIGTERM, SIGINT, or the end of that
    input: then there is no parent that could stop us."""
    import uvloop

    from fulltape.clock import SystemClock

    lines = _Input(sys.stdin.fileno())
    first: list[CaptureConfig] = []
    while not first:
        first = lines.read()
        if lines.over:
            return

    async def until_told() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        more: asyncio.Queue[CaptureConfig] = asyncio.Queue()

        def came() -> None:
            for orders in lines.read():
                more.put_nowait(orders)
            if lines.over:
                loop.remove_reader(lines.fd)
                stop.set()

        loop.add_reader(lines.fd, came)
        await capture(first[-1], SystemClock.since_boot(), stop, more=more)

    uvloop.run(until_told())
