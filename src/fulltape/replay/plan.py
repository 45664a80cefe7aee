"""What was recorded in the order in which it is played: messages once each, and the gaps between them. Pure."""

from __future__ import annotations

import datetime as dt
import heapq
from collections import Counter, deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from fulltape import errors
from fulltape.contract.events import ConnectionEvent

_WINDOW = 5_000_000_000
"""Connections of a source are written together, many times a second: none comes so many nanoseconds late."""
_HELD = 300_000_000_000
"""For so many nanoseconds a connection may be dead before that is noticed."""
_FILES = 3_600_000_000_000
"""By so many nanoseconds at most a file begins after its first message, or after the last one of the file before."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A message as it came by a connection, in UTC nanoseconds."""

    at: int
    connection: int
    content: bytes


@dataclass(frozen=True, slots=True)
class Played:
    """A message that is played."""

    at: int
    content: bytes


Key = tuple[tuple[str, ...], str]
"""Subscriptions by any of which something is sent, and its symbol."""


@dataclass(frozen=True, slots=True)
class RecordedGap:
    """From a moment on nothing of these symbols was received, and why; `cut`: the connection was lost, and with it these subscriptions as far as
    anything had been heard of them (`keys`)."""

    at: int
    symbols: tuple[str, ...]
    why: str
    cut: bool
    keys: tuple[Key, ...] = ()

    def concerns(self, kind: str, symbol: str, every: str) -> bool:
        """Whether a subscription was lost; `every` is a symbol that means all."""
        heard = {each for _, each in self.keys}
        return any(kind in kinds and symbol in (each, every) for kinds, each in self.keys) or any(
            symbol in (each, every) for each in self.symbols if each not in heard
        )


Recorded = Heard | ConnectionEvent
Item = Played | RecordedGap


class Wire(Protocol):
    """What recorded messages of a vendor are about."""

    def pieces(self, content: bytes) -> Sequence[tuple[Key, bytes]]:
        """Each piece with what it is, whatever connection it came by; nothing for what only concerned a connection."""
        ...

    def without(self, content: bytes, gone: Collection[int]) -> bytes:
        """A message without some of its pieces, by their places."""
        ...


def window(begin: str, end: str) -> tuple[int, int]:
    """The first and the last nanosecond that are played: days (YYYY-MM-DD, in UTC, both inclusive), or moments with a zone; '' is open.
    `UsageError` for anything else."""
    first = _moment(begin, "--from")[0] if begin else 0
    last = _moment(end, "--to")[1] if end else 1 << 62
    if first > last:
        raise errors.UsageError(f"--from {begin} lies after --to {end}.")
    return first, last


