"""What waits for the disk: bounded, and what does not fit is counted and told, never lost in silence."""

from __future__ import annotations

import re
import threading
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from fulltape.capture import plan
from fulltape.capture.plan import WaitingMessages
from fulltape.contract.events import ConnectionEvent
from fulltape.contract.streams import Channel, Detail
from fulltape.lake import messages
from fulltape.lake.messages import Block

_ROOM_AFTER = 0.75
"""A queue that was full is emptied to this share, so that not every block has to drop something."""
_OVERHEAD = 64
"""Bytes that a message costs in memory beside its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Router:
    """Tells the channels of messages without decoding them."""

    route: re.Pattern[bytes]
    channels: Mapping[str, Channel]

    def channel(self, message: bytes) -> str:
        """The channel of one message, '' where it cannot be told."""
        match = self.route.search(message)
        return _name(match.groups()) if match else ""

    def all_channels(self, message: bytes) -> set[str]:
        """All channels of one message: an array may tell of many. {''} where none can be told."""
        return {_name(groups) for groups in self.route.findall(message)} or {""}

    def spoken(self, block: Block) -> set[str]:
        """All channels of a block."""
        return {_name(groups) for groups in set(self.route.findall(block.body))}

    def detail(self, message: bytes) -> Detail:
        """What kind of data a message is; what cannot be told is kept longest."""
        known = self.channels.get(self.channel(message))
        return known.detail if known else "trades"


def _name(groups: object) -> str:
    parts = groups if isinstance(groups, tuple) else (groups,)
    return b"|".join(part or b"" for part in parts).decode(errors="replace")


def size_of(block: Block) -> int:
    """Bytes that a block holds in memory."""
    return len(block.body) + _OVERHEAD * len(block.lengths)


@dataclass(slots=True)
class MessageQueue:
    """Blocks and marks of one source on their way from the sockets to the writer's thread, in order.

    `bound` is in bytes. `wake` is notified whenever there is something, or `closed`.
    """

    bound: int
    routers: dict[int, Router] = field(default_factory=dict)
    """By connection."""
    wake: threading.Condition = field(default_factory=threading.Condition)
    closed: bool = False
    dropped: int = 0
    _waiting: list[Block | ConnectionEvent] = field(default_factory=list)
    _bytes: int = 0
    _urgent: bool = False

    def put(self, items: Iterable[Block | ConnectionEvent], *, sync: bool = False, now_ns: int = 0) -> None:
        """Add to the end; `sync` asks for all of it to be made durable now."""
        with self.wake:
            for item in items:
                self._waiting.append(item)
                if isinstance(item, Block):
                    self._bytes += size_of(item)
            if self._bytes > self.bound:
                self._shed(now_ns)
            self._urgent = self._urgent or sync
            self.wake.notify()

    def take(self) -> tuple[list[Block | ConnectionEvent], bool, bool]:
        """Wait for something; everything that waits, whether it must be made durable now, and whether that was all."""
        with self.wake:
            while not (self._waiting or self._urgent or self.closed):
                self.wake.wait()
            taken, self._waiting, self._bytes = self._waiting, [], 0
            urgent, self._urgent = self._urgent, False
            return taken, urgent, self.closed

    def give_back(self, items: list[Block | ConnectionEvent], now_ns: int) -> None:
        """What could not be written waits again, before everything that came later."""
        with self.wake:
            self._waiting[:0] = items
            self._bytes += sum(size_of(item) for item in items if isinstance(item, Block))
            if self._bytes > self.bound:
                self._shed(now_ns)

    def close(self) -> None:
        """Nothing more will come."""
        with self.wake:
            self.closed = True
            self.wake.notify()

    def _shed(self, now_ns: int) -> None:
        held: list[WaitingMessages] = []
        split: dict[int, dict[Detail, list[int]]] = {}
        for at, item in enumerate(self._waiting):
            if isinstance(item, Block):
                split[at] = self._details(item)
                for detail, places in split[at].items():
                    weight = sum(item.lengths[place] + _OVERHEAD for place in places)
                    held.append(WaitingMessages(block=at, detail=detail, bytes=weight))
        gone: dict[int, set[int]] = {}
        for dropped in plan.to_drop(held, int(self.bound * _ROOM_AFTER)):
            gone.setdefault(dropped.block, set()).update(split[dropped.block][dropped.detail])
        kept: list[Block | ConnectionEvent] = []
        for at, item in enumerate(self._waiting):
            if at in gone and isinstance(item, Block):
                kept += self._without(item, gone[at], now_ns)
            else:
                kept.append(item)
        self._waiting = _told_together(kept)
        self._bytes = sum(size_of(item) for item in self._waiting if isinstance(item, Block))

    def _details(self, block: Block) -> dict[Detail, list[int]]:
        router = self.routers.get(block.connection)
        kinds = {channel.detail for channel in router.channels.values()} if router else set()
        places = range(len(block.lengths))
        if router is None or len(kinds) == 1:
            return {next(iter(kinds), "trades"): list(places)}
        by_detail: dict[Detail, list[int]] = {}
        for place, message in enumerate(block.messages()):
            by_detail.setdefault(router.detail(message), []).append(place)
        return by_detail

    def _without(self, block: Block, gone: set[int], now_ns: int) -> list[Block | ConnectionEvent]:
        """What is left of a block, and a mark of what is not."""
        router = self.routers.get(block.connection)
        all_messages = block.messages()
        names = {
            name for place in gone for name in (router.all_channels(all_messages[place]) if router else ("",))
        }
        timestamps = [block.received[place] for place in gone]
        self.dropped += len(gone)
        event = ConnectionEvent(
            what="dropped",
            at=max(timestamps),
            since=min(timestamps),
            connection=block.connection,
            channels=() if "" in names else tuple(sorted(names)),
            count=len(gone),
            reason=f"the disk was slower than the feed at {now_ns}",
        )
        left = [place for place in range(len(all_messages)) if place not in gone]
        if not left:
            return [event]
        received = array("q", (block.received[place] for place in left))
        return [
            messages.block(block.connection, block.number, [all_messages[place] for place in left], received),
            event,
        ]


def _told_together(items: list[Block | ConnectionEvent]) -> list[Block | ConnectionEvent]:
    """With one mark for everything that a connection has lost: what could not be written must not fill the memory with
    news of it."""
    places: dict[int, int] = {}
    out: list[Block | ConnectionEvent] = []
    for item in items:
        if not isinstance(item, ConnectionEvent) or item.what != "dropped":
            out.append(item)
            continue
        place = places.get(item.connection)
        if place is None:
            places[item.connection] = len(out)
            out.append(item)
            continue
        before = out[place]
        assert isinstance(before, ConnectionEvent)
        of_all = not (before.channels and item.channels)
        out[place] = msgspec.structs.replace(
            item,
            since=min(before.since, item.since),
            at=max(before.at, item.at),
            count=before.count + item.count,
            channels=() if of_all else tuple(sorted({*before.channels, *item.channels})),
        )
    return out
