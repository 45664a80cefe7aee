"""Reads touched raw folders, checks each source's cells, chooses, and rewrites the touched curated folders whole."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from fulltape.context import ConfiguredDataset, Event, NodeContext, Progress, silent
from fulltape.context.stretches import Stretch, Stretches
from fulltape.curate.chunk import Chunk, CurateReport
from fulltape.curate.judged import STAGE
from fulltape.lake import layout
from fulltape.ledger.part import Part
from fulltape.market.time import Clock, Instant

__all__ = ["STAGE", "CurateReport", "run_once"]


def run_once(context: NodeContext, clock: Clock, progress: Progress = silent) -> CurateReport:
    """Curate what raw parts since the bookmark have touched."""
    with context.stage(STAGE, clock, layer="curated"):
        latest = context.ledger.catalogue.last_position("raw")
        touched: dict[str, set[Stretch]] = {}
        redo: dict[str, set[str]] = {}
        for name, wanted in context.wanted.items():
            # A bookmark for each dataset: one that is not wanted for a while is taken up where it was left.
            changed = context.ledger.catalogue.since(
                "raw", context.ledger.bookmark(STAGE, name), dataset=name
            )
            cuts = Stretches(context, wanted)
            touched[name] = {stretch for part in changed for stretch in _stretches(part, wanted, cuts)}
            redo[name] = context.ledger.damages.to_redo(STAGE, name)
            whole = _now_over(context, wanted, cuts, clock.now()) | redo[name]
            touched[name] |= {stretch for key in whole for stretch in cuts.of(key)} | cuts.misfit("curated")
        total = CurateReport()
        verified: set[int] = set()
        todo = sum(map(len, touched.values()))
        for name, stretches in sorted(touched.items()):
            for chunk in _chunks(stretches, context.wanted[name]):
                done = Chunk(context, context.wanted[name], clock.now(), verified).curate(chunk)
                total += done
                progress(Event(stage=STAGE, done=total.folders, total=todo, unit="folders"))
        with context.ledger.write():
            for name in touched:
                context.ledger.set_bookmark(STAGE, name, latest)
                over = context.wanted[name].final_until(clock.now())
                context.ledger.set_bookmark(STAGE, f"{name} over", over)
                context.ledger.damages.redone(STAGE, name, redo[name])
        return total


def _now_over(context: NodeContext, wanted: ConfiguredDataset, cuts: Stretches, now: Instant) -> set[str]:
    """Curated folders of sessions that are over since the last time, of a dataset that will only ever have what was
    captured: its rows are final now."""
    before = context.ledger.bookmark(STAGE, f"{wanted.dataset.name} over")
    over = range(before, wanted.final_until(now))
    if not wanted.live_only or not over:
        return set()
    days = [wanted.calendar.label(position) for position in over]
    parts = context.ledger.catalogue.current("raw", wanted.dataset.name, first=days[0], last=days[-1])
    held = {stretch.key for part in parts for stretch in _stretches(part, wanted, cuts)}
    return held & {layout.folder_key(wanted.dataset.curated_folder, day) for day in days}


def _stretches(part: Part, wanted: ConfiguredDataset, cuts: Stretches) -> set[Stretch]:
    calendar, folder = wanted.calendar, wanted.dataset.curated_folder
    labels = {
        calendar.label(position)
        for first, last in {span for spans in part.cells.values() for span in spans}
        for position in range(*calendar.between(first, last))
    }
    return {cuts.holding(layout.folder_key(folder, label), label) for label in labels}


def _chunks(stretches: Iterable[Stretch], wanted: ConfiguredDataset) -> list[list[Stretch]]:
    """Stretches of curated folders that share a raw folder, so that its parts are read once."""
    by_folder: dict[str, list[Stretch]] = defaultdict(list)
    for stretch in sorted(stretches):
        by_folder[layout.folder_key(wanted.dataset.raw_folder, stretch.first)].append(stretch)
    return list(by_folder.values())
