"""Writes the rows of small raw parts into one, and proves that it holds what they hold before they count no more."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import msgspec
import polars as pl

from fulltape import errors
from fulltape.compact import plan
from fulltape.context import (
    ConfiguredDataset,
    Event,
    NodeContext,
    Progress,
    damage,
    drafts,
    known,
    profiles,
    room,
    scanning,
    silent,
)
from fulltape.context import spool as spooling
from fulltape.context.drafts import Draft
from fulltape.context.jobs import StageReport
from fulltape.context.scanning import REVISION
from fulltape.context.spool import Spool
from fulltape.lake import layout, parquet, parts
from fulltape.lake.parts import Merged
from fulltape.ledger.part import Part
from fulltape.market.time import SECOND, Clock, Instant
from fulltape.version import VERSION

STAGE = "compact"
ROWS = 100_000
"""So many are in memory at once, about."""
_PATIENCE = 900 * SECOND
"""No further folder is begun after so long: the rest waits for the next run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactReport(StageReport):
    """Folders in which raw parts became one, how many parts those were, and their rows; `left` says why others were not."""

    folders: int = 0
    parts: int = 0
    rows: int = 0
    left: str = ""


def run_once(context: NodeContext, clock: Clock, progress: Progress = silent) -> CompactReport:
    """Compact every folder that is worth it."""
    until = clock.steady() + _PATIENCE
    report = CompactReport()
    groups = [
        (wanted, group)
        for wanted in context.wanted.values()
        for group in _groups(context, wanted, clock.now())
    ]
    for done, (wanted, group) in enumerate(groups, start=1):
        if clock.steady() >= until:
            progress(Event(stage=STAGE, kind="left", fields={"folders": len(groups) - done + 1}))
            break
        if left := _no_room(context, group):
            progress(Event(stage=STAGE, kind="no_room", fields={"why": left}))
            return replace(report, left=left)
        with context.stage(drafts.RAW_STAGE, clock, layer="raw"):
            if _merge(context, wanted, group, clock.now()):
                report = replace(
                    report,
                    folders=report.folders + 1,
                    parts=report.parts + len(group),
                    rows=report.rows + sum(part.rows for part in group),
                )
        progress(Event(stage=STAGE, done=done, total=len(groups), unit="folders"))
    return report


def _groups(context: NodeContext, wanted: ConfiguredDataset, now: Instant) -> Iterator[list[Part]]:
    last = known.last_wanted(wanted, now)
    if last is None:
        return
    # While its journal is there, a captured part may be made anew out of it.
    pinned = {part_id for capture in context.ledger.captures.all() for part_id in capture.parts}
    folders: dict[tuple[str, str, str], list[Part]] = defaultdict(list)
    for part in context.ledger.catalogue.current("raw", wanted.dataset.name):
        folders[part.folder, part.source, part.origin].append(part)
    for (folder, _, _), folder_parts in sorted(folders.items()):
        ends = layout.days_of(wanted.dataset.raw_folder, folder)[1]
        closed = ends < wanted.next_session(last)
        pieces = [
            plan.SmallPart(part_id=part.part_id, rows=part.rows, last=part.last) for part in folder_parts
        ]
        by_id = {part.part_id: part for part in folder_parts}
        for run in plan.runs(pieces, last=last.isoformat(), closed=closed, pinned=pinned):
            yield from _alike(context, [by_id[piece.part_id] for piece in run])


def _alike(context: NodeContext, run: Sequence[Part]) -> Iterator[list[Part]]:
    """A group cut where another version of the schema begins: parts of one version have the same columns."""
    about = [parquet.metadata(context.layout.root / part.path) for part in run]
    if None in about:
        yield list(run)  # one is damaged, and will be withdrawn
        return
    pairs = zip(run, about, strict=True)
    for _, same in groupby(pairs, lambda pair: (pair[1] or {}).get("schema_version")):
        if len(parts_of := [part for part, _ in same]) > 1:
            yield parts_of


def _no_room(context: NodeContext, group: Sequence[Part]) -> str:
    """Why a group is not written: it takes twice its room while it is written, and once until its parts are swept."""
    here, size = room.of(context), sum(part.bytes for part in group)
    if here.free - 2 * size >= here.wanted:
        return ""
    return (
        f"{group[0].dataset}, {group[0].folder} was not compacted: it takes {2 * size / 1e9:,.2f} GB while it is written, and "
        f"{here.free / 1e9:,.1f} GB are free, of which node.min_free keeps {here.wanted / 1e9:,.1f} GB."
    )


