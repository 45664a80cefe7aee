"""Ends tasks that the settings no longer ask for."""

from __future__ import annotations

from fulltape.context import NodeContext
from fulltape.market.time import Instant

_UNWANTED = "no longer wanted"
_NO_SOURCE = "none of its sources is configured any more"


def cancel(context: NodeContext, now: Instant) -> None:
    """End queued tasks of datasets and instruments that the settings no longer name, and those that only sources may take
    which they no longer name, inside a transaction."""
    tasks, queue = context.ledger.tasks, context.ledger.queue
    for dataset, instrument in tasks.open_series():
        wanted = context.wanted.get(dataset)
        if wanted is None or instrument not in wanted.instruments:
            for task in tasks.queued_of(dataset, instrument):
                queue.finish(task.task_id, task.attempt, "cancelled", now=now, error=_UNWANTED)
    for dataset, wanted in context.wanted.items():
        for eligible_sources in tasks.eligible_sources(dataset):
            names = set(eligible_sources.split(",")) - {""}
            if names and names.isdisjoint(wanted.every_source):
                queue.cancel_for(dataset, eligible_sources, now=now, error=_NO_SOURCE)
