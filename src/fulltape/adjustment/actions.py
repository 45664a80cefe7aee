"""Corporate actions as events: what several sources say of one, reconciled.

A source's row is a vote. Votes of one instrument, ex-date and kind are about one event. Sources of one vendor are one
lineage: they repeat each other, so they vote together.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

from fulltape.adjustment import votes as voting
from fulltape.adjustment.votes import Ballot, Kind, Vote
from fulltape.market.time import Instant

Agreement = Literal["agreed", "single", "disputed", "invalid"]
"""`agreed`: two lineages or more say the same, and most do. `single`: one lineage has spoken, and none that was asked is
silent. `disputed`: lineages contradict each other without a majority; the preferred source's word is used. `invalid`: what
was said cannot be true, or cannot be computed with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CorporateAction:
    """One reconciled action. `ratio` is shares after for each share before, `amount` is `currency` per share before the
    action; of several payments on one day it is the sum, and `payments` are the single ones. `sources` agree with what is
    told here, `dissent` says what others say. `available_at` (UTC microseconds) is the earliest announcement."""

    instrument: str
    ex_date: dt.date
    kind: Kind
    action_type: str
    ratio: Fraction | None
    amount: float | None
    currency: str
    payments: tuple[float, ...]
    new_symbol: str
    available_at: Instant | None
    agreement: Agreement
    sources: tuple[str, ...]
    dissent: tuple[str, ...] = ()
    problem: str = ""

    @property
    def said(self) -> str:
        """Its content for people: `4 for 1`, `0.205 USD`."""
        return voting.content(self.ratio, self.amount, self.currency, self.new_symbol)


def reconcile(
    votes: Iterable[Vote],
    preference: Sequence[str],
    silent: Mapping[tuple[str, dt.date, Kind], Sequence[str]] | None = None,
) -> list[CorporateAction]:
    """The events that votes are about, by instrument, ex-date and kind.

    `preference`: sources, the preferred one first. `silent`: by instrument, ex-date and kind, the sources that were asked about that
    day and told of nothing of the kind. Silence contradicts those who did, and is outvoted by any word: vendors leave out more
    than they invent.
    """
    groups: dict[tuple[str, dt.date, Kind, str], list[Vote]] = {}
    for vote in votes:
        apart = vote.action_type if vote.kind == "other" else ""
        groups.setdefault((vote.instrument, vote.ex_date, vote.kind, apart), []).append(vote)
    order = {source: place for place, source in enumerate(preference)}
    asked = silent or {}
    events = [
        _event(group, order, asked.get((instrument, day, kind), ()))
        for (instrument, day, kind, _), group in sorted(groups.items(), key=lambda pair: pair[0])
    ]
    return same_told_otherwise(events, order)


SAME_WITHIN = dt.timedelta(days=4)
"""Two vendors that tell of the same value on days so close to each other mean one event."""


def same_told_otherwise(events: Sequence[CorporateAction], order: Mapping[str, int]) -> list[CorporateAction]:
    """Events without those that are another one, told for a neighbouring day or as another kind by other vendors: the one that
    the preferred source tells of stands, and is disputed."""

    def place(event: CorporateAction) -> tuple[int, int]:
        return -len(_lineages(event)), min(order.get(source, len(order)) for source in event.sources)

    kept: list[CorporateAction] = []
    for event in sorted(events, key=place):
        twin = next((known for known in kept if _is_same(known, event)), None)
        if twin is None:
            kept.append(event)
            continue
        said = [
            f"{source}: {event.said} as {event.action_type} on {event.ex_date}" for source in event.sources
        ]
        kept[kept.index(twin)] = replace(
            twin, agreement="disputed", dissent=(*twin.dissent, *said, *event.dissent)
        )
    return sorted(kept, key=lambda event: (event.instrument, event.ex_date, event.kind, event.action_type))


def _lineages(event: CorporateAction) -> set[str]:
    return {source.partition(".")[0] for source in event.sources}


def _is_same(left: CorporateAction, right: CorporateAction) -> bool:
    if (
        left.instrument != right.instrument
        or "other" in (left.kind, right.kind)
        or abs(left.ex_date - right.ex_date) > SAME_WITHIN
        or _lineages(left) & _lineages(right)
        or left.problem
        or right.problem
    ):
        return False
    if left.ratio is not None and right.ratio is not None:
        return voting.same_ratio(left.ratio, right.ratio)
    return bool(left.amount) and voting.same_amount(left.amount, right.amount)


def _event(votes: Sequence[Vote], order: Mapping[str, int], asked: Sequence[str]) -> CorporateAction:
    by_source: dict[str, list[Vote]] = {}
    for vote in votes:
        by_source.setdefault(vote.source, []).append(vote)
    ballots = [
        voting.ballot(source, by_source[source])
        for source in sorted(by_source, key=lambda name: (order.get(name, len(order)), name))
    ]
    # What cannot be true is outvoted by anything that can, and contradicts it.
    camps = _camps([ballot for ballot in ballots if not ballot.problem] or ballots)
    chosen = max(camps, key=_backing)  # of equals the first: that of the preferred source
    voted = {ballot.lineage for ballot in ballots}
    quiet = [source for source in asked if source.partition(".")[0] not in voted]
    others = [
        *(camp for camp in camps if camp is not chosen),
        [ballot for ballot in ballots if ballot.problem],
    ]
    against = max(_backing(camp) for camp in others) if not chosen[0].problem else 0
    against = max(against, len({source.partition(".")[0] for source in quiet}))
    dissent = [f"{ballot.source}: {ballot.said}" for ballot in ballots if ballot not in chosen]
    dissent += [f"{source}: nothing" for source in quiet]
    return _reconciled(votes[0], chosen, dissent, _agreement(chosen, against))


def _backing(camp: Sequence[Ballot]) -> int:
    """How many independent lineages say this."""
    return len({ballot.lineage for ballot in camp})


def _agreement(chosen: Sequence[Ballot], against: int) -> Agreement:
    if chosen[0].problem:
        return "invalid"
    if against >= _backing(chosen):
        return "disputed"
    return "agreed" if _backing(chosen) > 1 else "single"


def _camps(ballots: Sequence[Ballot]) -> list[list[Ballot]]:
    """Ballots that agree, the preferred source's first."""
    camps: list[list[Ballot]] = []
    for ballot in ballots:
        for camp in camps:
            if camp[0].agrees(ballot):
                camp.append(ballot)
                break
        else:
            camps.append([ballot])
    return camps


def _reconciled(
    vote: Vote, chosen: Sequence[Ballot], dissent: Sequence[str], agreement: Agreement
) -> CorporateAction:
    preferred = chosen[0]
    announced = [ballot.available_at for ballot in chosen if ballot.available_at is not None]
    return CorporateAction(
        instrument=vote.instrument,
        ex_date=vote.ex_date,
        kind=vote.kind,
        action_type=preferred.action_type,
        ratio=preferred.ratio,
        amount=next((ballot.amount for ballot in chosen if ballot.amount is not None), None),
        currency=preferred.currency or next((ballot.currency for ballot in chosen if ballot.currency), ""),
        payments=preferred.payments,
        new_symbol=preferred.new_symbol,
        available_at=min(announced, default=None),
        agreement=agreement,
        sources=tuple(ballot.source for ballot in chosen),
        dissent=tuple(dissent),
        problem=preferred.problem,
    )
