"""What a bundle tells beside its rows: repairs, intervals, and how it is split for training; each only where there is any."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from pathlib import Path

import msgspec
import polars as pl

from fulltape.bundle import layout
from fulltape.context import NodeContext, damage, noted
from fulltape.export import splits
from fulltape.export.splits import Splits
from fulltape.lake import files, parquet
from fulltape.ledger.repairs import Repair
from fulltape.market.time import Instant


def inputs(context: NodeContext, last: dt.date | None) -> Mapping[str, str]:
    """Digests of what is told, by what it is; `last` is the bundle's last session."""
    digests = {
        name: hashlib.sha256(repr(table.rows()).encode()).hexdigest()
        for name, table in (
            (layout.REPAIRS, _repairs(context)),
            (layout.INTERVALS, _intervals(context, last)),
        )
        if table.height
    }
    rules = context.rules
    return digests | (
        {"splits": repr((dict(rules.splits), rules.purge, rules.embargo))} if rules.splits else {}
    )


def write(context: NodeContext, folder: Path, last: dt.date | None) -> None:
    """Write `repairs.parquet`, `intervals.parquet` and `splits.json` into a bundle's folder; `last` is its last session."""
    for name, table in ((layout.REPAIRS, _repairs(context)), (layout.INTERVALS, _intervals(context, last))):
        if table.height:
            parquet.publish(table, folder / name, {"table": Path(name).stem})
    rules = context.rules
    if not rules.splits or last is None:
        return
    split = Splits(
        purge=rules.purge,
        embargo=rules.embargo,
        datasets={
            name: splits.of_dataset(
                wanted.calendar,
                (wanted.first, min(last, wanted.until or last)),
                rules.splits,
                purge=rules.purge,
                embargo=rules.embargo,
            )
            for name, wanted in sorted(context.wanted.items())
        },
    )
    files.publish_bytes(
        folder / layout.SPLITS, msgspec.json.format(msgspec.json.encode(split), indent=2) + b"\n"
    )


def damaged(context: NodeContext, now: Instant) -> tuple[str, ...]:
    """Which of the files that repairs are about are not what the ledger recorded; they are withdrawn, to be made again."""
    parts = noted.concerned(context.ledger, _wanted(context))
    sound = {part.path for part in damage.sound(context, parts, now)}
    return tuple(part.path for part in parts if part.path not in sound)


def _wanted(context: NodeContext) -> list[Repair]:
    return [each for each in context.ledger.repairs.all() if each.dataset in context.wanted]


def _repairs(context: NodeContext) -> pl.DataFrame:
    known = _wanted(context)
    parts = noted.concerned(context.ledger, known)
    return noted.repairs(known, noted.standing(context.layout, context.ledger, known, parts))


def _intervals(context: NodeContext, last: dt.date | None) -> pl.DataFrame:
    """Spans of sessions that lack minutes for a reason, of every dataset."""
    return pl.concat(
        noted.intervals(
            name,
            wanted.calendar,
            context.ledger.intervals.find(dataset=name),
            wanted.first,
            last or wanted.first,
        )
        for name, wanted in sorted(context.wanted.items())
    )
