"""The map of a real node says of every cell what its story says."""

from __future__ import annotations

import gzip
from pathlib import Path

from fulltape.clock import SystemClock
from fulltape.context import NodeContext
from fulltape.coverage.cell import Availability, Verdict
from fulltape.heatmap import run, tiles
from fulltape.heatmap.plan import CellState
from fulltape.heatmap.tiles import HeatmapIndex
from fulltape.views import explain
from holed import holed
from nodes import opened

CLOCK = SystemClock()
EVERY = 5
"""Of so many sessions one is explained: each costs a few milliseconds."""


def states(context: NodeContext, index: HeatmapIndex, name: str) -> dict[tuple[str, str], CellState]:
    """A tile as states by instrument and column."""
    tile = next(tile for tile in index.tiles if tile.name == name)
    content = tiles.packed(context.folder, index.dataset, tile.name, tile.digest)
    assert content is not None
    rows = gzip.decompress(content)
    many = len(tile.columns)
    assert len(rows) == many * len(index.instruments)
    return {
        (instrument, column): CellState(rows[row * many + at])
        for row, instrument in enumerate(index.instruments)
        for at, column in enumerate(tile.columns)
    }


def expected(story: explain.Explanation) -> CellState:
    """The state of a cell, out of its story."""
    cell = story.cell
    if not story.wanted or cell.availability in (Availability.UNLISTED, Availability.CLOSED):
        return CellState.NOT_WANTED
    if cell.verdict is Verdict.RED:
        return CellState.RED
    if cell.availability is Availability.HELD:
        judged = {Verdict.GREEN: CellState.GREEN, Verdict.AMBER: CellState.AMBER}
        return judged.get(cell.verdict, CellState.UNCHECKED)
    return CellState[cell.availability.name]


def test_the_map_says_what_the_stories_say(tmp_path: Path) -> None:
    with holed(tmp_path) as folder, opened(folder) as context:
        report = run.run_once(context, CLOCK)
        seen = set()
        cells = 0
        for name, wanted in context.wanted.items():
            index = tiles.index(context.folder, name)
            assert index is not None
            assert index.instruments == tuple(wanted.instruments)
            cells += sum(index.counts.values())
            by_day = states(context, index, "2012")
            for state in CellState:
                many = sum(each is state for each in by_day.values())
                assert index.counts.get(state.name.lower(), 0) == (many if state else 0)
            for number, (instrument, column) in enumerate(by_day):
                if number % EVERY:
                    continue
                position = wanted.calendar.position(wanted.first.fromisoformat(f"2012-{column}"))
                assert position is not None
                story = explain.explain(context, CLOCK, wanted, instrument, wanted.calendar.label(position))
                assert by_day[instrument, column] is expected(story), (name, instrument, column, story.cell)
                seen.add(by_day[instrument, column])
            by_month = states(context, index, "months")
            for (instrument, month), state in by_month.items():
                assert state is max(
                    each
                    for (who, day), each in by_day.items()
                    if who == instrument and f"2012-{day}".startswith(month)
                )
        assert report.cells == cells > 1_000
        assert {CellState.GREEN, CellState.NOT_WANTED, CellState.MISSING} <= seen


def test_drawing_again_writes_the_same_and_removes_what_is_old(tmp_path: Path) -> None:
    with holed(tmp_path) as folder, opened(folder) as context:
        run.run_once(context, CLOCK)
        place = folder / tiles.FOLDER
        first = {path: path.stat().st_ino for path in place.rglob("*.gz")}
        run.run_once(context, CLOCK)
        assert {path: path.stat().st_ino for path in place.rglob("*.gz")} == first
