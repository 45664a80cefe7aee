"""Ids that begin anew and clocks that are put right: what was live is never claimed beyond what can be known."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from fulltape.core.marks import Mark
from fulltape.core.streams import Channel
from fulltape.core.time import SECOND
from fulltape.seal import timeline
from fulltape.seal.timeline import Live, Run, Timeline

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


def told(*marks: tuple[str, int]) -> Timeline:
    found = Timeline(carried={CHANNEL.name: CHANNEL})
    for what, at in marks:
        found.mark(Mark(what=what, at=at * NS, connection=1, channels=(CHANNEL.name,)))  # type: ignore[arg-type]
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


@given(st.integers(0, 2**32))
def test_over_random_clocks_nothing_is_live_that_was_not(seed: int) -> None:
    """A channel is live and not, while the wall clock is ahead by some hours and put right; in real seconds whatever is
    claimed to be live and free of doubt was live."""
    dice = random.Random(seed)
    ahead, now, live = dice.choice([0, 600, 7_200]), 100_000, False
    marks: list[tuple[str, int]] = []
    truth: set[int] = set()
    for _ in range(dice.randint(2, 20)):
        step = dice.randint(1, 60)
        if live:
            truth.update(range(now, now + step))
        now += step
        if ahead and dice.random() < 0.3:
            ahead = 0
            marks.append(("pulse", now))
        elif live:
            marks.append(("disconnected", now + ahead))
            live = False
        else:
            marks.append(("confirmed", now + ahead))
            live = True
    if ahead:
        return  # a clock that is never put right is seen by the next file
    found = told(*marks)
    doubted: set[int] = set()
    for doubt in found.doubts(CHANNEL.name):
        doubted.update(range(doubt.start // SECOND, -(-doubt.end // SECOND)))
    claimed: set[int] = set()
    for one in found.spans(CHANNEL.name):
        claimed.update(range(one.start // SECOND, one.end // SECOND))
    assert claimed - doubted <= truth
