"""One stream whose vendor's own library holds the socket: it is asked for messages, and they are kept like any others."""

from __future__ import annotations

import asyncio
import os
import random
import re
from array import array
from collections.abc import AsyncIterator, Callable, Mapping

from fulltape import errors
from fulltape.capture import plan
from fulltape.capture.connection import VendorAddress
from fulltape.capture.plan import SilenceMonitor
from fulltape.capture.queue import MessageQueue, Router
from fulltape.contract.events import ConnectionEvent, EventKind
from fulltape.contract.streams import SdkMessage, Stream
from fulltape.decoding.captured import LIVE
from fulltape.lake import messages
from fulltape.lake.messages import Block

_TICK = 0.25
_SETTLED = 30.0
_CLOSE = 5.0
"""Seconds that a library is given to end."""
_TOGETHER = 30.0
"""Seconds within which channels that are live again share one change: each of them begins with a message of its own."""

Feeding = Callable[[Stream, str, Mapping[str, str]], AsyncIterator[SdkMessage]]


class SdkStream:
    """Keeps one such stream alive. It looks like a `StreamSupervisor` to the source's capture. `on_change` is called when
    interruptions have ended, once for all channels that are live again within half a minute."""

    def __init__(
        self,
        stream: Stream,
        feed: Feeding,
        *,
        address: VendorAddress,
        queue: MessageQueue,
        stale_after: float,
        timestamp: Callable[[], int],
        gather: Callable[[], list[Block | ConnectionEvent]],
        on_change: Callable[[], None],
    ) -> None:
        self.stream = stream
        self.state, self.reason = "connecting", ""
        self._refused: dict[str, str] = {}
        self.reconnects = self.messages = self.bytes = 0
        self.last_ns: dict[str, int] = {}
        self.live: dict[int, set[str]] = {}
        self._feed, self._address, self._queue = feed, address, queue
        self._stale_after = stale_after
        self._timestamp, self._gather, self._on_change = timestamp, gather, on_change
        self._cadences = {channel.name: channel.cadence for channel in stream.channels}
        self._monitors: dict[str, SilenceMonitor] = {}
        self._router = Router(
            route=re.compile(stream.route), channels={channel.name: channel for channel in stream.channels}
        )
        self._ever: set[str] = set()
        self._change: float | None = None
        self._connection = self._number = self._last = 0
        self._messages: list[bytes] = []
        self._received = array("q")

    async def run(self) -> None:
        """Ask for messages, and again after every failure, until cancelled."""
        attempt = 0
        while True:
            await asyncio.sleep(plan.wait_before(attempt, random.random()))
            self._refused.clear()
            self._connection = int.from_bytes(os.urandom(4), "little") | LIVE
            self._number = 0
            self._queue.routers[self._connection] = self._router
            self._put(self._event("connected"))
            self.live[self._connection] = set()
            began = asyncio.get_running_loop().time()
            try:
                await self._fed(self._feed(self.stream, self._address.url, self._address.secrets))
            except errors.FulltapeError as error:
                self.reason = self._address.redact(str(error).encode()).decode()
            except Exception as error:  # noqa: BLE001 — a library of others may raise anything
                self.reason = self._address.redact(f"{type(error).__name__}: {error}".encode()).decode()
            self._put(self._event("disconnected", since=self._last, reason=self.reason))
            self._tell(ended=True)
            self.live.pop(self._connection, None)
            self._queue.routers.pop(self._connection, None)
            self.state = "connecting"
            self.reconnects += 1
            settled = asyncio.get_running_loop().time() - began >= _SETTLED
            attempt = 1 if settled else attempt + 1

    async def _fed(self, feed: AsyncIterator[SdkMessage]) -> None:
        """Take what comes. A silence that is not usual ends it: a library may wait for ever without an error."""
        following: asyncio.Task[SdkMessage] | None = None
        try:
            while True:
                following = following or asyncio.ensure_future(_next(feed))
                await asyncio.wait({following}, timeout=_TICK)
                if following.done():
                    done, following = following, None
                    self._take(done.result())
                self._tell()
                self._doubt()
        except StopAsyncIteration:
            return
        finally:
            if following is not None:
                following.cancel()
                # A library may swallow that: it is not waited for without end.
                await asyncio.wait({following}, timeout=_CLOSE)
            close = getattr(feed, "aclose", None)
            if close is not None and (following is None or following.done()):
                await asyncio.wait({asyncio.ensure_future(close())}, timeout=_CLOSE)

    def _doubt(self) -> None:
        now = asyncio.get_running_loop().time()
        monitors = {name: self._monitors[name] for name in self.live[self._connection]}
        doubted = plan.doubtful(monitors, self._cadences, now, self._stale_after)
        for name in doubted:
            self._monitors[name].doubted(now)
            self._put(self._event("stale", channels=(name,), since=self.last_ns[name], reason="silent"))
            self.live[self._connection].discard(name)
        if doubted:
            raise errors.TransportError(f"silent: {', '.join(doubted[:5])}")

    def _tell(self, *, ended: bool = False) -> None:
        """Call out a change once it is whole, or due, or the connection has ended."""
        if self._change is None:
            return
        whole = self._ever <= self.live[self._connection] | self._refused.keys()
        if ended or whole or asyncio.get_running_loop().time() >= self._change:
            self._change = None
            self._on_change()

    def cut(self) -> list[Block | ConnectionEvent]:
        """What has come since the last time."""
        if not self._messages:
            return []
        delivered, received = self._messages, self._received
        self._messages, self._received = [], array("q")
        self._number += 1
        self.messages += len(delivered)
        self.bytes += sum(map(len, delivered))
        return [messages.block(self._connection, self._number, delivered, received)]

    def pulse(self) -> list[ConnectionEvent]:
        """That it is still asked, for times in which nothing comes."""
        return [self._event("pulse")] if self.live else []

    def shut(self, why: str) -> list[Block | ConnectionEvent]:
        """What it delivered, and that it is closed."""
        delivered = [*self.cut(), *([self._event("closed", reason=why)] if self.live else [])]
        self.live.clear()
        self.state, self.reason = why, ""
        return delivered

    def _take(self, fed: SdkMessage) -> None:
        if fed.refused:
            self.reason = self._address.redact(fed.refused.encode()).decode()
            self._refused[fed.channel] = self.reason
            self._put(self._event("refused", channels=(fed.channel,), reason=self.reason))
            return
        self._last = self._timestamp()
        self._messages.append(fed.message)
        self._received.append(self._last)
        self.last_ns[fed.channel] = self._last
        now = asyncio.get_running_loop().time()
        self._monitors.setdefault(fed.channel, SilenceMonitor(last=now)).spoke(now)
        live = self.live[self._connection]
        if fed.channel not in live:
            live.add(fed.channel)
            self._put(self._event("confirmed", channels=(fed.channel,), since=self._last))
            self.state, self.reason = "live", next(iter(self._refused.values()), "")
            # Before a channel was live for the first time there is nothing to heal.
            if fed.channel in self._ever and self._change is None:
                self._change = now + _TOGETHER
            self._ever.add(fed.channel)

    def _put(self, event: ConnectionEvent) -> None:
        self._queue.put([*self._gather(), event], now_ns=self._timestamp())

    def _event(
        self, what: EventKind, *, channels: tuple[str, ...] = (), since: int = 0, reason: str = ""
    ) -> ConnectionEvent:
        return ConnectionEvent(
            what=what,
            at=self._timestamp(),
            connection=self._connection,
            channels=channels,
            since=since,
            reason=self._address.redact(reason.encode()).decode(),
        )


async def _next(feed: AsyncIterator[SdkMessage]) -> SdkMessage:
    return await anext(feed)
