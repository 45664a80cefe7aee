"""Reads closed journal files and decides which fetches are ready; `batch.py` makes parts of them."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path

from fulltape.context import NodeContext, Progress, silent
from fulltape.context.jobs import StageReport
from fulltape.lake import fetches, files, journal
from fulltape.lake.fetches import Contents, StoredFetch
from fulltape.ledger.task import Task
from fulltape.market.time import Clock
from fulltape.schedule.rules import Trigger
from fulltape.seal.messages import captured
from fulltape.seal.messages.totals import CapturedTotals
from fulltape.seal.pages.batch import STAGE, Batch


@dataclass(frozen=True, slots=True, kw_only=True)
class SealReport(StageReport):
    """What was sealed; `damaged` counts stretches of journal that no checksum vouches for, `left_open` the fetches that
    wait in the journal."""

    fetches: int = 0
    rows: int = 0
    parts: int = 0
    rejected: int = 0
    damaged: int = 0
    left_open: int = 0
    captured: CapturedTotals = field(default_factory=CapturedTotals)

    @property
    def triggers(self) -> tuple[Trigger, ...]:
        """See `StageReport`: what was sealed makes way for what waited for it."""
        asked: tuple[Trigger, ...] = ("tasks",) if self.fetches or self.captured.tasks else ()
        new: tuple[Trigger, ...] = ("parts",) if self.rows or self.captured.rows else ()
        return asked + new


def run_once(
    context: NodeContext, clock: Clock, progress: Progress = silent, *, again: bool = False
) -> SealReport:
    """Seal every journal of messages that no process writes, and every fetch that has ended or cannot go on; the
    others stay in the journal. With `again` messages that were sealed before are decoded once more."""
    with context.stage(STAGE, clock, layer="raw"):
        captured_now = captured.run(context, clock, progress, stage=STAGE, again=again)
        everything = context.layout.journal_files()
        paths = [path for path in everything if not journal.in_use(path)]
        busy = {path.parents[1] for path in set(everything) - set(paths)}
        contents = fetches.collect(paths)
        ready, waiting = _sorted(context, contents, busy)
        lost = _lost(context, contents) if len(paths) == len(everything) else []
        batch = Batch(context, clock.now(), progress)
        if ready or lost or contents.damage or contents.orphans:
            batch.seal(ready, contents, lost)
        _clear(context, contents, waiting, paths)
        return SealReport(
            fetches=len(ready),
            rows=batch.rows,
            parts=batch.parts,
            rejected=batch.rejected,
            damaged=len(contents.damage),
            left_open=len(waiting),
            captured=captured_now,
        )


def _sorted(
    context: NodeContext, contents: Contents, busy: AbstractSet[Path]
) -> tuple[list[StoredFetch], set[str]]:
    """Asks that can be sealed now, and the ids of those that must wait; what was sealed before is neither."""
    ready: list[StoredFetch] = []
    waiting: set[str] = set()
    for fetch_id, stored in contents.fetches.items():
        if context.ledger.bookmark(STAGE, fetch_id):
            continue
        if _waits(context, stored, busy):
            waiting.add(fetch_id)
        else:
            ready.append(stored)
    return ready, waiting


def _waits(context: NodeContext, stored: StoredFetch, busy: AbstractSet[Path]) -> bool:
    """Whether a fetch must stay in the journal: backfill will resume it (it has no end, nothing of it is lost, and a
    task of it is still ours), its writer is at work, or its dataset or source is not configured at the moment."""
    fetch = stored.record.fetch
    if fetch.dataset not in context.wanted or fetch.source not in context.feeds:
        return True
    if stored.end is not None:
        return False
    if any(path.parents[1] in busy for path in stored.paths):
        return True
    pages = stored.sound_pages()
    if not stored.whole or (pages and pages[-1].record.cursor is None):
        return False
    for task_id, attempt in stored.record.tasks.items():
        task = context.ledger.tasks.get(task_id)
        if (
            task
            and task.state == "leased"
            and task.attempt == attempt
            and task.worker == context.rules.worker
        ):
            return True
    return False


def _lost(context: NodeContext, contents: Contents) -> list[Task]:
    """Tasks that wait for an answer which no journal holds any more."""
    return [
        task
        for task in context.ledger.tasks.awaiting_seal()
        if task.worker == context.rules.worker and task.fetch_id not in contents.fetches
    ]


def _clear(
    context: NodeContext, contents: Contents, waiting: AbstractSet[str], paths: Iterable[Path]
) -> None:
    """Remove files in which no fetch waits any more, then the bookmarks that kept their fetches from being sealed twice."""
    needed = {path for fetch_id in waiting for path in contents.fetches[fetch_id].paths}
    for fetch_id in waiting:
        needed |= {page.path for page in contents.fetches[fetch_id].pages.values()}
    for path in paths:
        if path not in needed:
            files.remove(path)
    gone = [fetch_id for fetch_id, stored in contents.fetches.items() if not stored.paths & needed]
    if gone:
        with context.ledger.write():
            for fetch_id in gone:
                context.ledger.drop_bookmark(STAGE, fetch_id)
