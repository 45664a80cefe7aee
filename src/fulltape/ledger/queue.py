"""The life of tasks: what is asked for, who holds it, and how it ended.

    queued --claim--> leased              its tasks are asked for
    leased --fetched--> fetched           the pages are durable
    fetched --finish--> done              they were sealed
    leased --release--> queued            what is not answered yet is for others
    fetched --release--> queued
    leased --requeue_expired--> queued    its worker is gone
    leased --claim--> leased              the same, at once
    queued --finish--> unobtainable       no source is left that may be asked
    leased --finish--> stalled            it failed too often,
    stalled --retry--> queued             until a user says so
    queued --cancel--> cancelled          it is not wanted any more
    stalled --cancel--> cancelled

What is queued, leased or fetched can be finished as done, unobtainable, stalled or cancelled. A claim gives a task a new `attempt`, the fencing token: a worker that finishes must name it. An expired lease is claimable
by the same statement.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence

from fulltape.ledger.database import Database
from fulltape.ledger.task import (
    PRIORITY,
    Claimable,
    NewTask,
    Task,
)
from fulltape.ledger.task_state import State
from fulltape.market.time import Instant


class Queue:
    """Changes tasks. Every method runs inside `Database.write`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def enqueue(
        self, tasks: Sequence[NewTask], *, now: Instant, batch: int = 0, priority: int | None = None
    ) -> int:
        """Add tasks in their order, as one batch or to the one named; returns how many. The caller has subtracted what
        is open. `priority` overrides that of their kind."""
        if not tasks:
            return 0
        batch = batch or self.new_batch()
        first = self._database.next("task", len(tasks)) - len(tasks) + 1
        self._database.run_many(
            "add_task",
            (
                {
                    "task_id": first + at,
                    "dataset": task.dataset,
                    "instrument": task.instrument,
                    "symbol": task.symbol,
                    "first_session": task.first.isoformat(),
                    "last_session": task.last.isoformat(),
                    "kind": task.kind,
                    "purpose": task.purpose,
                    "from_ts": task.start,
                    "to_ts": task.end,
                    "priority": PRIORITY[task.kind] if priority is None else priority,
                    "batch": batch,
                    "now": now,
                    "eligible_sources": ",".join(task.eligible_sources),
                    "expected_rows": task.expected_rows,
                    "interval_id": task.interval_id,
                }
                for at, task in enumerate(tasks)
            ),
        )
        return len(tasks)

    def new_batch(self) -> int:
        """The number of a new enqueueing, inside a transaction."""
        return self._database.next("batch")

    def requeue_expired(self, *, now: Instant) -> int:
        """Queue the tasks again whose leases have run out, inside a transaction; returns how many."""
        return len(self._database.run("requeue_expired", now=now))

    def claim(
        self,
        candidates: Iterable[Claimable],
        *,
        source: str,
        worker: str,
        fetch_id: str,
        now: Instant,
        lease_until: Instant,
    ) -> dict[int, int]:
        """Lease these tasks; returns the new attempt per task id. Tasks lost to a race are not in it."""
        rows = self._database.run_over(
            "claim",
            [(task.task_id, task.attempt) for task in candidates],
            source=source,
            worker=worker,
            fetch_id=fetch_id,
            now=now,
            lease_until=lease_until,
        )
        return {int(row["task_id"]): int(row["attempt"]) for row in rows}

    def renew(self, attempts: Mapping[int, int], *, worker: str, lease_until: Instant) -> set[int]:
        """Extend leases; returns the tasks that are still ours."""
        ours = set()
        for task_id, attempt in attempts.items():
            if self._database.run(
                "renew", task_id=task_id, attempt=attempt, worker=worker, lease_until=lease_until
            ):
                ours.add(task_id)
        return ours

    def fetched(self, task_id: int, attempt: int) -> bool:
        """The answers are durable and wait to be sealed; False if the task is no longer ours."""
        return bool(self._database.run("fetched", task_id=task_id, attempt=attempt))

    def release(self, task_id: int, attempt: int, *, error: str = "", failed: bool = False) -> bool:
        """Give a task back for others; only real failures of the task are counted."""
        return bool(
            self._database.run("release", task_id=task_id, attempt=attempt, error=error, failures=int(failed))
        )

    def finish(self, task_id: int, attempt: int, state: State, *, now: Instant, error: str = "") -> bool:
        """End a task; False if another worker holds it by now."""
        return bool(
            self._database.run("finish", task_id=task_id, attempt=attempt, state=state, now=now, error=error)
        )

    def finish_all(
        self, attempts: Mapping[int, int], state: State, *, now: Instant, error: str = ""
    ) -> set[int]:
        """End many tasks alike; returns those that no other worker holds by now."""
        rows = self._database.run_over(
            "finish_all", list(attempts.items()), state=state, now=now, error=error
        )
        return {int(row["task_id"]) for row in rows}

    def shrink(self, task: Task, first: dt.date, *, now: Instant) -> None:
        """Let a task begin later, because what lies before is settled; if another open task asks for just that, this
        one is cancelled."""
        same = self._database.run(
            "same_open_task",
            dataset=task.dataset,
            instrument=task.instrument,
            first_session=first.isoformat(),
            last_session=task.last.isoformat(),
            purpose=task.purpose,
            task_id=task.task_id,
        )
        if same:
            self._database.run("close_superseded", task_id=task.task_id, now=now)
        else:
            self._database.run(
                "shrink", task_id=task.task_id, attempt=task.attempt, first_session=first.isoformat()
            )

    def hold_back(self, task_id: int, source: str, *, not_before: Instant = 0, refusal: str = "") -> None:
        """Keep a source away from a task until then, or for good with a refusal."""
        self._database.run(
            "hold_back", task_id=task_id, source=source, not_before=not_before, refusal=refusal
        )

    def retry(self, task_id: int) -> bool:
        """Queue a stalled task again, with its failures and waits forgotten."""
        self._database.run("forget_hold_backs", task_id=task_id)
        return bool(self._database.run("retry", task_id=task_id))

    def cancel(self, task_id: int, *, now: Instant, error: str) -> bool:
        """End a queued or stalled task; False if it is neither."""
        ended = self._database.run("cancel", task_id=task_id, now=now, error=error)
        self._database.run_many("touch", ended)
        return bool(ended)

    def cancel_for(self, dataset: str, eligible_sources: str, *, now: Instant, error: str) -> None:
        """End the queued tasks of a dataset that only these may take."""
        ended = self._database.run(
            "cancel_for", dataset=dataset, eligible_sources=eligible_sources, now=now, error=error
        )
        self._database.run_many("touch", ended)

    def reprioritise(self, task_id: int, priority: int) -> bool:
        """Let a queued task be taken earlier or later; False if it is not queued."""
        return bool(self._database.run("reprioritise", task_id=task_id, priority=priority))

    def set_eligible_sources(self, eligible_sources: Mapping[int, tuple[str, ...]]) -> None:
        """Correct who could answer tasks, inside a transaction."""
        self._database.run_many(
            "set_eligible_sources",
            [
                {"task_id": task_id, "eligible_sources": ",".join(sources)}
                for task_id, sources in eligible_sources.items()
            ],
        )

    def forget_refusals(self, source: str) -> None:
        """A source may take every task again, inside a transaction."""
        self._database.run("forget_refusals", source=source)
