"""Which formats there are, what each takes, and how each writes its values. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Format = Literal["csv", "parquet", "zipline", "lean"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatRule:
    """What a format takes: datasets by their grain, of which class of assets ('': all)."""

    summary: str
    grains: tuple[str, ...] = ("day", "minute", "tick")
    asset_class: str = ""


FORMATS: dict[Format, FormatRule] = {
    "csv": FormatRule(summary="a CSV for each symbol"),
    "parquet": FormatRule(summary="Parquet in folders symbol=… and year=…"),
    "zipline": FormatRule(
        summary="a csvdir of Zipline, with splits and dividends",
        grains=("day", "minute"),
        asset_class="equities",
    ),
    "lean": FormatRule(
        summary="a data folder of Lean, with map and factor files",
        grains=("day", "minute"),
        asset_class="equities",
    ),
}
_EVER = "20501231"
"""The last day of Lean's map and factor files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceStep:
    """A session whose open is the first one after actions: what they multiply earlier prices by, split and dividend apart, and the close
    before it."""

    before: dt.date
    split: float
    dividend: float
    close: float


def factor_lines(first: dt.date, steps: Sequence[PriceStep]) -> list[str]:
    """A factor file of Lean: up to which session which factors hold (prices, splits), the newest last."""
    lines = [f"{_EVER},1,1,0"]
    price = split = 1.0
    for step in sorted(steps, key=lambda step: step.before, reverse=True):
        price *= step.dividend
        split *= step.split
        lines.append(f"{step.before:%Y%m%d},{price:.7f},{split:.8f},{step.close:g}")
    lines.append(f"{first:%Y%m%d},{price:.7f},{split:.8f},1")
    return lines[::-1]


def map_lines(symbols: Iterable[tuple[dt.date, str]], exchange: str) -> list[str]:
    """A map file of Lean: the first day, and up to when which symbol was borne; `symbols` by the last day of each, the newest one
    last."""
    known = list(symbols)
    first, oldest = known[0]
    lines = [f"{first:%Y%m%d},{oldest.lower()},{exchange}"]
    lines += [f"{last:%Y%m%d},{symbol.lower()},{exchange}" for last, symbol in known[1:-1]]
    return [*lines, f"{_EVER},{known[-1][1].lower()},{exchange}"]