def _merge(context: NodeContext, wanted: ConfiguredDataset, group: Sequence[Part], now: Instant) -> bool:
    """Make one part of a group; False where one of them is damaged or counts no more."""
    catalogue = context.ledger.catalogue
    if len(damage.sound(context, group, now)) < len(group):
        return False
    about = [parquet.metadata(context.layout.root / part.path) or {} for part in group]
    originals = [
        merged for part, metadata in zip(group, about, strict=True) for merged in _told(part, metadata)
    ]
    rows = _Rows(context, group)
    draft = _write(context, wanted, group, rows, _metadata(group, about, originals))
    if scanning.digest(rows.all()) != scanning.digest(parquet.scan([draft.file.temporary])):
        parts.discard(draft.file)
        raise errors.CorruptPartError(
            f"{group[0].dataset}, {group[0].folder}: what was written into one part is not what its parts hold.",
            hint="Nothing was changed. `fulltape verify --deep` tells which file is damaged.",
        )
    profiles.merge(context, wanted, group, draft.part.sha256)
    (written,) = drafts.publish(
        context, [replace(draft, part=replace(draft.part, merged=len(originals)))], now=now
    )
    with context.ledger.write():
        if [part.log_pos for part in catalogue.by_ids(part.part_id for part in group)] != [
            part.log_pos for part in group
        ]:
            drafts.take_back(context, [written])  # one was withdrawn meanwhile
            return False
        catalogue.merge(written, group, now=now)
    return True


def _told(part: Part, about: Mapping[str, str]) -> list[Merged]:
    """What is known of a part and would be lost with it; of one that was merged before what it knows of its own."""
    if part.merged:
        return parts.merged(about)
    return [
        Merged(
            sha256=part.sha256,
            known_at=int(about.get("known_at") or part.ingested_at),
            ingested_at=part.ingested_at,
            made_of=about.get("asks") or about.get("journal", ""),
        )
    ]


def _metadata(
    group: Sequence[Part], about: Sequence[Mapping[str, str]], originals: Sequence[Merged]
) -> dict[str, str]:
    made_on_the_way = {part.sha256 for part in group if part.merged}
    replaces = made_on_the_way.union(*(metadata.get("replaces", "").split() for metadata in about))
    return {
        "schema_version": about[0].get("schema_version", ""),
        "source": group[0].source,
        "origin": group[0].origin,
        "software": f"fulltape {VERSION}",
        "known_at": str(max(original.known_at for original in originals)),
        "merged": msgspec.json.encode(originals).decode(),
        "replaces": " ".join(sorted(replaces)),
    }


def _write(
    context: NodeContext,
    wanted: ConfiguredDataset,
    group: Sequence[Part],
    rows: _Rows,
    metadata: Mapping[str, str],
) -> Draft:
    first = group[0]
    folder = context.layout.raw(first.source, wanted.dataset, "")
    with Spool(folder, wanted.calendar, cut=False) as spool:
        for piece in rows.pieces():
            spool.add(piece.sort("instrument", "ts", REVISION, maintain_order=True))
        gathered = spool.between(*layout.days_of(wanted.dataset.raw_folder, first.folder))
        assert gathered is not None
        return drafts.write(
            context,
            wanted,
            gathered,
            layer="raw",
            folder=first.folder,
            source=first.source,
            origin=first.origin,
            metadata=metadata,
            whole=first.origin == "captured",
        )


class _Rows:
    """The rows of a group of parts, each with its revision."""

    def __init__(self, context: NodeContext, group: Sequence[Part]) -> None:
        self._paths = [context.layout.root / part.path for part in group]
        self._merged = any(part.merged for part in group)
        self._columns = self._schema()
        firsts = [sum(max(1, part.merged) for part in group[:at]) for at in range(len(group))]
        self._firsts = pl.LazyFrame(
            {"path": [str(path) for path in self._paths], "first": firsts},
            schema={"path": pl.String, "first": pl.Int32},
        )

    def _schema(self) -> dict[str, Any]:
        schema: dict[str, Any] = dict(parquet.scan(self._paths[:1]).collect_schema())
        schema.pop(REVISION, None)
        return {**schema, REVISION: pl.Int32} if self._merged else schema

    def all(self) -> pl.LazyFrame:
        """All of them, part by part."""
        rows = parquet.scan(self._paths, path_column="path", columns=self._columns)
        rows = rows.join(self._firsts, on="path", how="left", maintain_order="left")
        own = pl.col(REVISION).fill_null(0) if self._merged else pl.lit(0, dtype=pl.Int32)
        names = [name for name in self._columns if name != REVISION]
        return rows.select(*names, (pl.col("first") + own).alias(REVISION))

    def pieces(self) -> Iterator[pl.DataFrame]:
        """As many at a time as memory bears: by instrument, those of one that has many by time."""
        counted = (
            self.all()
            .group_by("instrument")
            .agg(pl.len(), pl.col("ts").min().alias("from"), pl.col("ts").max().alias("to"))
        )
        about = {name: row for name, *row in counted.collect(engine="streaming").iter_rows()}
        for some in spooling.portions({name: row[0] for name, row in about.items()}, ROWS):
            slices = -(-sum(about[name][0] for name in some) // ROWS)
            if slices == 1:
                yield scanning.of_block(self.all(), some)
                continue
            _, first, last = about[some[0]]
            step = (last - first) / slices
            bounds = [first + step * at for at in range(1, slices)]
            for after, before in zip([None, *bounds], [*bounds, None], strict=True):
                lower = pl.lit(value=True) if after is None else pl.col("ts") >= after
                upper = pl.lit(value=True) if before is None else pl.col("ts") < before
                yield scanning.of_block(self.all(), some, lower, upper)
