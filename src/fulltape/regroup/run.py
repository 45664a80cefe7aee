"""Writes closed months and years by instrument, and proves that they hold what the days hold."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from fulltape import errors
from fulltape.context import (
    ConfiguredDataset,
    Event,
    NodeContext,
    Progress,
    drafts,
    known,
    regrouped,
    room,
    scanning,
    silent,
)
from fulltape.context import spool as spooling
from fulltape.context.drafts import Draft
from fulltape.context.jobs import StageReport
from fulltape.context.regrouped import LAYER
from fulltape.context.spool import Spool
from fulltape.lake import layout, parquet, parts
from fulltape.ledger.part import Part
from fulltape.market.time import Clock, Instant
from fulltape.regroup import plan
from fulltape.version import VERSION

STAGE = "regroup"
INSTRUMENTS = 100
"""So many are in one file."""
_ROWS = 300_000
"""So many are in memory at once, about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegroupReport(StageReport):
    """Months and years that were written, and the rows in them; `left` says why another one was not."""

    folders: int = 0
    rows: int = 0
    left: str = ""


def run_once(context: NodeContext, clock: Clock, progress: Progress = silent) -> RegroupReport:
    """Write what is closed, wanted by instrument, and not there; withdraw what is not wanted any more."""
    with context.stage(STAGE, clock, layer=LAYER):
        written = rows = 0
        left = ""
        for name, wanted in context.wanted.items():
            catalogue = context.ledger.catalogue
            there = regrouped.complete(catalogue.current(LAYER, name), catalogue.current("curated", name))
            desired = _desired(wanted, clock.now())
            for key in (key for key in desired if key not in there):
                if words := _no_room(context, name, key):
                    progress(Event(stage=STAGE, kind="no_room", fields={"why": words}))
                    left = words
                    break
                count = _build(context, wanted, key, clock.now(), progress)
                written, rows = written + bool(count), rows + count
            with context.ledger.write():
                for key in there.keys() - set(desired):
                    context.ledger.catalogue.withdraw_folder(LAYER, name, key, now=clock.now())
        return RegroupReport(folders=written, rows=rows, left=left)


def _no_room(context: NodeContext, name: str, key: str) -> str:
    """Why one more folder is not written: it takes twice the room of its days while it is written, and as much for good."""
    first, last = layout.days_of(layout.kind_of(key), key)
    size = sum(
        part.bytes for part in context.ledger.catalogue.current("curated", name, first=first, last=last)
    )
    here = room.of(context)
    if here.free - 2 * size >= here.wanted:
        return ""
    return (
        f"{name}, {key} was not written by instrument: it takes {2 * size / 1e9:,.2f} GB, and {here.free / 1e9:,.1f} GB are "
        f"free, of which node.min_free keeps {here.wanted / 1e9:,.1f} GB. The days are read instead."
    )


def _desired(wanted: ConfiguredDataset, now: Instant) -> list[str]:
    if not wanted.by_instrument or wanted.dataset.curated_folder != "date":
        return []
    last = known.last_wanted(wanted, now)
    return plan.folders(wanted.first, last, wanted.next_session(last) if last else None)


def _build(
    context: NodeContext, wanted: ConfiguredDataset, key: str, now: Instant, progress: Progress
) -> int:
    """Write one folder; how many rows it has."""
    first, last = layout.days_of(layout.kind_of(key), key)
    name, root = wanted.dataset.name, context.layout.root
    days = context.ledger.catalogue.current("curated", name, first=first, last=last)
    if not days:
        return 0
    paths = [root / part.path for part in days]
    names = sorted({instrument for part in days for instrument in part.cells})
    blocks = [names[at : at + INSTRUMENTS] for at in range(0, len(names), INSTRUMENTS)]
    ready = []
    for block in blocks:
        ready.append(_block(context, wanted, key, paths, block))
        progress(Event(stage=STAGE, done=len(ready), total=len(blocks), unit=f"files of {key}"))
    written_rows = parquet.scan([draft.file.temporary for draft in ready])
    if scanning.digest(parquet.scan(paths)) != scanning.digest(written_rows):
        for draft in ready:
            parts.discard(draft.file)
        raise errors.CorruptPartError(
            f"{name}, {key}: what was written by instrument is not what the days hold.",
            hint="`fulltape verify --deep` tells which file is damaged.",
        )
    completed = [
        dataclasses.replace(block_draft, part=dataclasses.replace(block_draft.part, of_parts=len(ready)))
        for block_draft in ready
    ]
    written = drafts.publish(context, completed, now=now)
    with context.ledger.write():
        if _places(context.ledger.catalogue.current("curated", name, first=first, last=last)) != _places(
            days
        ):
            # Days have changed meanwhile: what they are now is written the next time.
            drafts.take_back(context, written)
            return 0
        context.ledger.catalogue.withdraw_folder(LAYER, name, key, now=now)
        for part in written:
            context.ledger.catalogue.register(part, now=now)
    return sum(part.rows for part in written)


def _places(days: Sequence[Part]) -> list[tuple[int, int]]:
    return [(part.part_id, part.log_pos) for part in days]


def _block(
    context: NodeContext, wanted: ConfiguredDataset, key: str, paths: Sequence[Path], block: Sequence[str]
) -> Draft:
    folder = context.layout.folder(LAYER, wanted.dataset, "")
    symbols: set[str] = set()
    first, last = layout.days_of(layout.kind_of(key), key)
    with Spool(folder, wanted.calendar, cut=False) as spool:
        for some, files_of in _bearable(paths, block):
            rows = scanning.of_block(parquet.scan(files_of), some)
            symbols |= set(rows["symbol"].unique())
            spool.add(rows.sort("instrument", "ts", maintain_order=True))
        gathered = spool.between(first, last)
        assert gathered is not None
        draft = drafts.write(
            context,
            wanted,
            gathered,
            layer=LAYER,
            folder=key,
            metadata={
                "schema_version": str(wanted.dataset.schema.version),
                "software": f"fulltape {VERSION}",
                "calendar": wanted.calendar.version,
            },
        )
    return dataclasses.replace(draft, part=dataclasses.replace(draft.part, symbols=tuple(sorted(symbols))))


def _bearable(paths: Sequence[Path], block: Sequence[str]) -> Iterator[tuple[list[str], Sequence[Path]]]:
    """The instruments of a block in groups of as many rows as memory bears; of one that has more the days in groups."""
    counts: dict[str, int] = dict(
        parquet.scan(paths)
        .filter(pl.col("instrument").is_between(pl.lit(block[0]), pl.lit(block[-1])))
        .group_by("instrument")
        .len()
        .collect(engine="streaming")
        .iter_rows()
    )
    for some in spooling.portions({name: counts[name] for name in block if name in counts}, _ROWS):
        rows = sum(counts[name] for name in some)
        step = max(1, len(paths) * _ROWS // max(rows, _ROWS))
        yield from ((some, paths[at : at + step]) for at in range(0, len(paths), step))
