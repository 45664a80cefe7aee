"""Who of many is to blame when a source refuses a whole request: they are asked again in halves, down to one."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from fulltape.backfill.batching import Capacity
from fulltape.ledger.task import Claimable

_HOPELESS = 4
"""So many symbols refused one by one, and none served since, say that the source refuses them all."""


class Bisection:
    """Suspected symbols by source and dataset, each with the largest group that it may still be asked in."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._groups: dict[tuple[str, str, str], int] = {}
        self._alone: Counter[tuple[str, str]] = Counter()

    def group(self, source: str, dataset: str, symbol: str) -> int:
        """In how large a group a symbol may be asked for; 0 if nothing is held against it."""
        return self._groups.get((source, dataset, symbol), 0)

    def alike(
        self, source: str, dataset: str, tasks: list[Claimable], capacity: Capacity
    ) -> tuple[list[Claimable], Capacity]:
        """Only tasks under the same suspicion as the first are asked for together, in groups as small as that wants."""
        if not tasks:
            return tasks, capacity
        groups = [self.group(source, dataset, task.symbol) for task in tasks]
        same = [task for task, group in zip(tasks, groups, strict=True) if group == groups[0]]
        if groups[0]:
            few = min(groups[0], capacity.symbols_per_request)
            capacity = replace(capacity, symbols_per_request=few, grouped=0)
        return same, capacity

    def refused(self, source: str, dataset: str, symbols: Iterable[str]) -> bool:
        """A request for these was refused as a whole: True if they are to blame, False if they are asked in halves."""
        asked = sorted(symbols)
        with self._turn:
            if len(asked) == 1:
                self._alone[source, dataset] += 1
            if len(asked) == 1 or self._alone[source, dataset] >= _HOPELESS:
                for symbol in asked:
                    self._groups.pop((source, dataset, symbol), None)
                return True
            for symbol in asked:
                self._groups[source, dataset, symbol] = max(1, len(asked) // 2)
            return False

    def served(self, source: str, dataset: str, symbols: Iterable[str]) -> None:
        """A request for these was answered: they are cleared."""
        with self._turn:
            self._alone[source, dataset] = 0
            for symbol in symbols:
                self._groups.pop((source, dataset, symbol), None)
