"""Journals of messages, written as capture writes them."""

from __future__ import annotations

import contextlib
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clocks import FakeClock
from fulltape.contract.events import ConnectionEvent
from fulltape.contract.streams import Channel
from fulltape.lake import messages
from fulltape.lake.journal import Journal, RecordKind
from fulltape.lake.layout import Layout

START = 1_700_000_000_000_000_000
"""A moment in nanoseconds: 2023-11-14T22:13:20Z."""
MS = 1_000_000


def channel(name: str, symbol: str) -> Channel:
    """A channel of trades."""
    return Channel(name=name, dataset="crypto_trades", symbol=symbol, wire=symbol, detail="trades")


@dataclass
class Tape:
    """Writes one journal. Moments are milliseconds after START."""

    journal: Journal
    _numbers: dict[int, int] = field(default_factory=dict)

    def event(self, what: Any, at: float, connection: int = 1, **more: Any) -> None:
        """A mark."""
        event = ConnectionEvent(what=what, at=START + int(at * MS), connection=connection, **more)
        self.journal.append(RecordKind.MARK, messages.encode_event(event))

    def heard(self, *said: tuple[float, bytes], connection: int = 1) -> None:
        """A block of messages (moment, content)."""
        number = self._numbers[connection] = self._numbers.get(connection, 0) + 1
        stamps = array("q", [START + int(at * MS) for at, _ in said])
        block = messages.block(connection, number, [content for _, content in said], stamps)
        self.journal.append(RecordKind.MESSAGES, *messages.encode_block(block))


@contextlib.contextmanager
def tape(
    root: Path, source: str, channels: Sequence[Channel], *, writer: str = "node.capture", **opened: Any
) -> Iterator[Tape]:
    """A new journal below `root`, the lake."""
    journal = Journal(Layout(root=root), writer=writer, source=source, clock=FakeClock(START // 1_000))
    made = Tape(journal)
    made.event("opened", 0, 0, carried=tuple(channels), **opened)
    yield made
    journal.close()
