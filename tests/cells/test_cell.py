"""What a cell is, case by case; and the audit in ranges says the same as the function for one cell."""

from __future__ import annotations

import datetime as dt
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fulltape.coverage import series
from fulltape.coverage.cell import Availability, Cell, Completeness, Fact, Finality, Life, Verdict, cell
from fulltape.coverage.series import Series, SourceEvidence
from fulltape.coverage.silence import Around
from fulltape.market import ranges
from fulltape.market.instruments import DatedSymbol, Instrument

SOURCES = ("a.sip", "b.sip")


def answer(**changes: Any) -> Cell:
    given: dict[str, Any] = {
        "day": "session",
        "final_at": 1_000,
        "life": Life(known=True, listed=True),
        "facts": {},
        "eligible": SOURCES,
        "explained": False,
        "measured": True,
        "verdict": Verdict.GREEN,
        "now": 2_000,
    }
    return cell(**{**given, **changes})


EMPTY = Fact(kind="empty", sound=True)
REFUSED = Fact(kind="refused", reason="not entitled")
PRESENT = Fact(kind="present")


def test_days_without_a_session_are_closed() -> None:
    assert answer(day="closed").availability is Availability.CLOSED


def test_beyond_the_published_calendar_nothing_is_open_or_closed() -> None:
    assert answer(day="unknown", final_at=None).availability is Availability.PENDING


def test_outside_the_listing_nothing_is_wanted() -> None:
    assert answer(life=Life(known=True, listed=False)).availability is Availability.UNLISTED


def test_before_it_is_final_a_cell_is_pending_not_missing() -> None:
    assert answer(now=999).availability is Availability.PENDING
    assert answer(now=1_000).availability is Availability.MISSING


def test_a_cell_is_missing_while_a_source_has_not_answered() -> None:
    found = answer(facts={"a.sip": EMPTY})
    assert found.availability is Availability.MISSING
    assert "b.sip" in found.why


def test_rows_make_it_held_and_holes_are_told_apart() -> None:
    assert answer(facts={"a.sip": PRESENT}).completeness is Completeness.WHOLE
    assert answer(facts={"a.sip": PRESENT}, measured=False).completeness is Completeness.UNMEASURED
    partial = Fact(kind="partial")
    assert answer(facts={"a.sip": partial}).completeness is Completeness.HOLES_UNEXPLAINED
    assert answer(facts={"a.sip": partial}, explained=True).completeness is Completeness.HOLES_EXPLAINED
    assert answer(facts={"a.sip": partial, "b.sip": PRESENT}).completeness is Completeness.WHOLE


def test_captured_rows_are_provisional() -> None:
    assert answer(facts={"a.sip": Fact(kind="present", final=False)}).finality is Finality.PROVISIONAL
    assert answer(facts={"a.sip": PRESENT}).finality is Finality.FINAL


def test_empty_needs_sound_evidence_that_is_believed() -> None:
    one = {"a.sip": EMPTY}
    assert answer(facts=one, eligible=("a.sip",)).availability is Availability.EMPTY
    doubted = answer(facts=one, eligible=("a.sip",), doubt="implausible silence of 3 sessions")
    assert doubted.availability is Availability.MISSING
    assert doubted.why == "implausible silence of 3 sessions"
    unsound = Fact(kind="empty", sound=False)
    assert answer(facts={"a.sip": unsound}, eligible=("a.sip",)).availability is Availability.MISSING


def test_what_a_user_accepts_is_empty_once_every_source_has_answered() -> None:
    facts = {"a.sip": EMPTY, "b.sip": REFUSED}
    accepted = answer(facts=facts, doubt="implausible silence", accepted="it was halted")
    assert accepted.availability is Availability.EMPTY
    assert "it was halted" in accepted.why
    assert answer(facts={"a.sip": EMPTY}, accepted="halted").availability is Availability.MISSING


def test_refused_by_everybody_is_unobtainable_and_says_why() -> None:
    found = answer(facts={"a.sip": REFUSED, "b.sip": REFUSED})
    assert found.availability is Availability.UNOBTAINABLE
    assert "not entitled" in found.why
    assert answer(eligible=()).availability is Availability.UNOBTAINABLE


def test_nothing_is_empty_while_nobody_knows_whether_it_was_listed() -> None:
    found = answer(facts={"a.sip": EMPTY, "b.sip": EMPTY}, life=Life(known=False, listed=True))
    assert found.availability is Availability.UNKNOWN_LISTING


