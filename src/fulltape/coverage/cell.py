"""What a cell is: four answers computed from facts, never stored.

A cell is (dataset, instrument, session). The ledger stores facts of single sources; this module says what they mean
together. `audit/plan.py` answers the same question for ranges of cells; a property test holds the two together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

from fulltape.market.sessions import Day
from fulltape.market.time import Instant, iso

FactKind = Literal["present", "partial", "empty", "refused"]


class Availability(StrEnum):
    """Whether the cell is there, and if not, why."""

    CLOSED = "closed"
    UNLISTED = "unlisted"
    UNKNOWN_LISTING = "unknown_listing"
    PENDING = "pending"
    MISSING = "missing"
    HELD = "held"
    EMPTY = "empty"
    UNOBTAINABLE = "unobtainable"


class Finality(StrEnum):
    """Whether the rows may still change."""

    PROVISIONAL = "provisional"
    FINAL = "final"


class Completeness(StrEnum):
    """Whether rows are missing inside the session."""

    WHOLE = "whole"
    HOLES_EXPLAINED = "holes_explained"
    HOLES_UNEXPLAINED = "holes_unexplained"
    UNMEASURED = "unmeasured"


class Verdict(StrEnum):
    """What the checks say; UNCHECKED is never GREEN."""

    UNCHECKED = "UNCHECKED"
    GREEN = "GREEN"
    AMBER = "AMBER"
    RED = "RED"


SEVERITY = {Verdict.GREEN: 0, Verdict.UNCHECKED: 1, Verdict.AMBER: 2, Verdict.RED: 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What one source showed for one cell.

    `sound` matters for `empty`: the session lies inside the source's history, the instrument was known to exist,
    paging had ended, and the same answer carried neighbours. `final` says that it was learned after the session was
    final, not from live capture.
    """

    kind: FactKind
    final: bool = True
    sound: bool = False
    reason: str = ""
    spoiled: bool = False
    """Whether a refusal says that rows came and were rejected: there was something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """An instrument's listing as it matters for one session."""

    known: bool
    listed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """The four answers, and one sentence that says why."""

    availability: Availability
    finality: Finality | None
    completeness: Completeness | None
    verdict: Verdict
    why: str


def cell(
    *,
    day: Day,
    final_at: Instant | None,
    life: Life,
    facts: Mapping[str, Fact],
    eligible: Sequence[str],
    votes: bool = False,
    doubt: str = "",
    accepted: str = "",
    explained: bool,
    measured: bool,
    verdict: Verdict,
    now: Instant,
) -> Cell:
    """What a cell is.

    `facts` by source; `eligible` are the sources that could still be asked or have answered; with `votes` it is whole only once
    all of them have; `doubt` says why
    silence about the cell is not believed (see `coverage/silence.py`), '' where it is; `accepted` is the reason that a user
    gave for accepting it; `explained` that intervals account for the holes; `measured` that a baseline existed; `final_at` is the close plus
    the dataset's waiting time (None for days without a session).
    """

    def without_rows(availability: Availability, why: str) -> Cell:
        return Cell(availability=availability, finality=None, completeness=None, verdict=verdict, why=why)

    if day == "closed":
        return without_rows(Availability.CLOSED, "the market was closed that day")
    if not life.listed:
        return without_rows(Availability.UNLISTED, "the session lies outside the instrument's listing")
    held = {source: fact for source, fact in facts.items() if fact.kind in ("present", "partial")}
    unasked = [source for source in eligible if source not in facts]
    if held and votes and unasked:
        rows = _held(held, explained=False, measured=measured, verdict=verdict)
        why = f"{rows.why}; not yet answered by {', '.join(unasked)}"
        return replace(rows, completeness=Completeness.HOLES_UNEXPLAINED, why=why)
    if held:
        return _held(held, explained=explained, measured=measured, verdict=verdict)
    if day == "unknown" or final_at is None:
        return without_rows(Availability.PENDING, "the session lies beyond the published calendar")
    if now < final_at:
        return without_rows(Availability.PENDING, f"not final before {iso(final_at)}")
    return without_rows(*_absent(facts, eligible, doubt=doubt, accepted=accepted, life=life))


def _held(held: Mapping[str, Fact], *, explained: bool, measured: bool, verdict: Verdict) -> Cell:
    final = any(fact.final for fact in held.values())
    if any(fact.kind == "present" for fact in held.values()):
        completeness = Completeness.WHOLE if measured else Completeness.UNMEASURED
    else:
        completeness = Completeness.HOLES_EXPLAINED if explained else Completeness.HOLES_UNEXPLAINED
    return Cell(
        availability=Availability.HELD,
        finality=Finality.FINAL if final else Finality.PROVISIONAL,
        completeness=completeness,
        verdict=verdict,
        why=f"rows from {', '.join(sorted(held))}",
    )


def _absent(
    facts: Mapping[str, Fact], eligible: Sequence[str], *, doubt: str, accepted: str, life: Life
) -> tuple[Availability, str]:
    unasked = [source for source in eligible if source not in facts]
    if unasked:
        return Availability.MISSING, f"not yet answered by {', '.join(unasked)}"
    if spoiled := [f"{source}: {fact.reason}" for source, fact in facts.items() if fact.spoiled]:
        return Availability.UNOBTAINABLE, "; ".join(sorted(spoiled))
    empty = {source: fact for source, fact in facts.items() if fact.kind == "empty"}
    if not empty:
        reasons = sorted({f"{source}: {fact.reason or 'refused'}" for source, fact in facts.items()})
        return Availability.UNOBTAINABLE, "; ".join(reasons) or "no source may serve it"
    if accepted:
        return Availability.EMPTY, f"accepted as empty by a decision: {accepted}"
    if not life.known:
        return Availability.UNKNOWN_LISTING, "no source has rows, and no reference says whether it was listed"
    sound = sorted(source for source, fact in empty.items() if fact.sound)
    if doubt or not sound:
        return Availability.MISSING, doubt or "no answer proves that there was nothing"
    return Availability.EMPTY, f"nothing traded, say {', '.join(sound)}"
