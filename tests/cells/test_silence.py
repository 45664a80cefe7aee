"""How much evidence a silence takes: the longer and the less likely it is, the more."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from fulltape.coverage import silence
from fulltape.coverage.silence import Around, Empty, Silence
from fulltape.market import ranges
from fulltape.market.ranges import Ranges

ALL = ((0, 1000),)


def judged(
    silent: Ranges,
    by_source: dict[str, Empty],
    *,
    wanted: Ranges = ALL,
    around: Around | None = None,
) -> list[Silence]:
    held = ranges.subtract(wanted, silent)
    return silence.judge(
        wanted=wanted, held=held, silent=silent, by_source=by_source, around=around or Around()
    )


def dense(silent: Ranges, **more: Ranges) -> Empty:
    return Empty(held=ranges.subtract(ALL, silent), sound=silent, **more)


HOLE: Ranges = ((300, 600),)


def test_a_hole_does_not_vouch_for_itself() -> None:
    (one,) = judged(HOLE, {"a.x": dense(HOLE)})
    assert (one.sessions, one.proved) == (300, ())
    assert one.surprise > silence.WITNESS
    assert "another vendor" in one.doubt


def test_two_holes_do_not_vouch_for_each_other() -> None:
    holes: Ranges = ((200, 500), (520, 820))
    assert [one.proved for one in judged(holes, {"a.x": dense(holes)})] == [(), ()]


def test_holes_near_each_other_do_not_vouch_for_each_other() -> None:
    for length in (3, 10, 21, 60):
        holes: Ranges = ((500, 500 + length), (510 + length, 510 + 2 * length))
        assert [one.proved for one in judged(holes, {"a.x": dense(holes)})] == [(), ()]


def test_a_repeat_never_replaces_a_witness() -> None:
    (one,) = judged(HOLE, {"a.x": dense(HOLE, repeated=HOLE)})
    assert one.proved == ()


def test_another_vendor_that_holds_the_instrument_is_a_witness() -> None:
    both = {"a.x": dense(HOLE), "b.y": dense(HOLE)}
    assert judged(HOLE, both)[0].proved == HOLE
    same = {"a.x": dense(HOLE), "a.y": dense(HOLE)}
    assert judged(HOLE, same)[0].proved == (), "two feeds of one vendor are one"
    resold = {"a.x": dense(HOLE), "z.a": dense(HOLE)}
    assert judged(HOLE, resold)[0].proved == (), "whoever passes a vendor's feed on is no other"
    stranger = {"a.x": dense(HOLE), "b.y": Empty(held=((0, 19),), sound=HOLE)}
    assert judged(HOLE, stranger)[0].proved == (), "who holds fewer than twenty sessions knows too little"


def test_vendors_that_hold_nothing_prove_nothing_together() -> None:
    nothing = {name: Empty(sound=ALL) for name in ("a.x", "b.y", "c.z")}
    assert judged(ALL, nothing)[0].proved == ()


def test_rows_on_both_sides_in_one_counted_page_of_the_venue_prove_a_stop() -> None:
    (one,) = judged(HOLE, {"a.x": dense(HOLE, positional=HOLE)})
    assert one.proved == HOLE


def test_a_single_silent_session_of_a_dense_instrument_takes_the_same_answer_again() -> None:
    day: Ranges = ((300, 301),)
    (once,) = judged(day, {"a.x": dense(day)})
    assert 2 <= once.surprise < 4
    assert once.proved == ()
    assert "20 hours" in once.doubt
    (again,) = judged(day, {"a.x": dense(day, repeated=day)})
    assert again.proved == day


def test_a_thin_instrument_is_believed_at_once() -> None:
    thin = ranges.from_points(at for at in range(1000) if at % 7)
    found = judged(thin, {"a.x": Empty(held=ranges.subtract(ALL, thin), sound=thin)})
    assert all(one.proved for one in found)


def test_a_contract_that_never_traded_is_believed_where_most_do_not() -> None:
    contract: Ranges = ((0, 60),)
    found = judged(contract, {"a.x": Empty(sound=contract)}, wanted=contract, around=Around(prior=0.05))
    assert found[0].proved == contract


def test_peers_that_are_all_silent_are_no_reason_to_believe() -> None:
    silent = Around(peers=lambda _source, _span: 0.0)
    assert judged(ALL, {"a.x": Empty(sound=ALL)}, around=silent)[0].proved == ()


def test_rows_of_another_dataset_say_that_it_is_missing() -> None:
    day: Ranges = ((10, 20),)
    around = Around(prior=0.05, siblings=lambda: ((15, 16),))
    (one,) = judged(day, {"a.x": Empty(sound=day)}, wanted=((10, 20),), around=around)
    assert one.proved == ()
    assert "another dataset" in one.doubt


def test_unanswered_sessions_do_not_cut_a_silence_into_likely_pieces() -> None:
    holes: Ranges = ranges.subtract(HOLE, ranges.from_points(range(300, 600, 5)))
    held = ranges.subtract(ALL, HOLE)
    found = silence.judge(
        wanted=ALL, held=held, silent=holes, by_source={"a.x": Empty(held=held, sound=holes)}, around=Around()
    )
    assert [one.proved for one in found] == [()]


cells = st.lists(st.sampled_from(["rows", "silent", "unasked"]), min_size=1, max_size=300)


@given(cells, st.floats(0.0, 1.0), st.booleans())
def test_every_silent_session_is_judged_once_and_nothing_else_is_proved(
    states: list[str], prior: float, counted: bool
) -> None:
    where = {
        kind: ranges.from_points(at for at, one in enumerate(states) if one == kind) for kind in set(states)
    }
    silent, rows = where.get("silent", ()), where.get("rows", ())
    found = silence.judge(
        wanted=((0, len(states)),),
        held=rows,
        silent=silent,
        by_source={"a.x": Empty(held=rows, sound=silent, positional=silent if counted else ())},
        around=Around(prior=prior),
    )
    assert sum(one.sessions for one in found) == ranges.size(silent)
    assert all(math.isfinite(one.surprise) and one.surprise >= 0 for one in found)
    proved = ranges.union(*(one.proved for one in found))
    assert ranges.subtract(proved, silent) == ()
    assert not counted or proved == silent
    assert all(bool(one.doubt) == (ranges.size(one.proved) < one.sessions) for one in found)


def test_where_one_more_answer_is_enough_another_vendor_gives_it() -> None:
    day: Ranges = ((300, 301),)
    both = {"a.x": dense(day), "b.y": Empty(held=((299, 300),), sound=day)}
    assert judged(day, both)[0].proved == day
    assert judged(day, {**both, "b.y": Empty()})[0].proved == ()


def test_twenty_sessions_are_enough_to_be_a_witness() -> None:
    both = {"a.x": dense(HOLE), "b.y": Empty(held=((0, 20),), sound=HOLE)}
    assert judged(HOLE, both)[0].proved == HOLE


def test_sessions_beyond_its_context_say_nothing_of_a_silence() -> None:
    """The 120 answered sessions around a day, and not what the instrument did years before."""
    day: Ranges = ((500, 501),)
    (near,) = judged(day, {"a.x": dense(day)}, wanted=((440, 561),))
    (amid_years,) = judged(day, {"a.x": dense(day)})
    assert amid_years.surprise == near.surprise


def test_where_silences_last_a_longer_one_is_believed() -> None:
    usual = ranges.normalise((at, at + 3) for at in range(0, 1000, 6))
    longer = ranges.union(ranges.subtract(usual, ((504, 507),)), ((498, 504),))
    silences = judged(longer, {"a.x": dense(longer)})
    assert [judgement.proved for judgement in silences if judgement.sessions == 6] == [((498, 504),)]


def test_a_silence_whose_end_nobody_has_seen_does_not_say_that_silences_are_short() -> None:
    """Two silent sessions, one that nobody was asked for, three with rows, and so on: each silence may have gone on."""
    silent = ranges.union(ranges.normalise((at, at + 2) for at in range(0, 1000, 6)), ((498, 507),))
    unasked = ranges.subtract(ranges.normalise((at, at + 1) for at in range(2, 1000, 6)), ((498, 507),))
    held = ranges.subtract(ranges.subtract(ALL, silent), unasked)
    silences = silence.judge(
        wanted=ALL,
        held=held,
        silent=silent,
        by_source={"a.x": Empty(held=held, sound=silent)},
        around=Around(),
    )
    assert [judgement.proved for judgement in silences if judgement.sessions == 9] == [((498, 507),)]
