"""How a conversation subscribes to many channels: one command after the other, so that an answer is known by its command.

A vendor that refuses a command for one bad name may not say which. Then the command is halved, until the name stands
alone; a name that was refused is asked for by itself from then on. So one bad name takes no other down, and n of them
cost a number of commands that is bounded.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Sequence

from fulltape.contract.streams import ProtocolStep, batches


class Subscribing:
    """The channels that one connection has yet to subscribe to.

    `say(names, number)` writes a command; `most` names and `most_bytes` fit into one, and none holds names that differ in
    `apart`. What the vendor answers is told by `confirm`, `refuse` and `fill`; `step` says what follows from it.
    """

    def __init__(
        self,
        say: Callable[[Sequence[str], int], str],
        *,
        most: int,
        most_bytes: int = 0,
        apart: Callable[[str], str] = lambda _: "",
    ) -> None:
        self._say, self._most, self._most_bytes, self._apart = say, most, most_bytes, apart
        self._waiting: deque[tuple[str, ...]] = deque()
        self.refused: set[str] = set()
        """Names that the vendor has refused and not taken since."""
        self._pieces: dict[str, int] = {}
        """How many names at most a command has that holds a name: what was not answered is asked for in small pieces."""
        self._vain: Counter[str] = Counter()
        """How often a name was asked for without an answer."""
        self._confirmed: dict[str, None] = {}
        self._news: dict[str, str] = {}
        self.number = 0
        """Of the last command."""
        self.outstanding: tuple[str, ...] = ()
        """Names of the last command that are not answered."""

    @property
    def names(self) -> set[str]:
        """All that are not answered."""
        return {*self.outstanding, *(name for some in self._waiting for name in some)}

    def subscribe(self, names: Collection[str]) -> ProtocolStep:
        """Ask for these first. What the last command asked for without an answer comes last and in ten pieces: it may be
        what keeps the vendor from answering, and stays apart until it is answered."""
        wanted = set(names)
        stuck = [name for name in self.outstanding if name in wanted]
        self._pieces.update(dict.fromkeys(stuck, max(1, len(self.outstanding) // 10)))
        self._vain.update(stuck)
        self._pieces.update(dict.fromkeys(wanted & self.refused, 1))
        before = [some for some in (_without(some, wanted) for some in self._waiting) if some]
        ordered = sorted(dict.fromkeys(names), key=lambda name: (self._vain[name], name in self.refused))
        self._waiting = deque([*self._cut(ordered), *before])
        self.outstanding = ()
        return self.step()

    def confirm(self, names: Iterable[str]) -> None:
        """The vendor has acknowledged these."""
        known = dict.fromkeys(names)
        self._confirmed |= known
        self.refused -= known.keys()
        for name in known:
            self._pieces.pop(name, None)
            self._vain.pop(name, None)
        self._drop(known)

    def refuse(self, words: str, named: Collection[str] = ()) -> None:
        """The vendor has refused `named`, or without a name one or more of the last command."""
        if not named and len(self.outstanding) > 1:
            self._waiting.extendleft(reversed(_halves(self.outstanding)))
            self.outstanding = ()
            return
        refused = dict.fromkeys(named or self.outstanding, words)
        self._news |= refused
        self.refused |= refused.keys()
        self._drop(refused)

    def part(self, words: str, rest: Collection[str]) -> None:
        """The vendor has refused a whole command and named what is wrong with it; the `rest` of it is asked for again."""
        self.refuse(words, [name for name in self.outstanding if name not in rest])
        if self.outstanding:
            self._waiting.appendleft(self.outstanding)
            self.outstanding = ()

    def fill(self, words: str) -> None:
        """The vendor has no room for the last command: less is asked for, and nothing more once there is none for one."""
        if len(self.outstanding) > 1:
            self.refuse(words)
        else:
            self.refuse(words, self.names)

    def step(self, *, keep: bool = True) -> ProtocolStep:
        """What has been confirmed and refused since the last turn, and the next command once the last is answered."""
        say: tuple[str, ...] = ()
        if not self.outstanding and self._waiting:
            self.outstanding = self._waiting.popleft()
            self.number += 1
            say = (self._say(self.outstanding, self.number),)
        confirmed, refused = tuple(self._confirmed), self._news
        self._confirmed, self._news = {}, {}
        return ProtocolStep(say=say, confirmed=confirmed, refused=refused, keep=keep)

    def _drop(self, names: Collection[str]) -> None:
        self.outstanding = _without(self.outstanding, names)
        self._waiting = deque(some for some in (_without(some, names) for some in self._waiting) if some)

    def _cut(self, names: Sequence[str]) -> Iterable[tuple[str, ...]]:
        alike: dict[tuple[int, str], list[str]] = {}
        for name in names:
            alike.setdefault((self._pieces.get(name, self._most), self._apart(name)), []).append(name)
        for (most, _), some in alike.items():
            for few in batches(some, most):
                yield from self._fitted(tuple(few))

    def _fitted(self, names: tuple[str, ...]) -> Iterable[tuple[str, ...]]:
        # The number only grows, by a digit or two.
        if (
            not self._most_bytes
            or len(names) == 1
            or len(self._say(names, 10**6).encode()) <= self._most_bytes
        ):
            yield names
            return
        for half in _halves(names):
            yield from self._fitted(half)


def _halves(names: Sequence[str]) -> list[tuple[str, ...]]:
    middle = (len(names) + 1) // 2
    return [half for half in (tuple(names[:middle]), tuple(names[middle:])) if half]


def _without(some: Sequence[str], names: Collection[str]) -> tuple[str, ...]:
    return tuple(name for name in some if name not in names)
