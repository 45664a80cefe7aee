"""Trades in a node of their own, and bars of them as one would write it by hand."""

from __future__ import annotations

import datetime as dt
import importlib.resources
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from benchmarks.growth import world
from benchmarks.growth.world import CALENDAR, World
from fulltape.bars import conditions
from fulltape.context import drafts
from fulltape.decoding import frames
from fulltape.market import datasets
from fulltape.market.ranges import Range
from fulltape.market.time import MINUTE

TRADES = "equities_trades"
_MIX = {"@": 49, "@,F": 42, "F": 5, "@,T": 4, "6": 1, "4": 1, "B": 1, "@,4,B": 1, "Z": 1, "R": 1}
"""How many trades of about a hundred have these conditions, as on a real day."""
_NO_PRICE, _NO_END, _AUCTION = ("B", "@,4,B", "R", "@,T"), ("4", "Z"), ("6",)


def filled(folder: Path, span: Range, trades: int) -> World:
    """A node with so many trades of one symbol in each of these sessions."""
    node = world.node(folder, [TRADES], 1, minutes=1, last=span[1] - 1, first=span[0])
    text = importlib.resources.files(conditions.__package__).joinpath(conditions.FILE).read_text()
    vendor = world.SOURCE.partition(".")[0]
    (folder / conditions.FILE).write_text(text.replace('vendors = ["alpaca"]', f'vendors = ["{vendor}"]'))
    for at in range(*span):
        _publish(node, _day(at, trades), CALENDAR.label(at))
    return node


def _day(at: int, trades: int) -> pl.DataFrame:
    session = CALENDAR.sessions[at]
    length = (session.close - session.open) // trades
    mix = [code for code, count in _MIX.items() for _ in range(count)]
    number = pl.int_range(trades, eager=True)
    (name,) = world.names(1)
    rows = pl.DataFrame(
        {
            "ts": session.open + number * length,
            "price": 100.0 + (number * 7_919 % 1_000) / 100,
            "size": ((number * 31) % 20 + 1) * 100.0,
            "conditions": [mix[each * 37 % len(mix)] for each in range(trades)],
            "trade_id": number.cast(pl.String),
        }
    ).with_columns(
        pl.col("ts").cast(pl.Datetime("us", "UTC")),
        instrument=pl.lit(name), symbol=pl.lit(name), session=pl.lit(session.label), tape=pl.lit("B"),
        exchange=pl.lit("P"), source=pl.lit(world.SOURCE), is_final=pl.lit(value=True), flags=pl.lit(0),
    )  # fmt: skip
    stamped = rows.with_columns(
        available_at=pl.col("ts"), ts_event=pl.col("ts").cast(pl.Datetime("ns", "UTC"))
    )
    return frames.conform(stamped, datasets.get(TRADES).curated.columns)


def _publish(node: World, frame: pl.DataFrame, day: dt.date) -> None:
    wanted = node.context.wanted[TRADES]
    draft = drafts.write(
        node.context,
        wanted,
        frame,
        layer="curated",
        folder=f"date={day}",
        metadata={"calendar": CALENDAR.version},
    )
    (part,) = drafts.publish(node.context, [draft], now=1)
    with node.context.ledger.write():
        node.context.ledger.catalogue.register(part, now=1)


def by_hand(files: Sequence[Path]) -> pl.LazyFrame:
    """Minutes of the regular hours out of the same files, with what conditions mean in a table of its own."""
    table = pl.LazyFrame({"conditions": list(_MIX)}).with_columns(
        in_range=~pl.col("conditions").is_in(_NO_PRICE),
        at_ends=~pl.col("conditions").is_in([*_NO_PRICE, *_NO_END]),
        counts=~pl.col("conditions").is_in(_AUCTION),
    )
    hours = frames.sessions(CALENDAR).select("session", "open", "close").lazy()
    price, size, extreme = pl.col("price"), pl.col("size"), pl.col("extreme")
    return (
        pl.scan_parquet(list(files))
        .join(table, on="conditions", how="left", maintain_order="left")
        .join(hours, on="session", how="left", maintain_order="left")
        .filter(
            pl.col("counts"),
            pl.col("correction").is_null(),
            pl.col("ts") >= pl.col("open"),
            pl.col("ts") < pl.col("close"),
        )
        .with_columns(
            end=pl.when("at_ends").then(price),
            extreme=pl.when("in_range").then(price),
        )
        .group_by_dynamic("ts", every=f"{MINUTE}us", group_by=["instrument", "session"])
        .agg(
            *(pl.col(name).first() for name in ("symbol", "source")),
            pl.col("end").drop_nulls().first().alias("open"),
            extreme.max().alias("high"),
            extreme.min().alias("low"),
            pl.col("end").drop_nulls().last().alias("close"),
            size.sum().alias("volume"),
            ((extreme * size).sum() / size.filter(extreme.is_not_null()).sum()).alias("vwap"),
            pl.len().alias("n"),
            pl.col("available_at").max(),
            pl.col("is_final").all(),
            pl.col("flags").bitwise_or(),
        )
        .sort("instrument", "ts")
    )
