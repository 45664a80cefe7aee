"""What a bundle says of itself: its manifest, and the checksums of all of its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from fulltape.bundle import checksums, manifest
from fulltape.bundle.manifest import BundleFile, DescribedColumn, DescribedDataset, Manifest
from fulltape.context import ConfiguredDataset, NodeContext
from fulltape.export.plan import Included
from fulltape.export.status import Summary
from fulltape.lake import files
from fulltape.version import VERSION


def write(
    context: NodeContext,
    folder: Path,
    included: Sequence[Included],
    linked: Mapping[str, str],
    summary: Summary,
    *,
    recipe: str,
    held_out: int,
    factors: Mapping[str, Any] | None,
) -> None:
    """Write `manifest.json` and the checksums into a bundle's folder, over all that lies in it. `linked`: the digests of files that are
    those of the lake, which were verified just now."""
    entries = _files(folder, linked)
    described = Manifest(
        bundle=summary.last.isoformat() if summary.last else "",
        digest=recipe,
        software=f"fulltape {VERSION}",
        policy=context.rules.export_policy,
        rows=sum(file.rows for file in included) - held_out,
        held_out_rows=held_out,
        survivorship="BIASED",
        survivorship_reason=_survivorship(context),
        adjustment="raw: prices and volumes as traded",
        factors=dict(factors) if factors else msgspec.UNSET,
        cells=dict(summary.availability),
        verdicts=dict(summary.verdicts),
        knowledge={
            layer: context.ledger.catalogue.last_position(layer) for layer in ("raw", "curated", "qc")
        },
        datasets=[_described(wanted) for _, wanted in sorted(context.wanted.items())],
        files=entries,
    )
    files.publish_bytes(folder / manifest.MANIFEST, manifest.encoded(described))
    digests = {entry.path: entry.sha256 for entry in entries}
    digests[manifest.MANIFEST] = files.sha256(folder / manifest.MANIFEST)
    lines = [f"{digest}  {path}\n" for path, digest in digests.items()]
    files.publish_bytes(folder / checksums.SUMS, "".join(lines).encode())


def _files(folder: Path, linked: Mapping[str, str]) -> list[BundleFile]:
    return [
        BundleFile(
            path=(name := path.relative_to(folder).as_posix()),
            bytes=path.stat().st_size,
            sha256=linked.get(name) or files.sha256(path),
        )
        for path in files.tree(folder)
    ]


def _survivorship(context: NodeContext) -> str:
    days = [row["day"] for row in context.ledger.reference.memberships()]
    if not days:
        return "no dated universe membership is known, so the universe is today's"
    return (
        f"the universe's membership is known from {min(days)} on; before that day it is the one of that day"
    )


def _described(wanted: ConfiguredDataset) -> DescribedDataset:
    dataset = wanted.dataset
    return DescribedDataset(
        name=dataset.name,
        summary=dataset.summary,
        synthetic=wanted.synthetic,
        sources=list(wanted.sources),
        calendar=wanted.calendar.name,
        calendar_version=wanted.calendar.version,
        schema_version=dataset.schema.version,
        columns=[
            DescribedColumn(name=column.name, type=column.dtype, nullable=column.nullable, unit=column.unit)
            for column in dataset.curated.columns
        ],
    )