def _moment(text: str, name: str) -> tuple[int, int]:
    """The first and the last nanosecond of a day, or a moment, twice."""
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        moment = None
    is_day = moment is not None and len(text) == len("2026-11-24")
    if moment is not None and moment.tzinfo is None and not is_day:
        raise errors.UsageError(f"{name} {text!r} has no time zone.", hint="2026-11-24T14:30Z is one in UTC.")
    if moment is None:
        raise errors.UsageError(
            f"{name} {text!r} is no moment.", hint="Write a day of UTC, 2026-11-24, or 2026-11-24T14:30Z."
        )
    day = dt.timedelta(days=1)
    start = _nanoseconds(moment.replace(tzinfo=dt.UTC) if is_day else moment)
    return start, start + (day // dt.timedelta(microseconds=1)) * 1_000 - 1 if is_day else start


def _nanoseconds(moment: dt.datetime) -> int:
    return (moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1) * 1_000


def files_within(begins: list[int], first: int, last: int) -> list[int]:
    """Which files may hold messages of a stretch of time, by their place; `begins` are the moments of their names, in order."""
    return [
        at
        for at, begin in enumerate(begins)
        if begin <= last + _FILES and (at + 1 == len(begins) or begins[at + 1] + _FILES >= first)
    ]


def in_time(recorded: Iterable[Recorded]) -> Iterator[tuple[int, Recorded]]:
    """By moment, whatever connection it came by; what came by one connection keeps its order. A clock that was set is put right: after it time
    goes on from where it was."""
    heap: list[tuple[int, int, Recorded]] = []
    newest = shift = 0
    of_connection: dict[int, int] = {}
    for number, item in enumerate(recorded):
        if isinstance(item, ConnectionEvent) and item.what == "opened":
            # What a file begins with may have happened before the file was made, and is written behind this mark.
            yield from _emptied(heap)
            yield newest, item
            continue
        if isinstance(item, ConnectionEvent) and item.what == "clock":
            shift -= item.by
        moment = item.at
        if isinstance(item, ConnectionEvent) and item.what == "dropped":
            moment = newest - shift  # it is told when there is time for it, and its moment is no clock's
        if newest and moment + shift < newest - _WINDOW:
            shift = newest - moment
        at = max(moment + shift, of_connection.get(item.connection, 0))
        of_connection[item.connection] = at
        heapq.heappush(heap, (at, number, item))
        newest = max(newest, at)
        while heap[0][0] <= newest - _WINDOW:
            earliest, _, first = heapq.heappop(heap)
            yield earliest, first
    yield from _emptied(heap)


def _emptied(heap: list[tuple[int, int, Recorded]]) -> Iterator[tuple[int, Recorded]]:
    while heap:
        moment, _, earliest = heapq.heappop(heap)
        yield moment, earliest


class _Recent:
    """What was played lately, as often as it was."""

    def __init__(self) -> None:
        self._counts: Counter[bytes] = Counter()
        self._order: deque[tuple[int, bytes]] = deque()

    def add(self, at: int, content: bytes, since: int) -> None:
        """Something was played; what was before `since` can be forgotten."""
        self._counts[content] += 1
        self._order.append((at, content))
        while self._order[0][0] < since - 2 * _WINDOW:
            _, old = self._order.popleft()
            self._counts[old] -= 1
            if not self._counts[old]:
                del self._counts[old]

    def copies(self) -> Counter[bytes]:
        """How often each was played."""
        return Counter(self._counts)


class PlayOrder:
    """One source's recording, item by item. While an older connection carries all that a newer one does, what comes by the newer one is held back;
    once the older one is lost, what that had not brought is played, and the newer one goes on."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._symbols: dict[str, str] = {}
        """Of channels, by name."""
        self._carried: dict[int, set[str]] = {}
        """By connection its channels; the older connection first."""
        self._keys: dict[int, set[Key]] = {}
        """By connection what was heard by it."""
        self._left: set[int] = set()
        """Connections that were lost."""
        self._held: deque[tuple[int, Heard]] = deque()
        self._recent = _Recent()
        self._last = 0

    def items(self, recorded: Iterable[Recorded]) -> Iterator[Item]:
        """What is played, in order; moments never go back."""
        for at, each in in_time(recorded):
            self._last = max(self._last, at)
            if isinstance(each, ConnectionEvent):
                yield from self._event(each)
                yield from self._released()
            elif each.connection in self._left:
                # It may have delivered until the end; what came by another one meanwhile is there already.
                yield from self._play(each, self._recent.copies())
            elif self._waits(each.connection):
                yield from self._hold(each)
            else:
                yield from self._play(each, Counter())
        copies = self._recent.copies()
        for _, heard in self._held:
            yield from self._play(heard, copies)

    def _waits(self, connection: int) -> bool:
        """Whether older connections carry all that this one does; of one of which that is not known yet, whether there are any."""
        mine, older = self._carried.get(connection), set[str]()
        for other, names in self._carried.items():
            if other == connection:
                break
            older |= names
        return bool(older) if not mine else mine <= older

    def _hold(self, heard: Heard) -> Iterator[Item]:
        self._held.append((self._last, heard))
        while self._held[0][0] < self._last - _HELD:
            # It was never told what this one carries, or both are there for ever: it is heard by itself.
            _, old = self._held.popleft()
            yield from self._play(old, self._recent.copies())

    def _play(self, heard: Heard, copies: Counter[bytes]) -> Iterator[Item]:
        """A message without the pieces of which there are `copies`."""
        pieces = self._wire.pieces(heard.content)
        self._keys.setdefault(heard.connection, set()).update(key for key, _ in pieces)
        gone = []
        for place, (_, content) in enumerate(pieces):
            if copies[content] > 0:
                copies[content] -= 1
                gone.append(place)
            else:
                # A copy of what is held back may have come before it, however long ago that was.
                self._recent.add(self._last, content, self._held[0][0] if self._held else self._last)
        if pieces and not gone:
            yield Played(self._last, heard.content)
        elif len(gone) < len(pieces):
            yield Played(self._last, self._wire.without(heard.content, gone))

    def _released(self) -> Iterator[Item]:
        """What was held back of connections that wait no more, but for copies of what was played."""
        ready = {heard.connection for _, heard in self._held if not self._waits(heard.connection)}
        if not ready:
            return
        held, self._held, copies = self._held, deque[tuple[int, Heard]](), self._recent.copies()
        for at, heard in held:
            if heard.connection in ready:
                yield from self._play(heard, copies)
            else:
                self._held.append((at, heard))

    def _event(self, event: ConnectionEvent) -> Iterator[Item]:
        if event.what == "opened":
            yield from self._opened(event)
        elif event.what == "confirmed":
            self._carried.setdefault(event.connection, set()).update(event.channels)
        elif event.what == "dropped":
            names = event.channels or tuple(self._symbols)
            yield self._gap(names, f"{event.count:,} messages were dropped", cut=False)
        elif event.what in ("stale", "disconnected", "closed"):
            mine = self._carried.get(event.connection, set())
            left = mine & set(event.channels or mine)
            mine -= left
            if event.what != "stale":
                self._carried.pop(event.connection, None)
                self._left.add(event.connection)
            lost = left.difference(*self._carried.values())
            if lost:
                why = f"{event.what}: {event.reason}" if event.reason else event.what
                keys = self._keys.get(event.connection, set())
                yield self._gap(lost, why, cut=event.what != "stale", keys=keys)

    def _opened(self, event: ConnectionEvent) -> Iterator[Item]:
        """A file begins: what it does not go on with was lost with the one before."""
        self._symbols |= {channel.name: channel.symbol for channel in event.carried}
        before = set[str]().union(*self._carried.values())
        known = [connection for connection in self._carried if connection in event.live]
        gone = [connection for connection in self._carried if connection not in event.live]
        ordered = [*known, *(connection for connection in event.live if connection not in known)]
        self._carried = {connection: set(event.live[connection]) for connection in ordered}
        lost = before.difference(*self._carried.values())
        if lost:
            keys = set[Key]().union(*(self._keys.get(connection, set()) for connection in gone))
            yield self._gap(lost, "the recording broke off", cut=True, keys=keys)

    def _gap(self, names: Iterable[str], why: str, *, cut: bool, keys: Iterable[Key] = ()) -> RecordedGap:
        symbols = sorted({self._symbols.get(name, name) for name in names})
        return RecordedGap(self._last, tuple(symbols), why, cut, tuple(sorted(keys)))


@dataclass(frozen=True, slots=True)
class Pace:
    """When what is played: deadlines count from the begin, so that nothing drifts. `began` and deadlines in seconds of a steady clock."""

    began: float
    first: int
    speed: float

    def deadline(self, at: int) -> float:
        """When a moment of the recording (UTC nanoseconds) comes."""
        return self.began + (at - self.first) / 1e9 / self.speed
