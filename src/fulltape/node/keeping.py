"""What only the ledger knows is kept in the lake, and the ledger is backed up once a day."""

from __future__ import annotations

from dataclasses import dataclass

from fulltape.context import BACKUPS, Event, NodeContext, Progress, damage
from fulltape.context.jobs import Budget, Job, StageReport
from fulltape.market.time import Clock, utc_date
from fulltape.verify import knowledge


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptKnowledge(StageReport):
    """Files that were written: of knowledge, and backups of the ledger."""

    written: int
    backed_up: int


def keep(
    context: NodeContext,
    clock: Clock,
    progress: Progress,
    budget: Budget,  # noqa: ARG001 — the signature of every job
) -> KeptKnowledge:
    """Damage that is mended is forgotten first; nothing is written that is there already."""
    damage.settle(context)
    written = knowledge.write(context.ledger, context.layout, clock.now())
    backed_up = context.ledger.back_up_daily(context.folder / BACKUPS, utc_date(clock.now()).isoformat())
    if backed_up:
        progress(Event(stage="backup", kind="backed_up", fields={"folder": BACKUPS}))
    return KeptKnowledge(written=int(written), backed_up=int(backed_up))


# Again once files were regrouped and compacted, since positions have moved by then.
JOB = Job(
    name="keep",
    summary="write what only the ledger knows into the lake; back the ledger up once a day",
    run=keep,
    locks=(),
    nights=(70, 95),
)
