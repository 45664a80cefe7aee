"""Ids that begin anew and clocks that are put right: what was live is never claimed beyond what can be known."""

from __future__ import annotations

import datetime as dt
import itertools
import random
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from fulltape.capture.plan import Clocks
from fulltape.contract.events import ConnectionEvent, EventKind
from fulltape.contract.streams import Channel
from fulltape.market.time import SECOND
from fulltape.seal.messages import timeline
from fulltape.seal.messages.timeline import Live, Run, Timeline

NS = 1_000_000_000
CHANNEL = Channel(name="t|A", dataset="crypto_trades", symbol="A", wire="A", detail="trades")


def test_ids_that_fall_begin_a_new_epoch_and_are_told() -> None:
    runs = [Run(first=1000, last=1010, start=0, end=10 * SECOND)]
    runs += [Run(first=1, last=5, start=20 * SECOND, end=25 * SECOND, epoch=1)]
    runs += [Run(first=11, last=15, start=31 * SECOND, end=35 * SECOND, epoch=1)]
    found, newest = timeline.breaks(runs, after=None)
    assert [(one.fell, one.lost) for one in found] == [(True, 0), (False, 5)]
    assert newest == (15, 35 * SECOND)


def test_ids_below_those_of_an_earlier_file_begin_anew_and_older_ones_are_repeated() -> None:
    fresh, newest = timeline.breaks(
        [Run(first=1, last=5, start=20 * SECOND, end=25 * SECOND)], after=(1010, 0)
    )
    assert [one.fell for one in fresh] == [True]
    assert newest == (5, 25 * SECOND)
    longer, newest = timeline.breaks(
        [Run(first=1, last=5000, start=20 * SECOND, end=25 * SECOND)], after=(1010, 0)
    )
    assert [one.fell for one in longer] == [True], "the new count may be longer than the old one"
    again, newest = timeline.breaks([Run(first=1001, last=1005, start=1, end=5)], after=(1010, 10 * SECOND))
    assert again == []
    assert newest == (1010, 10 * SECOND)


def told(*events: tuple[str, int]) -> Timeline:
    found = Timeline(carried={CHANNEL.name: CHANNEL})
    for what, at in events:
        found.event(ConnectionEvent(what=what, at=at * NS, connection=1, channels=(CHANNEL.name,)))  # type: ignore[arg-type]
    found.finish()
    return found


def test_a_clock_that_was_ahead_leaves_no_future_moment() -> None:
    found = told(("confirmed", 7_200), ("pulse", 7_260), ("pulse", 70), ("closed", 80))
    assert found.last == 80 * SECOND
    assert [(one.start, one.end) for one in found.spans(CHANNEL.name)] == [(70 * SECOND, 80 * SECOND)]
    (doubt,) = found.doubts(CHANNEL.name)
    assert doubt.kind == "clock"
    assert doubt.end // SECOND == 70


def test_an_earlier_file_that_ends_after_this_one_begins_proves_nothing() -> None:
    spans = [Live(start=100 * SECOND, end=200 * SECOND, why="")]
    (doubt,) = timeline.gaps(spans, before=7_300 * SECOND, joined=False, begin=0)
    assert (doubt.kind, doubt.start, doubt.end) == ("clock", 0, 100 * SECOND)
    assert timeline.gaps(spans, before=101 * SECOND, joined=False, begin=0) == [], "two connections overlap"


