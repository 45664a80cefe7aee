"""What is subscribed on the connections of one stream: what is live, refused, silent, and what to do about it.

How a stream is, in a word:

    connecting --confirmed--> live        every channel is live or refused, and one is live
    connecting --refused--> refused       every channel is refused
    refused --confirmed--> live
    live --disconnected--> connecting     no connection is left
    refused --disconnected--> connecting
    connecting --turned away--> barred    the vendor refuses us; nothing is tried again
    live --told to stop--> barred
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from fulltape.capture import plan
from fulltape.capture.connection import Connection, VendorAddress
from fulltape.capture.plan import SilenceMonitor
from fulltape.contract.streams import ProtocolStep, Resubscribe, Stream

ACK_TIMEOUT = 10.0
"""Seconds in which a vendor acknowledges a subscription, before it is asked again."""
_MOST_ASKED = 3
_REFUSED_AGAIN = 300.0


@dataclass(slots=True)
class StreamStatus:
    """How a stream is, in a word, and why it is not as it should be; never with a secret that a vendor has echoed."""

    address: VendorAddress
    word: str = "connecting"
    _reason: str = ""

    @property
    def reason(self) -> str:
        """Why it is not as it should be."""
        return self._reason

    @reason.setter
    def reason(self, words: str) -> None:
        self._reason = self.address.redact(words.encode()).decode()


class Subscriptions:
    """The channels of one stream. `put` writes events after all that was delivered before; `on_live` is called when some may
    have become live."""

    def __init__(
        self,
        stream: Stream,
        status: StreamStatus,
        *,
        stale_after: float,
        put: Callable[..., None],
        on_live: Callable[[], None],
    ) -> None:
        self._stream, self._status, self._stale_after = stream, status, stale_after
        self._put, self._on_live = put, on_live
        self.names = {channel.name: channel for channel in stream.channels}
        self.last_ns: dict[str, int] = {}
        self._cadences = {channel.name: channel.cadence for channel in stream.channels}
        self._monitors: dict[str, SilenceMonitor] = {}
        self._doubts: dict[str, int] = {}

    def heard(self, names: Iterable[str], last_ns: int) -> list[str]:
        """Channels have delivered data, the last at a moment (UTC nanoseconds); returns those that are ours."""
        now = asyncio.get_running_loop().time()
        spoken = [name for name in names if name in self.names]
        for name in spoken:
            self._monitors.setdefault(name, SilenceMonitor(last=now)).spoke(now)
            self._doubts.pop(name, None)
            self.last_ns[name] = last_ns
        return spoken

    def complete(self, connection: Connection) -> bool:
        """Whether every channel is live or refused on a connection."""
        return len(connection.live) + len(connection.refused) >= len(self.names)

    def look_after(self, connection: Connection, now: float) -> None:
        """Ask again for what is not acknowledged, was refused long ago, or is silent; `now` in seconds of the loop."""
        if self._stream.keepalive and now - connection.told_at >= self._stream.keepalive_every:
            connection.told_at = now
            connection.socket.say(self._stream.keepalive)
        missing = [
            name for name in self.names if name not in connection.live and name not in connection.refused
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
            self.take(connection, connection.steps.send(Resubscribe(channels=tuple(connection.refused))))
        self._doubt_the_silent(connection, now)

    def _doubt_the_silent(self, connection: Connection, now: float) -> None:
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
        self.take(connection, connection.steps.send(Resubscribe(channels=tuple(channels))))

    def take(self, connection: Connection, step: ProtocolStep) -> None:
        """Do what the conversation says."""
        for text in step.say:
            connection.say(self._status.address.fill(text), self._stream.say_per_second)
        refused = {name: why for name, why in step.refused.items() if name not in connection.live}
        if refused:
            self._refuse(connection, refused)
        self.confirmed(connection, step.confirmed, since=0)
        if step.end:
            connection.step = step
            connection.socket.close(step.reason)

    def _refuse(self, connection: Connection, refused: Mapping[str, str]) -> None:
        """The vendor does not serve these now; they are asked for again later, since many reasons pass."""
        connection.refused.update(refused)
        connection.refused_at = asyncio.get_running_loop().time()
        events = (connection.event("refused", channels=(name,), reason=why) for name, why in refused.items())
        self._put(*events)
        self._status.reason = next(iter(refused.values()))
        self._settled(connection, fresh=self._status.word != "live")

    def confirmed(self, connection: Connection, names: Iterable[str], *, since: int) -> None:
        """The vendor acknowledged these channels: they are live, from `since` on where data has shown it."""
        fresh = tuple(name for name in names if name in self.names and name not in connection.live)
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
        if not self.complete(connection):
            return
        connection.asked = 1
        self._status.word, self._status.reason = (
            "live" if connection.live else "refused",
            next(iter(connection.refused.values()), ""),
        )
        if connection.live and fresh:
            self._on_live()
