"""The algebra of ranges is the algebra of sets of integers."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from fulltape.market import ranges

pairs = st.lists(st.tuples(st.integers(-20, 60), st.integers(-20, 60)), max_size=12)
canonical = pairs.map(ranges.normalise)


def points(some: ranges.Ranges) -> set[int]:
    return set(ranges.points(some))


def is_canonical(some: ranges.Ranges) -> bool:
    return all(a < b for a, b in some) and all(left[1] < right[0] for left, right in itertools.pairwise(some))


@given(pairs)
def test_normalise_covers_the_same_and_is_canonical(some: list[tuple[int, int]]) -> None:
    out = ranges.normalise(some)
    assert is_canonical(out)
    assert points(out) == {point for start, stop in some for point in range(start, stop)}


@given(canonical, canonical)
def test_operations_are_those_of_sets(left: ranges.Ranges, right: ranges.Ranges) -> None:
    for out, expected in (
        (ranges.union(left, right), points(left) | points(right)),
        (ranges.intersect(left, right), points(left) & points(right)),
        (ranges.subtract(left, right), points(left) - points(right)),
    ):
        assert is_canonical(out)
        assert points(out) == expected


@given(canonical, st.integers(-30, 70), st.integers(-30, 70))
def test_clip_keeps_what_lies_inside(some: ranges.Ranges, start: int, stop: int) -> None:
    assert points(ranges.clip(some, start, stop)) == points(some) & set(range(start, stop))


@given(canonical, st.integers(-30, 70), st.integers(-30, 70))
def test_overlaps_says_whether_they_share_anything(some: ranges.Ranges, start: int, stop: int) -> None:
    assert ranges.overlaps(some, (start, stop)) == bool(points(some) & set(range(start, stop)))


@given(canonical, st.lists(st.integers(-30, 70)))
def test_split_pieces_cover_the_same_and_cross_no_cut(some: ranges.Ranges, cuts: list[int]) -> None:
    pieces = ranges.split_at(some, cuts)
    assert [point for start, stop in pieces for point in range(start, stop)] == sorted(points(some))
    assert not any(start < cut < stop for start, stop in pieces for cut in cuts)


@given(st.sets(st.integers(-20, 60)))
def test_points_and_ranges_are_the_same_thing(some: set[int]) -> None:
    out = ranges.from_points(some)
    assert points(out) == some
    assert ranges.size(out) == len(some)
    assert all(ranges.contains(out, point) == (point in some) for point in range(-21, 61))
