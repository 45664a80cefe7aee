"""Lays AMBER over what an instrument holds before a long silence after which its price is another one."""

from __future__ import annotations

import datetime as dt
import itertools

import polars as pl

from fulltape.checks import identity
from fulltape.context import ConfiguredDataset, NodeContext
from fulltape.coverage.cell import Verdict
from fulltape.coverage.verdict_ranges import VerdictRange
from fulltape.decoding import frames
from fulltape.lake import parquet
from fulltape.market import ranges
from fulltape.market.ranges import Ranges
from fulltape.market.time import Instant


def verdicts(
    context: NodeContext, wanted: ConfiguredDataset, divided: dict[str, list[Ranges]], now: Instant
) -> list[VerdictRange]:
    """The verdicts, on sessions that nothing worse is said of: on all that is held before the last jump. `divided` are, by
    instrument, its held stretches, which long silences divide."""
    if not divided or "close" not in wanted.dataset.schema.names:
        return []
    closes = _closes(context, wanted, divided)
    red = {
        (said.instrument, position)
        for said in context.ledger.verdicts.of_kind(wanted.dataset.name, Verdict.RED)
        for position in range(*wanted.calendar.between(said.first, said.last))
    }
    cells = [
        (instrument, wanted.calendar.label(position))
        for instrument, stretches in divided.items()
        for stretch in stretches[: _last_jump(closes, instrument, wanted, stretches)]
        for position in ranges.points(stretch)
        if (instrument, position) not in red
    ]
    shape = {"instrument": pl.String, "session": pl.Date}
    doubtful = pl.DataFrame(cells, schema=shape, orient="row")
    return [
        VerdictRange(
            dataset=wanted.dataset.name,
            instrument=instrument,
            source="",
            first=first,
            last=last,
            verdict=Verdict.AMBER,
            codes=identity.CODE,
            since=now,
        )
        for instrument, spans in frames.spans(doubtful, wanted.calendar).items()
        for first, last in spans
    ]


def _last_jump(
    closes: dict[tuple[str, dt.date], float],
    instrument: str,
    wanted: ConfiguredDataset,
    stretches: list[Ranges],
) -> int:
    """How many stretches lie before the last jump."""
    last = 0
    for at, (before, after) in enumerate(itertools.pairwise(stretches), start=1):
        ends = (wanted.calendar.label(before[-1][1] - 1), wanted.calendar.label(after[0][0]))
        prices = [price for label in ends if (price := closes.get((instrument, label)))]
        if len(prices) == len(ends) and identity.jumped(*prices):
            last = at
    return last


def _closes(
    context: NodeContext, wanted: ConfiguredDataset, divided: dict[str, list[Ranges]]
) -> dict[tuple[str, dt.date], float]:
    """The last close of each session beside a long silence."""
    beside = {
        wanted.calendar.label(position)
        for stretches in divided.values()
        for stretch in stretches
        for position in (stretch[0][0], stretch[-1][1] - 1)
    }
    parts = [
        context.layout.root / part.path
        for part in context.ledger.catalogue.current(
            "curated", wanted.dataset.name, first=min(beside), last=max(beside)
        )
        if any(
            first <= label <= last
            for name in divided.keys() & part.cells.keys()
            for first, last in part.cells[name]
            for label in beside
        )
    ]
    if not parts:
        return {}
    rows = (
        parquet.scan(parts)
        .select(pl.col("instrument").cast(pl.String), "session", "ts", "close")
        .filter(pl.col("session").is_in(sorted(beside)) & pl.col("instrument").is_in(list(divided)))
        .sort("ts")
        .group_by("instrument", "session", maintain_order=True)
        .agg(pl.col("close").last())
        .collect()
    )
    return {(instrument, session): close for instrument, session, close in rows.iter_rows()}
