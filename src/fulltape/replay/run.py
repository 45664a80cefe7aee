"""Plays recordings: one clock for all sources, deadlines that do not drift, gaps where there were gaps."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from fulltape import errors
from fulltape.market.time import Instant
from fulltape.replay import reading
from fulltape.replay.plan import Item, Pace, Played, PlayOrder, RecordedGap
from fulltape.replay.reading import RecordedSource
from fulltape.replay.server import ReplayServer
from fulltape.simulator import registry

Begin = Literal["subscribed", "now"]
Gaps = Literal["cut", "log"]
_AHEAD = 500
"""So many items are read at a time, while those before are played."""
_POLL = 0.005
_SETTLED = 0.5
"""Seconds without another subscription."""
_SILENT = 5.0
"""After so many seconds without a subscription it is told what is waited for."""
_BREATH = 32
"""After so many messages in a row clients are heard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaySettings:
    """What is played and how. `first` and `last` in UTC nanoseconds, inclusive. `speed`: so many times as fast as it came. `port`: of the
    first source, the others follow; 0: any. `begin`: at once, or when every source has a subscriber and for half a second no
    other subscription came. `gaps`: a lost connection is cut, or
    only told. `step` waits for how many messages come next; None: they come by the clock."""

    root: Path
    sources: tuple[str, ...] = ()
    writer: str = ""
    first: int = 0
    last: int = 1 << 62
    speed: float = 1.0
    port: int = 0
    begin: Begin = "subscribed"
    gaps: Gaps = "cut"
    step: Callable[[], int] | None = None


@dataclass(slots=True)
class Replayed:
    """What was played: messages, those of them that were sent to a client (once for each), such as are none of the vendor's and were
    passed over, gaps, the recording's first and last moment
    (UTC microseconds), and by how many milliseconds a message came late: of half of them at most, of 99 %, of all."""

    messages: int = 0
    sent: int = 0
    unreadable: int = 0
    gaps: int = 0
    first: Instant = 0
    last: Instant = 0
    late_p50: float = 0.0
    late_p99: float = 0.0
    late_most: float = 0.0


class ReplayObserver:
    """What happens, as it happens; who wants to know overrides it."""

    def listening(self, servers: Sequence[ReplayServer]) -> None:
        """Clients may connect."""

    def left_out(self, source: str, why: str) -> None:
        """A source is not played."""

    def waiting(self, sources: Sequence[str]) -> None:
        """For a while these have no subscriber, without which it does not begin."""

    def began(self, at: int) -> None:
        """The first moment of the recording is now."""

    def gap(self, source: str, gap: RecordedGap) -> None:
        """A gap of the recording begins."""


@dataclass(slots=True)
class _Lateness:
    """How late messages came, in steps of a tenth of a millisecond."""

    counts: dict[int, int] = field(default_factory=dict)

    def add(self, seconds: float) -> None:
        step = max(0, round(seconds * 10_000))
        self.counts[step] = self.counts.get(step, 0) + 1

    def share(self, part: float) -> float:
        """So many milliseconds late were this part of them at most."""
        limit, seen = part * sum(self.counts.values()), 0
        for step, count in sorted(self.counts.items()):
            seen += count
            if seen >= limit:
                return step / 10
        return 0.0


async def play(settings: ReplaySettings, observer: ReplayObserver) -> Replayed:
    """Play until the end of the recording. `UsageError` for what cannot be played, before anything listens."""
    if settings.speed <= 0:
        raise errors.UsageError("the speed is a number above 0.")
    chosen = reading.sources(settings.root, settings.sources, settings.writer, settings.first, settings.last)
    streams = _streams(chosen, settings, observer)
    servers = [server for server, _ in streams]
    items = heapq.merge(*(stream for _, stream in streams), key=lambda pair: pair[1].at)
    try:
        for server in servers:
            await server.open()
        observer.listening(servers)
        if settings.begin == "subscribed":
            await _all_subscribed(servers, observer)
        replayed = await _played(items, settings, observer)
    finally:
        for server in servers:
            await server.close()
    replayed.sent = sum(server.sent for server in servers)
    replayed.unreadable = sum(server.unreadable for server in servers)
    return replayed


