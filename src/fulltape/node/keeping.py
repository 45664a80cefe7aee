"""What only the ledger knows is kept in the lake, and the ledger is backed up once a day."""

from __future__ import annotations

from fulltape.context import BACKUPS, Event, NodeContext, Progress, damage
from fulltape.context.jobs import Budget, Job, StageReport
from fulltape.market.time import Clock, utc_date
from fulltape.verify import knowledge


def keep(
    context: NodeContext,
    clock: Clock,
    progress: Progress,
    budget: Budget,  # noqa: ARG001 — the signature of every job
) -> StageReport | None:
    """Damage that is mended is forgotten first; nothing is written that is there already."""
    damage.settle(context)
    knowledge.write(context.ledger, context.layout, clock.now())
    if context.ledger.back_up_daily(context.folder / BACKUPS, utc_date(clock.now()).isoformat()):
        progress(Event(stage="backup", kind="backed_up", fields={"folder": BACKUPS}))
    return None


# Again once files were regrouped and compacted, since positions have moved by then.
JOB = Job(name="keep", run=keep, locks=(), nights=(70, 95))
