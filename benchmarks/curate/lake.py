"""A node with raw minutes of three sources that overlap."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl

from benchmarks.growth import world
from benchmarks.growth.world import CALENDAR, MINUTES
from fulltape.context import NodeContext, drafts
from fulltape.contract.vendor import Source
from fulltape.lake import layout
from fulltape.market import datasets
from fulltape.market.ranges import Range

SOURCES = ("a.sip", "b.sip", "c.sip")
_BLOCK = 50
"""So many symbols share a raw part."""


def opened(folder: Path, symbols: int, span: Range) -> NodeContext:
    """The node, which has three sources of minutes."""
    node = world.node(folder, [MINUTES], symbols, last=span[1] - 1, first=span[0])
    context = node.context
    (feed,) = context.feeds.values()
    feeds = {
        name: replace(
            feed,
            vendor=name[0],
            source=Source(name=name, feed="sip", scope="consolidated", capabilities=feed.source.capabilities),
        )
        for name in SOURCES
    }
    wanted = {MINUTES: replace(context.wanted[MINUTES], sources=SOURCES)}
    return replace(context, feeds=feeds, wanted=wanted)


def filled(folder: Path, symbols: int, span: Range) -> int:
    """Lay the raw parts, by month and block of symbols; returns their rows."""
    context, total = opened(folder, symbols, span), 0
    dataset = datasets.get(MINUTES)
    months: dict[str, list[int]] = {}
    for at in range(*span):
        months.setdefault(layout.folder_key(dataset.raw_folder, CALENDAR.label(at)), []).append(at)
    every = world.names(symbols)
    for key, positions in months.items():
        for at in range(0, symbols, _BLOCK):
            rows = world.rows(dataset, positions, every[at : at + _BLOCK], 390)
            for source in SOURCES:
                mine = _of(rows, source)
                total += mine.height
                draft = drafts.write(
                    context, context.wanted[MINUTES], mine, layer="raw", folder=key, source=source, origin="fetched",
                    metadata={"source": source, "known_at": "1"},
                )  # fmt: skip
                (part,) = drafts.publish(context, [draft], now=1)
                with context.ledger.write():
                    context.ledger.catalogue.register(part, now=1)
    context.ledger.close()
    return total


def _of(rows: pl.DataFrame, source: str) -> pl.DataFrame:
    """What one source says: the preferred one lacks minutes of some cells, and is wrong in some."""
    if source == SOURCES[2]:
        return rows.with_columns(pl.col("volume") + 1)
    if source != SOURCES[0]:
        return rows
    cell = pl.struct(pl.col("instrument").cast(pl.String), "session").hash(seed=3)
    minute = pl.col("minute_of_session")
    lacks = (cell % 5 == 0) & minute.is_in([100, 200])
    wrong = (cell % 7 == 0) & (minute % 30 == 0)
    return rows.filter(~lacks).with_columns(
        pl.when(wrong).then(pl.col("low") + 5).otherwise("low").alias("low")
    )
