"""What a fetch proves: facts per symbol and session, and what remains of its tasks. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from fulltape.coverage.cell import FactKind
from fulltape.market import ranges
from fulltape.market.ranges import Range, Ranges


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownSymbol:
    """What a fetch showed of one symbol, in positions: asked, settled, with rows, with rejected rows."""

    symbol: str
    asked: Range
    complete_to: int
    """One past the last settled position."""
    rows: Ranges
    rejected: Ranges
    why: str
    """Why rows were rejected; '' where none were."""
    unlocated: bool
    """Whether rows were rejected of which the session is unknown."""
    anywhere: bool
    """Whether such rows may belong to sessions that have other rows, too: to any of a page that cannot be read."""
    exists: bool
    """Whether the symbol was known to exist, was confirmed, or has rows."""
    refused: bool
    positional: bool = False
    """Whether the answer came in pages limited by count from the one venue (see `PageResult.positional`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FactRange:
    """A fact about consecutive positions; `extent` as in `CoverageFact`."""

    span: Range
    fact: FactKind
    sound: bool
    reason: str
    extent: Literal["", "span", "positional"] = ""


def facts(
    shown: ShownSymbol, *, others: Ranges, history_from: int, ended: bool, quiet_until: int = 0
) -> list[FactRange]:
    """The facts that follow.

    Before position `quiet_until` silence needs no neighbour: most sessions of such a dataset have no rows, and vendors
    have had their time to add late ones.

    `others` are positions for which the same fetch carried another symbol's rows; `history_from` is the first position
    inside the source's history; `ended` says that paging and look-ups came to their end. A symbol whose existence was
    never settled, because the fetch was cut off before it was looked up, proves nothing by silence.
    """
    complete_through: Ranges = ranges.clip((shown.asked,), shown.asked[0], shown.complete_to)
    refused = complete_through if shown.anywhere else ranges.intersect(shown.rejected, complete_through)
    present = ranges.subtract(ranges.intersect(shown.rows, complete_through), refused)
    silent = ranges.subtract(ranges.subtract(complete_through, present), refused)
    fact_ranges = [FactRange(span=span, fact="present", sound=True, reason="") for span in present]
    fact_ranges += [
        FactRange(
            span=span, fact="refused", sound=False, reason=f"rows were rejected: {shown.why}", extent="span"
        )
        for span in refused
    ]
    if shown.refused or not silent:
        return fact_ranges
    if shown.unlocated:
        reason = f"rows of an unknown session were rejected: {shown.why}"
        return fact_ranges + [
            FactRange(span=span, fact="refused", sound=False, reason=reason) for span in silent
        ]
    if not shown.exists and not ended:
        return fact_ranges
    # Rows of its own before or after, or another instrument's rows for that very session.
    proof = complete_through if present else others
    if quiet_until and ended:
        proof = ranges.clip(complete_through, 0, quiet_until)
    sound = (
        ranges.clip(ranges.intersect(silent, proof), history_from, shown.asked[1])
        if shown.exists
        else ranges.EMPTY
    )
    doubtful = ranges.subtract(silent, sound)
    between = ((present[0][0], present[-1][1]),) if shown.positional and present else ranges.EMPTY
    fact_ranges += [
        FactRange(span=span, fact="empty", sound=True, reason="", extent="positional")
        for span in ranges.intersect(sound, between)
    ]
    fact_ranges += [
        FactRange(span=span, fact="empty", sound=True, reason="", extent="span")
        for span in ranges.subtract(sound, between)
    ]
    why = "no rows beside it in the same answer" if shown.exists else "nothing shows that the symbol existed"
    fact_ranges += [
        FactRange(span=span, fact="empty", sound=False, reason=why, extent="span") for span in doubtful
    ]
    return fact_ranges


def reach(rows: Ranges, position: int) -> Range:
    """From the next position with rows before `position` to the next one after it: where a row beyond the end of a page
    may belong."""
    start = max((min(stop, position) - 1 for first, stop in rows if first < position), default=position)
    stop = min(
        (max(first, position + 1) + 1 for first, end in rows if end > position + 1), default=position + 1
    )
    return start, stop


def complete_through(
    complete_through: Mapping[str, dt.date], symbol: str, asked: Range, last: Sequence[dt.date]
) -> int:
    """One past the last position of `asked` that is settled for a symbol; `last` are the labels of `asked`."""
    through = complete_through.get(symbol)
    if through is None:
        return asked[0]
    return asked[0] + sum(1 for label in last if label <= through)
