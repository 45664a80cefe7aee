"""What a night does: every job that has a place in it, one after the other."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from polars.exceptions import PolarsError

from fulltape import errors
from fulltape.audit import run as audit
from fulltape.check import run as check
from fulltape.compact import run as compact
from fulltape.context import Event, NodeContext, Progress, damage, room, silent
from fulltape.context.jobs import Budget, Job, StageReport
from fulltape.curate import run as curate
from fulltape.export import run as export
from fulltape.market.time import Clock
from fulltape.node import jobs
from fulltape.node.filling import ClosedGaps, FilledGaps
from fulltape.regroup import run as regroup
from fulltape.seal import run as seal
from fulltape.sweep import run as sweep
from fulltape.sync.plan import SyncReport
from fulltape.verify import knowledge
from fulltape.verify.plan import VerifyReport
from fulltape.views import state

_ALL = 1e9
"""Seconds in which everything is verified."""
_HEALING = ("gaps", "check", "audit", "export", "keep")
"""What makes anew what a night found damaged, and what then is told."""
_MOST_HEALINGS = 2
"""What is damaged may hide what lies under it: a curated file the raw one it was made of."""
_Report = TypeVar("_Report", bound=StageReport)


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """The reports of one night; `audit` is the last one."""

    audit: audit.AuditReport
    filled: FilledGaps
    curated: curate.CurateReport
    check: check.CheckReport
    export: export.ExportReport | None
    regrouped: regroup.RegroupReport = field(default_factory=regroup.RegroupReport)
    compacted: compact.CompactReport = field(default_factory=compact.CompactReport)
    damaged: tuple[str, ...] = ()
    """Files that do not have the content that the ledger recorded, as far as the night looked."""
    lost: tuple[str, ...] = ()
    """Those of them that could not be made again: what they held is not there."""
    sync: SyncReport = field(default_factory=SyncReport)
    beyond: tuple[str, ...] = ()
    """Datasets whose calendar has ended: what came since is not known."""

    @property
    def complete(self) -> bool:
        """Whether nothing is missing, nothing is RED, and every place of [sync] has everything."""
        red = self.export.verdicts.get("RED", 0) if self.export else 0
        audited = self.audit
        lacking = audited.missing or audited.unobtainable or audited.partial or audited.unknown_listing
        damaged = self.lost or (self.export and self.export.damaged)
        return not (lacking or red or self.beyond or damaged) and self.sync.complete


def run(
    context: NodeContext, clock: Clock, progress: Progress = silent, *, stop: threading.Event | None = None
) -> Night:
    """Run the night's jobs; twice in a row changes nothing. A file that cannot be read does not stop the night: all of them
    are verified, and what is damaged is made again."""
    make_room(context, clock, progress)
    budget = Budget(stop=stop or threading.Event())
    night = _Running(context, clock, progress, budget)
    try:
        night.run(jobs.night())
    except (errors.CorruptPartError, PolarsError) as error:
        everything = dataclasses.replace(budget, seconds=_ALL)
        report = jobs.run(jobs.get("verify"), context, clock, progress, everything)
        damaged = report.findings if isinstance(report, VerifyReport) else ()
        if not damaged:
            raise
        about: dict[str, str | int | float] = {"files": len(damaged), "error": str(error)}
        progress(Event(stage="verify", kind="damaged", fields=about))
        night.damaged += tuple(finding.path for finding in damaged)
        night.run([job for job in jobs.night() if job.name != "verify"])
    return night.summary()


class _Running:
    """A night that is running, and the reports of its jobs so far."""

    def __init__(self, context: NodeContext, clock: Clock, progress: Progress, budget: Budget) -> None:
        self._context, self._clock, self._progress, self._budget = context, clock, progress, budget
        self._reports: list[StageReport] = []
        self.damaged: tuple[str, ...] = ()

    def run(self, todo: Sequence[Job]) -> None:
        """Run these jobs in their order."""
        self._reports.clear()
        for job in todo:
            self._one(job)
        # A job may find damage after those that mend it, as compaction does: nothing that was told before it counts.
        for _ in range(_MOST_HEALINGS):
            if not (lost := self._lost()):
                return
            self.damaged += lost
            for name in _HEALING:
                self._one(jobs.get(name))

    def _lost(self) -> tuple[str, ...]:
        """Files that were found damaged and are not healed."""
        damage.settle(self._context)
        return tuple(damaged.path for damaged in self._context.ledger.damages.all())

    def _one(self, job: Job) -> StageReport | None:
        report = jobs.run(job, self._context, self._clock, self._progress, self._budget)
        if report is not None:
            self._reports.append(report)
        if isinstance(report, VerifyReport):
            self.damaged += tuple(finding.path for finding in report.findings)
        if isinstance(report, export.ExportReport):
            self.damaged += report.damaged
        if isinstance(report, seal.SealReport) and report.left_open:
            self._progress(Event(stage="seal", kind="resuming", fields={"fetches": report.left_open}))
        return report

    def _all(self, kind: type[_Report]) -> list[_Report]:
        return [report for report in self._reports if isinstance(report, kind)]

    def summary(self) -> Night:
        """All of it; of a job that ran twice what it found last."""
        filled, curated = FilledGaps(), curate.CurateReport()
        for sealed in self._all(seal.SealReport):
            filled += FilledGaps(
                rows=sealed.rows,
                rejected=sealed.rejected,
                damaged=sealed.damaged,
                resumed=bool(sealed.rows or sealed.left_open),
            )
        for closed in self._all(ClosedGaps):
            filled, curated = filled + closed.filled, curated + closed.curated
        for more in self._all(curate.CurateReport):
            curated += more
        bundles, lost = self._all(export.ExportReport), self._lost()
        return Night(
            audit=self._all(audit.AuditReport)[-1],
            filled=filled,
            curated=curated,
            check=self._all(check.CheckReport)[-1],
            export=bundles[-1] if bundles else None,
            regrouped=self._all(regroup.RegroupReport)[-1],
            compacted=self._all(compact.CompactReport)[-1],
            sync=(self._all(SyncReport) or [SyncReport()])[-1],
            damaged=tuple(dict.fromkeys((*self.damaged, *lost))),
            lost=lost,
            beyond=state.beyond(self._context, self._clock.now()),
        )


def make_room(context: NodeContext, clock: Clock, progress: Progress = silent) -> None:
    """Where the disk has room for live capture only, sweep; `StorageError` where that is not enough. What only the ledger
    knows is small, and is kept before."""
    if room.of(context).tier == "least":
        knowledge.write(context.ledger, context.layout, clock.now())
        # What goes may make room enough.
        sweep.run_once(context, clock, progress)
        here = room.of(context)
        if here.tier == "least":
            raise errors.StorageError(
                f"{context.layout.root}: {here.sentence}.",
                hint="Delete other files, keep fewer bundles (retention.bundles), use a larger disk, or lower node.min_free.",
            )