def test_a_clock_that_was_behind_proves_nothing_of_the_time_that_it_told() -> None:
    """A machine without a battery begins at the moment of its last shutdown: what it stamped before it was put right says
    that it listened while it was off."""
    clocks = Clocks(apart=0, since=10_000 * NS)
    assert clocks.read(10_060 * NS, 10_060 * SECOND) is None
    event = clocks.read(17_260 * NS, 10_061 * SECOND)
    assert event is not None
    assert (event.since // NS, event.at // NS, event.by // NS) == (10_000, 17_260, 7_199)
    assert clocks.read(17_261 * NS, 10_062 * SECOND) is None
    found = Timeline(carried={CHANNEL.name: CHANNEL})
    found.event(ConnectionEvent(what="confirmed", at=10_030 * NS, connection=1, channels=(CHANNEL.name,)))
    found.event(event)
    found.finish()
    (doubt,) = found.doubts(CHANNEL.name)
    assert (doubt.kind, doubt.start // SECOND, doubt.end // SECOND) == ("clock", 10_000, 17_260)
    assert doubt.detail == "the clock was put forward by 7,199 s"


def test_a_clock_that_was_days_behind_makes_every_session_doubtful() -> None:
    day = 86_400 * SECOND
    doubt = timeline.Doubt(start=day // 2, end=3 * day + 5, kind="clock")
    epoch = dt.date(1970, 1, 1)
    pieces = timeline.by_session(
        doubt,
        session_of=lambda at: epoch + dt.timedelta(days=at // day),
        begin=lambda label: (label - epoch).days * day,
    )
    assert [label.day for label, _ in pieces] == [1, 2, 3, 4]
    assert (pieces[0][1].start, pieces[-1][1].end) == (doubt.start, doubt.end)
    assert all(one.end == after.start for (_, one), (_, after) in itertools.pairwise(pieces))


def test_what_was_dropped_is_no_clock_that_was_put_back() -> None:
    """The mark of what was dropped stands before what was kept, and tells of a time after it."""
    found = Timeline(carried={CHANNEL.name: CHANNEL})
    found.event(ConnectionEvent(what="confirmed", at=1_000 * NS, connection=1, channels=(CHANNEL.name,)))
    found.event(
        ConnectionEvent(what="dropped", since=1_010 * NS, at=1_110 * NS, count=100, channels=(CHANNEL.name,))
    )
    found.heard(1_012 * NS)
    found.heard(1_120 * NS)
    found.finish()
    (doubt,) = found.doubts(CHANNEL.name)
    assert (doubt.kind, doubt.start // SECOND, doubt.end // SECOND) == ("dropped", 1_010, 1_110)
    found.event(ConnectionEvent(what="pulse", at=1_050 * NS))
    assert [one.end // SECOND for one in found.doubts(CHANNEL.name) if one.kind == "dropped"] == [1_110]


def test_what_was_missed_while_the_clock_was_ahead_lies_elsewhere() -> None:
    """Ahead by ten minutes for an hour, deaf from 2,000 to 2,100 by the right clock: the doubt must cover that, too, and a
    clock that is set by less than the silence between two messages says so by its mark alone."""
    by = 600
    found = Timeline(carried={CHANNEL.name: CHANNEL})
    for what, at in (("confirmed", 1_000), ("disconnected", 2_000), ("confirmed", 2_100), ("pulse", 4_600)):
        found.event(
            ConnectionEvent(
                what=cast("EventKind", what),
                at=(at + by) * NS,
                since=(at + by) * NS,
                connection=1,
                channels=(CHANNEL.name,),
            )
        )
    found.event(ConnectionEvent(what="clock", at=4_601 * NS, since=(1_000 + by) * NS, by=-by * NS))
    found.finish()
    doubted = {
        second
        for one in found.doubts(CHANNEL.name)
        for second in range(one.start // SECOND, one.end // SECOND)
    }
    assert set(range(2_000, 2_100)) <= doubted
    quiet = Timeline(carried={CHANNEL.name: CHANNEL})
    quiet.event(ConnectionEvent(what="confirmed", at=1_000 * NS, connection=1, channels=(CHANNEL.name,)))
    quiet.event(ConnectionEvent(what="clock", at=4_600 * NS, since=1_000 * NS, by=-12 * NS))
    quiet.finish()
    assert [(one.start // SECOND, one.end // SECOND) for one in quiet.doubts(CHANNEL.name)] == [(988, 4_600)]


@given(st.integers(0, 2**32))
def test_over_random_clocks_nothing_is_live_that_was_not(seed: int) -> None:
    """A channel is live and not, while the wall clock is some hours wrong and put right; in real seconds whatever is
    claimed to be live and free of doubt was live."""
    dice = random.Random(seed)
    wrong, now, live = dice.choice([0, 600, 7_200, -600, -7_200]), 100_000, False
    clocks = Clocks(apart=wrong * NS, since=(now + wrong) * NS)
    events: list[ConnectionEvent] = []
    truth: set[int] = set()

    def told(what: EventKind) -> None:
        if set_ := clocks.read((now + wrong) * NS, now * SECOND):
            events.append(set_)
        events.append(
            ConnectionEvent(what=what, at=(now + wrong) * NS, connection=1, channels=(CHANNEL.name,))
        )

    for _ in range(dice.randint(2, 20)):
        step = dice.randint(1, 60)
        if live:
            truth.update(range(now, now + step))
        now += step
        if wrong and dice.random() < 0.3:
            wrong = 0
            told("pulse")
        elif live:
            told("disconnected")
            live = False
        else:
            told("confirmed")
            live = True
    if wrong:
        return  # a clock that is never put right is seen by the next file
    found = Timeline(carried={CHANNEL.name: CHANNEL})
    for event in events:
        found.event(event)
    found.finish()
    doubted: set[int] = set()
    for doubt in found.doubts(CHANNEL.name):
        doubted.update(range(doubt.start // SECOND, -(-doubt.end // SECOND)))
    claimed: set[int] = set()
    for one in found.spans(CHANNEL.name):
        claimed.update(range(one.start // SECOND, one.end // SECOND))
    assert claimed - doubted <= truth


def test_what_a_delayed_stream_misses_happened_before() -> None:
    """Data that comes 15 minutes late: while the connection was broken, that is what was missed."""
    found = Timeline()
    found.event(ConnectionEvent(what="opened", at=10_000 * NS, carried=(CHANNEL,), delay=900 * NS))
    for what, at, since in (
        ("confirmed", 10_010, 0),
        ("disconnected", 10_100, 10_090),
        ("confirmed", 10_200, 0),
    ):
        found.event(
            ConnectionEvent(
                what=cast("EventKind", what),
                at=at * NS,
                since=since * NS,
                connection=1,
                channels=(CHANNEL.name,),
            )
        )
    found.heard(10_300 * NS)
    found.finish()
    spans = found.spans(CHANNEL.name)
    assert [(one.start // SECOND, one.end // SECOND) for one in spans] == [(9_110, 9_190), (9_300, 9_400)]
    (gap,) = timeline.gaps(spans, before=None, joined=False)
    assert (gap.start // SECOND, gap.end // SECOND) == (9_190, 9_300)