def _streams(
    chosen: Sequence[RecordedSource], settings: ReplaySettings, observer: ReplayObserver
) -> list[tuple[ReplayServer, Iterator[tuple[ReplayServer, Item]]]]:
    """What is played of each source that has anything to play, and its server, each at a port after the one before."""
    protocols = registry.streams()
    streams: list[tuple[ReplayServer, Iterator[tuple[ReplayServer, Item]]]] = []
    for recorded in chosen:
        vendor = recorded.source.partition(".")[0]
        if vendor not in protocols:
            if recorded.source in settings.sources:
                raise errors.UsageError(
                    f"{recorded.source} cannot be played: it was captured through the vendor's own library, not from a socket.",
                    hint=f"Sockets there are of {', '.join(protocols)}.",
                )
            observer.left_out(
                recorded.source, "it was captured through the vendor's own library, not from a socket"
            )
            continue
        port = settings.port + len(streams) if settings.port else 0
        wire = protocols[vendor](recorded.symbols | recorded.spellings)
        server = ReplayServer(recorded, wire, port)
        items = _within(recorded, server, settings)
        first = next(items, None)
        if first is None:
            observer.left_out(recorded.source, "nothing of it was received in this time")
            continue
        streams.append((server, itertools.chain([first], items)))
    if not streams:
        raise reading.nothing()
    return streams


def _within(
    recorded: RecordedSource, server: ReplayServer, settings: ReplaySettings
) -> Iterator[tuple[ReplayServer, Item]]:
    for item in PlayOrder(server).items(reading.recorded(recorded)):
        if item.at > settings.last:
            return
        if item.at >= settings.first:
            yield server, item


async def _all_subscribed(servers: Sequence[ReplayServer], observer: ReplayObserver) -> None:
    """Wait until every source has a subscription, and for a while no other has come: clients subscribe one by one."""
    loop = asyncio.get_running_loop()
    before, since, told_at = [0], loop.time(), loop.time() + _SILENT
    while not all(before) or loop.time() < since + _SETTLED:
        now = [server.subscribed for server in servers]
        if now != before:
            before, since = now, loop.time()
        if not all(now) and loop.time() > told_at:
            observer.waiting([server.source for server in servers if not server.subscribed])
            told_at = float("inf")
        await asyncio.sleep(_POLL)


async def _played(
    items: Iterator[tuple[ReplayServer, Item]], settings: ReplaySettings, observer: ReplayObserver
) -> Replayed:
    loop, replayed, late = asyncio.get_running_loop(), Replayed(), _Lateness()
    pace: Pace | None = None
    steps = 0
    with ThreadPoolExecutor(1) as reader:

        def following() -> asyncio.Future[list[tuple[ReplayServer, Item]]]:
            return loop.run_in_executor(reader, lambda: list(itertools.islice(items, _AHEAD)))

        ahead = following()
        while some := await ahead:
            ahead = following()
            for number, (server, item) in enumerate(some):
                if pace is None:
                    pace = Pace(loop.time(), item.at, settings.speed)
                    replayed.first = item.at // 1_000
                    observer.began(item.at)
                replayed.last = item.at // 1_000
                if settings.step is not None:
                    if steps == 0 and isinstance(item, Played):
                        steps = await _aside(loop, settings.step)
                        if steps == 0:
                            return replayed
                    steps -= isinstance(item, Played)
                else:
                    await _until(loop, pace.deadline(item.at))
                    if isinstance(item, Played):
                        late.add(loop.time() - pace.deadline(item.at))
                if isinstance(item, RecordedGap):
                    replayed.gaps += 1
                    observer.gap(server.source, item)
                    if item.cut and settings.gaps == "cut":
                        server.cut(item)
                    continue
                server.play(item)
                replayed.messages += 1
                if number % _BREATH == 0:
                    await asyncio.sleep(0)
    replayed.late_p50, replayed.late_p99, replayed.late_most = (late.share(part) for part in (0.5, 0.99, 1))
    return replayed


async def _aside(loop: asyncio.AbstractEventLoop, step: Callable[[], int]) -> int:
    """What is asked for in a thread that nothing waits for: an end of the program must not need another key."""
    future: asyncio.Future[int] = loop.create_future()

    def settle(given: int | BaseException) -> None:
        if future.done():
            return
        if isinstance(given, BaseException):
            future.set_exception(given)
        else:
            future.set_result(given)

    def run() -> None:
        try:
            given: int | BaseException = step()
        except Exception as error:  # noqa: BLE001 — it is raised where it is waited for
            given = error
        with contextlib.suppress(RuntimeError):  # the loop is closed, and no one waits
            loop.call_soon_threadsafe(settle, given)

    threading.Thread(target=run, daemon=True).start()
    return await future


async def _until(loop: asyncio.AbstractEventLoop, deadline: float) -> None:
    while (left := deadline - loop.time()) > 0:
        await asyncio.sleep(left)
