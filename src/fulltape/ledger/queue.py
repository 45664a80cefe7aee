"""Tasks: what is asked for, who holds it, and how it ended.

    queued ──claim──▶ leased ──fetched──▶ fetched ──seal──▶ done
      ▲                 │                    │
      └────release──────┴────release─────────┘        also: stalled, unobtainable, cancelled

A claim gives a task a new `attempt`, the fencing token: a worker that finishes must name it. An expired lease is claimable
by the same statement.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from fulltape.ledger.database import Database, Row
from fulltape.ledger.task import (
    PRIORITY,
    Claimable,
    Kind,
    NewTask,
    State,
    Task,
    TaskClass,
    stored,
)
from fulltape.market.time import Instant

CANDIDATES = 1_000


class Queue:
    """All tasks of a node. Writing methods run inside `Database.write`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(self, dataset: str = "") -> list[Task]:
        """Tasks that are not finished, of one dataset or of all."""
        if dataset:
            return [stored(row) for row in self._database.run("open_tasks", dataset=dataset)]
        return [stored(row) for row in self._database.run("open_tasks_of_all")]

    def spans(self, dataset: str, purpose: str = "fill") -> list[tuple[str, str, str]]:
        """(instrument, first, last) of every open or stalled task of a dataset and purpose, dates as ISO text."""
        return cast(
            "list[tuple[str, str, str]]",
            self._database.tuples("open_spans", dataset=dataset, purpose=purpose),
        )

    def spans_of(self, dataset: str, instrument: str, purpose: str = "fill") -> list[tuple[str, str]]:
        """The same of one series: (first, last)."""
        return cast(
            "list[tuple[str, str]]",
            self._database.tuples(
                "open_spans_of_series", dataset=dataset, instrument=instrument, purpose=purpose
            ),
        )

    def queued(
        self, dataset: str, instruments: Iterable[str] | None = None
    ) -> list[tuple[int, str, str, str, str, str]]:
        """(task id, instrument, first, last, eligible sources, purpose) of every queued task of a dataset, or of some of its
        instruments, dates as ISO text."""
        if instruments is None:
            found = self._database.tuples("queued_eligible_sources", dataset=dataset)
        else:
            found = [
                row
                for instrument in instruments
                for row in self._database.tuples(
                    "queued_eligible_sources_of_series", dataset=dataset, instrument=instrument
                )
            ]
        return cast("list[tuple[int, str, str, str, str, str]]", found)

    def packed(
        self, dataset: str, since: dt.date | None = None, purpose: str = "fill"
    ) -> list[tuple[str, str, str]]:
        """The spans of a dataset, of those that end before `since` none, as (instrument, firsts, lasts): equally long
        lists in one text each, with commas between."""
        return cast(
            "list[tuple[str, str, str]]",
            self._database.tuples(
                "open_spans_packed",
                dataset=dataset,
                purpose=purpose,
                first_session=since.isoformat() if since else "",
            ),
        )

    def eligible_sources(self, dataset: str) -> set[str]:
        """All that is said, in any queued task of a dataset, about who could take it."""
        return {row[0] for row in self._database.tuples("eligible_sources", dataset=dataset)}

    def open_series(self) -> list[tuple[str, str]]:
        """(dataset, instrument) of all tasks that are queued, leased or fetched."""
        return cast("list[tuple[str, str]]", self._database.tuples("open_series"))

    def queued_of(self, dataset: str, instrument: str) -> list[Task]:
        """The queued tasks of one series."""
        rows = self._database.run("queued_of_series", dataset=dataset, instrument=instrument)
        return [stored(row) for row in rows]

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

    def census(self) -> dict[TaskClass, tuple[int, int]]:
        """How many tasks are queued in each class and how many rows they expect, in the order of dispatch."""
        found = cast("list[tuple[str, str, int, int, Kind, int, int]]", self._database.tuples("census"))
        return {
            TaskClass(
                dataset=dataset,
                eligible_sources=tuple(eligible_sources.split(",")) if eligible_sources else (),
                priority=priority,
                batch=batch,
                kind=kind,
            ): (tasks, int(rows))
            for dataset, eligible_sources, priority, batch, kind, tasks, rows in found
        }

    def candidates(
        self,
        source: str,
        of: TaskClass,
        *,
        first_day: dt.date,
        now: Instant,
        most: int = CANDIDATES,
        instrument: str = "",
        after: int = 0,
        before: str = "",
    ) -> list[Claimable]:
        """Queued tasks of a class that this source may take, in their order, `after` a task, of instruments `before` a
        name; or of one instrument by session.

        Left out are tasks that it refused or must wait for, symbols that it must not be asked for, sessions before its
        `first_day`, and spans that it has answered already.
        """
        found = self._database.tuples(
            "candidates_of_series" if instrument else "candidates",
            source=source,
            dataset=of.dataset,
            eligible_sources=",".join(of.eligible_sources),
            kind=of.kind,
            priority=of.priority,
            batch=of.batch,
            first_day=first_day.isoformat(),
            now=now,
            most=most,
            **({"instrument": instrument} if instrument else {"after": after, "before": before}),
        )
        return [Claimable._make(row) for row in found]

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

    def next_chance(self, source: str, *, now: Instant) -> Instant | None:
        """When the first queued task that the source was kept away from may be taken by it."""
        at = self._database.value("next_chance", source=source, now=now)
        return int(at) if at is not None else None

    def stalled(self, dataset: str = "") -> list[Task]:
        """Tasks that failed too often; they wait for `retry`."""
        return [stored(row) for row in self._database.run("stalled_tasks", dataset=dataset)]

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
                {"task_id": task_id, "eligible_sources": ",".join(found)}
                for task_id, found in eligible_sources.items()
            ],
        )

    def forget_refusals(self, source: str) -> None:
        """A source may take every task again, inside a transaction."""
        self._database.run("forget_refusals", source=source)

    def waits(self, task_id: int) -> list[Row]:
        """Sources that were kept away from a task: until when, or why for good."""
        return self._database.run("task_sources", task_id=task_id)

    def awaiting_seal(self) -> list[Task]:
        """Tasks whose answers lie in a journal."""
        return [stored(row) for row in self._database.run("fetched_tasks")]

    def refusals(self) -> dict[int, set[str]]:
        """Queued tasks and the sources that refused them for good."""
        out: dict[int, set[str]] = {}
        for row in self._database.run("refusals"):
            out.setdefault(int(row["task_id"]), set()).add(str(row["source"]))
        return out

    def leased_by(self, worker: str) -> list[Task]:
        """What a worker holds, such as its own leases from before a crash."""
        return [stored(row) for row in self._database.run("leased_by", worker=worker)]

    def get(self, task_id: int) -> Task | None:
        """One task."""
        rows = self._database.run("task", task_id=task_id)
        return stored(rows[0]) if rows else None

    def for_purpose(self, purpose: str) -> Task | None:
        """The newest task of a purpose that only one has at a time."""
        rows = self._database.run("task_for_purpose", purpose=purpose)
        return stored(rows[0]) if rows else None

    def counts(self) -> list[Row]:
        """Number of tasks by state, kind and dataset."""
        return self._database.run("tasks_by_state")

    def newest(self, *, state: str = "", most: int = 50) -> list[Task]:
        """The newest tasks, of one state or of all."""
        return [stored(row) for row in self._database.run("list_tasks", state=state, most=most)]

    def touching(self, dataset: str, instrument: str, session: dt.date) -> list[Task]:
        """Every task that ever asked for a cell."""
        rows = self._database.run(
            "tasks_touching", dataset=dataset, instrument=instrument, session=session.isoformat()
        )
        return [stored(row) for row in rows]
