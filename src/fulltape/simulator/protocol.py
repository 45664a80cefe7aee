"""What every vendor's live socket has: subscriptions, answers, and messages of what happens."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from fulltape.simulator.minutes import Bar
from fulltape.simulator.ticks import Tick

COINS = {"BTC/USD": 68_000.0, "ETH/USD": 2_500.0, "BTC/USDT": 68_010.0, "ETH/USDT": 2_501.0}
STOCKS = {"AAPL": 230.0, "MSFT": 420.0, "IBM": 210.0}
PAIRS = {"EURUSD": 1.085, "USDJPY": 152.0}


@dataclass(slots=True)
class Talk:
    """What one connection has said so far: its subscriptions as (kind, symbol as the node writes it)."""

    subscribed: set[tuple[str, str]] = field(default_factory=set)
    let_in: bool = False
    requests: dict[str, Any] = field(default_factory=dict)
    number: int = 0


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

    @abstractmethod
    def unknown(self) -> bytes:
        """A message that no document mentions."""


def encoded(content: object) -> bytes:
    """JSON as machines write it."""
    return json.dumps(content, separators=(",", ":")).encode()
