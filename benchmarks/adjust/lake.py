"""A node of ten years of minutes, with day bars and actions of two sources."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl

from benchmarks.growth import world
from benchmarks.growth.world import CALENDAR, DAYS, MINUTES, World
from benchmarks.read import lake
from fulltape.context import drafts
from fulltape.context.actions import DATASET
from fulltape.coverage.facts import CoverageFact
from fulltape.decoding import frames
from fulltape.market import datasets
from fulltape.market.ranges import Range

SOURCES = ("a.sip", "b.sip")
_SPLITS = {3: 2.0, 7: 4.0}
"""By the number of a year: shares after for each before."""


def filled(folder: Path, symbols: int, span: Range) -> World:
    """Minutes by day and by instrument, day bars, and actions."""
    node = lake.filled(folder, symbols, span, 390, more=(DAYS, DATASET))
    _days(node, span)
    for source in SOURCES:
        _actions(node, span, source)
    _facts(node, span)
    return node


def _facts(node: World, span: Range) -> None:
    """All of it is there, and both sources have answered about every day."""
    first, last = CALENDAR.label(span[0]), CALENDAR.label(span[1] - 1)
    with node.context.ledger.write():
        for dataset, fact, sources in (
            (MINUTES, "present", SOURCES[:1]),
            (DAYS, "present", SOURCES[:1]),
            (DATASET, "empty", SOURCES),
        ):
            facts = [
                CoverageFact(
                    dataset=dataset,
                    instrument=name,
                    source=source,
                    first=first,
                    last=last,
                    fact=fact,  # type: ignore[arg-type]
                    sound=True,
                    final=True,
                    since=1,
                    evidence="adjust",
                )
                for name in world.names(node.symbols)
                for source in sources
            ]
            node.context.ledger.coverage.record(facts, node.context.wanted[dataset].next_session)


def _days(node: World, span: Range) -> None:
    rows = world.rows(datasets.get(DAYS), list(range(*span)), world.names(node.symbols), 1)
    curated = rows.with_columns(
        pl.lit(world.SOURCE).alias("source"),
        (pl.col("ts") + pl.duration(hours=7)).alias("available_at"),
        pl.lit(value=True).alias("is_final"),
        pl.lit(0).alias("flags"),
    )
    for (year,), mine in curated.group_by(pl.col("session").dt.year(), maintain_order=True):
        frame = frames.conform(mine, datasets.get(DAYS).curated.columns)
        _publish(node, DAYS, frame, "curated", f"year={year}", "")


def _actions(node: World, span: Range, source: str) -> None:
    """Four dividends a year, and a split in some years, of every symbol."""
    rows = []
    first, last = CALENDAR.label(span[0]), CALENDAR.label(span[1] - 1)
    for number, year in enumerate(range(first.year, last.year + 1)):
        days: list[tuple[dt.date, float | None, float | None]] = [
            (dt.date(year, month, 10), None, 0.25) for month in (2, 5, 8, 11)
        ]
        days += [(dt.date(year, 6, 10), _SPLITS[number], None)] if number in _SPLITS else []
        rows += [
            {
                "instrument": name, "symbol": name, "session": day, "ex_date": day, "amount": amount, "ratio_new": ratio,
                "ratio_old": 1.0 if ratio else None, "action_type": "split" if ratio else "cash_dividend",
                "event_id": f"{name} {day}", "currency": "USD",
            }
            for name in world.names(node.symbols)
            for day, ratio, amount in days
            if first < day <= last
        ]  # fmt: skip
    frame = pl.DataFrame(rows, infer_schema_length=None).with_columns(
        pl.col("session").cast(pl.Datetime("us", "UTC")).alias("ts")
    )
    whole = frames.conform(frame, datasets.get(DATASET).schema.columns).sort("instrument", "ts")
    for (year,), mine in whole.group_by(pl.col("session").dt.year(), maintain_order=True):
        _publish(node, DATASET, mine, "raw", f"year={year}", source)


def _publish(node: World, dataset: str, frame: pl.DataFrame, layer: str, folder: str, source: str) -> None:
    draft = drafts.write(
        node.context,
        node.context.wanted[dataset],
        frame,
        layer=layer,  # type: ignore[arg-type]
        folder=folder,
        source=source,
        origin="fetched" if layer == "raw" else "derived",
        metadata={"calendar": CALENDAR.version},
    )
    (part,) = drafts.publish(node.context, [draft], now=1)
    with node.context.ledger.write():
        node.context.ledger.catalogue.register(part, now=1)
