"""What the ledger knows of live capture: sealed journals, how far each series is proved, and doubtful intervals."""

from __future__ import annotations

import datetime as dt

from fulltape.coverage.live import CapturedDay, StreamSeries
from fulltape.ledger.database import Database, Row
from fulltape.ledger.part import Cells
from fulltape.ledger.stream_months import StreamMonths
from fulltape.market.time import Instant


class Streams:
    """Live capture as the ledger knows it. Writing methods run inside `Database.write`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.months = StreamMonths(database)

    def series(self, source: str) -> dict[tuple[str, str], StreamSeries]:
        """How far each series of a source is proved, by dataset and instrument."""
        return {
            (row["dataset"], row["instrument"]): StreamSeries(
                source=row["source"],
                dataset=row["dataset"],
                instrument=row["instrument"],
                symbol=row["symbol"],
                file=row["file"],
                live_to=row["live_to"],
                open=bool(row["open"]),
                why=row["why"],
                last_id=row["last_id"],
                last_ts=row["last_ts"],
            )
            for row in self._database.run("streams_of", source=source)
        }

    def set_series(self, series: StreamSeries) -> None:
        """Move how far a series is proved."""
        self._database.run(
            "set_stream",
            source=series.source,
            dataset=series.dataset,
            instrument=series.instrument,
            symbol=series.symbol,
            file=series.file,
            live_to=series.live_to,
            open=int(series.open),
            why=series.why,
            last_id=series.last_id,
            last_ts=series.last_ts,
        )

    def add_day(self, day: CapturedDay) -> None:
        """Add to what is known of a session."""
        self._database.run(
            "add_stream_day",
            source=day.source,
            dataset=day.dataset,
            instrument=day.instrument,
            symbol=day.symbol,
            session=day.session.isoformat(),
            from_ts=day.start,
            to_ts=day.end,
            row_count=day.rows,
            reconnects=day.reconnects,
        )

    def cut_days(self, source: str, dataset: str, instrument: str, *, at: Instant) -> None:
        """Nothing was live after a moment, inside a transaction: a clock that was ahead had said so."""
        about = {"source": source, "dataset": dataset, "instrument": instrument, "at": at}
        self._database.run("drop_stream_days", **about)
        self._database.run("cut_stream_days", **about)

    def knows(self, dataset: str) -> bool:
        """Whether anything of a dataset was captured."""
        return bool(self._database.tuples("captured_any", dataset=dataset))

    def captured(self, dataset: str, instrument: str) -> list[dt.date]:
        """Sessions of which any source has captured rows, ascending."""
        rows = self._database.tuples("captured_sessions", dataset=dataset, instrument=instrument)
        days = {dt.date.fromisoformat(row[0]) for row in rows}
        return sorted(days | self.months.filled(dataset, instrument))

    def days(
        self,
        *,
        source: str = "",
        dataset: str = "",
        first: dt.date = dt.date.min,
        last: dt.date = dt.date.max,
    ) -> list[CapturedDay]:
        """Captured sessions by source, dataset, symbol and session."""
        rows = self._database.run(
            "stream_days",
            source=source,
            dataset=dataset,
            first_session=first.isoformat(),
            last_session=last.isoformat(),
        )
        return [_day(row) for row in rows]

    def day(self, source: str, dataset: str, instrument: str, session: dt.date) -> CapturedDay | None:
        """One captured session."""
        rows = self._database.run(
            "stream_day", source=source, dataset=dataset, instrument=instrument, session=session.isoformat()
        )
        return _day(rows[0]) if rows else None

    def answered(self, source: str, dataset: str, cells: Cells) -> bool:
        """Whether history has given every session of some cells its own answer."""
        return all(
            self._answered(source, dataset, instrument, first + dt.timedelta(days=at))
            for instrument, spans in cells.items()
            for first, last in spans
            for at in range((last - first).days + 1)
        )

    def _answered(self, source: str, dataset: str, instrument: str, session: dt.date) -> bool:
        day = self.day(source, dataset, instrument, session)
        if day is None:
            return self.months.holds(source, dataset, instrument, session)
        return day.compared_at is not None and not day.no_history

    def newest_session(self) -> dt.date | None:
        """The newest session of which something was captured, or was meant to be."""
        newest = self._database.value("newest_stream_day")
        return dt.date.fromisoformat(newest) if newest else None

    def open_days(self, source: str) -> list[CapturedDay]:
        """Captured sessions of a source that nothing was held against yet, oldest first."""
        return [_day(row) for row in self._database.run("open_stream_days", source=source)]

    def compared(self, day: CapturedDay, *, missed: int, extra: int, now: Instant) -> None:
        """A session was held against its own answer from history."""
        self._compare(day, missed=missed, extra=extra, no_history=False, now=now)

    def never_compared(self, day: CapturedDay, *, now: Instant) -> None:
        """There never will be an answer from history about a session: what was captured is all there is."""
        self._compare(day, missed=0, extra=0, no_history=True, now=now)

    def _compare(self, day: CapturedDay, *, missed: int, extra: int, no_history: bool, now: Instant) -> None:
        self._database.run(
            "compare_stream_day",
            source=day.source,
            dataset=day.dataset,
            instrument=day.instrument,
            session=day.session.isoformat(),
            missed=missed,
            extra=extra,
            no_history=int(no_history),
            now=now,
        )


def _day(row: Row) -> CapturedDay:
    return CapturedDay(
        source=row["source"],
        dataset=row["dataset"],
        instrument=row["instrument"],
        symbol=row["symbol"],
        session=dt.date.fromisoformat(row["session"]),
        start=row["from_ts"],
        end=row["to_ts"],
        rows=row["row_count"],
        reconnects=row["reconnects"],
        compared_at=row["compared_at"],
        missed=row["missed"],
        no_history=bool(row["no_history"]),
        extra=row["extra"],
    )
