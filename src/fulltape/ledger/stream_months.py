"""Captured sessions that are old and that history has confirmed, by month: what they came to together, and which they were."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from fulltape.ledger.database import Database, Row
from fulltape.market import ranges


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """One stream in a month (2024-11), its `sessions` ascending; `live` and `doubtful` in microseconds, `missed` are rows of
    history that were lost while all seemed well."""

    source: str
    dataset: str
    instrument: str
    symbol: str
    month: str
    sessions: tuple[dt.date, ...]
    live: int
    doubtful: int
    rows: int
    breaks: int
    missed: int


class StreamMonths:
    """Months of captured sessions. Writing methods run inside `Database.write`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def holds(self, source: str, dataset: str, instrument: str, session: dt.date) -> bool:
        """Whether a session was confirmed and is kept with its month."""
        about = {"source": source, "dataset": dataset, "instrument": instrument, "month": f"{session:%Y-%m}"}
        rows = self._database.run("stream_month", **about)
        return bool(rows) and bool(rows[0]["days"] >> (session.day - 1) & 1)

    def filled(self, dataset: str, instrument: str) -> set[dt.date]:
        """Sessions of which any source has captured rows."""
        rows = self._database.run("filled_months", dataset=dataset, instrument=instrument)
        return {day for row in rows for day in _days(row["month"], row["filled"])}

    def of(self, month: str) -> list[Month]:
        """All streams of a month, by source, dataset and symbol."""
        return [_month(row) for row in self._database.run("stream_months", month=month)]

    def of_dataset(self, dataset: str) -> list[Month]:
        """All streams of a dataset, by source, symbol and month."""
        return [_month(row) for row in self._database.run("stream_months_of", dataset=dataset)]

    def settled(self, before: dt.date) -> list[tuple[str, str, str]]:
        """(source, dataset, instrument) with sessions before a day that can be kept with their month."""
        rows = self._database.run("settled_streams", before=before.isoformat())
        return [(row["source"], row["dataset"], row["instrument"]) for row in rows]

    def gather(
        self,
        source: str,
        dataset: str,
        instrument: str,
        before: dt.date,
        breaks: Sequence[str],
        *,
        dry_run: bool,
    ) -> int:
        """Keep one stream's settled sessions before a day with their months, and with them their intervals: those all of whose
        intervals are verified, and of which no journal is there. `breaks` are the kinds of intervals in which a stream is not
        live. Returns how many sessions there are."""
        about = {"source": source, "dataset": dataset, "instrument": instrument}
        days = self._database.run("settled_days", **about, before=before.isoformat())
        if dry_run:
            return len(days)
        for month, group in groupby(days, lambda row: str(row["session"])[:7]):
            some = list(group)
            of_days = [self._told(about, row, breaks) for row in some]
            self._database.run(
                "add_stream_month",
                **about,
                symbol=some[-1]["symbol"],
                month=month,
                days=_bits(some),
                filled=_bits([row for row in some if row["row_count"]]),
                live=sum(max(0, row["to_ts"] - row["from_ts"]) for row in some),
                doubtful=sum(doubtful for doubtful, _ in of_days),
                row_count=sum(row["row_count"] for row in some),
                breaks=sum(count for _, count in of_days),
                missed=sum(row["missed"] for row in some),
            )
            for row in some:
                self._database.run("drop_intervals_of_day", **about, session=row["session"])
                self._database.run("drop_stream_day", **about, session=row["session"])
        return len(days)

    def _told(self, about: dict[str, str], day: Row, breaks: Sequence[str]) -> tuple[int, int]:
        """Microseconds of a session that were doubtful, and how often it was not live."""
        span = {"first_session": day["session"], "last_session": day["session"]}
        rows = self._database.run("intervals", **about, **span, state="")
        spans = ranges.normalise((row["from_ts"], row["to_ts"]) for row in rows)
        doubtful = ranges.size(ranges.clip(spans, day["from_ts"], max(day["from_ts"], day["to_ts"])))
        return doubtful, sum(row["kind"] in breaks for row in rows)


def _bits(days: Sequence[Row]) -> int:
    return sum(1 << (int(row["session"][8:]) - 1) for row in days)


def _days(month: str, bits: int) -> tuple[dt.date, ...]:
    first = dt.date.fromisoformat(f"{month}-01")
    return tuple(first + dt.timedelta(days=at) for at in range(31) if bits >> at & 1)


def _month(row: Row) -> Month:
    return Month(
        source=row["source"],
        dataset=row["dataset"],
        instrument=row["instrument"],
        symbol=row["symbol"],
        month=row["month"],
        sessions=_days(row["month"], row["days"]),
        live=row["live"],
        doubtful=row["doubtful"],
        rows=row["row_count"],
        breaks=row["breaks"],
        missed=row["missed"],
    )
