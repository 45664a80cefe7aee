"""The rows of a download's files, as the vendor's answers inside have them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence

import polars as pl

from fulltape.checks.findings import CheckContext
from fulltape.context import ConfiguredDataset, NodeContext
from fulltape.curate.raw import RawRows
from fulltape.download import gaps
from fulltape.download.gaps import Gaps
from fulltape.download.plan import OutputFile
from fulltape.lake import layout
from fulltape.ledger.part import Part
from fulltape.market.time import Clock


def members_of(wanted: ConfiguredDataset, partition: OutputFile) -> list[str]:
    """The symbols of a file, in its order."""
    return [partition.symbol] if partition.symbol else sorted(wanted.instruments)


class AnsweredRows:
    """Raw rows of all datasets of a download; each part is held against its digest once."""

    def __init__(self, context: NodeContext, clock: Clock) -> None:
        self._context, self._clock = context, clock
        self._raw: dict[str, RawRows] = {}

    def parts(self, wanted: ConfiguredDataset, partition: OutputFile) -> list[Part]:
        """The sound parts of a file's sessions; those that are damaged are withdrawn, and so is what they proved."""
        members = members_of(wanted, partition)
        raw = self._raw_of(wanted)
        return [
            part
            for part in raw.all_sound(partition.first, partition.last)
            if any(name in part.cells for name in members)
        ]

    def _raw_of(self, wanted: ConfiguredDataset) -> RawRows:
        name = wanted.dataset.name
        if name not in self._raw:
            checking = CheckContext(
                dataset=wanted.dataset,
                calendar=wanted.calendar,
                instruments=wanted.instruments,
                now=self._clock.now(),
                thresholds=self._context.rules.thresholds,
            )
            self._raw[name] = RawRows(self._context, checking, wanted, set())
        return self._raw[name]

    def pieces(
        self,
        wanted: ConfiguredDataset,
        partition: OutputFile,
        parts: Sequence[Part],
        most: int | None,
        seen: Gaps,
        columns: dict[str, str],
        symbols: list[str],
    ) -> Iterator[pl.DataFrame]:
        """Rows by symbol and time, a folder of raw parts at a time; what is seen on the way goes into `seen`, `columns` and `symbols`."""
        dataset = wanted.dataset
        names = [column.name for column in dataset.schema.columns]
        start, stop = wanted.calendar.between(partition.first, partition.last)
        by_folder: dict[str, list[dt.date]] = {}
        for position in range(start, stop):
            label = wanted.calendar.label(position)
            by_folder.setdefault(layout.folder_key(dataset.raw_folder, label), []).append(label)
        order = list(dict.fromkeys(("instrument", "ts", *dataset.schema.key)))
        for member in members_of(wanted, partition):
            mine = [part for part in parts if member in part.cells]
            for key, labels in by_folder.items():
                here = [part for part in mine if part.folder == key]
                if not here:
                    continue
                rows = self._raw_of(wanted).rows(here, labels, [member])
                piece = rows.select(names).sort(order, maintain_order=True)
                gaps.look(piece, dataset, wanted.calendar, most, seen)
                columns.update({name: str(kind) for name, kind in piece.schema.items()})
                if piece.height and member not in symbols:
                    symbols.append(member)
                yield piece
