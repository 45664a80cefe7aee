"""Bytes of a map: what each says, and that a tile is what its name says."""

from __future__ import annotations

import datetime as dt
import gzip
import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from fulltape.coverage.cell import Verdict
from fulltape.coverage.series import Picture
from fulltape.heatmap import plan, tiles
from fulltape.heatmap.plan import CellState, Judged
from fulltape.heatmap.tiles import MONTHS, HeatmapIndex, Tile
from fulltape.market import ranges

AVAILABLE = ("held", "partial", "empty", "unobtainable", "unknown_listing", "missing")
STATES = {
    "held": CellState.UNCHECKED, "partial": CellState.PARTIAL, "empty": CellState.EMPTY, "missing": CellState.MISSING,
    "unobtainable": CellState.UNOBTAINABLE, "unknown_listing": CellState.UNKNOWN_LISTING, "": CellState.NOT_WANTED,
}  # fmt: skip
SPAN = 40


@st.composite
def series(draw: st.DrawFn) -> tuple[list[str], Picture, list[Judged]]:
    """What each position is, the same as a picture, and what was said of disjoint ranges of positions."""
    about = draw(st.lists(st.sampled_from(["", *AVAILABLE]), min_size=SPAN, max_size=SPAN))
    parts = {
        name: ranges.from_points(at for at, kind in enumerate(about) if kind == name) for name in AVAILABLE
    }
    wanted = ranges.union(*parts.values())
    edges = sorted(draw(st.sets(st.integers(0, SPAN), max_size=8)))
    judged = [
        ((start, stop), draw(st.sampled_from(list(Verdict))))
        for start, stop in zip(edges[::2], edges[1::2], strict=False)
    ]
    return about, Picture(wanted=wanted, **parts), judged


def one(kind: str, verdict: Verdict) -> CellState:
    """The state of one cell, said in full."""
    state = STATES[kind]
    if state is CellState.NOT_WANTED:
        return state
    if verdict is Verdict.RED:
        return CellState.RED
    if verdict is Verdict.AMBER and kind in ("held", "empty"):
        return CellState.AMBER
    if verdict is Verdict.GREEN and kind == "held":
        return CellState.GREEN
    return state


@given(series(), st.integers(0, SPAN), st.integers(0, SPAN))
def test_a_row_says_of_each_cell_what_holds_for_it(
    drawn: tuple[list[str], Picture, list[Judged]], start: int, stop: int
) -> None:
    about, shown, judged = drawn
    start, stop = min(start, stop), max(start, stop)
    said = [Verdict.UNCHECKED] * SPAN
    for (first, last), verdict in judged:
        said[first:last] = [verdict] * (last - first)
    row = plan.row(shown, judged, (start, stop))
    assert [CellState(byte) for byte in row] == [
        one(kind, verdict) for kind, verdict in zip(about[start:stop], said[start:stop], strict=True)
    ]


@given(st.lists(st.sampled_from(list(CellState)), min_size=1, max_size=400), st.integers(0, 50))
def test_a_month_is_as_bad_as_its_worst_session(states: list[CellState], start: int) -> None:
    labels = [dt.date(2023, 12, 20) + dt.timedelta(days=at) for at in range(len(states))]
    months = plan.months(labels, start)
    worst = plan.worst(bytes(states), months, start)
    assert [month.name for month in months] == sorted({f"{label:%Y-%m}" for label in labels})
    for month, state in zip(months, worst, strict=True):
        inside = [each for each, label in zip(states, labels, strict=True) if f"{label:%Y-%m}" == month.name]
        assert state == max(inside)
        assert month.stop - month.start == len(inside)
    assert [year.name for year in plan.years(labels, start)] == sorted({f"{label:%Y}" for label in labels})


def test_nothing_that_lacks_is_ever_shown_as_well() -> None:
    """A verdict that was said of a cell which is not there any more does not make it GREEN."""
    for kind in ("missing", "partial", "unobtainable", "unknown_listing"):
        shown = Picture(wanted=((0, 1),), **{name: ((0, 1),) if name == kind else () for name in AVAILABLE})
        for verdict in Verdict:
            assert plan.row(shown, [((0, 1), verdict)], (0, 1))[0] >= CellState.UNKNOWN_LISTING


def index_of(digest: str) -> HeatmapIndex:
    return HeatmapIndex(
        at=1,
        dataset="d",
        title="d",
        states=("a",),
        instruments=("X",),
        counts={},
        tiles=(Tile(name=MONTHS, digest=digest, columns=("2024-01",)),),
    )


def test_a_tile_is_named_by_its_content_and_goes_when_nothing_names_it(tmp_path: Path) -> None:
    first = tiles.write(tmp_path, "d", MONTHS, b"\x01")
    second = tiles.write(tmp_path, "d", MONTHS, b"\x02")
    assert tiles.write(tmp_path, "d", MONTHS, b"\x01") == first
    content = tiles.packed(tmp_path, "d", MONTHS, first)
    assert content is not None
    assert gzip.decompress(content) == b"\x01"
    index = index_of(second)
    tiles.publish(tmp_path, index)
    assert tiles.index(tmp_path, "d") == index
    assert tiles.superseded(tmp_path, [index], before=0) == []
    old = tmp_path / "heatmap" / "d" / f"{MONTHS}-{first}.gz"
    os.utime(old, (1, 1))
    assert tiles.superseded(tmp_path, [index], before=2) == [old]
    for name, digest in (("../d/months", first), (MONTHS, f"../{first}"), (MONTHS, "f" * 32), ("", "")):
        assert tiles.packed(tmp_path, "d", name, digest) is None


def test_an_index_of_another_release_is_as_good_as_none(tmp_path: Path) -> None:
    tiles.publish(tmp_path, index_of("0"))
    path = tmp_path / "heatmap" / "d" / "index.json"
    path.write_bytes(b'{"at": "yesterday"}')
    assert tiles.index(tmp_path, "d") is None
    assert tiles.index(tmp_path, "e") is None
