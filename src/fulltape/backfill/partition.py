"""Which instruments of a class are for sources that ask for many symbols, and which for those that ask for one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fulltape.backfill.batching import Capacity

_ASKS_A_BLOCK = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How many tasks of a class one instrument has, and one request of many symbols."""

    instrument: int = 1
    request: int = 1


@dataclass(slots=True)
class Partition:
    """Divides the instruments of a class: those up to `stop` are for sources that ask for many symbols, and of these
    only those up to `reach` for now; `names` are those that the others have not walked past from the end."""

    names: list[str]
    stop: int
    reach: int
    block: int

    @property
    def before(self) -> str:
        """The first instrument that the sources of many symbols leave alone for now."""
        return self.names[min(self.stop, self.reach)] if min(self.stop, self.reach) < len(self.names) else ""

    def widen(self) -> bool:
        """Let them reach further; False if there is nothing further."""
        if self.reach >= self.stop:
            return False
        self.reach += self.block
        return True


def one_at_a_time(capacities: Mapping[str, Capacity]) -> list[str]:
    """The sources that ask for one symbol at a time, and for no whole sessions either."""
    return [
        source
        for source, capacity in capacities.items()
        if capacity.symbols_per_request == 1 and not capacity.grouped
    ]


def put(walked: Partition | None, names: Sequence[str], *, behind: int, fetch: int) -> Partition | None:
    """A partition that leaves the last `behind` of the instruments to the sources of one symbol; None where these would be
    all. `walked` is the one before, `fetch` how many tasks make a request of many symbols.

    Where some sources ask for one symbol at a time and others for many, the former take whole instruments from the end
    of the alphabet, and the latter go through the others block by block: else every instrument would lose some windows
    to the latter, and a request for one symbol would bring fewer of them.
    """
    left = walked.names if walked else list(names)
    if not left or behind >= len(left):
        return None
    # Whole fetches, so that no block ends with a half-empty page.
    block = _ASKS_A_BLOCK * fetch
    reach = walked.reach if walked else block
    return Partition(names=left, stop=len(left) - behind, reach=reach, block=block)
