"""Bars as many vendors write them (`o h l c v n vw`), into the columns of `Decoded`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Protocol

import msgspec

from fulltape.core.time import Instant
from fulltape.core.vendor import Columns

Count = Annotated[int, msgspec.Meta(ge=0, lt=2**62)]
_NAMES = ("symbol", "stamp", "open", "high", "low", "close", "volume", "vwap", "trade_count", "page")


class Bar(Protocol):
    """The values of one bar; the stamp is the vendor's own affair."""

    o: float
    h: float
    l: float  # noqa: E741
    c: float
    v: float
    n: int | None
    vw: float | None


def columns() -> Columns:
    """Columns without rows."""
    return {name: [] for name in _NAMES}


def append(into: Columns, *, page: int, symbol: str, stamps: Sequence[Instant], bars: Sequence[Bar]) -> None:
    """Add the bars of one symbol on one page; `stamps` in UTC microseconds, one a bar."""
    into["symbol"].extend([symbol] * len(bars))
    into["stamp"].extend(stamps)
    into["open"].extend([bar.o for bar in bars])
    into["high"].extend([bar.h for bar in bars])
    into["low"].extend([bar.l for bar in bars])
    into["close"].extend([bar.c for bar in bars])
    into["volume"].extend([bar.v for bar in bars])
    into["vwap"].extend([bar.vw for bar in bars])
    into["trade_count"].extend([bar.n for bar in bars])
    into["page"].extend([page] * len(bars))
