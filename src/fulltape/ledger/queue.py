"""Tasks: what is asked for, who holds it, and how it ended.

    queued ──claim──▶ leased ──fetched──▶ fetched ──seal──▶ done
      ▲                 │                    │
      └────release──────┴────release─────────┘        also: stalled, unobtainable, cancelled

A claim gives a task a new `attempt`, the fencing token: whoever finishes must name it. An expired lease is claimable
by the same statement.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from fulltape.core.time import Instant
from fulltape.ledger.database import Database, Row

Kind = Literal["FORWARD", "GAP", "BOOTSTRAP", "QC_PROBE"]
State = Literal["queued", "leased", "fetched", "done", "stalled", "unobtainable", "cancelled"]
PRIORITY: dict[Kind, int] = {"FORWARD": 0, "GAP": 1, "QC_PROBE": 2, "BOOTSTRAP": 3}
CANDIDATES = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTask:
    """A request to fill sessions `first` to `last` of an instrument from any source."""

    dataset: str
    instrument: str
    symbol: str
    first: dt.date
    last: dt.date
    kind: Kind
    purpose: str = "fill"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task(NewTask):
    """A task in the queue."""

    task_id: int
    batch: int
    state: State
    attempt: int
    failures: int
    source: str
    worker: str
    lease_until: Instant
    ask: str
    last_error: str
    enqueued_at: Instant


class Queue:
    """All tasks of a node. Writing methods run inside `Database.write`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(self, dataset: str = "") -> list[Task]:
        """Tasks that are not finished, of one dataset or of all."""
        if dataset:
            return [_task(row) for row in self._database.run("open_tasks", dataset=dataset)]
        return [_task(row) for row in self._database.run("open_tasks_of_all")]

    def spans(self, dataset: str) -> list[tuple[str, str, str]]:
        """(instrument, first, last) of every open or stalled task of a dataset, dates as ISO text."""
        return cast("list[tuple[str, str, str]]", self._database.tuples("open_spans", dataset=dataset))

    def queued(self, dataset: str) -> list[tuple[int, str, str, str]]:
        """(task id, instrument, first, last) of every queued task of a dataset, dates as ISO text."""
        return cast("list[tuple[int, str, str, str]]", self._database.tuples("queued_spans", dataset=dataset))

    def queued_series(self) -> list[tuple[str, str]]:
        """(dataset, instrument) of all queued tasks."""
        return cast("list[tuple[str, str]]", self._database.tuples("queued_series"))

    def queued_of(self, dataset: str, instrument: str) -> list[Task]:
        """The queued tasks of one series."""
        rows = self._database.run("queued_of_series", dataset=dataset, instrument=instrument)
        return [_task(row) for row in rows]

    def enqueue(self, tasks: Sequence[NewTask], *, now: Instant) -> int:
        """Add tasks as one batch, in their order; returns how many. The caller has subtracted what is open."""
        if not tasks:
            return 0
        batch = self._database.next("batch")
        last = self._database.next("task", len(tasks))
        rows = [
            {
                "task_id": last - len(tasks) + 1 + at,
                "dataset": task.dataset,
                "instrument": task.instrument,
                "symbol": task.symbol,
                "first_session": task.first.isoformat(),
                "last_session": task.last.isoformat(),
                "kind": task.kind,
                "purpose": task.purpose,
                "priority": PRIORITY[task.kind],
                "batch": batch,
                "now": now,
            }
            for at, task in enumerate(tasks)
        ]
        self._database.run_many("add_task", rows)
        return len(rows)

    def candidates(
        self, source: str, first_days: Mapping[str, dt.date], *, now: Instant, most: int = CANDIDATES
    ) -> list[Task]:
        """Claimable tasks that this source may take, in the order of (kind, batch, id).

        `first_days` are the datasets that it serves and the first day of each. Left out are tasks that it refused or
        must wait for, symbols that it must not be asked for, and spans that it has answered already.
        """
        rows = [
            row
            for dataset, first_day in first_days.items()
            for row in self._database.run(
                "candidates",
                source=source,
                dataset=dataset,
                first_day=first_day.isoformat(),
                now=now,
                most=most,
            )
        ]
        rows.sort(key=lambda row: (row["priority"], row["batch"], row["task_id"]))
        return [_task(row) for row in rows[:most]]

    def claim(
        self, tasks: Iterable[Task], *, source: str, worker: str, ask: str, now: Instant, lease_until: Instant
    ) -> dict[int, int]:
        """Lease these tasks; returns the new attempt per task id. Tasks lost to a race are not in it."""
        claimed: dict[int, int] = {}
        for task in tasks:
            for row in self._database.run(
                "claim",
                task_id=task.task_id,
                attempt=task.attempt,
                source=source,
                worker=worker,
                ask=ask,
                now=now,
                lease_until=lease_until,
            ):
                claimed[int(row["task_id"])] = int(row["attempt"])
        return claimed

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
        """End a task; False if somebody else holds it by now."""
        return bool(
            self._database.run("finish", task_id=task_id, attempt=attempt, state=state, now=now, error=error)
        )

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
        return [_task(row) for row in self._database.run("stalled_tasks", dataset=dataset)]

    def retry(self, task_id: int) -> bool:
        """Queue a stalled task again, with its failures and waits forgotten."""
        self._database.run("forget_hold_backs", task_id=task_id)
        return bool(self._database.run("retry", task_id=task_id))

    def awaiting_seal(self) -> list[Task]:
        """Tasks whose answers lie in a journal."""
        return [_task(row) for row in self._database.run("fetched_tasks")]

    def refusals(self) -> dict[int, set[str]]:
        """Queued tasks and the sources that refused them for good."""
        out: dict[int, set[str]] = {}
        for row in self._database.run("refusals"):
            out.setdefault(int(row["task_id"]), set()).add(str(row["source"]))
        return out

    def leased_by(self, worker: str) -> list[Task]:
        """What a worker holds, such as its own leases from before a crash."""
        return [_task(row) for row in self._database.run("leased_by", worker=worker)]

    def get(self, task_id: int) -> Task | None:
        """One task."""
        rows = self._database.run("task", task_id=task_id)
        return _task(rows[0]) if rows else None

    def counts(self) -> list[Row]:
        """Number of tasks by state, kind and dataset."""
        return self._database.run("tasks_by_state")

    def newest(self, *, state: str = "", most: int = 50) -> list[Task]:
        """The newest tasks, of one state or of all."""
        return [_task(row) for row in self._database.run("list_tasks", state=state, most=most)]

    def touching(self, dataset: str, instrument: str, session: dt.date) -> list[Task]:
        """Every task that ever asked for a cell."""
        rows = self._database.run(
            "tasks_touching", dataset=dataset, instrument=instrument, session=session.isoformat()
        )
        return [_task(row) for row in rows]


def _task(row: Row) -> Task:
    return Task(
        task_id=row["task_id"],
        dataset=row["dataset"],
        instrument=row["instrument"],
        symbol=row["symbol"],
        first=dt.date.fromisoformat(row["first_session"]),
        last=dt.date.fromisoformat(row["last_session"]),
        kind=row["kind"],
        purpose=row["purpose"],
        batch=row["batch"],
        state=row["state"],
        attempt=row["attempt"],
        failures=row["failures"],
        source=row["source"],
        worker=row["worker"],
        lease_until=row["lease_until"],
        ask=row["ask"],
        last_error=row["last_error"],
        enqueued_at=row["enqueued_at"],
    )
