"""One stream of one source: connected for as long as we run, watched, renewed before the vendor cuts it."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Callable, Mapping

from fulltape.capture import plan
from fulltape.capture.connection import Connection, ConnectionAttempts, VendorAddress
from fulltape.capture.connections import Connections
from fulltape.capture.queue import MessageQueue, Router
from fulltape.capture.subscriptions import StreamStatus, Subscriptions
from fulltape.contract.events import ConnectionEvent
from fulltape.contract.streams import Stream
from fulltape.lake.messages import Block

_OVERLAP = 30.0
"""Seconds for which an old connection is kept at most while its successor gets going."""
_RENEW_AT = 0.95
_RENEW_AGAIN = 10.0
"""Seconds after which a successor is tried once more."""
_SETTLED = 30.0
_TICK = 0.25


class StreamSupervisor:
    """Keeps one stream alive. `state` says in a word how it is; `gather` cuts what all streams of the source have
    delivered, so that whatever is written holds everything until then; `on_change` is called when an interval may have begun or
    ended, so that what lies in the journal is sealed soon."""

    def __init__(
        self,
        stream: Stream,
        *,
        address: VendorAddress,
        queue: MessageQueue,
        admission: ConnectionAttempts,
        stale_after: float,
        timestamp: Callable[[], int],
        gather: Callable[[], list[Block | ConnectionEvent]],
        on_change: Callable[[], None],
    ) -> None:
        self.stream = stream
        self.reconnects = 0
        self.messages = 0
        self.bytes = 0
        self._queue, self._admission = queue, admission
        self._timestamp, self._gather = timestamp, gather
        self._status = StreamStatus(address)
        self._subscriptions = Subscriptions(
            stream, self._status, stale_after=stale_after, put=self._put, on_live=on_change
        )
        self._old: set[int] = set()
        self._router = Router(route=re.compile(stream.route), channels=self._subscriptions.names)
        self._connections = Connections(
            stream,
            self._status,
            self._subscriptions,
            address=address,
            queue=queue,
            admission=admission,
            router=self._router,
            timestamp=timestamp,
            put=self._put,
            on_full=self._full,
        )

    @property
    def connections(self) -> list[Connection]:
        """Those that are there now."""
        return self._connections.all

    @property
    def state(self) -> str:
        """How it is, in a word."""
        return self._status.word

    @property
    def reason(self) -> str:
        """Why it is not as it should be; never with a secret that a vendor has echoed."""
        return self._status.reason

    @property
    def last_ns(self) -> Mapping[str, int]:
        """When each channel last delivered data, in UTC nanoseconds."""
        return self._subscriptions.last_ns

    async def run(self) -> None:
        """Connect, and again, until cancelled or refused for good."""
        attempt = 0
        while self.state != "barred":
            await asyncio.sleep(plan.wait_before(attempt, random.random()))
            try:
                connection = await self._once()
            except Exception as error:  # noqa: BLE001 — a defect may cost a connection, never the stream
                self._connections.drop_all(f"{type(error).__name__}: {error}")
                connection = None
            # A connection that was kept for a moment only may be one of many: the next one waits longer.
            settled = (
                connection is not None and asyncio.get_running_loop().time() - connection.began >= _SETTLED
            )
            attempt = 0 if settled else attempt + 1

    async def _once(self) -> Connection | None:
        """Connect, and stay until that ends; the connection that ended, None where there was none."""
        connection = await self._connections.open()
        if connection is None:
            return None
        connection = await self._tend(connection)
        self.reconnects += 1
        if connection.step.end == "wait":
            self._admission.stay_away()
        elif connection.step.end == "stop":
            self._status.word, self._status.reason = "barred", connection.step.reason
        return connection

    @property
    def live(self) -> dict[int, set[str]]:
        """The channels that are live, by connection."""
        return {connection.socket.connection: connection.live for connection in self.connections.copy()}

    def cut(self) -> list[Block | ConnectionEvent]:
        """What has come since the last time; notes who has spoken."""
        delivered: list[Block | ConnectionEvent] = []
        for connection in self.connections:
            block = connection.socket.cut()
            if block is not None:
                self._heard(block)
                delivered.append(block)
        return delivered

    def pulse(self) -> list[ConnectionEvent]:
        """That the connections are still there, for times in which nothing comes."""
        return [
            ConnectionEvent(what="pulse", at=self._timestamp(), connection=connection.socket.connection)
            for connection in self.connections
        ]

    def shut(self, why: str) -> list[Block | ConnectionEvent]:
        """End every connection; what they delivered, and that they are closed."""
        delivered = self.cut()
        for connection in self.connections:
            delivered.append(
                connection.event(
                    "closed", since=connection.socket.last_ns, reason=why, channels=tuple(connection.live)
                )
            )
            connection.live.clear()
            connection.socket.close(why)
        if self.state != "barred":
            # Why it was not live is still worth knowing when it ends.
            status = self._status
            status.word, status.reason = why, "" if status.word == "live" else status.reason
        return delivered

    def _heard(self, block: Block) -> None:
        spoken = self._subscriptions.heard(self._router.spoken(block), block.received[-1])
        self.messages += len(block.lengths)
        self.bytes += len(block.body)
        if self.stream.alert and self.stream.alert in block.body:
            self._old.add(block.connection)
        for connection in self.connections.copy():
            # Data of a channel that was asked for says more than any acknowledgement.
            if connection.socket.connection == block.connection:
                since = block.received[0] if self.stream.data_confirms else 0
                self._subscriptions.confirmed(connection, spoken, since=since)

    async def _tend(self, connection: Connection) -> Connection:
        """Watch a connection, and its successors, until one ends on its own; returns that one."""
        while True:
            ends = connection.renew_at
            if self.stream.lifetime and ends == float("inf"):
                ends = connection.began + self.stream.lifetime * _RENEW_AT
            if not await self._watched(connection, ends):
                self._connections.gone(connection)
                return connection
            connection = await self._renewed(connection)

    async def _watched(self, connection: Connection, ends: float) -> bool:
        """Watch until the connection is over (False) or old (True)."""
        loop = asyncio.get_running_loop()
        connection.told_at = loop.time()
        while not connection.over.is_set():
            try:
                await asyncio.wait_for(connection.over.wait(), timeout=_TICK)
            except TimeoutError:
                self._subscriptions.look_after(connection, loop.time())
            if loop.time() >= ends or connection.socket.connection in self._old:
                self._old.discard(connection.socket.connection)
                return True
        return False

    async def _renewed(self, old: Connection) -> Connection:
        """A successor for a connection that the vendor will soon cut; both deliver until the new one does."""
        loop = asyncio.get_running_loop()
        new = await self._connections.open()
        if new is None:
            old.renew_at = loop.time() + _RENEW_AGAIN  # the old one still delivers
            return old
        deadline = loop.time() + _OVERLAP
        while not (new.over.is_set() or old.over.is_set()) and loop.time() < deadline:
            if self._subscriptions.complete(new) and (new.socket.last_ns or new.socket.count):
                break
            await asyncio.sleep(_TICK)
        if not old.over.is_set() and (new.over.is_set() or not self._subscriptions.complete(new)):
            new.socket.close("not confirmed in time; the old connection stays")
            self._connections.gone(new)
            old.renew_at = loop.time() + _RENEW_AGAIN
            return old
        old.socket.close("renewed")
        self._connections.gone(old)
        return new

    def _full(self, block: Block) -> None:
        self._heard(block)
        self._queue.put([block, *self._gather()], now_ns=self._timestamp())

    def _put(self, *events: ConnectionEvent) -> None:
        """Write marks, after all that any connection of the source has delivered before."""
        self._queue.put([*self._gather(), *events], now_ns=self._timestamp())
