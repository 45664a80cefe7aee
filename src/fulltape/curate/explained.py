"""Why a cell has the source that it has: what every source says of it, and what decided."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from fulltape.context import ConfiguredDataset, NodeContext, choice
from fulltape.curate.chunk import Chunk
from fulltape.market.time import Instant

_SUMMED = ("volume", "trade_count", "size")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceCell:
    """What a source has of a cell: how many rows, whether only captured live, what the checks say, and its values in short: first, highest,
    lowest and last price, sums. `reason` is why it is chosen, or why it is not."""

    source: str
    chosen: bool
    captured: bool
    rows: int
    verdict: str
    codes: str
    values: Mapping[str, float]
    reason: str


def explain(
    context: NodeContext, wanted: ConfiguredDataset, instrument: str, session: dt.date, now: Instant
) -> list[SourceCell]:
    """The sources that have rows of a cell, the chosen one first; none where there are no rows."""
    cells, rows = Chunk(context, wanted, now, set()).judged(instrument, session)
    if cells.is_empty():
        return []
    ordered = cells.to_dicts()
    best = ordered[0]
    return [
        SourceCell(
            source=cell["source"],
            chosen=cell is best,
            captured=cell["provisional"],
            rows=cell["rows"],
            verdict=cell["verdict"],
            codes=cell["codes"],
            values=_values(rows.filter(pl.col("source") == cell["source"])),
            reason=_why_chosen(ordered) if cell is best else _why_not(best, cell),
        )
        for cell in ordered
    ]


def _decided_by(best: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    return next(name for name, _ in choice.RANKS if best[name] != other[name])


def _why_chosen(ordered: list[dict[str, Any]]) -> str:
    if len(ordered) == 1:
        return "the only source with rows"
    return {
        "severity": "the best verdict, and fetched before captured",
        "rows": "as good a verdict as any, and the most rows",
        "chosen": "as good as any, and chosen before",
        "place": "as good as any, and the first of the dataset's sources",
        "source": "as good as any, and the first by name",
    }[_decided_by(ordered[0], ordered[1])]


def _why_not(best: Mapping[str, Any], cell: Mapping[str, Any]) -> str:
    decided = _decided_by(best, cell)
    if decided == "severity":
        if cell["provisional"] and not best["provisional"]:
            return "only captured live, and another source was fetched"
        return f"{cell['verdict']}, where {best['source']} is {best['verdict']}"
    if decided == "rows":
        return f"{cell['rows']:,} rows, where {best['source']} has {best['rows']:,}"
    if decided == "chosen":
        return f"no better than {best['source']}, which was chosen before"
    return f"as good as {best['source']}, which stands before it in the dataset's sources"


def _values(rows: pl.DataFrame) -> dict[str, float]:
    """Prices and sums of a source's rows, in the order of time."""
    ordered = rows.sort("ts", maintain_order=True)
    price = next((name for name in ("close", "price", "value") if name in ordered.columns), "")
    values = {}
    for name, column, take in (
        ("open", "open", pl.Series.first),
        ("high", "high", pl.Series.max),
        ("low", "low", pl.Series.min),
        ("close", price, pl.Series.last),
        *((column, column, pl.Series.sum) for column in _SUMMED),
    ):
        if column in ordered.columns and ordered[column].null_count() < ordered.height:
            values[name] = float(take(ordered[column]))  # type: ignore[arg-type]
    return values
