"""Removes what nothing needs any more, each kind by its own rule (docs/operating.md)."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from fulltape.context import BACKUPS, Event, NodeContext, Progress, damage, profiles, sent, silent
from fulltape.contract.events import BREAKS
from fulltape.lake import files
from fulltape.ledger.part import Part
from fulltape.ledger.restatements import as_millionths
from fulltape.market.time import DAY, Clock, Instant, utc_date
from fulltape.sweep import plan
from fulltape.sweep.plan import Removal, SweepReport

STAGE = "sweep"
_COPIES = 3
"""Copies of replaced ledgers that are kept."""
_NANOSECONDS = 1_000


def run_once(
    context: NodeContext, clock: Clock, progress: Progress = silent, *, dry_run: bool = False
) -> SweepReport:
    """Remove what is older than its rule allows; with a dry run only tell."""
    with context.stage(STAGE, clock):
        sweep = _Sweep(context, clock.now(), dry_run=dry_run)
        removals = plan.nonempty(
            [
                sweep.requests(),
                sweep.restatements(),
                sweep.tasks(),
                sweep.rejected(),
                sweep.replaced(),
                sweep.profiles(),
                sweep.apart(),
                sweep.bundles(),
                sweep.copies(),
                sweep.streams(),
                sweep.consumers(),
                sweep.knowledge(),
                sweep.unfinished(),
                sweep.pages(),
            ]
        )
        for removal in removals:
            about: dict[str, str | int | float] = {
                "count": removal.count,
                "what": removal.what,
                "bytes": removal.bytes,
                "why": removal.why,
            }
            progress(Event(stage=STAGE, kind="would_remove" if dry_run else "removed", fields=about))
        if sweep.unproved:
            progress(Event(stage=STAGE, kind="kept_unproved", fields={"files": sweep.unproved}))
    return SweepReport(removals=removals, dry_run=dry_run, unproved=sweep.unproved)


class _Sweep:
    """One run over everything. A file goes before its row: what is left after a crash goes the next time."""

    def __init__(self, context: NodeContext, now: Instant, *, dry_run: bool) -> None:
        self._context, self._now, self._dry = context, now, dry_run
        self._database = context.ledger.database
        self._keep = context.rules.retention
        self.unproved = 0

    def requests(self) -> Removal:
        """Which request an answer came from, as `audit --explain` tells it."""
        before = self._now - self._keep.requests
        count = self._rows("old_requests", "forget_requests", before)
        return Removal(what="requests", count=count, bytes=0, why="older than retention.requests")

    def restatements(self) -> Removal:
        """What sources have said otherwise, long ago: the rows themselves stay."""
        before = self._now - self._keep.knowledge
        beyond = as_millionths(self._context.rules.thresholds.restated)
        count = self._rows("old_restatements", "forget_restatements", before, beyond=beyond)
        return Removal(what="restatements", count=count, bytes=0, why="older than retention.knowledge")

    def tasks(self) -> Removal:
        """Tasks that have ended; what they brought is in coverage."""
        before = self._now - self._keep.tasks
        count = self._rows("old_tasks", "forget_tasks", before)
        if count and not self._dry:
            with self._context.ledger.write():
                self._database.run("forget_lost_hold_backs")
        return Removal(what="ended tasks", count=count, bytes=0, why="ended before retention.tasks")

    def rejected(self) -> Removal:
        """Bytes that could not be taken, with their reasons."""
        before = self._now - self._keep.rejected
        old = {row["path"] for row in self._database.run("old_rejections", before=before)}
        paths = [self._context.layout.root / path for path in sorted(old - {""})]
        both = [*paths, *(path.with_suffix(".json") for path in paths)]
        if self._unproved(not sent.file(self._context, path) for path in both):
            return Removal(what="rejections", count=0, bytes=0, why="")
        size = self._remove(both)
        count = self._rows("count_old_rejections", "forget_rejections", before)
        return Removal(what="rejections", count=count, bytes=size, why="older than retention.rejected")

    def replaced(self) -> Removal:
        """Curated files, and what was checked, that others have replaced; raw parts only where another one holds their rows:
        nothing could make them again."""
        before = self._now - self._keep.replaced
        catalogue = self._context.ledger.catalogue
        old = [
            part
            for part in _superseded(self._context, before, self._now - DAY)
            if not self._unproved([not sent.part(self._context, part)])
        ]
        size = self._remove(self._context.layout.root / part.path for part in old)
        if old and not self._dry:
            with self._context.ledger.write():
                for part in old:
                    catalogue.forget(part.part_id)
        return Removal(
            what="replaced files", count=len(old), bytes=size, why="replaced before retention.replaced"
        )

    def profiles(self) -> Removal:
        """What was learned of parts that count no more; that of others is made anew when it is needed."""
        old = profiles.unneeded(self._context)
        size = self._remove(old)
        return Removal(what="profiles", count=len(old), bytes=size, why="of files that count no more")

    def apart(self) -> Removal:
        """Damaged files that were set apart."""
        before = (self._now - self._keep.damaged) * _NANOSECONDS
        # The moment in which it was moved is that of its entry, not of its content.
        old = [
            path for path in files.tree(self._context.layout.damaged("")) if path.stat().st_ctime_ns < before
        ]
        return Removal(
            what="damaged files", count=len(old), bytes=self._remove(old),
            why="set apart before retention.damaged",
        )  # fmt: skip

    def bundles(self) -> Removal:
        """Bundles beside the newest ones."""
        known = {
            row["day"]: self._context.layout.root / row["path"] for row in self._context.ledger.exports()
        }
        old = [
            day
            for day in plan.older_bundles(known, self._keep.bundles)
            if not self._unproved(not sent.file(self._context, path) for path in files.tree(known[day]))
        ]
        size = 0
        for day in old:
            # Files that the lake has, too, give no room back.
            alone = [path for path in files.tree(known[day]) if path.stat().st_nlink == 1]
            size += sum(path.stat().st_size for path in alone)
            if not self._dry:
                if known[day].exists():
                    shutil.rmtree(known[day])
                    files.sync_folder(known[day].parent)
                with self._context.ledger.write():
                    self._context.ledger.forget_export(day)
        return Removal(
            what="bundles",
            count=len(old),
            bytes=size,
            why=f"retention.bundles keeps the newest {self._keep.bundles}",
        )

    def copies(self) -> Removal:
        """Ledgers that were replaced by a restore; of the daily copies seven are kept where they are made."""
        folder = self._context.folder / BACKUPS
        names = [path.name for path in files.tree(folder)]
        old = [folder / name for name in plan.older_copies(names, _COPIES)]
        return Removal(
            what="copies of replaced ledgers",
            count=len(old),
            bytes=self._remove(old),
            why=f"the newest {_COPIES} are kept",
        )

    def streams(self) -> Removal:
        """Captured sessions that history has confirmed, and their intervals: they are kept by month."""
        before = utc_date(max(0, self._now - self._keep.streams))
        months, count = self._context.ledger.streams.months, 0
        for stream in months.settled(before):
            with self._context.ledger.write():
                count += months.gather(*stream, before, BREAKS, dry_run=self._dry)
        return Removal(
            what="captured sessions", count=count, bytes=0,
            why="older than retention.streams; their months say what they came to",
        )  # fmt: skip

    def knowledge(self) -> Removal:
        """What was learned so long ago that it is not asked for as it was any more; checkpoints stand in its place."""
        changes, before = self._context.ledger.changes, self._now - self._keep.knowledge
        if self._dry:
            count = changes.forgettable(before)
        else:
            with self._context.ledger.write():
                changes.checkpoint(now=self._now)
                count = changes.forget(before)
        why = "learned before retention.knowledge; what followed is known"
        return Removal(what="changes of knowledge", count=count, bytes=0, why=why)

    def consumers(self) -> Removal:
        """Consumers that have not read for long; journals are kept for them no more."""
        before = self._now - self._keep.consumers
        count = self._rows("old_consumers", "forget_consumers", before)
        return Removal(
            what="consumers", count=count, bytes=0, why="silent for longer than retention.consumers"
        )

    def unfinished(self) -> Removal:
        """What a kill has left of files that were being written."""
        old = [path for path in self._context.layout.temporary_files() if files.abandoned(path)]
        old += _half_copies(self._context.folder / BACKUPS, before=self._now - DAY)
        return Removal(
            what="unfinished files", count=len(old), bytes=self._remove(old), why="a kill left them behind"
        )

    def pages(self) -> Removal | None:
        """Room inside of the ledger's file."""
        pages, free, size = self._database.room()
        if not plan.wasteful(pages=pages, free=free, page_bytes=size):
            return None
        if not self._dry:
            self._database.compact()
        return Removal(
            what="free pages of the ledger", count=free, bytes=free * size, why="its file is written anew"
        )

    def _unproved(self, files_without: Iterable[bool]) -> int:
        """How many of these files a place of [sync] has not proved yet; the run counts them."""
        count = sum(files_without)
        self.unproved += count
        return count

    def _rows(self, counted: str, forgotten: str, before: Instant, **more: int) -> int:
        count = int(self._database.value(counted, before=before, **more) or 0)
        if count and not self._dry:
            with self._context.ledger.write():
                self._database.run(forgotten, before=before, **more)
        return count

    def _remove(self, paths: Iterable[Path]) -> int:
        """Remove files durably; returns their bytes."""
        size = 0
        touched: set[Path] = set()
        for path in paths:
            if path.is_file():
                size += path.stat().st_size
                if not self._dry:
                    path.unlink()
                    touched.add(path.parent)
        for folder in sorted(touched):
            files.sync_folder(folder)
        return size


