"""Tasks as values: new ones, queued ones, and what a dispatcher sees of them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Literal, NamedTuple

from fulltape.ledger.database import Row
from fulltape.ledger.task_state import State
from fulltape.market.time import Instant

Kind = Literal["FORWARD", "GAP", "BOOTSTRAP", "QC_PROBE"]
PRIORITY: dict[Kind, int] = {"FORWARD": 0, "GAP": 1, "QC_PROBE": 2, "BOOTSTRAP": 3}
FIRST, LAST = -1, 4
"""Priorities before and after all kinds: for what the user wants first, and for asking again what is settled."""
AGAIN = "again"
"""The purpose of tasks that ask a source once more for what it has answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTask:
    """A request to fill sessions `first` to `last` of an instrument from any source.

    `eligible_sources` are the sources that could answer all of it, as known when it was made; empty: unknown. `expected_rows` is
    what is expected at most. A `purpose` other than "fill" is also for sources that have answered before; `start` and `end` (UTC
    microseconds) narrow a task to a span inside of its session; `interval_id` names the doubtful interval that it is about.
    """

    dataset: str
    instrument: str
    symbol: str
    first: dt.date
    last: dt.date
    kind: Kind
    purpose: str = "fill"
    start: Instant | None = None
    end: Instant | None = None
    eligible_sources: tuple[str, ...] = ()
    expected_rows: int = 0
    interval_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskClass:
    """Queued tasks that are alike to a dispatcher: the same dataset, kind, priority and batch, and the same eligible sources."""

    dataset: str
    eligible_sources: tuple[str, ...]
    priority: int
    batch: int
    kind: Kind


class Claimable(NamedTuple):
    """A claimable task, bare: thousands of them are read to choose a few. Sessions are ISO text."""

    task_id: int
    attempt: int
    instrument: str
    symbol: str
    first: str
    last: str
    kind: Kind
    purpose: str
    expected_rows: int
    start: Instant | None = None
    end: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Task(NewTask):
    """A task in the queue."""

    task_id: int
    priority: int
    batch: int
    state: State
    attempt: int
    failures: int
    source: str
    worker: str
    lease_until: Instant
    fetch_id: str
    last_error: str
    enqueued_at: Instant


def stored(row: Row) -> Task:
    """A stored task."""
    return Task(
        task_id=row["task_id"],
        dataset=row["dataset"],
        instrument=row["instrument"],
        symbol=row["symbol"],
        first=dt.date.fromisoformat(row["first_session"]),
        last=dt.date.fromisoformat(row["last_session"]),
        kind=row["kind"],
        purpose=row["purpose"],
        start=row["from_ts"],
        end=row["to_ts"],
        eligible_sources=tuple(row["eligible_sources"].split(",")) if row["eligible_sources"] else (),
        expected_rows=row["expected_rows"],
        interval_id=row["interval_id"],
        priority=row["priority"],
        batch=row["batch"],
        state=row["state"],
        attempt=row["attempt"],
        failures=row["failures"],
        source=row["source"],
        worker=row["worker"],
        lease_until=row["lease_until"],
        fetch_id=row["fetch_id"],
        last_error=row["last_error"],
        enqueued_at=row["enqueued_at"],
    )
