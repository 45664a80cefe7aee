"""Writes the files of a download out of the raw rows of its node, those whose sessions are settled as soon as they are."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import polars as pl

from fulltape.checks.findings import CheckContext
from fulltape.context import ConfiguredDataset, Event, NodeContext, Progress, bulk_coverage
from fulltape.coverage.series import Picture
from fulltape.curate.raw import RawRows
from fulltape.download import formats, gaps, plan, records
from fulltape.download.gaps import Gaps
from fulltape.download.plan import OutputFile, Wish
from fulltape.download.records import GapsFound, GapSpan, Sidecar
from fulltape.lake import files, layout
from fulltape.ledger.part import Part
from fulltape.market import ranges
from fulltape.market.ranges import Ranges
from fulltape.market.time import SECOND, Clock, iso
from fulltape.views.gaps import REASONS

STAGE = "download"
_STATES = ("held", "partial", "empty", "unobtainable", "unknown_listing", "missing")


class Publisher:
    """The files of one run; each is written once, and again only if what it is made of has changed."""

    def __init__(
        self, context: NodeContext, clock: Clock, folder: Path, wish: Wish, progress: Progress
    ) -> None:
        self._context, self._clock, self._folder = context, clock, folder
        self._wish, self._progress = wish, progress
        self._raw: dict[str, RawRows] = {}
        self._waiting: dict[str, list[OutputFile]] = {
            name: [self._with_earlier(each) for each in plan.partitions(wish, name, list(wanted.instruments))]
            for name, wanted in context.wanted.items()
        }
        self._wanted = {name: _over(wanted, self._waiting[name]) for name, wanted in context.wanted.items()}
        self.spool = folder / records.NODE / "spool"
        self.spool.mkdir(exist_ok=True)

    def _with_earlier(self, partition: OutputFile) -> OutputFile:
        """A file with the sessions that it holds already: a download may grow at either end, and never shrinks."""
        before = records.sidecar(self._folder / partition.path)
        if before is None:
            return partition
        first, last = dt.date.fromisoformat(before.first), dt.date.fromisoformat(before.last)
        return dataclasses.replace(
            partition, first=min(first, partition.first), last=max(last, partition.last)
        )

    def publish(self, *, everything: bool = False) -> None:
        """Write what is settled: nothing of it is asked for any more. In the end `everything`."""
        for name, waiting in self._waiting.items():
            wanted = self._wanted[name]
            opened = {} if everything else self._open(wanted)
            ready = [each for each in waiting if everything or not self._asked(wanted, each, opened)]
            if not ready:
                continue
            self._waiting[name] = [each for each in waiting if each not in ready]
            members = {each.symbol for each in ready}
            shown = self._pictures(wanted, members)
            for partition in ready:
                self._one(wanted, partition, shown)

    def _open(self, wanted: ConfiguredDataset) -> Mapping[str, Ranges]:
        """Positions by instrument that are still asked for."""
        spans: dict[str, list[tuple[int, int]]] = {}
        for instrument, first, last in self._context.ledger.tasks.spans(wanted.dataset.name):
            spans.setdefault(instrument, []).append(wanted.calendar.span_of(first, last))
        return {name: ranges.normalise(some) for name, some in spans.items()}

    def _asked(self, wanted: ConfiguredDataset, partition: OutputFile, opened: Mapping[str, Ranges]) -> bool:
        span = wanted.calendar.between(partition.first, partition.last)
        members = [partition.symbol] if partition.symbol else list(wanted.instruments)
        return any(ranges.overlaps(opened.get(name, ranges.EMPTY), span) for name in members)

    def _pictures(self, wanted: ConfiguredDataset, members: set[str]) -> Mapping[str, Picture]:
        drawn = bulk_coverage.pictures(self._context, wanted, self._clock.now())
        return {
            instrument.instrument: shown
            for instrument, shown in drawn
            if "" in members or instrument.instrument in members
        }

    def _one(self, wanted: ConfiguredDataset, partition: OutputFile, shown: Mapping[str, Picture]) -> None:
        members = [partition.symbol] if partition.symbol else sorted(wanted.instruments)
        parts = self._parts(wanted, partition, members)
        states = _sessions(wanted, partition, [shown[name] for name in members])
        missing = list(_missing(wanted, partition, [(name, shown[name]) for name in members]))
        most = self._wish.most_gap.get(partition.dataset)
        recipe = (self._wish.layout, partition, states, missing, most, [part.sha256 for part in parts])
        inputs = hashlib.sha256(repr(recipe).encode()).hexdigest()
        path = self._folder / partition.path
        before = records.sidecar(path)
        if (
            before
            and records.recipe(self._folder, partition.path) == inputs
            and path.is_file()
            and path.stat().st_size == before.bytes
        ):
            return
        seen = Gaps()
        columns: dict[str, str] = {}
        rows = formats.publish(
            path,
            self._pieces(wanted, partition, members, parts, seen, columns),
            self._wish.layout,
            self.spool,
        )
        if not rows:
            return
        about = Sidecar(
            file=partition.path,
            dataset=partition.dataset,
            symbol=partition.symbol,
            symbols=[] if partition.symbol else list(members),
            source=", ".join(wanted.sources),
            first=partition.first.isoformat(),
            last=partition.last.isoformat(),
            rows=rows,
            bytes=path.stat().st_size,
            sha256=files.sha256(path),
            columns=columns,
            sessions=states,
            missing=missing,
            gaps=_gaps(seen, most),
        )
        records.write_sidecar(path, about)
        records.set_recipe(self._folder, partition.path, inputs)
        fields: dict[str, str | int | float] = {
            "file": partition.path,
            "rows": rows,
            "bytes": about.bytes,
            "gaps": seen.count,
            "missing": sum(states[name] for name in REASONS),
        }
        self._progress(Event(stage=STAGE, kind="written", fields=fields))

    def _parts(self, wanted: ConfiguredDataset, partition: OutputFile, members: Sequence[str]) -> list[Part]:
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

    def _pieces(
        self,
        wanted: ConfiguredDataset,
        partition: OutputFile,
        members: Sequence[str],
        parts: Sequence[Part],
        seen: Gaps,
        columns: dict[str, str],
    ) -> Iterator[pl.DataFrame]:
        """Rows by symbol and time, a folder of raw parts at a time; what is seen on the way goes into `seen` and `columns`."""
        dataset = wanted.dataset
        names = [column.name for column in dataset.schema.columns]
        most = self._wish.most_gap.get(dataset.name)
        start, stop = wanted.calendar.between(partition.first, partition.last)
        by_folder: dict[str, list[dt.date]] = {}
        for position in range(start, stop):
            label = wanted.calendar.label(position)
            by_folder.setdefault(layout.folder_key(dataset.raw_folder, label), []).append(label)
        for member in members:
            mine = [part for part in parts if member in part.cells]
            for key, labels in by_folder.items():
                here = [part for part in mine if part.folder == key]
                if not here:
                    continue
                rows = self._raw_of(wanted).rows(here, labels, [member])
                piece = rows.select(names).sort(dataset.schema.key, maintain_order=True)
                gaps.look(piece, dataset, wanted.calendar, most, seen)
                columns.update({name: str(kind) for name, kind in piece.schema.items()})
                yield piece


def _over(wanted: ConfiguredDataset, partitions: Sequence[OutputFile]) -> ConfiguredDataset:
    """A dataset as far as these files reach."""
    if not partitions:
        return wanted
    first, last = min(each.first for each in partitions), max(each.last for each in partitions)
    return dataclasses.replace(
        wanted, first=min(first, wanted.first), until=max(last, wanted.until) if wanted.until else None
    )


def sizes(shown: Picture) -> dict[str, int]:
    """How many sessions are in each state."""
    return {name: ranges.size(getattr(shown, name)) for name in ("wanted", *_STATES)}


def _sessions(wanted: ConfiguredDataset, partition: OutputFile, shown: Sequence[Picture]) -> dict[str, int]:
    span = ranges.normalise([wanted.calendar.between(partition.first, partition.last)])
    return {
        name: sum(ranges.size(ranges.intersect(getattr(each, name), span)) for each in shown)
        for name in ("wanted", *_STATES)
    }


def _missing(
    wanted: ConfiguredDataset, partition: OutputFile, shown: Sequence[tuple[str, Picture]]
) -> Iterator[str]:
    """Sessions that are not there and should be, as words."""
    span = ranges.normalise([wanted.calendar.between(partition.first, partition.last)])
    for name, each in shown:
        for reason in REASONS:
            for where in ranges.intersect(getattr(each, reason), span):
                first, last = wanted.days(where)
                days = f"{first}" if first == last else f"{first} to {last}"
                yield f"{name} {days}: {reason.replace('_', ' ')}"


def _gaps(seen: Gaps, most: int | None) -> GapsFound:
    return GapsFound(
        threshold_seconds=most / SECOND if most is not None else None,
        count=seen.count,
        seconds=seen.total / SECOND,
        longest_seconds=seen.longest / SECOND,
        listed=[
            GapSpan(start=iso(start), end=iso(end), seconds=length / SECOND)
            for length, start, end in sorted(seen.listed, reverse=True)
        ],
    )


def sidecars(folder: Path) -> list[Sidecar]:
    """What is said of the files of a download, in the order of their paths."""
    paths = [path for path in files.tree(folder) if path.name.endswith(records.SIDECAR)]
    named = [path.with_name(path.name.removesuffix(records.SIDECAR)) for path in paths]
    there = [path for path in named if records.NODE not in path.relative_to(folder).parts]
    return [about for path in there if (about := records.sidecar(path))]
