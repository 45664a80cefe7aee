"""What every vendor's live socket has: subscriptions, answers, and messages of what happens."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import msgspec

from fulltape.simulator.minutes import Bar
from fulltape.simulator.ticks import Tick

COINS = {"BTC/USD": 68_000.0, "ETH/USD": 2_500.0, "BTC/USDT": 68_010.0, "ETH/USDT": 2_501.0}
STOCKS = {"AAPL": 230.0, "MSFT": 420.0, "IBM": 210.0}
PAIRS = {"EURUSD": 1.085, "USDJPY": 152.0}


@dataclass(slots=True)
class Talk:
    """What one connection has said so far: its subscriptions as (kind, symbol as the node writes it)."""

    subscribed: set[tuple[str, str]] = field(default_factory=set)
    path: str = "/"
    """What it connected to, with its query."""
    let_in: bool = False
    requests: dict[str, Any] = field(default_factory=dict)
    number: int = 0


ANY = "*"
"""As a symbol: every one."""


@dataclass(frozen=True, slots=True)
class Piece:
    """What of a recorded message is about one symbol, exactly as it came. `kinds`: the subscriptions by any of which it is sent; none:
    it only concerned the connection that it came by."""

    kinds: tuple[str, ...]
    symbol: str
    content: bytes
    alike: bytes = b""
    """What is the same of it by whatever connection it comes, where that is not all."""

    @property
    def identity(self) -> bytes:
        """What tells whether two connections brought the same."""
        return self.alike or self.content

    def wanted(self, talk: Talk) -> bool:
        """Whether a client has subscribed to it."""
        return any((kind, symbol) in talk.subscribed for kind in self.kinds for symbol in (self.symbol, ANY))


class StreamProtocol(ABC):
    """One vendor's way of talking. Methods return messages to send."""

    vendor: ClassVar[str]
    kinds: ClassVar[tuple[str, ...]]
    """What a tick is sent as."""
    prices: ClassVar[Mapping[str, float]] = COINS
    """Symbols that `fulltape simulate --live` trades, and their first prices. Stocks trade day and night there."""
    plain: ClassVar[bool] = False
    """Whether a tick is a price without a size."""
    grain: ClassVar[int] = 1_000_000
    """Nanoseconds to which moments are told."""

    packs: ClassVar[bool] = False
    """Whether a client may have messages as MessagePack, by the type of content that it names when it connects."""

    def __init__(self, symbols: frozenset[str]) -> None:
        self.symbols = symbols

    def greet(self, talk: Talk) -> list[bytes]:  # noqa: ARG002
        """What the server says first."""
        return []

    @abstractmethod
    def hear(self, talk: Talk, said: Any) -> list[bytes]:
        """The answers to one message, decoded from JSON."""

    def tick(self, talk: Talk, symbol: str, tick: Tick) -> bytes | None:  # noqa: ARG002
        """A tick as a message, None for who has not asked."""
        return None

    def around(self, talk: Talk, symbol: str, tick: Tick) -> list[bytes]:  # noqa: ARG002
        """Best prices and books that change with a tick, for who has asked."""
        return []

    def bar(self, talk: Talk, symbol: str, bar: Bar) -> bytes | None:  # noqa: ARG002
        """A minute that is complete as a message, None for who has not asked."""
        return None

    def pieces(self, message: bytes) -> list[Piece]:  # noqa: ARG002
        """What a recorded message of the vendor is about; nothing for what only concerned the connection that it came by."""
        return []

    def joined(self, message: bytes, pieces: Sequence[Piece]) -> bytes:
        """A message with only these pieces, in their order, for a vendor whose messages have several."""
        del pieces
        return message

    def addressed(self, talk: Talk, message: bytes) -> bytes | None:  # noqa: ARG002
        """A message as this client expects it, None where it is none of its answers: as it came, but where it repeats what was asked."""
        return message

    def packed(self, message: bytes) -> bytes:
        """A message as MessagePack."""
        return msgspec.msgpack.encode(msgspec.json.decode(message))

    @abstractmethod
    def unknown(self) -> bytes:
        """A message that no document mentions."""


def objects(pieces: Sequence[Piece]) -> bytes:
    """Pieces as an array of JSON."""
    return b"[" + b",".join(piece.content for piece in pieces) + b"]"


def fields(message: bytes) -> dict[str, bytes]:
    """The fields of an object of JSON, exactly as they came."""
    parts = msgspec.json.decode(message, type=dict[str, msgspec.Raw])
    return {name: bytes(body) for name, body in parts.items()}


def of_fields(bodies: Mapping[str, bytes]) -> bytes:
    """An object of JSON out of its fields."""
    return b"{" + b",".join(encoded(name) + b":" + body for name, body in bodies.items()) + b"}"


def encoded(content: object) -> bytes:
    """JSON as machines write it."""
    return json.dumps(content, separators=(",", ":")).encode()
