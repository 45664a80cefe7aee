"""Writes the files of a download out of the raw rows of its node, those whose sessions are settled as soon as they are."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from fulltape.context import ConfiguredDataset, Event, NodeContext, Progress, bulk_coverage
from fulltape.coverage.series import Picture
from fulltape.download import formats, plan, records
from fulltape.download.gaps import Gaps
from fulltape.download.plan import OutputFile, Wish
from fulltape.download.records import GapsFound, GapSpan, MadeFile, Sidecar
from fulltape.download.rows import AnsweredRows, members_of
from fulltape.lake import files
from fulltape.ledger.part import Part
from fulltape.market import ranges
from fulltape.market.ranges import Ranges
from fulltape.market.time import SECOND, Clock, iso
from fulltape.views.gaps import REASONS

STAGE = "download"
_STATES = tuple(field.name for field in dataclasses.fields(Picture))


class Publisher:
    """The files of one run; each is written once, and again only if what it is made of has changed."""

    def __init__(
        self, context: NodeContext, clock: Clock, folder: Path, wish: Wish, progress: Progress
    ) -> None:
        self._context, self._clock, self._folder = context, clock, folder
        self._wish, self._progress = wish, progress
        self._rows = AnsweredRows(context, clock)
        self._all: dict[str, list[OutputFile]] = {
            name: [self._with_earlier(each) for each in plan.partitions(wish, name, list(wanted.instruments))]
            for name, wanted in context.wanted.items()
        }
        self._waiting = dict(self._all)
        self._wanted = {name: _over(wanted, self._all[name]) for name, wanted in context.wanted.items()}
        self.kept: dict[str, str] = {}
        """Files that were left as they are, and why: what there is now would have fewer sessions."""
        self.spool = folder / records.NODE / "spool"
        shutil.rmtree(self.spool, ignore_errors=True)  # what a killed run left
        self.spool.mkdir()

    def _with_earlier(self, partition: OutputFile) -> OutputFile:
        """A file with the sessions that it holds already: a download may grow at either end, and never shrinks."""
        path = self._folder / partition.path
        known = [each for each in (records.sidecar(path), records.made(self._folder, partition.path)) if each]
        return dataclasses.replace(
            partition,
            first=min(partition.first, *(each.first for each in known)) if known else partition.first,
            last=max(partition.last, *(each.last for each in known)) if known else partition.last,
        )

    def publish(self, *, everything: bool = False) -> None:
        """Write what is settled: nothing of it is asked for any more. In the end `everything`, also what was written before: what was found
        damaged since is fetched again, and written then."""
        for name, waiting in (self._all if everything else self._waiting).items():
            wanted = self._wanted[name]
            opened = {} if everything else self._open(wanted)
            ready = [each for each in waiting if everything or not self._asked(wanted, each, opened)]
            if not ready:
                continue
            self._waiting[name] = [each for each in waiting if each not in ready]
            # Parts are read first: what is found damaged is not held any more, and no picture may say so.
            parts = {each.path: self._rows.parts(wanted, each) for each in ready}
            shown = self._pictures(wanted, {each.symbol for each in ready})
            for partition in ready:
                self._one(wanted, partition, parts[partition.path], shown)

    def _open(self, wanted: ConfiguredDataset) -> Mapping[str, Ranges]:
        """Positions by instrument that are still asked for."""
        spans: dict[str, list[tuple[int, int]]] = {}
        for instrument, first, last in self._context.ledger.tasks.spans(wanted.dataset.name):
            spans.setdefault(instrument, []).append(wanted.calendar.span_of(first, last))
        return {name: ranges.normalise(some) for name, some in spans.items()}

    def _asked(self, wanted: ConfiguredDataset, partition: OutputFile, opened: Mapping[str, Ranges]) -> bool:
        span = wanted.calendar.between(partition.first, partition.last)
        return any(
            ranges.overlaps(opened.get(name, ranges.EMPTY), span) for name in members_of(wanted, partition)
        )

    def _pictures(self, wanted: ConfiguredDataset, members: set[str]) -> Mapping[str, Picture]:
        drawn = bulk_coverage.pictures(self._context, wanted, self._clock.now())
        return {
            instrument.instrument: shown
            for instrument, shown in drawn
            if "" in members or instrument.instrument in members
        }

    def _one(
        self,
        wanted: ConfiguredDataset,
        partition: OutputFile,
        parts: Sequence[Part],
        shown: Mapping[str, Picture],
    ) -> None:
        members = members_of(wanted, partition)
        states = _sessions(wanted, partition, [shown[name] for name in members])
        missing = list(_missing(wanted, partition, [(name, shown[name]) for name in members]))
        most = self._wish.most_gap.get(partition.dataset)
        recipe = (self._wish.layout, partition, states, missing, most, [part.sha256 for part in parts])
        inputs = hashlib.sha256(repr(recipe).encode()).hexdigest()
        path = self._folder / partition.path
        made = records.made(self._folder, partition.path)
        self.kept.pop(partition.path, None)
        if made and made.inputs == inputs and records.sidecar(path) and _untouched(path, made):
            return
        held = states["held"] + states["partial"]
        if made and held < made.held:
            self.kept[partition.path] = (
                f"{made.held:,} sessions are in it, and the vendor's answers for {held:,} are left"
            )
            return
        self._write(wanted, partition, parts, (states, missing, most), inputs)

    def _write(
        self,
        wanted: ConfiguredDataset,
        partition: OutputFile,
        parts: Sequence[Part],
        about: tuple[dict[str, int], list[str], int | None],
        inputs: str,
    ) -> None:
        states, missing, most = about
        path, seen = self._folder / partition.path, Gaps()
        columns: dict[str, str] = {}
        symbols: list[str] = []
        pieces = self._rows.pieces(wanted, partition, parts, most, seen, columns, symbols)
        rows = formats.publish(path, pieces, self._wish.layout, self.spool)
        if not rows:
            return
        digest, size = files.sha256(path), path.stat().st_size
        said = Sidecar(
            file=partition.path,
            dataset=partition.dataset,
            symbol=partition.symbol,
            symbols=[] if partition.symbol else list(symbols),
            source=", ".join(wanted.sources),
            first=partition.first,
            last=partition.last,
            rows=rows,
            bytes=size,
            sha256=digest,
            columns=columns,
            sessions=states,
            missing=missing,
            gaps=_gaps(seen, most),
        )
        records.write_sidecar(path, said)
        records.set_made(
            self._folder,
            MadeFile(
                file=partition.path,
                inputs=inputs,
                dataset=partition.dataset,
                sources=list(wanted.sources),
                symbols=list(symbols),
                first=partition.first,
                last=partition.last,
                held=states["held"] + states["partial"],
                bytes=size,
                sha256=digest,
                mtime_ns=path.stat().st_mtime_ns,
            ),
        )
        fields: dict[str, str | int | float] = {
            "file": partition.path,
            "rows": rows,
            "bytes": size,
            "gaps": seen.count,
            "missing": sum(states[name] for name in REASONS),
        }
        self._progress(Event(stage=STAGE, kind="written", fields=fields))

    def sidecars(self) -> list[Sidecar]:
        """What is said of the files of this run, as far as they are there."""
        paths = [each.path for some in self._all.values() for each in some]
        return [said for path in paths if (said := records.sidecar(self._folder / path))]

    def unwritten(self) -> list[str]:
        """Files of which sessions are held and which are not there, or not as they should be; as sentences."""
        out = [f"{path} is left as it was: {why}" for path, why in self.kept.items()]
        for name, partitions in self._all.items():
            wanted = self._wanted[name]
            shown = self._pictures(wanted, {each.symbol for each in partitions})
            for each in partitions:
                states = _sessions(wanted, each, [shown[member] for member in members_of(wanted, each)])
                said = records.sidecar(self._folder / each.path)
                if (
                    each.path not in self.kept
                    and states["held"]
                    and (said is None or said.sessions != states)
                ):
                    out.append(f"{each.path} does not say what is held: run the download again")
        return out


def _untouched(path: Path, made: MadeFile) -> bool:
    """Whether a file is as it was written; it is read only where it may have been touched."""
    try:
        about = path.stat()
    except FileNotFoundError:
        return False
    if about.st_size != made.bytes:
        return False
    return about.st_mtime_ns == made.mtime_ns or files.sha256(path) == made.sha256


def _over(wanted: ConfiguredDataset, partitions: Sequence[OutputFile]) -> ConfiguredDataset:
    """A dataset as far as these files reach."""
    if not partitions:
        return wanted
    first, last = min(each.first for each in partitions), max(each.last for each in partitions)
    return dataclasses.replace(
        wanted, first=min(first, wanted.first), until=max(last, wanted.until) if wanted.until else None
    )


def _sessions(wanted: ConfiguredDataset, partition: OutputFile, shown: Sequence[Picture]) -> dict[str, int]:
    span = ranges.normalise([wanted.calendar.between(partition.first, partition.last)])
    return {
        name: sum(ranges.size(ranges.intersect(getattr(each, name), span)) for each in shown)
        for name in _STATES
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
