"""Bars as many vendors write them (`o h l c v n vw`), and what a page of rows in order settles."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence

from fulltape.contract.vendor import CompleteThrough, FetchRequest, WireField

SHORT = (
    WireField(wire="o", column="open"),
    WireField(wire="h", column="high"),
    WireField(wire="l", column="low"),
    WireField(wire="c", column="close"),
    WireField(wire="v", column="volume"),
    WireField(wire="vw", column="vwap"),
    WireField(wire="n", column="trade_count", kind="integer"),
)


def complete_before(
    fetch: FetchRequest, symbol: str, timestamps: Sequence[int], session_of: Callable[[int], dt.date]
) -> tuple[CompleteThrough, ...]:
    """What a page proves that is not the last: every session before the one in whose midst it ends.

    Nothing where the stamps (UTC microseconds) do not run forward: then it is unknown what is still to come.
    """
    if not timestamps or list(timestamps) != sorted(timestamps):
        return ()
    through = session_of(timestamps[-1]) - dt.timedelta(days=1)
    return (CompleteThrough(symbol=symbol, through=through),) if through >= fetch.first else ()


def all_complete(fetch: FetchRequest) -> tuple[CompleteThrough, ...]:
    """What the last page proves: everything that was asked."""
    return tuple(CompleteThrough(symbol=symbol, through=fetch.last) for symbol in fetch.symbols)
