"""Random live histories: a clock that is wrong either way and set once or more, ids that begin anew, connections that end,
messages that are lost unseen or do not fit into memory. Whatever counts as live and free of doubt must have been captured whole."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from fulltape.capture.plan import Clocks
from fulltape.contract.events import ConnectionEvent, EventKind
from fulltape.contract.streams import Channel
from fulltape.decoding.captured import FELL
from fulltape.market.time import SECOND
from fulltape.seal.messages import timeline
from fulltape.seal.messages.timeline import Run, Timeline

HISTORIES = 1_000
_NS = 1_000_000_000
_START = 100_000
_WRONG = (-7_200, -600, -8, 8, 600, 7_200)
_SET_WRONG = 0.2
_CHANNEL = Channel(name="t|A", dataset="crypto_trades", symbol="A", wire="A", detail="trades")


@dataclass(slots=True)
class Counts:
    """Histories, seconds that were claimed, and of these the seconds of which a trade is lacking."""

    histories: int = 0
    claimed: int = 0
    false: int = 0
    captured: int = 0


@dataclass
class _World:
    """A venue that trades once a second, in the middle of it, and a capture beside it."""

    dice: random.Random
    now: int = _START
    wrong: int = 0
    """By so many seconds is the wall clock ahead (below 0: behind)."""
    live: bool = False
    next_id: int = 1_000
    clocks: Clocks = field(init=False)
    events: list[ConnectionEvent] = field(default_factory=list)
    got: list[tuple[int, int]] = field(default_factory=list)
    """Second and id."""
    traded: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.clocks = Clocks(apart=self.wrong * _NS, since=self.wall)

    @property
    def wall(self) -> int:
        """What the wall clock tells, in nanoseconds."""
        return (self.now + self.wrong) * _NS

    def event(self, what: EventKind, *, since: int = 0, count: int = 0) -> None:
        """As the capture process writes it, after a look at both clocks."""
        if found := self.clocks.read(self.wall, self.now * SECOND):
            self.events.append(found)
        names = (_CHANNEL.name,)
        self.events.append(
            ConnectionEvent(what=what, at=self.wall, since=since, count=count, connection=1, channels=names)
        )

    def set_clock(self, wrong: int) -> None:
        """Somebody, or the network, sets the wall clock."""
        self.wrong = wrong
        self.event("pulse")

    def pass_seconds(self, count: int, *, lost: bool = False) -> None:
        for _ in range(count):
            self.traded.add(self.now)
            if self.live and not lost:
                self.got.append((self.now, self.next_id))
            self.next_id += 1
            self.now += 1

    def turn(self) -> None:
        """Something happens."""
        kind = self.dice.choice(("live", "live", "restart", "lost", "dropped", "clock", "wait"))
        if kind == "live":
            self.event("disconnected" if self.live else "confirmed")
            self.live = not self.live
        elif kind == "restart":
            self.next_id = self.dice.choice((1, self.dice.randint(1, max(1, self.next_id - 1))))
        elif kind == "lost" and self.live and self.got:
            self.pass_seconds(self.dice.randint(1, 20), lost=True)
            self.pass_seconds(1)  # what follows shows it
        elif kind == "dropped" and self.live:
            since = self.wall
            self.pass_seconds(self.dice.randint(1, 20), lost=True)
            self.event("dropped", since=since, count=1)
        elif kind == "clock" and (self.wrong or self.dice.random() < _SET_WRONG):
            self.set_clock(
                0 if self.wrong and self.dice.random() < 1 - _SET_WRONG else self.dice.choice(_WRONG)
            )
        self.pass_seconds(self.dice.randint(1, 40))


def measure() -> Counts:
    """All histories."""
    counts = Counts()
    for seed in range(HISTORIES):
        dice = random.Random(seed)
        world = _World(dice, wrong=dice.choice((0, 0, *_WRONG)))
        for _ in range(dice.randint(3, 30)):
            world.turn()
        if world.wrong:
            world.set_clock(0)
        _count(world, counts)
    return counts


def _count(world: _World, counts: Counts) -> None:
    told = Timeline(carried={_CHANNEL.name: _CHANNEL})
    for event in world.events:
        told.event(event)
    told.event(ConnectionEvent(what="pulse", at=world.now * _NS, connection=1))
    told.finish()
    claimed: set[int] = set()
    for one in told.spans(_CHANNEL.name):
        claimed.update(range(-(-one.start // SECOND), one.end // SECOND))
    for doubt in told.doubts(_CHANNEL.name):
        claimed.difference_update(range(doubt.start // SECOND, -(-doubt.end // SECOND)))
    broken, _ = timeline.breaks(_runs(world.got), after=None)
    for jump in broken:
        claimed.difference_update(range(jump.start // SECOND, -(-jump.end // SECOND)))
    captured = {second for second, _ in world.got}
    counts.histories += 1
    counts.claimed += len(claimed)
    counts.captured += len(captured)
    counts.false += len((claimed & world.traded) - captured) + len(claimed - world.traded)


def _runs(got: list[tuple[int, int]]) -> list[Run]:
    """Ids that follow each other, and how often they have fallen while the stamps rose."""
    found: list[Run] = []
    epoch = 0
    before: tuple[int, int] | None = None
    for second, number in got:
        timestamp = second * SECOND + SECOND // 2
        fell = before is not None and number < before[1] and timestamp - before[0] > FELL
        epoch += fell
        if before is not None and not fell and number == before[1] + 1:
            last = found[-1]
            found[-1] = Run(first=last.first, last=number, start=last.start, end=timestamp, epoch=epoch)
        else:
            found.append(Run(first=number, last=number, start=timestamp, end=timestamp, epoch=epoch))
        before = (timestamp, number)
    return found