def test_unchecked_is_never_green() -> None:
    assert answer(facts={"a.sip": PRESENT}, verdict=Verdict.UNCHECKED).verdict is Verdict.UNCHECKED


kinds = st.sampled_from([None, "present", "partial", "empty", "sound", "refused", "spoiled"])
per_cell = st.fixed_dictionaries(
    {
        "facts": st.tuples(kinds, kinds),
        "servable": st.tuples(st.booleans(), st.booleans()),
        "wanted": st.booleans(),
        "accepted": st.booleans(),
    }
)


@given(st.lists(per_cell, min_size=1, max_size=12), st.booleans(), st.floats(0.01, 0.999), st.booleans())
def test_ranges_say_what_the_single_cell_says(
    cells: list[dict[str, Any]], listing_known: bool, prior: float, votes: bool
) -> None:
    """The audit's arithmetic over ranges against `cell`, position by position."""

    def where(test: Any) -> ranges.Ranges:
        return ranges.from_points(at for at, one in enumerate(cells) if test(one))

    known = {
        source: SourceEvidence(
            present=where(lambda one, n=number: one["facts"][n] == "present"),
            partial=where(lambda one, n=number: one["facts"][n] == "partial"),
            empty=where(lambda one, n=number: one["facts"][n] in ("empty", "sound")),
            sound=where(lambda one, n=number: one["facts"][n] == "sound"),
            refused=where(lambda one, n=number: one["facts"][n] in ("refused", "spoiled")),
            spoiled=where(lambda one, n=number: one["facts"][n] == "spoiled"),
        )
        for number, source in enumerate(SOURCES)
    }
    first = dt.date(2000, 1, 3) if listing_known else None
    one_series = Series(
        instrument=Instrument(instrument="X", symbols=(DatedSymbol(symbol="X", first=first, last=None),)),
        wanted=where(lambda one: one["wanted"]),
        known=known,
        servable={
            source: where(lambda one, n=number: one["servable"][n]) for number, source in enumerate(SOURCES)
        },
        open=(),
        votes=votes,
        accepted=where(lambda one: one["accepted"]),
        around=Around(prior=prior),
    )
    shown = series.picture(one_series)
    pieces = (
        shown.held, shown.partial, shown.empty, shown.unobtainable, shown.unknown_listing, shown.missing
    )  # fmt: skip
    assert sum(ranges.size(piece) for piece in pieces) == ranges.size(shown.wanted)
    for at, one in enumerate(cells):
        if not one["wanted"]:
            continue
        facts = {
            source: Fact(
                kind={"sound": "empty", "spoiled": "refused"}.get(one["facts"][number], one["facts"][number]),
                sound=one["facts"][number] == "sound",
                spoiled=one["facts"][number] == "spoiled",
            )
            for number, source in enumerate(SOURCES)
            if one["facts"][number]
        }
        single = answer(
            facts=facts,
            eligible=[source for number, source in enumerate(SOURCES) if one["servable"][number]],
            votes=votes,
            doubt=one_series.doubt(at),
            accepted="halted" if one["accepted"] else "",
            life=Life(
                known=listing_known
                or (ranges.contains(one_series.known_life, at) and bool(one_series.doubt(at))),
                listed=True,
            ),
        )
        held = ranges.contains(shown.held, at) or ranges.contains(shown.partial, at)
        assert held == (single.availability is Availability.HELD)
        for piece, availability in (
            (shown.empty, Availability.EMPTY),
            (shown.unobtainable, Availability.UNOBTAINABLE),
            (shown.unknown_listing, Availability.UNKNOWN_LISTING),
            (shown.missing, Availability.MISSING),
        ):
            assert ranges.contains(piece, at) == (single.availability is availability), (one, single)
        if held:
            partial = ranges.contains(shown.partial, at)
            assert partial == (single.completeness is Completeness.HOLES_UNEXPLAINED)


def test_where_sources_vote_a_cell_is_whole_once_each_has_answered() -> None:
    told = answer(facts={"a.sip": PRESENT}, eligible=["a.sip", "b.sip"], votes=True)
    assert told.completeness is Completeness.HOLES_UNEXPLAINED
    assert told.why == "rows from a.sip; not yet answered by b.sip"
    both = {"a.sip": PRESENT, "b.sip": Fact(kind="empty", sound=True)}
    assert (
        answer(facts=both, eligible=["a.sip", "b.sip"], votes=True).completeness
        is not Completeness.HOLES_UNEXPLAINED
    )
