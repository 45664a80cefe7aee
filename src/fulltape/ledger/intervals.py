"""Spans of time in which something may be missing from what was captured."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Literal

from fulltape.coverage.live import Interval, IntervalState
from fulltape.ledger.database import Database, Row
from fulltape.market.time import Instant


class Intervals:
    """Spans of time in which something may be missing from what was captured."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, intervals: Sequence[Interval]) -> None:
        """Add doubtful intervals; one that is known already is left as it is."""
        if not intervals:
            return
        first = self._database.next("interval", len(intervals)) - len(intervals) + 1
        for at, interval in enumerate(intervals):
            self._database.run(
                "add_interval",
                interval_id=first + at,
                source=interval.source,
                dataset=interval.dataset,
                instrument=interval.instrument,
                symbol=interval.symbol,
                session=interval.session.isoformat(),
                from_ts=interval.start,
                to_ts=interval.end,
                kind=interval.kind,
                state=interval.state,
                detail=interval.detail,
                evidence=interval.evidence,
                since=interval.since,
                decided_at=interval.decided_at,
            )

    def get(self, interval_id: int) -> Interval | None:
        """One interval."""
        rows = self._database.run("interval", interval_id=interval_id)
        return _interval(rows[0]) if rows else None

    def find(
        self,
        *,
        source: str = "",
        dataset: str = "",
        instrument: str = "",
        first: dt.date = dt.date.min,
        last: dt.date = dt.date.max,
        state: IntervalState | Literal[""] = "",
    ) -> list[Interval]:
        """Intervals by source, dataset, symbol and time."""
        rows = self._database.run(
            "intervals",
            source=source,
            dataset=dataset,
            instrument=instrument,
            first_session=first.isoformat(),
            last_session=last.isoformat(),
            state=state,
        )
        return [_interval(row) for row in rows]

    def decide(self, interval_id: int, state: IntervalState, evidence: str, *, now: Instant) -> None:
        """Say what an interval has turned out to be."""
        self._database.run(
            "decide_interval", interval_id=interval_id, state=state, evidence=evidence, now=now
        )


def _interval(row: Row) -> Interval:
    return Interval(
        source=row["source"],
        dataset=row["dataset"],
        instrument=row["instrument"],
        symbol=row["symbol"],
        session=dt.date.fromisoformat(row["session"]),
        start=row["from_ts"],
        end=row["to_ts"],
        kind=row["kind"],
        state=row["state"],
        detail=row["detail"],
        evidence=row["evidence"],
        since=row["since"],
        decided_at=row["decided_at"],
        interval_id=row["interval_id"],
    )
