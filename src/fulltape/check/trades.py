"""Compares a vendor's minutes with those that the node's own trades of the same session make."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from fulltape.bars import every as lengths
from fulltape.bars import ticks
from fulltape.bars.conditions import SaleConditions
from fulltape.bars.ticks import BarRequest
from fulltape.checks import trades as rules
from fulltape.context import ConfiguredDataset, Event, NodeContext, Progress, damage, sale_conditions, silent
from fulltape.coverage.verdict_ranges import VerdictRange
from fulltape.lake import parquet
from fulltape.ledger.part import Part
from fulltape.market.time import SECOND, Clock

STAGE = "check trades"
_PATIENCE = 600 * SECOND
"""No further session is compared after so long: the rest waits for the next run."""
_KINDS = ("trades", "aggtrades")
_Cell = tuple[str, dt.date]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """The cells that were compared, those of them that are other, and up to which place of the log of parts that is."""

    cells: frozenset[_Cell]
    other: frozenset[_Cell]
    position: int


def compared(
    context: NodeContext, wanted: ConfiguredDataset, clock: Clock, progress: Progress = silent
) -> Compared | None:
    """What is to be said of minutes whose bars or trades have changed since the last run; None where there is nothing to compare, or it is
    not known what the trades count for."""
    traded = _trades_of(context, wanted)
    counted = None if traded is None else _conditions(context, traded)
    if traded is None or counted is None:
        return None
    request = BarRequest(
        every=lengths.parse("1m"), calendar=wanted.calendar, conditions=counted.get("conditions")
    )
    since = context.ledger.bookmark(STAGE, wanted.dataset.name)
    catalogue, until = context.ledger.catalogue, clock.steady() + _PATIENCE
    changed = [
        part
        for name in (wanted.dataset.name, traded.dataset.name)
        for part in catalogue.since("curated", since, dataset=name)
    ]
    days = {part.first for part in changed}
    cells: set[_Cell] = set()
    other: set[_Cell] = set()
    done: set[dt.date] = set()
    for part in sorted(changed, key=lambda each: each.log_pos):
        day = dt.date.fromisoformat(part.first)
        if day not in done:
            if clock.steady() >= until:
                break
            done.add(day)
            progress(Event(stage=STAGE, done=len(done), total=len(days), unit="sessions"))
            for name, share in _shares(context, wanted, traded, day, clock, request):
                cells.add((name, day))
                if share > context.rules.thresholds.trades_share:
                    other.add((name, day))
        since = part.log_pos
    return Compared(cells=frozenset(cells), other=frozenset(other), position=since)


def _trades_of(context: NodeContext, wanted: ConfiguredDataset) -> ConfiguredDataset | None:
    """The trades of the same instruments, where the node has them."""
    if wanted.dataset.grain != "minute" or "volume" not in wanted.dataset.schema.names:
        return None
    kind = wanted.dataset.name.partition("_")[0]
    names = (f"{kind}_{what}" for what in _KINDS)
    return next((context.wanted[name] for name in names if name in context.wanted), None)


def _shares(
    context: NodeContext,
    wanted: ConfiguredDataset,
    traded: ConfiguredDataset,
    day: dt.date,
    clock: Clock,
    request: BarRequest,
) -> Iterator[tuple[str, float]]:
    """By instrument the share of a session's minutes that are other than its trades make them; of those whose trades are held whole."""
    catalogue = context.ledger.catalogue
    both = [catalogue.current("curated", each.dataset.name, first=day, last=day) for each in (wanted, traded)]
    if not all(both):
        return
    bars, trades = (_rows(context, parts, day, clock) for parts in both)
    if bars is None or trades is None:
        return
    names = [
        name
        for name in bars.select(pl.col("instrument").cast(pl.String).unique()).collect()["instrument"]
        if _is_whole(context, traded, name, day)
    ]
    mine = pl.col("instrument").cast(pl.String).is_in(names)
    made = ticks.bars(trades.filter(mine), request).with_columns(pl.col("instrument").cast(pl.String))
    own = bars.filter(mine).with_columns(pl.col("instrument").cast(pl.String))
    if "phase" in wanted.dataset.schema.names:
        own = own.filter(pl.col("phase").cast(pl.String) == "regular")
    shares = rules.shares(own.collect(), made.collect())
    yield from shares.select("instrument", "share").iter_rows()


def _rows(context: NodeContext, parts: Sequence[Part], day: dt.date, clock: Clock) -> pl.LazyFrame | None:
    """The final rows of a session; None where a file is not what was recorded."""
    if len(damage.sound(context, parts, clock.now())) < len(parts):
        return None  # it is made again, and compared then
    rows = parquet.scan([context.layout.root / part.path for part in parts])
    return rows.filter(pl.col("session") == day, pl.col("is_final"))


def _conditions(context: NodeContext, traded: ConfiguredDataset) -> Mapping[str, SaleConditions] | None:
    """What trades count for, where they have conditions; None where it is not known of a source."""
    if "conditions" not in traded.dataset.schema.names:
        return {}
    tables = sale_conditions.read(context.folder)
    return {"conditions": tables} if all(map(tables.knows, traded.every_source)) else None


def _is_whole(context: NodeContext, traded: ConfiguredDataset, name: str, day: dt.date) -> bool:
    """Whether a source has shown all of an instrument's trades of a session."""
    text = day.isoformat()
    return any(
        fact == "present" and first <= text <= last
        for _, fact, _, first, last in context.ledger.coverage.spans_of(traded.dataset.name, name)
    )


def doubted(wanted: ConfiguredDataset, before: Sequence[VerdictRange], said: Compared) -> set[_Cell]:
    """All cells that are other than their trades: those that were so and were not compared again, and those that are so now."""
    calendar = wanted.calendar
    known = {
        (verdict.instrument, calendar.label(position))
        for verdict in before
        for position in range(*calendar.between(verdict.first, verdict.last))
    }
    return (known - said.cells) | said.other
