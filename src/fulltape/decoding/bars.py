"""Bars as many vendors write them (`o h l c v n vw`), and what a page of rows in order settles."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence

from fulltape.contract.vendor import Ask, Field, Settled

SHORT = (
    Field(wire="o", column="open"),
    Field(wire="h", column="high"),
    Field(wire="l", column="low"),
    Field(wire="c", column="close"),
    Field(wire="v", column="volume"),
    Field(wire="vw", column="vwap"),
    Field(wire="n", column="trade_count", kind="integer"),
)


def settled_before(
    ask: Ask, symbol: str, stamps: Sequence[int], session_of: Callable[[int], dt.date]
) -> tuple[Settled, ...]:
    """What a page proves that is not the last: every session before the one in whose midst it ends.

    Nothing where the stamps (UTC microseconds) do not run forward: then nobody knows what is still to come.
    """
    if not stamps or list(stamps) != sorted(stamps):
        return ()
    through = session_of(stamps[-1]) - dt.timedelta(days=1)
    return (Settled(symbol=symbol, through=through),) if through >= ask.first else ()


def settled_whole(ask: Ask) -> tuple[Settled, ...]:
    """What the last page proves: everything that was asked."""
    return tuple(Settled(symbol=symbol, through=ask.last) for symbol in ask.symbols)
