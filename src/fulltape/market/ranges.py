"""The algebra of ranges: sets of integers kept as sorted, disjoint, non-touching half-open pairs.

The integers are positions of sessions in a calendar, so that "consecutive" means consecutive sessions whatever
weekends and holidays lie between. Every function returns canonical ranges and takes canonical ranges; `normalise`
makes them out of anything.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator

Range = tuple[int, int]
Ranges = tuple[Range, ...]

EMPTY: Ranges = ()


def normalise(pairs: Iterable[Range]) -> Ranges:
    """Canonical ranges that cover exactly what `pairs` cover; empty and reversed pairs cover nothing."""
    merged: list[Range] = []
    for start, stop in sorted(pair for pair in pairs if pair[0] < pair[1]):
        if merged and start <= merged[-1][1]:
            if stop > merged[-1][1]:
                merged[-1] = (merged[-1][0], stop)
        else:
            merged.append((start, stop))
    return tuple(merged)


def from_points(points: Iterable[int]) -> Ranges:
    """Ranges that hold exactly these integers."""
    return normalise((point, point + 1) for point in points)


def points(ranges: Ranges) -> Iterator[int]:
    """Every integer in `ranges`, ascending."""
    for start, stop in ranges:
        yield from range(start, stop)


def size(ranges: Ranges) -> int:
    """How many integers `ranges` hold."""
    return sum(stop - start for start, stop in ranges)


def union(*many: Ranges) -> Ranges:
    """What is in any of them."""
    some = [ranges for ranges in many if ranges]
    if len(some) <= 1:
        return some[0] if some else EMPTY
    return normalise(pair for ranges in some for pair in ranges)


def intersect(left: Ranges, right: Ranges) -> Ranges:
    """What is in both, in one pass over each."""
    if not left or not right:
        return EMPTY
    out: list[Range] = []
    i = j = 0
    while i < len(left) and j < len(right):
        start, stop = max(left[i][0], right[j][0]), min(left[i][1], right[j][1])
        if start < stop:
            out.append((start, stop))
        if left[i][1] < right[j][1]:
            i += 1
        else:
            j += 1
    return tuple(out)


def subtract(left: Ranges, right: Ranges) -> Ranges:
    """What is in `left` and not in `right`, in one pass over each."""
    if not left or not right:
        return left
    out: list[Range] = []
    j = 0
    for start, stop in left:
        at = start
        while j < len(right) and right[j][1] <= at:
            j += 1
        k = j
        while k < len(right) and right[k][0] < stop:
            if at < right[k][0]:
                out.append((at, right[k][0]))
            at = max(at, right[k][1])
            k += 1
        if at < stop:
            out.append((at, stop))
    return tuple(out)


def clip(ranges: Ranges, start: int, stop: int) -> Ranges:
    """What of `ranges` lies in [start, stop); it takes no longer where `ranges` are many."""
    if start >= stop:
        return EMPTY
    first = bisect.bisect_left(ranges, (start,))
    if first and ranges[first - 1][1] > start:
        first -= 1
    clipped = ranges[first : bisect.bisect_left(ranges, (stop,))]
    if not clipped:
        return EMPTY
    if clipped[0][0] < start:
        clipped = ((start, clipped[0][1]), *clipped[1:])
    if clipped[-1][1] > stop:
        clipped = (*clipped[:-1], (clipped[-1][0], stop))
    return clipped


def overlaps(ranges: Ranges, span: Range) -> bool:
    """Whether any integer of `span` is in `ranges`; quicker than `intersect` where only that matters."""
    return bool(clip(ranges, *span))


def contains(ranges: Ranges, point: int) -> bool:
    """Whether `point` is in `ranges`."""
    return bool(clip(ranges, point, point + 1))


def split_at(ranges: Ranges, cuts: Iterable[int]) -> tuple[Range, ...]:
    """The same integers as consecutive pieces, none of which crosses a cut (a cut c separates c-1 from c).

    The pieces may touch, so the result is a list of ranges and not canonical `Ranges`.
    """
    ordered = sorted(set(cuts))
    out: list[Range] = []
    for start, stop in ranges:
        at = start
        for cut in ordered[bisect.bisect_right(ordered, start) : bisect.bisect_left(ordered, stop)]:
            out.append((at, cut))
            at = cut
        out.append((at, stop))
    return tuple(out)
