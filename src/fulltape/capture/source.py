"""One source: its lines, the queue that they fill, and the writer that empties it. Nothing here knows other sources."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import cast

from fulltape.capture.config import CaptureConfig
from fulltape.capture.config import SourceConfig as Order
from fulltape.capture.connection import ConnectionAttempts, VendorAddress
from fulltape.capture.plan import MOMENT, Clocks
from fulltape.capture.queue import MessageQueue
from fulltape.capture.sdk_stream import Feeding, SdkStream
from fulltape.capture.supervisor import StreamSupervisor
from fulltape.capture.writer import Rotation, Synced, Writer
from fulltape.contract import redaction
from fulltape.contract.events import ConnectionEvent
from fulltape.contract.streams import Channel, Stream, StreamingVendor
from fulltape.contract.vendor import VendorSpec
from fulltape.lake.layout import Layout
from fulltape.lake.messages import Block
from fulltape.market.time import Clock

PULSE_EVERY = 10.0


class SourceCapture:
    """Captures one source until it is told to stop."""

    def __init__(
        self,
        order: Order,
        orders: CaptureConfig,
        *,
        layout: Layout,
        clock: Clock,
        timestamp: Callable[[], int],
        clocks: Clocks,
        synced: Synced | None = None,
    ) -> None:
        module = importlib.import_module(f"fulltape.vendors.{order.vendor}")
        spec: VendorSpec = module.SPEC
        streams = [
            replace(stream, compress=orders.compress)
            for stream in cast("StreamingVendor", module).streams(order.source, order.subscriptions)
        ]
        self.source = order.source
        self._orders, self._clock, self._timestamp = orders, clock, timestamp
        self._queue = MessageQueue(orders.queue_bytes)
        self.writer = Writer(
            layout,
            writer=orders.writer,
            source=order.source,
            clock=clock,
            queue=self._queue,
            rotation=Rotation(every=orders.rotate_every, bytes=orders.rotate_bytes),
            carried=self._carried,
            delay=int(order.delay * 1e9),
            redaction=redaction.of(*order.secrets.values()),
            synced=synced,
            after=order.after,
        )
        admission = ConnectionAttempts(spec.connecting)
        self.lines = [
            self._line(stream, order, spec, admission, getattr(module, "feed", None)) for stream in streams
        ]
        self._pulsed = 0.0
        self.clocks = clocks

    def _line(
        self,
        stream: Stream,
        order: Order,
        spec: VendorSpec,
        admission: ConnectionAttempts,
        feed: Feeding | None,
    ) -> StreamSupervisor | SdkStream:
        url = order.url or spec.stream_hosts.get(stream.host, "")
        if stream.pulled and order.base_url:
            url = f"{order.base_url} {url}"
        address = VendorAddress(url=url, secrets=dict(order.secrets), timeout=order.timeout)
        if stream.pulled and feed is not None:
            return SdkStream(
                stream,
                feed,
                address=address,
                queue=self._queue,
                stale_after=self._orders.stale_after,
                timestamp=self._timestamp,
                gather=self._gathered,
                on_change=self.writer.rotate,
            )
        began = False

        def changed() -> None:
            """After a first start there is nothing to heal; after every later one there is."""
            nonlocal began
            if began:
                self.writer.rotate()
            began = True

        return StreamSupervisor(
            stream,
            address=address,
            queue=self._queue,
            admission=admission,
            stale_after=self._orders.stale_after,
            timestamp=self._timestamp,
            gather=self._gathered,
            on_change=changed,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Capture until `stop`; then everything delivered is made durable. Raises what ended it before."""
        self.writer.start()
        tasks = [asyncio.create_task(line.run()) for line in self.lines]
        flusher = asyncio.create_task(self._flush())
        asked = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({asked, flusher}, return_when=asyncio.FIRST_COMPLETED)
            if flusher.done():
                flusher.result()
        finally:
            asked.cancel()
            flusher.cancel()
            last = [item for line in self.lines for item in line.shut("stopped")]
            for task in tasks:
                task.cancel()
            await asyncio.gather(flusher, *tasks, return_exceptions=True)
            self._queue.put(last, sync=True, now_ns=self._timestamp())
            self._queue.close()
            await asyncio.to_thread(self.writer.join)

    async def _flush(self) -> None:
        """Every interval: what has come goes to the disk, and is durable before the next."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due = max(due + self._orders.flush_interval, loop.time())
            await asyncio.sleep(due - loop.time())
            items = self._gathered()
            if not items and loop.time() - self._pulsed >= PULSE_EVERY:
                items = [event for line in self.lines for event in line.pulse()]
            items += self._set()
            if items:
                self._pulsed = loop.time()
            self._queue.put(items, sync=True, now_ns=self._timestamp())

    def _set(self) -> list[ConnectionEvent]:
        """That the wall clock has been set, if it has."""
        before = self._clock.steady()
        wall = self._timestamp()
        # A process that was put to sleep between the two readings reads them again in the next interval.
        if self._clock.steady() - before > MOMENT:
            return []
        event = self.clocks.read(wall, before)
        return [event] if event else []

    def _gathered(self) -> list[Block | ConnectionEvent]:
        """What all lines have delivered since the last time."""
        return [item for line in self.lines for item in line.cut()]

    def _carried(self) -> Sequence[Channel]:
        return [channel for line in self.lines for channel in line.stream.channels]

    @property
    def dropped(self) -> int:
        """Messages that did not fit into memory."""
        return self._queue.dropped
