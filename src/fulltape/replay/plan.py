"""What was recorded in the order in which it is played: messages once each, and the gaps between them. Pure."""

from __future__ import annotations

import datetime as dt
import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from fulltape import errors
from fulltape.contract.events import ConnectionEvent

_WINDOW = 5_000_000_000
"""Connections of a source are written together, many times a second: none comes so many nanoseconds late."""
_FILES = 60_000_000_000
"""A file begins before its first message, and by so many nanoseconds at most after the last one of the file before."""


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


@dataclass(frozen=True, slots=True)
class RecordedGap:
    """From a moment on nothing of these symbols was received, and why; `cut`: the connection was lost."""

    at: int
    symbols: tuple[str, ...]
    why: str
    cut: bool


Recorded = Heard | ConnectionEvent
Item = Played | RecordedGap
Keys = Callable[[bytes], list[tuple[tuple[str, ...], str]]]
"""What a message is about: subscriptions by any of which it is sent, and the symbol."""


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
    if moment is None or (moment.tzinfo is None and not is_day):
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


def in_time(recorded: Iterable[Recorded]) -> Iterator[Recorded]:
    """By moment, whatever connection they came by; a clock that was put back does not bring the past again."""
    heap: list[tuple[int, int, Recorded]] = []
    newest = 0
    for number, item in enumerate(recorded):
        if isinstance(item, ConnectionEvent) and item.what == "opened":
            # What a file begins with may have happened before the file was made, and is written behind this mark.
            yield from _emptied(heap)
            yield item
            continue
        heapq.heappush(heap, (moment_of(item), number, item))
        newest = max(newest, moment_of(item))
        while heap[0][0] <= newest - _WINDOW:
            yield heapq.heappop(heap)[2]
    yield from _emptied(heap)


def _emptied(heap: list[tuple[int, int, Recorded]]) -> Iterator[Recorded]:
    while heap:
        yield heapq.heappop(heap)[2]


def moment_of(item: Recorded) -> int:
    """When something happened: a loss, when it began."""
    if isinstance(item, Heard):
        return item.at
    if item.what in ("disconnected", "stale"):
        return min(item.since or item.at, item.at)
    return item.at


@dataclass(slots=True)
class Sequence:
    """One source's recording, item by item. A subscription that two connections carried for a while is heard from the one that had it
    first, until that one is lost."""

    keys: Keys
    symbols: dict[str, str] = field(default_factory=dict)
    """Of channels, by name."""
    _owners: dict[tuple[tuple[str, ...], str], int] = field(default_factory=dict)
    _live: dict[str, set[int]] = field(default_factory=dict)
    _last: int = 0

    def items(self, recorded: Iterable[Recorded]) -> Iterator[Item]:
        """What is played, in order; moments never go back."""
        for each in in_time(recorded):
            if isinstance(each, ConnectionEvent):
                if each.what != "opened":
                    self._last = max(self._last, moment_of(each))
                yield from self._event(each)
                continue
            self._last = max(self._last, each.at)
            if self._is_owner(each):
                yield Played(self._last, each.content)

    def _is_owner(self, heard: Heard) -> bool:
        """Whether a message counts: it is about something that its connection has, or takes."""
        owners = [self._owners.setdefault(key, heard.connection) for key in self.keys(heard.content)]
        return heard.connection in owners

    def _event(self, event: ConnectionEvent) -> Iterator[Item]:
        if event.what == "opened":
            yield from self._opened(event)
        elif event.what == "confirmed":
            for name in event.channels:
                self._live.setdefault(name, set()).add(event.connection)
        elif event.what == "dropped":
            yield self._gap(
                event.channels or tuple(self.symbols), f"{event.count:,} messages were dropped", cut=False
            )
        elif event.what in ("stale", "disconnected", "closed"):
            lost = self._leave(event.connection, event.channels)
            if lost:
                why = f"{event.what}: {event.reason}" if event.reason else event.what
                yield self._gap(lost, why, cut=event.what != "stale")

    def _opened(self, event: ConnectionEvent) -> Iterator[Item]:
        """A file begins: what it does not go on with was lost with the one before."""
        self.symbols |= {channel.name: channel.symbol for channel in event.carried}
        live: dict[str, set[int]] = {}
        for connection, names in event.live.items():
            for name in names:
                live.setdefault(name, set()).add(connection)
        lost = tuple(name for name, carriers in self._live.items() if carriers and name not in live)
        self._live = live
        kept = {connection for connection, names in event.live.items() if names}
        self._owners = {key: owner for key, owner in self._owners.items() if owner in kept}
        if lost:
            yield self._gap(lost, "the recording broke off", cut=True)

    def _leave(self, connection: int, names: Iterable[str]) -> tuple[str, ...]:
        """A connection carries these channels no more (none named: all of them); returns those that no other carries."""
        self._owners = {key: owner for key, owner in self._owners.items() if owner != connection}
        left = [
            name for name in (tuple(names) or tuple(self._live)) if connection in self._live.get(name, ())
        ]
        for name in left:
            self._live[name].discard(connection)
        return tuple(name for name in left if not self._live[name])

    def _gap(self, names: Iterable[str], why: str, *, cut: bool) -> RecordedGap:
        symbols = sorted({self.symbols.get(name, name) for name in names})
        return RecordedGap(self._last, tuple(symbols), why, cut)


@dataclass(frozen=True, slots=True)
class Pace:
    """When what is played: deadlines count from the begin, so that nothing drifts. `began` and deadlines in seconds of a steady clock."""

    began: float
    first: int
    speed: float

    def deadline(self, at: int) -> float:
        """When a moment of the recording (UTC nanoseconds) comes."""
        return self.began + (at - self.first) / 1e9 / self.speed
