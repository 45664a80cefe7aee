"""One stream of one source: connected for as long as we run, watched, renewed before the vendor cuts it."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Callable, Iterable, Mapping

from fulltape import errors
from fulltape.capture import plan, socket
from fulltape.capture.connection import Connection, ConnectionAttempts, VendorAddress
from fulltape.capture.plan import SilenceMonitor
from fulltape.capture.queue import MessageQueue, Router
from fulltape.capture.socket import RefusedError, Socket, TooManyError
from fulltape.contract.events import ConnectionEvent
from fulltape.contract.streams import ProtocolStep, Resubscribe, Stream
from fulltape.lake.messages import Block

ACK_TIMEOUT = 10.0
"""Seconds in which a vendor acknowledges a subscription, before it is asked again."""
_MOST_ASKED = 3
_REFUSED_AGAIN = 300.0
_OVERLAP = 30.0
"""Seconds for which an old connection is kept at most while its successor gets going."""
_RENEW_AT = 0.95
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
        stamp: Callable[[], int],
        gather: Callable[[], list[Block | ConnectionEvent]],
        on_change: Callable[[], None],
    ) -> None:
        self.stream = stream
        self.state = "connecting"
        self._reason = ""
        self.reconnects = 0
        self.messages = 0
        self.bytes = 0
        self.last_ns: dict[str, int] = {}
        self.connections: list[Connection] = []
        self._address, self._queue, self._admission = address, queue, admission
        self._stale_after, self._stamp = stale_after, stamp
        self._gather, self._on_change = gather, on_change
        self._names = {channel.name: channel for channel in stream.channels}
        self._cadences = {channel.name: channel.cadence for channel in stream.channels}
        self._monitors: dict[str, SilenceMonitor] = {}
        self._doubts: dict[str, int] = {}
        self._old: set[int] = set()
        self._control = re.compile(stream.control)
        self._router = Router(route=re.compile(stream.route), channels=self._names)

    async def run(self) -> None:
        """Connect, and again, until cancelled or refused for good."""
        attempt = 0
        while self.state != "barred":
            await asyncio.sleep(plan.wait_before(attempt, random.random()))
            try:
                connection = await self._once()
            except Exception as error:  # noqa: BLE001 — a defect may cost a connection, never the stream
                self._drop_all(f"{type(error).__name__}: {error}")
                connection = None
            # A connection that was kept for a moment only may be one of many: the next one waits longer.
            settled = (
                connection is not None and asyncio.get_running_loop().time() - connection.began >= _SETTLED
            )
            attempt = 0 if settled else attempt + 1

    async def _once(self) -> Connection | None:
        """Connect, and stay until that ends; the connection that ended, None where there was none."""
        connection = await self._connected()
        if connection is None:
            return None
        connection = await self._tend(connection)
        self.reconnects += 1
        if connection.step.end == "wait":
            self._admission.stay_away()
        elif connection.step.end == "stop":
            self.state, self.reason = "barred", connection.step.reason
        return connection

    def _drop_all(self, why: str) -> None:
        """Leave every connection as it is, and say why."""
        for connection in list(self.connections):
            connection.socket.close(why)
            self._gone(connection)
        self.reason = why

    @property
    def reason(self) -> str:
        """Why it is not as it should be; never with a secret that a vendor has echoed."""
        return self._reason

    @reason.setter
    def reason(self, words: str) -> None:
        self._reason = self._address.redact(words.encode()).decode()

    @property
    def live(self) -> dict[int, set[str]]:
        """The channels that are live, by connection."""
        return {connection.socket.connection: connection.live for connection in self.connections.copy()}

    def cut(self) -> list[Block | ConnectionEvent]:
        """What has come since the last time; notes who has spoken."""
        found: list[Block | ConnectionEvent] = []
        for connection in self.connections:
            block = connection.socket.cut()
            if block is not None:
                self._heard(block)
                found.append(block)
        return found

    def pulse(self) -> list[ConnectionEvent]:
        """That the connections are still there, for times in which nothing comes."""
        return [
            ConnectionEvent(what="pulse", at=self._stamp(), connection=connection.socket.connection)
            for connection in self.connections
        ]

    def shut(self, why: str) -> list[Block | ConnectionEvent]:
        """End every connection; what they delivered, and that they are closed."""
        found = self.cut()
        for connection in self.connections:
            found.append(
                connection.event(
                    "closed", since=connection.socket.last_ns, reason=why, channels=tuple(connection.live)
                )
            )
            connection.live.clear()
            connection.socket.close(why)
        if self.state != "barred":
            # Why it was not live is still worth knowing when it ends.
            self.state, self.reason = why, "" if self.state == "live" else self.reason
        return found

    def _heard(self, block: Block) -> None:
        now = asyncio.get_running_loop().time()
        spoken: list[str] = []
        for name in self._router.spoken(block):
            if name in self._names:
                self._monitors.setdefault(name, SilenceMonitor(last=now)).spoke(now)
                self._doubts.pop(name, None)
                self.last_ns[name] = block.received[-1]
                spoken.append(name)
        self.messages += len(block.lengths)
        self.bytes += len(block.body)
        if self.stream.alert and self.stream.alert in block.body:
            self._old.add(block.connection)
        for connection in self.connections.copy():
            # Data of a channel that was asked for says more than any acknowledgement.
            if connection.socket.connection == block.connection:
                since = block.received[0] if self.stream.data_confirms else 0
                self._confirmed(connection, spoken, since=since)

    async def _connected(self) -> Connection | None:
        """A new connection, with the conversation begun; None where there is none, and why is told."""
        await self._admission.enter()
        one = Socket(
            data=self.stream.data,
            control=self._control,
            on_open=self._opened,
            on_control=self._controlled,
            on_end=self._ended,
            on_full=self._full,
            stamp=self._stamp,
        )
        steps = self.stream.converse(self.stream.channels)
        connection = Connection(socket=one, address=self._address, stamp=self._stamp, steps=steps)
        headers = {name: self._address.fill(text) for name, text in self.stream.headers.items()}
        self._queue.routers[one.connection] = self._router
        self.connections.append(connection)
        try:
            await socket.connect(
                one,
                f"{self._address.url}{self.stream.path}",
                headers=headers,
                timeout=self._address.timeout,
                compress=self.stream.compress,
                known=any(self._address.secrets.values()),
            )
        except errors.TransportError as error:
            self.connections.remove(connection)
            self._queue.routers.pop(one.connection, None)
            self.reason = str(error)
            if isinstance(error, TooManyError):
                self._admission.stay_away(error.seconds)
            if isinstance(error, RefusedError):
                self.state = "barred"
            return None
        return connection

    async def _tend(self, connection: Connection) -> Connection:
        """Watch a connection, and its successors, until one ends on its own; returns that one."""
        while True:
            ends = (
                connection.began + self.stream.lifetime * _RENEW_AT if self.stream.lifetime else float("inf")
            )
            if not await self._watched(connection, ends):
                self._gone(connection)
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
                self._look_after(connection, loop.time())
            if loop.time() >= ends or connection.socket.connection in self._old:
                self._old.discard(connection.socket.connection)
                return True
        return False

    def _look_after(self, connection: Connection, now: float) -> None:
        if self.stream.keepalive and now - connection.told_at >= self.stream.keepalive_every:
            connection.told_at = now
            connection.socket.say(self.stream.keepalive)
        missing = [
            name for name in self._names if name not in connection.live and name not in connection.refused
        ]
        if missing and now - connection.asked_at > ACK_TIMEOUT:
            if connection.asked >= _MOST_ASKED and connection.live:
                # One name without an answer must not take the others down with it.
                self._refuse(connection, dict.fromkeys(missing, "the vendor does not acknowledge it"))
            else:
                self._ask_again(connection, missing, now, "was not acknowledged")
            return
        if connection.refused and now - connection.refused_at > _REFUSED_AGAIN:
            connection.refused_at = connection.asked_at = now
            self._take(connection, connection.steps.send(Resubscribe(channels=tuple(connection.refused))))
        monitors = {name: monitor for name, monitor in self._monitors.items() if name in connection.live}
        doubted = plan.doubtful(monitors, self._cadences, now, self._stale_after)
        if not doubted:
            return
        self._put(
            *(
                connection.event(
                    "stale",
                    channels=(name,),
                    since=self.last_ns.get(name) or connection.socket.last_ns,
                    reason="silent",
                )
                for name in doubted
            ),
        )
        for name in doubted:
            self._monitors[name].doubted(now)
            self._doubts[name] = self._doubts.get(name, 0) + 1
            connection.live.discard(name)
        asked_before = any(self._doubts[name] > 1 for name in doubted)
        if asked_before or plan.mute(monitors, doubted, now, self._stale_after):
            connection.socket.close(f"silent: {', '.join(doubted[:5])}")
        else:
            self._ask_again(connection, doubted, now, "was silent")

    def _ask_again(self, connection: Connection, channels: list[str], now: float, why: str) -> None:
        connection.asked += 1
        connection.asked_at = now
        if connection.asked > _MOST_ASKED:
            connection.socket.close(f"a subscription {why}: {', '.join(channels[:5])}")
            return
        self._take(connection, connection.steps.send(Resubscribe(channels=tuple(channels))))

    async def _renewed(self, old: Connection) -> Connection:
        """A successor for a connection that the vendor will soon cut; both deliver until the new one does."""
        loop = asyncio.get_running_loop()
        new = await self._connected()
        if new is None:
            old.began += 10.0 / _RENEW_AT  # tried again a little later; the old one still delivers
            return old
        deadline = loop.time() + _OVERLAP
        while not (new.over.is_set() or old.over.is_set()) and loop.time() < deadline:
            complete = len(new.live) + len(new.refused) == len(self._names)
            if complete and (new.socket.last_ns or new.socket.count):
                break
            await asyncio.sleep(_TICK)
        complete = len(new.live) + len(new.refused) >= len(self._names)
        if not old.over.is_set() and (new.over.is_set() or not complete):
            new.socket.close("not confirmed in time; the old connection stays")
            self._gone(new)
            old.began += 10.0 / _RENEW_AT
            return old
        old.socket.close("renewed")
        self._gone(old)
        return new

    def _gone(self, connection: Connection) -> None:
        """A connection is over: what it delivered last, and since when nothing came."""
        if connection not in self.connections:
            return
        self._put(
            connection.event(
                "disconnected",
                channels=tuple(sorted(connection.live)),
                since=connection.socket.last_ns,
                reason=connection.step.reason or connection.socket.ended,
            ),
        )
        self.connections.remove(connection)
        self._queue.routers.pop(connection.socket.connection, None)
        if self.connections:
            return
        self.reason = connection.step.reason or connection.socket.ended
        if self.state != "barred":
            self.state = "connecting"

    def _controlled(self, one: Socket, message: bytes) -> None:
        connection = next((connection for connection in self.connections if connection.socket is one), None)
        if connection is None:
            return
        try:
            step = connection.steps.send(message)
        except Exception as error:  # noqa: BLE001 — a defect in one vendor's file must cost its connection only
            one.close(f"{type(error).__name__}: {error}")
            return
        if step.keep:
            one.keep(self._address.redact(message))
        self._take(connection, step)

    def _opened(self, one: Socket) -> None:
        connection = next(connection for connection in self.connections if connection.socket is one)
        self._put(connection.event("connected"))
        self._take(connection, next(connection.steps))

    def _take(self, connection: Connection, step: ProtocolStep) -> None:
        """Do what the conversation says."""
        for text in step.say:
            connection.say(self._address.fill(text), self.stream.say_per_second)
        refused = {name: why for name, why in step.refused.items() if name not in connection.live}
        if refused:
            self._refuse(connection, refused)
        self._confirmed(connection, step.confirmed, since=0)
        if step.end:
            connection.step = step
            connection.socket.close(step.reason)

    def _refuse(self, connection: Connection, refused: Mapping[str, str]) -> None:
        """The vendor does not serve these now; they are asked for again later, since many reasons pass."""
        connection.refused.update(refused)
        connection.refused_at = asyncio.get_running_loop().time()
        events = (connection.event("refused", channels=(name,), reason=why) for name, why in refused.items())
        self._put(*events)
        self.reason = next(iter(refused.values()))
        self._settled(connection, fresh=self.state != "live")

    def _confirmed(self, connection: Connection, names: Iterable[str], *, since: int) -> None:
        """The vendor acknowledged these channels: they are live, from `since` on where data has shown it."""
        fresh = tuple(name for name in names if name in self._names and name not in connection.live)
        if not fresh:
            return
        now = asyncio.get_running_loop().time()
        connection.take(fresh)
        for name in fresh:
            self._monitors.setdefault(name, SilenceMonitor(last=now)).last = now
        self._put(connection.event("confirmed", channels=fresh, since=since))
        self._settled(connection, fresh=True)

    def _settled(self, connection: Connection, *, fresh: bool) -> None:
        """Where every channel is live or refused, whichever came last, say so; `fresh` where one may have become live."""
        if len(connection.live) + len(connection.refused) < len(self._names):
            return
        connection.asked = 1
        self.state, self.reason = (
            "live" if connection.live else "refused",
            next(iter(connection.refused.values()), ""),
        )
        if connection.live and fresh:
            self._on_change()

    def _ended(self, one: Socket) -> None:
        for connection in (connection for connection in self.connections if connection.socket is one):
            connection.over.set()

    def _full(self, block: Block) -> None:
        self._heard(block)
        self._queue.put([block, *self._gather()], now_ns=self._stamp())

    def _put(self, *events: ConnectionEvent) -> None:
        """Write marks, after all that any connection of the source has delivered before."""
        self._queue.put([*self._gather(), *events], now_ns=self._stamp())
