"""What an answer proves of one symbol, case by case; and small truths of series, journals and times."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

from clocks import FakeClock
from fulltape import context as opening
from fulltape.coverage import series
from fulltape.coverage.series import Series, SourceEvidence
from fulltape.lake import journal
from fulltape.lake.journal import Journal, Record, RecordKind
from fulltape.lake.layout import Layout
from fulltape.market.instruments import DatedSymbol, Instrument
from fulltape.market.ranges import Ranges
from fulltape.market.time import DAY, SECOND, Instant, utc_date
from fulltape.seal.messages import timeline
from fulltape.seal.messages.timeline import Doubt, Live, Timeline
from fulltape.seal.pages import plan
from fulltape.seal.pages.plan import ShownSymbol

SHOWN = ShownSymbol(
    symbol="A", asked=(0, 10), complete_to=10, rows=((2, 4), (6, 7)), rejected=(), why="", unlocated=False,
    anywhere=False, exists=True, refused=False,
)  # fmt: skip


def told(
    shown: ShownSymbol, *, ended: bool = True, others: Ranges = ()
) -> list[tuple[str, bool, str, tuple[int, int]]]:
    found = plan.facts(shown, others=others, history_from=0, ended=ended)
    return sorted((one.fact, one.sound, one.extent, one.span) for one in found)


PRESENT = [("present", True, "", (2, 4)), ("present", True, "", (6, 7))]


def test_rows_beside_silence_make_it_sound() -> None:
    silent = [("empty", True, "span", span) for span in ((0, 2), (4, 6), (7, 10))]
    assert told(SHOWN) == [*silent, *PRESENT]


def test_pages_limited_by_count_prove_more_between_their_rows() -> None:
    found = told(replace(SHOWN, positional=True))
    assert ("empty", True, "positional", (4, 6)) in found
    assert ("empty", True, "span", (0, 2)) in found
    assert ("empty", True, "span", (7, 10)) in found


def test_silence_without_a_neighbour_is_no_proof() -> None:
    alone = replace(SHOWN, rows=())
    assert told(alone) == [("empty", False, "span", (0, 10))]
    assert told(alone, others=((3, 5),)) == [
        ("empty", False, "span", (0, 3)), ("empty", False, "span", (5, 10)), ("empty", True, "span", (3, 5)),
    ]  # fmt: skip


def test_a_symbol_that_was_never_looked_up_proves_nothing_until_the_end_says_so() -> None:
    unknown = replace(SHOWN, rows=(), exists=False)
    assert told(unknown, ended=False) == []
    assert told(unknown) == [("empty", False, "span", (0, 10))]


def test_nothing_is_known_beyond_what_is_settled() -> None:
    assert told(replace(SHOWN, complete_to=5)) == [
        ("empty", True, "span", (0, 2)), ("empty", True, "span", (4, 5)), PRESENT[0],
    ]  # fmt: skip


CALENDAR = opening.calendar("XNYS")


def test_a_listing_outside_of_what_is_wanted_is_no_life() -> None:
    ended = Instrument(
        instrument="X",
        symbols=(DatedSymbol(symbol="X", first=dt.date(2000, 1, 3), last=dt.date(2010, 1, 4)),),
    )
    assert series.life(ended, CALENDAR, dt.date(2012, 1, 3), dt.date(2012, 2, 1)) == ()
    assert series.life(ended, CALENDAR, dt.date(2010, 1, 4), dt.date(2012, 2, 1)) != ()


def test_what_is_held_is_not_doubted() -> None:
    one = Series(
        instrument=Instrument(instrument="X", symbols=(DatedSymbol(symbol="X", first=dt.date(2000, 1, 3), last=None),)),
        wanted=((0, 100),),
        known={"a": SourceEvidence(present=((0, 40), (70, 100)), empty=((40, 70),), sound=((40, 70),))},
        servable={"a": ((0, 100),)},
        open=(),
    )  # fmt: skip
    assert one.doubt(10) == ""
    assert one.doubt(50) != ""


def test_records_tell_when_and_where_they_were_written(tmp_path: Path) -> None:
    clock = FakeClock()
    layout = Layout(root=tmp_path)
    first, second = (Journal(layout, writer="w", source="a.sip", clock=clock) for _ in range(2))
    assert first.path != second.path, "two of one moment have names of their own"
    offsets = [first.append(RecordKind.PAGE, bytes([at])) for at in range(3)]
    assert first.size > offsets[2] > offsets[1] > offsets[0] == 0
    for one in (first, second):
        one.close()
    found = list(journal.read(first.path))
    assert [one.offset for one in found] == offsets
    assert {one.received_ns for one in found if isinstance(one, Record)} == {clock.now() * 1_000}


def session_of(at: Instant) -> dt.date:
    return utc_date(at)


def begin(day: dt.date) -> Instant:
    return (day - dt.date(1970, 1, 1)).days * DAY


def test_a_doubt_is_cut_at_sessions_and_one_that_ends_with_a_session_is_of_that_alone() -> None:
    def cut(start: Instant, end: Instant) -> list[tuple[int, Instant, Instant]]:
        doubt = Doubt(start=start, end=end, kind="stale", detail="")
        found = timeline.by_session(doubt, session_of=session_of, begin=begin)
        return [(day.day, one.start, one.end) for day, one in found]

    assert cut(10, DAY) == [(1, 10, DAY)]
    assert cut(10, DAY + 5) == [(1, 10, DAY), (2, DAY, DAY + 5)]
    assert cut(10, 3 * DAY + 5) == [(1, 10, DAY), (4, 3 * DAY, 3 * DAY + 5)]
    assert cut(10, 10) == [(1, 10, 10)]


def test_spans_that_touch_are_one() -> None:
    found = Timeline()
    found._spans["a"] = [
        Live(start=0, end=10, why="stale: x"),
        Live(start=10, end=30, why="closed: y"),
        Live(start=15, end=20, why="stale: z"),
        Live(start=40, end=50, why=""),
    ]
    assert found.spans("a") == [Live(start=0, end=30, why="closed: y"), Live(start=40, end=50, why="")]


def test_a_clock_that_is_put_back_leaves_no_later_moment() -> None:
    second = SECOND * 1_000
    found = Timeline(tolerance=5)
    found._spans["a"] = [
        Live(start=0, end=100 * SECOND, why=""),
        Live(start=200 * SECOND, end=300 * SECOND, why=""),
    ]
    found.heard(300 * second)
    found.heard(50 * second)
    assert found.spans("a") == [Live(start=0, end=50 * SECOND, why="")]
    assert found.last == 50 * SECOND


def test_a_jump_is_near_a_doubt_as_far_as_clocks_may_lie_apart() -> None:
    doubt = Doubt(start=100, end=200, kind="hole")
    jumps = {
        at: timeline.near(doubt, timeline.Break(start=at, end=at + 10, lost=1), 5)
        for at in (84, 86, 150, 204, 205)
    }
    assert jumps == {84: False, 86: True, 150: True, 204: True, 205: False}
