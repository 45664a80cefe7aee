"""Verdicts as ranges of sessions, and how a new one is laid over older ones. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace

from fulltape.coverage import ranged
from fulltape.coverage.cell import Verdict
from fulltape.coverage.ranged import NextSession, Ranged
from fulltape.market.time import Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictRange:
    """What the checks said of sessions `first` to `last`; `source` '' is the curated series."""

    dataset: str
    instrument: str
    source: str
    first: dt.date
    last: dt.date
    verdict: Verdict
    codes: str
    since: Instant


def laid(
    verdict: VerdictRange, known: Sequence[Ranged[VerdictRange]], next_session: NextSession
) -> list[Ranged[VerdictRange]]:
    """`known` with a verdict laid over it."""
    near = [
        verdict_range
        for verdict_range in known
        if verdict_range.first <= verdict.last + ranged.REACH
        and verdict_range.last >= verdict.first - ranged.REACH
    ]
    new = Ranged(first=verdict.first, last=verdict.last, label=verdict)
    removed, added = ranged.overlay(near, new, same=same, next_session=next_session)
    gone = {id(verdict_range) for verdict_range in removed}
    return [verdict_range for verdict_range in known if id(verdict_range) not in gone] + added


def on(verdict_range: Ranged[VerdictRange]) -> VerdictRange:
    """The verdict on the sessions of its range."""
    return replace(verdict_range.label, first=verdict_range.first, last=verdict_range.last)


def same(left: VerdictRange, right: VerdictRange) -> bool:
    """Whether two verdicts say the same."""
    return (left.verdict, left.codes) == (right.verdict, right.codes)
