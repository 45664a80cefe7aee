"""Draws the heat map of every dataset, from what the ledger holds."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from fulltape.context import ConfiguredDataset, Event, NodeContext, Progress, bulk_coverage, known, silent
from fulltape.context.jobs import StageReport
from fulltape.heatmap import plan, tiles
from fulltape.heatmap.plan import CellState, Judged
from fulltape.heatmap.tiles import MONTHS, HeatmapIndex, Tile
from fulltape.market.ranges import Range
from fulltape.market.time import HOUR, SECOND, Clock, Instant

STAGE = "heatmap"
_KEPT = HOUR
"""A page that was opened before may ask for tiles that are superseded: those of the last drawing stay, and what was written within an
hour."""
_TOLD = 500
"""Series between two events of progress."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatmapReport(StageReport):
    """What was drawn: series of datasets, and their cells."""

    series: int = 0
    cells: int = 0


def run_once(context: NodeContext, clock: Clock, progress: Progress = silent) -> HeatmapReport:
    """Draw every dataset that is wanted; what nothing shows any more goes."""
    with context.stage(STAGE, clock):
        before = [index for name in context.wanted if (index := tiles.index(context.folder, name))]
        drawn = [_draw(context, wanted, clock.now(), progress) for wanted in context.wanted.values()]
        for path in tiles.superseded(context.folder, [*before, *drawn], (clock.now() - _KEPT) / SECOND):
            path.unlink()
    return HeatmapReport(
        series=sum(len(index.instruments) for index in drawn),
        cells=sum(many for index in drawn for many in index.counts.values()),
    )


def _draw(context: NodeContext, wanted: ConfiguredDataset, now: Instant, progress: Progress) -> HeatmapIndex:
    axis = _axis(wanted, now)
    labels = [wanted.calendar.label(position) for position in range(*axis)]
    years, months = plan.years(labels, axis[0]), plan.months(labels, axis[0])
    rows: dict[str, list[bytes]] = {MONTHS: [], **{year.name: [] for year in years}}
    counts: Counter[int] = Counter()
    names, judged = [], _judged(context, wanted)
    for instrument, shown in bulk_coverage.pictures(context, wanted, now):
        line = plan.row(shown, judged.pop(instrument.instrument, ()), axis)
        names.append(instrument.instrument)
        counts.update({state: many for state in CellState if (many := line.count(state))})
        rows[MONTHS].append(plan.worst(line, months, axis[0]))
        for year in years:
            rows[year.name].append(line[year.start - axis[0] : year.stop - axis[0]])
        if not len(names) % _TOLD:
            progress(Event(stage=STAGE, done=len(names), total=len(wanted.instruments), unit="series"))
    columns = {MONTHS: tuple(month.name for month in months)} | {
        year.name: tuple(f"{labels[at - axis[0]]:%m-%d}" for at in range(year.start, year.stop))
        for year in years
    }
    name = wanted.dataset.name
    index = HeatmapIndex(
        at=now,
        dataset=name,
        title=wanted.title,
        states=tuple(state.name.lower() for state in CellState),
        instruments=tuple(names),
        counts={
            state.name.lower(): counts[state]
            for state in CellState
            if counts[state] and state is not CellState.NOT_WANTED
        },
        tiles=tuple(
            Tile(
                name=tile,
                digest=tiles.write(context.folder, name, tile, b"".join(lines)),
                columns=columns[tile],
            )
            for tile, lines in rows.items()
        ),
    )
    tiles.publish(context.folder, index)
    return index


def _axis(wanted: ConfiguredDataset, now: Instant) -> Range:
    last = known.last_wanted(wanted, now)
    if last is None or last < wanted.first:
        return 0, 0
    return wanted.calendar.between(wanted.first, last)


def _judged(context: NodeContext, wanted: ConfiguredDataset) -> dict[str, list[Judged]]:
    """What the checks said of the curated series, by instrument."""
    said: dict[str, list[Judged]] = {}
    for verdict in context.ledger.verdicts.of_dataset(wanted.dataset.name):
        where = wanted.calendar.between(verdict.first, verdict.last)
        said.setdefault(verdict.instrument, []).append((where, verdict.verdict))
    return said
