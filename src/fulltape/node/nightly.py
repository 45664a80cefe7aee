"""All stages once, in order: what a night does."""

from __future__ import annotations

import dataclasses
import threading
from dataclasses import dataclass, field
from typing import NamedTuple

from polars.exceptions import PolarsError

from fulltape import errors
from fulltape.audit import run as audit
from fulltape.backfill import run as backfill
from fulltape.check import run as check
from fulltape.compact import run as compact
from fulltape.context import BACKUPS, Event, NodeContext, Progress, damage, room, silent
from fulltape.curate import run as curate
from fulltape.export import run as export
from fulltape.market.time import Clock, Instant, to_second, utc_date
from fulltape.regroup import run as regroup
from fulltape.seal import run as seal
from fulltape.sweep import run as sweep
from fulltape.verify import knowledge
from fulltape.verify import run as verify
from fulltape.views import state

_ALL = 1e9
"""Seconds in which everything is verified."""


class Waiting(NamedTuple):
    """A source without room: in which dimension, and when there will be room."""

    source: str
    dimension: str
    until: Instant


class Refusal(NamedTuple):
    """A source that could not be asked, and why."""

    source: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FilledGaps:
    """What filling gaps came to, over all rounds."""

    tasks: int = 0
    fetches: int = 0
    requests: int = 0
    pages: int = 0
    rows: int = 0
    rejected: int = 0
    damaged: int = 0
    waiting: tuple[Waiting, ...] = ()
    """Sources that have no room."""
    stopped: tuple[Refusal, ...] = ()
    """Sources that refused our credentials, and their words."""
    unreachable: tuple[Refusal, ...] = ()
    """Sources that gave no answer."""
    full: str = ""
    """Why nothing more was fetched, where the disk has no room."""
    resumed: bool = False
    """Whether rows were sealed that an earlier, interrupted run had fetched."""


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
    beyond: tuple[str, ...] = ()
    """Datasets whose calendar has ended: what came since is not known."""

    @property
    def complete(self) -> bool:
        """Whether nothing is missing and nothing is RED."""
        red = self.export.verdicts.get("RED", 0) if self.export else 0
        found = self.audit
        lacking = found.missing or found.unobtainable or found.partial or found.unknown_listing
        return not (lacking or red or self.beyond or (self.export and self.export.damaged))


def run(
    context: NodeContext, clock: Clock, progress: Progress = silent, *, stop: threading.Event | None = None
) -> Night:
    """Verify a part of the lake, seal what an earlier run left, audit, fill, curate, check, export; twice in a row changes
    nothing. A file that cannot be read does not stop the night: all of them are verified, and what is damaged is made
    again."""
    make_room(context, clock, progress)
    sampled = verify.sample(context, clock, seconds=context.rules.verify_for)
    damaged = tuple(one.path for one in sampled.findings)
    try:
        night = _run(context, clock, progress, stop)
    except (errors.CorruptPartError, PolarsError) as error:
        found = verify.sample(context, clock, seconds=_ALL).findings
        if not found:
            raise
        progress(Event(stage="verify", kind="damaged", fields={"files": len(found), "error": str(error)}))
        damaged += tuple(one.path for one in found)
        night = _run(context, clock, progress, stop)
    return dataclasses.replace(night, damaged=damaged, beyond=state.beyond(context, clock.now()))


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


def _run(context: NodeContext, clock: Clock, progress: Progress, stop: threading.Event | None) -> Night:
    leftovers = seal.run_once(context, clock, progress)
    if leftovers.left_open:
        progress(Event(stage="seal", kind="resuming", fields={"fetches": leftovers.left_open}))
    filled = FilledGaps(
        rows=leftovers.rows,
        rejected=leftovers.rejected,
        damaged=leftovers.damaged,
        resumed=bool(leftovers.rows or leftovers.left_open),
    )
    curated = curate.CurateReport()
    for _ in range(context.rules.rounds):
        audit.run_once(context, clock, progress)
        more = fill(context, clock, progress, stop=stop, before=filled)
        filled = _sum(filled, more)
        curated += curate.run_once(context, clock, progress)
        if not more.fetches:
            break
    checked = check.run_once(context, clock, progress)
    final = audit.run_once(context, clock, progress)
    bundle = export.run_once(context, clock, progress)
    if bundle and bundle.damaged:
        curated += curate.run_once(context, clock, progress)
        checked = check.run_once(context, clock, progress)
        bundle = export.run_once(context, clock, progress)
    damage.settle(context)
    knowledge.write(context.ledger, context.layout, clock.now())
    if context.ledger.back_up_daily(context.folder / BACKUPS, utc_date(clock.now()).isoformat()):
        progress(Event(stage="backup", kind="backed_up", fields={"folder": BACKUPS}))
    # It makes only what reads faster, and may take long: all else is safe by now.
    regrouped = regroup.run_once(context, clock, progress)
    compacted = compact.run_once(context, clock, progress)
    damage.settle(context)
    knowledge.write(context.ledger, context.layout, clock.now())  # positions have moved
    sweep.run_once(context, clock, progress)
    return Night(
        audit=final,
        filled=filled,
        curated=curated,
        check=checked,
        export=bundle,
        regrouped=regrouped,
        compacted=compacted,
    )


def held_back(context: NodeContext, clock: Clock) -> str:
    """Who has tasks that must wait, and until when; '' where nothing waits."""
    now = clock.now()
    found = {source: context.ledger.tasks.next_chance(source, now=now) for source in context.feeds}
    return "; ".join(
        f"{source} may be asked for more from {to_second(at)} on"
        for source, at in found.items()
        if at is not None
    )


def fill(
    context: NodeContext,
    clock: Clock,
    progress: Progress = silent,
    *,
    stop: threading.Event | None = None,
    before: FilledGaps | None = None,
    urgent: bool = False,
) -> FilledGaps:
    """Fetch and seal in turns until no source takes anything more; sources that were out `before` are left alone.
    `urgent`: only what comes before everything else."""
    total = FilledGaps(stopped=before.stopped, unreachable=before.unreachable) if before else FilledGaps()
    more = True
    while more:
        fetched = backfill.run_once(
            context,
            clock,
            progress,
            stop=stop,
            stopped=dict(total.stopped),
            unreachable=dict(total.unreachable),
            urgent=urgent,
        )
        sealed = seal.run_once(context, clock, progress)
        step = FilledGaps(
            tasks=fetched.tasks,
            fetches=fetched.fetches,
            requests=fetched.requests,
            pages=fetched.pages,
            rows=sealed.rows,
            rejected=sealed.rejected,
            damaged=sealed.damaged,
            waiting=tuple(Waiting(source, *why) for source, why in sorted(fetched.out.waiting.items())),
            stopped=tuple(Refusal(*one) for one in sorted(fetched.out.stopped.items())),
            unreachable=tuple(Refusal(*one) for one in sorted(fetched.out.unreachable.items())),
            full=fetched.out.full,
        )
        total = _sum(total, step)
        # Without a page there is nothing to seal, and going on would only ask the same again.
        more = fetched.more and fetched.pages > 0
    return total


def _sum(one: FilledGaps, other: FilledGaps) -> FilledGaps:
    return FilledGaps(
        tasks=one.tasks + other.tasks,
        fetches=one.fetches + other.fetches,
        requests=one.requests + other.requests,
        pages=one.pages + other.pages,
        rows=one.rows + other.rows,
        rejected=one.rejected + other.rejected,
        damaged=one.damaged + other.damaged,
        waiting=other.waiting,
        stopped=other.stopped,
        unreachable=other.unreachable,
        full=other.full,
        resumed=one.resumed,
    )
