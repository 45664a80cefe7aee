"""Sharing out: everything goes somewhere that may take it, and nobody could take over work and be sooner done."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from fulltape.backfill.allocation import Load, Seat, share

SOURCES = ("a.x", "b.x", "c.x", "d.x")


def seat(source: str, rate: float, **more: float) -> Seat:
    return Seat(sources=(source,), fast=rate, **more)  # type: ignore[arg-type]


def load(key: str, requests: Mapping[str, float], preference: Mapping[str, float] | None = None) -> Load:
    return Load(key=key, requests=requests, preference=preference or dict.fromkeys(requests, 1.0))


def spent(found: dict[object, dict[str, float]], loads: list[Load], source: str) -> float:
    by_key = {one.key: one for one in loads}
    return sum(
        part * by_key[key].requests[source]
        for key, parts in found.items()
        for name, part in parts.items()
        if name == source
    )


@st.composite
def problems(draw: st.DrawFn) -> tuple[list[Load], list[Seat]]:
    seats = [seat(source, draw(st.floats(0.05, 5))) for source in SOURCES]
    loads = []
    for number in range(draw(st.integers(1, 6))):
        eligible_sources = draw(st.lists(st.sampled_from(SOURCES), min_size=1, max_size=4, unique=True))
        loads.append(load(f"c{number}", {one: draw(st.floats(50, 5_000)) for one in eligible_sources}))
    return loads, seats


@settings(max_examples=150)
@given(problems())
def test_the_shares_are_near_the_best_there_is(problem: tuple[list[Load], list[Seat]]) -> None:
    loads, seats = problem
    found = share([loads], seats)
    for one in loads:
        assert sum(found[one.key].values()) == pytest.approx(1)
        assert set(found[one.key]) <= set(one.requests)
    ends = max(one.ends(spent(found, loads, one.sources[0])) for one in seats)
    assert ends <= 1.02 * best(loads, seats) + 1e-6


def best(loads: list[Load], seats: list[Seat]) -> float:
    """The least time, by linear programming."""
    pairs = [(at, source) for at, one in enumerate(loads) for source in one.requests]
    limits = np.zeros((len(seats), len(pairs) + 1))
    equal = np.zeros((len(loads), len(pairs) + 1))
    for column, (at, source) in enumerate(pairs):
        row = SOURCES.index(source)
        limits[row, column] = loads[at].requests[source] / seats[row].fast
        equal[at, column] = 1
    limits[:, -1] = -1
    goal = np.zeros(len(pairs) + 1)
    goal[-1] = 1
    found = linprog(goal, A_ub=limits, b_ub=np.zeros(len(seats)), A_eq=equal, b_eq=np.ones(len(loads)))
    return float(found.x[-1])


def test_the_preferred_source_keeps_what_it_reaches_soon() -> None:
    loads = [load("x", {"a.x": 10, "b.x": 10}, {"a.x": 1.0, "b.x": 0.5})]
    seats = [seat("a.x", 5, finish=3), seat("b.x", 5, finish=3)]
    assert share([loads], seats) == {"x": {"a.x": 1.0}}


def test_what_it_would_reach_late_goes_to_others() -> None:
    loads = [load("x", {"a.x": 1_000, "b.x": 1_000}, {"a.x": 1.0, "b.x": 0.5})]
    seats = [seat("a.x", 5, finish=3), seat("b.x", 5, finish=3)]
    found = share([loads], seats)["x"]
    assert found["a.x"] == pytest.approx(0.5, abs=0.02)


def test_who_can_do_only_one_thing_gets_it() -> None:
    """a could do both; since b can only do x, a does y."""
    loads = [load("x", {"a.x": 100, "b.x": 100}), load("y", {"a.x": 100})]
    found = share([loads], [seat("a.x", 1), seat("b.x", 1)])
    assert found == {"x": {"b.x": pytest.approx(1)}, "y": {"a.x": pytest.approx(1)}}


def test_work_is_passed_on_through_a_third() -> None:
    """c is idle but can only do y; so b hands it y and takes over x from a."""
    loads = [
        load("x", {"a.x": 300, "b.x": 300}, {"a.x": 1.0, "b.x": 0.1}),
        load("y", {"b.x": 300, "c.x": 300}, {"b.x": 1.0, "c.x": 0.1}),
    ]
    seats = [seat("a.x", 1), seat("b.x", 1), seat("c.x", 1)]
    found = share([loads], seats)
    ends = [one.ends(spent(found, loads, one.sources[0])) for one in seats]
    assert max(ends) == pytest.approx(200, rel=0.02)


def test_a_source_whose_day_is_used_up_gets_nothing_that_others_can_do() -> None:
    loads = [load("x", {"a.x": 100, "b.x": 100})]
    capped = seat("a.x", 10, left_today=0.0, per_day=50.0, day_ends=40_000.0)
    assert share([loads], [capped, seat("b.x", 0.5)]) == {"x": {"b.x": 1.0}}


def test_a_later_group_is_laid_upon_what_the_earlier_leaves() -> None:
    first = [load("urgent", {"a.x": 100})]
    second = [load("rest", {"a.x": 100, "b.x": 100})]
    found = share([first, second], [seat("a.x", 1), seat("b.x", 1)])
    assert found["rest"] == {"b.x": pytest.approx(1, abs=0.01)}


def test_a_window_that_is_full_opens_when_its_oldest_leave_it() -> None:
    full = Seat(sources=("a.x",), fast=10, allowed=3, span=60, frees=(5.0, 20.0, 50.0))
    assert [full.ends(count) for count in (1, 2, 3, 4, 7)] == [5.0, 20.0, 50.0, 65.0, 125.0]
    fresh = Seat(sources=("a.x",), fast=10, allowed=3, span=60)
    assert [fresh.ends(count) for count in (3, 4, 7)] == pytest.approx([0.3, 60, 120])
