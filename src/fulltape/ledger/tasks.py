"""All tasks of a node, read only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import cast

from fulltape.ledger.database import Database, Row
from fulltape.ledger.task import (
    Claimable,
    Kind,
    Task,
    TaskClass,
    stored,
)
from fulltape.market.time import Instant

CANDIDATES = 1_000


class Tasks:
    """All tasks of a node, read only."""

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

    def asked_spans(self, dataset: str, purpose: str) -> list[tuple[str, str, str]]:
        """(instrument, first, last) of every open task of a dataset and purpose, dates as ISO text; without those that have
        stalled."""
        return cast(
            "list[tuple[str, str, str]]",
            self._database.tuples("asked_spans", dataset=dataset, purpose=purpose),
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
            rows = self._database.tuples("queued_eligible_sources", dataset=dataset)
        else:
            rows = [
                row
                for instrument in instruments
                for row in self._database.tuples(
                    "queued_eligible_sources_of_series", dataset=dataset, instrument=instrument
                )
            ]
        return cast("list[tuple[int, str, str, str, str, str]]", rows)

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

    def census(self) -> dict[TaskClass, tuple[int, int]]:
        """How many tasks are queued in each class and how many rows they expect, in the order of dispatch."""
        classes = cast("list[tuple[str, str, int, int, Kind, int, int]]", self._database.tuples("census"))
        return {
            TaskClass(
                dataset=dataset,
                eligible_sources=tuple(eligible_sources.split(",")) if eligible_sources else (),
                priority=priority,
                batch=batch,
                kind=kind,
            ): (tasks, int(rows))
            for dataset, eligible_sources, priority, batch, kind, tasks, rows in classes
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
        rows = self._database.tuples(
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
        return [Claimable._make(row) for row in rows]

    def next_chance(self, source: str, *, now: Instant) -> Instant | None:
        """When the first queued task that the source was kept away from may be taken by it."""
        at = self._database.value("next_chance", source=source, now=now)
        return int(at) if at is not None else None

    def stalled(self, dataset: str = "") -> list[Task]:
        """Tasks that failed too often; they wait for `retry`."""
        return [stored(row) for row in self._database.run("stalled_tasks", dataset=dataset)]

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

    def for_interval(self, interval_id: int) -> Task | None:
        """The newest task that asks history for a doubtful interval."""
        rows = self._database.run("task_for_interval", interval_id=interval_id)
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
