"""Folders of curated rows, and of what was checked of them, as they are written: whole, or in two stretches.

Day bars of thousands of instruments lie by year. Of the newest year the week that runs has a file of its own, so that a night
writes a few sessions anew and not all of them. Where it is cut follows from the newest raw session alone: who makes the files
again makes the same ones.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fulltape.context import ConfiguredDataset, NodeContext
from fulltape.lake import layout
from fulltape.ledger.part import Layer, Part


@dataclass(frozen=True, slots=True, order=True)
class Stretch:
    """The days of a folder from `first` to `last`, inclusive, whose rows are one file."""

    key: str
    first: dt.date
    last: dt.date

    def holds(self, part: Part) -> bool:
        """Whether all sessions of a part lie in it."""
        return self.first.isoformat() <= part.first and part.last <= self.last.isoformat()

    def touches(self, part: Part) -> bool:
        """Whether a part has sessions in it."""
        return self.first.isoformat() <= part.last and part.first <= self.last.isoformat()


class Stretches:
    """How a dataset's folders are cut now."""

    def __init__(self, context: NodeContext, wanted: ConfiguredDataset) -> None:
        self._context, self._wanted = context, wanted
        newest = context.ledger.catalogue.newest_session("raw", wanted.dataset.name)
        by_week = wanted.dataset.grain == "day" and wanted.dataset.expectation == "every"
        self._cut = newest - dt.timedelta(days=newest.weekday()) if newest and by_week else None

    def of(self, key: str) -> list[Stretch]:
        """The stretches of a folder, in order."""
        first, last = layout.days_of(layout.kind_of(key), key)
        if self._cut is None or not first < self._cut <= last:
            return [Stretch(key, first, last)]
        return [Stretch(key, first, self._cut - dt.timedelta(days=1)), Stretch(key, self._cut, last)]

    def holding(self, key: str, session: dt.date) -> Stretch:
        """The stretch of a folder in which a session lies."""
        return next(stretch for stretch in self.of(key) if stretch.first <= session <= stretch.last)

    def misfit(self, layer: Layer) -> set[Stretch]:
        """Stretches whose files are cut otherwise: at another week, or not at all."""
        if self._wanted.dataset.grain != "day":
            return set()
        folders: dict[str, list[Part]] = {}
        for part in self._context.ledger.catalogue.current(layer, self._wanted.dataset.name):
            folders.setdefault(part.folder, []).append(part)
        return {stretch for key, parts in folders.items() for stretch in _misfit(self.of(key), parts)}


def _misfit(stretches: Sequence[Stretch], parts: Sequence[Part]) -> Iterable[Stretch]:
    if any(not any(stretch.holds(part) for stretch in stretches) for part in parts):
        return stretches
    return [stretch for stretch in stretches if sum(stretch.holds(part) for part in parts) > 1]
