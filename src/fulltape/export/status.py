"""One row per wanted cell of every dataset: gathered as stretches, written a block of instruments at a time."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from fulltape.checks.findings import FACTS
from fulltape.context import ConfiguredDataset, NodeContext, bulk_coverage, profiles, scanning
from fulltape.context.spool import Pieces
from fulltape.export import gaps, plan
from fulltape.export.plan import CellKnowledge
from fulltape.lake import parquet
from fulltape.market.time import Instant

_CHECKED = {
    name: dtype
    for name, dtype in plan.STATUS.items()
    if name not in ("dataset", "availability", "finality", "completeness")
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The newest session, None without cells, how many cells there are by availability and by verdict, and by dataset as `gaps.counts` has them; the
    longest stretches that lack something, as `gaps.of` has them, and how many shorter ones there are."""

    last: dt.date | None
    availability: Mapping[str, int]
    verdicts: Mapping[str, int]
    counts: pl.DataFrame
    lacking: pl.DataFrame
    omitted: int


def gather(context: NodeContext, now: Instant) -> dict[str, CellKnowledge]:
    """What is known of every wanted dataset's cells."""
    gathered = {}
    for name, wanted in sorted(context.wanted.items()):
        laid = (
            (said.codes, said.instrument, said.first, said.last)
            for code in plan.LAID
            for said in context.ledger.verdicts.with_codes(name, code)
        )
        gathered[name] = plan.known(wanted.calendar, bulk_coverage.pictures(context, wanted, now), laid)
    return gathered


def digest(context: NodeContext, gathered: Mapping[str, CellKnowledge]) -> str:
    """A digest of all that the rows say, but for when cells were checked."""
    whole = hashlib.sha256()
    for name, knowledge in gathered.items():
        whole.update(name.encode())
        whole.update(knowledge.facts())
        for part in context.ledger.catalogue.current("qc", name):
            metadata = parquet.metadata(context.layout.root / part.path) or {}
            whole.update(f"{part.folder} {metadata.get(FACTS, part.sha256)}\n".encode())
    return whole.hexdigest()


def write(context: NodeContext, gathered: Mapping[str, CellKnowledge], path: Path) -> Summary:
    """Write the rows to `path`, by (dataset, instrument, session)."""
    last: dt.date | None = None
    availability: Counter[str] = Counter()
    verdicts: Counter[str] = Counter()
    counts: list[pl.DataFrame] = []
    with Pieces(path.parent) as pieces, Pieces(path.parent) as stretches:
        for name, knowledge in gathered.items():
            for rows in _blocks(context, context.wanted[name], knowledge):
                days = [day for day in (last, rows["session"].max()) if isinstance(day, dt.date)]
                last = max(days, default=None)
                availability.update(dict(rows.group_by("availability").len().iter_rows()))
                verdicts.update(dict(rows.group_by("verdict").len().iter_rows()))
                counts.append(gaps.counts(rows, context.rules.export_policy))
                if (lacking := gaps.of(rows, context.rules.export_policy)).height:
                    stretches.add(lacking)
                pieces.add(rows)
        whole = pl.concat([pl.LazyFrame(schema=plan.STATUS), *pieces.scanned()])
        parquet.publish(whole, path, {"table": "partition_status"})
        longest, omitted = gaps.longest(stretches.scanned())
    return Summary(
        last=last,
        availability=dict(sorted(availability.items())),
        verdicts=dict(sorted(verdicts.items())),
        counts=pl.concat(counts).group_by("dataset").sum() if counts else pl.DataFrame({"dataset": []}),
        lacking=longest,
        omitted=omitted,
    )


def _blocks(
    context: NodeContext, wanted: ConfiguredDataset, knowledge: CellKnowledge
) -> Iterator[pl.DataFrame]:
    parts = context.ledger.catalogue.current("qc", wanted.dataset.name)
    paths = [context.layout.root / part.path for part in parts]
    cells = int((knowledge.cells["stop"] - knowledge.cells["start"]).sum())
    for block in profiles.blocks(knowledge.cells["instrument"].unique(), cells):
        checked = (
            scanning.of_block(parquet.scan(paths).select(*_CHECKED), block).cast(pl.Schema(_CHECKED))
            if paths
            else pl.DataFrame(schema=_CHECKED)
        )
        yield plan.status(wanted.dataset, wanted.calendar, knowledge.of(block), checked)
