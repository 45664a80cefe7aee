"""Facts of single sources, and the algebra that lays a new one over what was known. Pure.

What a source showed is laid over what it had shown before: emptiness that is shown again weighs more, and over rows it
weighs nothing.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from fulltape.coverage import ranged
from fulltape.coverage.cell import FactKind
from fulltape.coverage.ranged import Ranged
from fulltape.market.time import DAY, HOUR, Instant

LATER = 20 * HOUR
"""An answer so much later is another one. Less than a day, so that a nightly run counts although it began earlier."""
PATIENCE = (LATER, 7 * DAY, 30 * DAY, 90 * DAY)
"""So long after emptiness or a refusal was shown it may be asked again: the first time, the second, the third, later."""
_SETTLED = len(PATIENCE)
Extent = Literal["", "span", "positional"]
"""How far an empty answer reached: over a window or a file, or over a single venue's page that is limited by count and
has rows on both sides; '' unknown."""


CONTRADICTED = "asked again, the source answered without rows; those that it had shown are kept"
"""The reason of presence that a later answer has contradicted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageFact:
    """What a source showed for sessions `first` to `last` of an instrument; `evidence` names the fetch."""

    dataset: str
    instrument: str
    source: str
    first: dt.date
    last: dt.date
    fact: FactKind
    sound: bool
    final: bool
    since: Instant
    evidence: str
    reason: str = ""
    shown: int = 1
    """How often the source said the same again after its evidence had expired."""
    extent: Extent = ""
    asked: str = ""
    """The first and last session of the fetch that showed it, as first/last; '' unknown."""
    repeated: int = 0
    """How often the same emptiness was shown again, at least `LATER` afterwards over another span."""

    @property
    def again_at(self) -> Instant:
        """From when on the source may be asked again."""
        return self.since + PATIENCE[min(self.shown, _SETTLED) - 1]

    @property
    def settled(self) -> bool:
        """Whether it was shown so often that only doubt lets it be asked again."""
        return self.shown >= _SETTLED


def laid(
    fact: CoverageFact, known: list[Ranged[CoverageFact]], next_session: ranged.NextSession
) -> list[Ranged[CoverageFact]]:
    """`known` with a fact laid over it. Emptiness that is shown again later weighs more, just where it is; over rows it
    weighs nothing."""
    # As they are stored: of several the first one counts.
    known = sorted(known, key=lambda fact_range: fact_range.first)
    if fact.fact in ("empty", "refused"):
        shown = next((fact_range for fact_range in known if _shows_rows(fact_range, fact)), None)
        if shown is not None:
            return _beside(fact, shown, known, next_session)
        before = [
            fact_range
            for fact_range in known
            if fact_range.label.fact == fact.fact
            and fact_range.first <= fact.last
            and fact.first <= fact_range.last
        ]
        if before:
            for piece in _pieces(fact, before):
                if next_session(piece.first - ranged.ONE_DAY) <= piece.last:
                    known = _over(piece, known, next_session)
            return known
    return _over(fact, known, next_session)


def _shows_rows(fact_range: Ranged[CoverageFact], fact: CoverageFact) -> bool:
    return (
        fact_range.label.fact in ("present", "partial")
        and fact_range.first <= fact.last
        and fact.first <= fact_range.last
    )


def _beside(
    fact: CoverageFact,
    shown: Ranged[CoverageFact],
    known: list[Ranged[CoverageFact]],
    next_session: ranged.NextSession,
) -> list[Ranged[CoverageFact]]:
    """A source that has shown rows is silent now, or its rows were refused: those that it has shown stay. That they are
    contradicted is noted, and what lies around them is laid as it is."""
    first, last = max(shown.first, fact.first), min(shown.last, fact.last)
    for start, end in ((fact.first, first - ranged.ONE_DAY), (last + ranged.ONE_DAY, fact.last)):
        if start <= end and next_session(start - ranged.ONE_DAY) <= end:
            known = laid(replace(fact, first=start, last=end), known, next_session)
    if fact.fact == "empty" and shown.label.fact == "present":
        kept = replace(shown.label, first=first, last=last, reason=CONTRADICTED)
        known = _over(kept, known, next_session)
    return known


def _pieces(fact: CoverageFact, before: Sequence[Ranged[CoverageFact]]) -> list[CoverageFact]:
    """A fact cut where what the same source showed before begins and ends, each piece with what it adds to that."""
    edges = {fact.first, fact.last + ranged.ONE_DAY}
    edges |= {max(fact_range.first, fact.first) for fact_range in before}
    edges |= {min(fact_range.last, fact.last) + ranged.ONE_DAY for fact_range in before}
    pieces = []
    for first, stop in itertools.pairwise(sorted(edges)):
        was = next(
            (fact_range.label for fact_range in before if fact_range.first <= first <= fact_range.last), None
        )
        piece = replace(fact, first=first, last=stop - ranged.ONE_DAY)
        if was is not None:
            later = fact.since - was.since >= LATER
            elsewhere = bool(was.asked and fact.asked) and was.asked != fact.asked
            again = later and elsewhere and was.sound and fact.sound and fact.fact == "empty"
            piece = replace(piece, shown=was.shown + later, repeated=was.repeated + again)
        pieces.append(piece)
    return pieces


def _over(
    fact: CoverageFact, known: list[Ranged[CoverageFact]], next_session: ranged.NextSession
) -> list[Ranged[CoverageFact]]:
    near = [
        fact_range
        for fact_range in known
        if fact_range.first <= fact.last + ranged.REACH and fact_range.last >= fact.first - ranged.REACH
    ]
    new = Ranged(first=fact.first, last=fact.last, label=fact)
    removed, added = ranged.overlay(near, new, same=_same_fact, next_session=next_session)
    gone = {id(fact_range) for fact_range in removed}
    return [fact_range for fact_range in known if id(fact_range) not in gone] + added


def _same_fact(left: CoverageFact, right: CoverageFact) -> bool:
    """Rows that are there are found again through their parts; emptiness and refusal keep the fetch that showed them."""
    if any(getattr(left, name) != getattr(right, name) for name in _SAID):
        return False
    return left.fact in ("present", "partial") or left.evidence == right.evidence


_SAID = ("fact", "sound", "final", "reason", "shown", "extent", "repeated")


def on(fact_range: Ranged[CoverageFact]) -> CoverageFact:
    """The fact on the sessions of its range."""
    return replace(fact_range.label, first=fact_range.first, last=fact_range.last)


def without(
    known: Sequence[Ranged[CoverageFact]], first: dt.date, last: dt.date
) -> list[Ranged[CoverageFact]]:
    """`known` without the sessions from `first` to `last`, inclusive."""
    kept: list[Ranged[CoverageFact]] = []
    for fact_range in known:
        if fact_range.last < first or fact_range.first > last:
            kept.append(fact_range)
            continue
        sides = ((fact_range.first, first - ranged.ONE_DAY), (last + ranged.ONE_DAY, fact_range.last))
        kept += [replace(fact_range, first=start, last=end) for start, end in sides if start <= end]
    return kept


def contradicted(known: Sequence[Ranged[CoverageFact]], said: CoverageFact) -> list[Ranged[CoverageFact]]:
    """`known` with a contradiction noted on its rows, as far as they lie in the sessions of `said`."""
    after = list(known)
    for fact_range in known:
        first, last = max(fact_range.first, said.first), min(fact_range.last, said.last)
        if fact_range.label.fact == "present" and first <= last:
            noted = Ranged(first=first, last=last, label=replace(fact_range.label, reason=said.reason))
            after = [*without(after, first, last), noted]
    return after