def _superseded(context: NodeContext, before: Instant, day_ago: Instant) -> list[Part]:
    """Parts in whose place others stand."""
    catalogue = context.ledger.catalogue
    old = [
        part
        for part in catalogue.replaced(before)
        if part.layer in ("curated", "qc") and catalogue.current_in(part.layer, part.dataset, part.folder)
    ]
    # What is regrouped is a second copy, which only who had begun to read it still reads.
    old += [part for part in catalogue.replaced(day_ago) if part.layer == "by_instrument"]
    return old + _merged(context, catalogue.replaced(day_ago))


def _merged(context: NodeContext, replaced: Iterable[Part]) -> list[Part]:
    """Raw parts that were merged into one whose file is sound at this moment."""
    sound: dict[int, bool] = {}
    merged = []
    for part in replaced:
        whole = context.ledger.catalogue.stands(part) if part.layer == "raw" else None
        if whole is None:
            continue
        if whole.part_id not in sound:
            path = context.layout.root / whole.path
            sound[whole.part_id] = not damage.wrong(path, size=whole.bytes, sha256=whole.sha256)
        if sound[whole.part_id]:
            merged.append(part)
    return merged


def _half_copies(folder: Path, before: Instant) -> list[Path]:
    """Copies of the ledger that were not finished."""
    return [
        path
        for path in files.tree(folder)
        if path.name.startswith(".ledger-") and path.stat().st_mtime_ns < before * _NANOSECONDS
    ]
