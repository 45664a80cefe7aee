"""Parts on their way into the lake: written without a name, noted in the ledger, and only then named.

After a crash the ledger knows which files are of its own making. What it does not know it never removes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import polars as pl

from fulltape.context import ConfiguredDataset, NodeContext, spool
from fulltape.context.spool import Rows
from fulltape.lake import files, parts
from fulltape.lake.parts import PartFile
from fulltape.ledger.part import Layer, NewPart
from fulltape.market.time import Instant

RAW_STAGE = "seal"
"""The stage that writes raw parts, and removes what a kill left of them; any other writer of them holds it."""
_AT_ONCE = 4
"""Each name waits for the disk, so several wait together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A part that is written and has no name yet."""

    part: NewPart
    file: PartFile


def write(
    context: NodeContext,
    wanted: ConfiguredDataset,
    rows: pl.DataFrame | Rows,
    *,
    layer: Layer,
    folder: str,
    metadata: Mapping[str, str],
    source: str = "",
    origin: Literal["fetched", "captured", "derived"] = "derived",
    whole: bool = False,
) -> Draft:
    """Write the rows of one folder of a layer, sorted already; `metadata` beside the dataset."""
    spooled = rows if isinstance(rows, Rows) else spool.of(rows, wanted.calendar)
    written = parts.write(
        spooled.rows,
        _place(context, wanted, layer, source, folder),
        first=spooled.sessions[0],
        last=spooled.sessions[1],
        names=sorted(spooled.cells),
        metadata={"dataset": wanted.dataset.name, **metadata},
        whole=whole,
    )
    return Draft(
        file=written,
        part=NewPart(
            layer=layer,
            source=source,
            dataset=wanted.dataset.name,
            folder=folder,
            path=context.layout.relative(written.path),
            rows=spooled.count,
            bytes=written.bytes,
            sha256=written.sha256,
            min_ts=spooled.timestamps[0],
            max_ts=spooled.timestamps[1],
            origin=origin,
            cells=spooled.cells,
        ),
    )


def _place(context: NodeContext, wanted: ConfiguredDataset, layer: Layer, source: str, folder: str) -> Path:
    if layer == "raw":
        return context.layout.raw(source, wanted.dataset, folder)
    return context.layout.folder(layer, wanted.dataset, folder)


def publish(
    context: NodeContext, drafts: Sequence[Draft], *, now: Instant, journals: Iterable[Path] = ()
) -> list[NewPart]:
    """Note the names that the files will get, and the journals that they are made of; then name them."""
    if not drafts:
        return []
    evidence = "\n".join(sorted(context.layout.relative(path) for path in journals))
    with context.ledger.write():
        for layer in sorted({draft.part.layer for draft in drafts}):
            paths = [draft.part.path for draft in drafts if draft.part.layer == layer]
            context.ledger.intents.add(paths, layer=layer, evidence=evidence, now=now)
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        list(pool.map(parts.publish, [draft.file for draft in drafts]))
    return [draft.part for draft in drafts]


def take_back(context: NodeContext, written: Iterable[NewPart]) -> None:
    """Remove files that got their names and will not be registered, inside a transaction; those that were before stay until
    they are swept."""
    for part in written:
        if context.ledger.catalogue.by_path(part.path) is None:
            files.remove(context.layout.root / part.path)
        context.ledger.intents.drop(part.path)


def sweep(context: NodeContext, layer: Layer) -> None:
    """After an unclean end: remove what this ledger was about to name and did not register, as long as it can be made
    again. Other files that it does not know stay where they are: `fulltape verify` tells of them."""
    catalogue = context.ledger.catalogue
    for path in (*context.layout.part_files(layer), *context.layout.profile_files()):
        if path.name.startswith(files.TEMPORARY):
            files.remove(path)
    for name, journals in context.ledger.intents.of_layer(layer):
        remade = all((context.layout.root / journal).exists() for journal in journals)
        if catalogue.by_path(name) is None and remade:
            files.remove(context.layout.root / name)
        with context.ledger.write():
            context.ledger.intents.drop(name)
