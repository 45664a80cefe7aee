"""What a line needs to connect: leave to try, the vendor's door, and one connection with its conversation."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from fulltape.capture import plan
from fulltape.capture.socket import Socket
from fulltape.contract import redaction
from fulltape.contract.events import ConnectionEvent, EventKind
from fulltape.contract.plans import Connecting
from fulltape.contract.streams import ProtocolStep, ProtocolSteps


@dataclass(slots=True)
class ConnectionAttempts:
    """Connection attempts of one vendor, over all of its streams."""

    limits: Connecting
    earlier: deque[float] = field(default_factory=lambda: deque(maxlen=1_000))
    closed_until: float = 0.0

    async def enter(self) -> None:
        """Wait until one more attempt is allowed, and count it."""
        now = asyncio.get_running_loop().time
        while wait := max(
            self.closed_until - now(), plan.room_for_attempt(list(self.earlier), now(), self.limits), 0.0
        ):
            await asyncio.sleep(wait)
        self.earlier.append(now())

    def stay_away(self, seconds: float = 0) -> None:
        """The vendor said that it is too much, and for how long where it did."""
        wait = max(seconds, self.limits.after_refusal)
        self.closed_until = max(self.closed_until, asyncio.get_running_loop().time() + wait)


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorAddress:
    """How a vendor is reached: its address, and the secrets that are filled in here and taken out of every echo."""

    url: str
    secrets: dict[str, str] = field(repr=False)
    timeout: float

    def fill(self, text: str) -> str:
        """A message or header with the secrets in their places."""
        for name, secret in self.secrets.items():
            text = text.replace(f"{{{name}}}", secret)
        return text

    def redact(self, message: bytes) -> bytes:
        """A message without any secret, however it is spelt."""
        return redaction.of(*self.secrets.values())(message)


@dataclass(slots=True)
class Connection:
    """A socket, the conversation over it, and what it is waiting for."""

    socket: Socket
    address: VendorAddress
    timestamp: Callable[[], int]
    steps: ProtocolSteps
    began: float = field(default_factory=lambda: asyncio.get_running_loop().time())
    asked_at: float = field(default_factory=lambda: asyncio.get_running_loop().time())
    over: asyncio.Event = field(default_factory=asyncio.Event)
    live: set[str] = field(default_factory=set)
    taken: set[str] = field(default_factory=set)
    """All that were ever live on it."""
    refused: dict[str, str] = field(default_factory=dict)
    refused_at: float = 0.0
    opened: bool = False
    renew_at: float = float("inf")
    """When a successor is tried once more, in seconds of the loop."""
    asked: int = 1
    step: ProtocolStep = field(default_factory=ProtocolStep)
    next_word: float = 0.0
    told_at: float = 0.0

    def event(
        self, what: EventKind, *, channels: tuple[str, ...] = (), since: int = 0, reason: str = ""
    ) -> ConnectionEvent:
        """What has happened to it now (see `contract/events.py`), with no secret in the reason."""
        return ConnectionEvent(
            what=what,
            at=self.timestamp(),
            connection=self.socket.connection,
            channels=channels,
            since=since,
            reason=self.address.redact(reason.encode()).decode(),
        )

    def take(self, fresh: Collection[str]) -> None:
        """These are live now. With the first of them it goes on: others have not been asked for in vain so often."""
        if not self.taken.issuperset(fresh):
            self.asked = 1
        self.taken.update(fresh)
        self.live.update(fresh)
        for name in fresh:
            self.refused.pop(name, None)

    def say(self, text: str, per_second: float) -> None:
        """Send, no faster than the vendor likes (0: as fast as it goes)."""
        loop = asyncio.get_running_loop()
        at = max(loop.time(), self.next_word)
        self.asked_at = max(self.asked_at, at)
        if not per_second:
            self.socket.say(text)
            return
        self.next_word = at + 1 / per_second
        loop.call_at(at, self.socket.say, text)
