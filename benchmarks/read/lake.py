"""Curated days in a lake of their own, and the same by instrument."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from benchmarks.growth import world
from benchmarks.growth.world import CALENDAR, MINUTES, World
from fulltape.context import drafts
from fulltape.decoding import frames
from fulltape.ledger.part import NewPart
from fulltape.market.ranges import Range
from fulltape.market.time import HOUR
from fulltape.regroup import run as regroup


def filled(folder: Path, symbols: int, span: Range, minutes: int, *, more: Sequence[str] = ()) -> World:
    """A node with these sessions (positions, end exclusive), all of whose months are closed; `more` datasets may be filled
    after."""
    node = world.node(
        folder,
        [MINUTES, *more],
        symbols,
        minutes=minutes,
        last=span[1] - 1,
        first=span[0],
        by_instrument=True,
    )
    wanted = node.context.wanted[MINUTES]
    for at in range(*span):
        raw = world.rows(wanted.dataset, [at], world.names(symbols), minutes)
        curated = frames.conform(
            raw.with_columns(
                pl.lit(world.SOURCE).alias("source"),
                (pl.col("ts") + pl.duration(minutes=1)).alias("available_at"),
                pl.lit(value=True).alias("is_final"),
                pl.lit(0).alias("flags"),
            ),
            wanted.dataset.curated.columns,
        )
        now = CALENDAR.sessions[at].close + HOUR
        draft = drafts.write(
            node.context,
            wanted,
            curated,
            layer="curated",
            folder=f"date={CALENDAR.label(at)}",
            metadata={"calendar": CALENDAR.version},
        )
        (part,) = drafts.publish(node.context, [draft], now=now)
        with node.context.ledger.write():
            node.context.ledger.catalogue.register(part, now=now)
    regroup.run_once(node.context, world.Fixed(span[1] - 1))
    return node


def catalogue(folder: Path, symbols: int, sessions: int) -> World:
    """A node whose catalogue knows so many days of so many symbols, without files."""
    begin = world.BEGIN - sessions
    node = world.node(folder, [MINUTES], symbols, last=world.BEGIN, first=begin)
    names = world.names(symbols)
    with node.context.ledger.write():
        for at in range(begin, world.BEGIN):
            day = CALENDAR.label(at)
            part = NewPart(
                layer="curated",
                source="",
                dataset=MINUTES,
                folder=f"date={day}",
                path=f"curated/{MINUTES}/date={day}/{day}.parquet",
                rows=symbols * 390,
                bytes=1,
                sha256=f"{at:064x}",
                min_ts=0,
                max_ts=1,
                origin="derived",
                cells={name: [(day, day)] for name in names},
            )
            node.context.ledger.catalogue.register(part, now=1)
    return node


def days(node: World, span: Range) -> list[str]:
    """The files of these days, in order."""
    first, last = CALENDAR.label(span[0]), CALENDAR.label(span[1] - 1)
    found = node.context.ledger.catalogue.current("curated", MINUTES, first=first, last=last)
    return [str(node.context.layout.root / part.path) for part in found]


def middle(span: Range) -> dt.date:
    """A day in the midst."""
    return CALENDAR.label((span[0] + span[1]) // 2)
