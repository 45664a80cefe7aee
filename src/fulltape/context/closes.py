"""Raw closes of sessions: what amounts of corporate actions are held against."""

from __future__ import annotations

import bisect
import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fulltape.adjustment.factors import Close
from fulltape.lake import parquet
from fulltape.lake.layout import Layout
from fulltape.ledger.ledger import Ledger
from fulltape.market.sessions import Calendar
from fulltape.market.time import Instant, to_datetime

if TYPE_CHECKING:
    import polars as pl

_DAYS, _MINUTES = "equities_bars_day", "equities_bars_minute"
_COLUMNS = ("instrument", "session", "close", "available_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCloses:
    """The closes of one instrument by session, in order."""

    calendar: Calendar
    sessions: Sequence[dt.date]
    prices: Sequence[float]

    def before(self, day: dt.date) -> Close | None:
        """The close of the last session before `day`; None where there is none."""
        at = bisect.bisect_left(self.sessions, day) - 1
        if at < 0:
            return None
        start, stop = self.calendar.between(self.calendar.known_from, day - dt.timedelta(days=1))
        exact = start < stop and self.calendar.label(stop - 1) == self.sessions[at]
        return Close(price=self.prices[at], exact=exact)

    def on(self, day: dt.date) -> Close | None:
        """The close of `day`, or of the first session after it where the market was closed; None where there is none yet."""
        at = bisect.bisect_left(self.sessions, day)
        if at >= len(self.sessions):
            return None
        start, stop = self.calendar.between(day, self.calendar.known_to)
        exact = start < stop and self.calendar.label(start) == self.sessions[at]
        return Close(price=self.prices[at], exact=exact)


def of(
    ledger: Ledger,
    layout: Layout,
    calendar: Calendar,
    days: Mapping[str, Sequence[dt.date]],
    *,
    until: Instant | None = None,
) -> dict[str, SessionCloses]:
    """The closes of some instruments around the days that are given for each, as far as they were public by `until` (UTC
    microseconds, inclusive): of the node's day bars; of the last regular minute where it has none of a session."""
    import polars as pl

    schema = {"instrument": pl.String, "session": pl.Date, "close": pl.Float64}
    names = sorted(days)
    first = min((min(mine) for mine in days.values() if mine), default=dt.date.max)
    pieces = [_days(ledger, layout, names, first, until), _minutes(ledger, layout, calendar, days, until)]
    rows = (
        pl.concat([pl.DataFrame(schema=schema), *(piece.cast(pl.Schema(schema)) for piece in pieces if piece is not None)])
        .unique(["instrument", "session"], keep="first", maintain_order=True)
        .sort("instrument", "session")
    )  # fmt: skip
    return {
        str(name): SessionCloses(
            calendar=calendar, sessions=mine["session"].to_list(), prices=mine["close"].to_list()
        )
        for (name,), mine in rows.group_by(["instrument"], maintain_order=True)
    }


def _days(
    ledger: Ledger, layout: Layout, names: Sequence[str], first: dt.date, until: Instant | None
) -> pl.DataFrame | None:
    import polars as pl

    if first == dt.date.max:
        return None
    # The year before, too: the session before an ex-date may lie in it.
    since = dt.date(max(first.year - 1, 1), 1, 1)
    parts = ledger.catalogue.current("curated", _DAYS, first=since)
    if not parts:
        return None
    rows = _public(parquet.scan([layout.root / part.path for part in parts]).select(*_COLUMNS), until)
    return rows.filter(pl.col("instrument").is_in(names)).drop("available_at").collect()


def _minutes(
    ledger: Ledger,
    layout: Layout,
    calendar: Calendar,
    days: Mapping[str, Sequence[dt.date]],
    until: Instant | None,
) -> pl.DataFrame | None:
    """Closes of the sessions around the days, for who holds minutes only."""
    import polars as pl

    around = {session for mine in days.values() for day in mine for session in _around(calendar, day)}
    if not around or ledger.catalogue.current("curated", _DAYS):
        return None
    parts = [
        part
        for part in ledger.catalogue.current("curated", _MINUTES, first=min(around), last=max(around))
        if dt.date.fromisoformat(part.first) in around
    ]
    if not parts:
        return None
    rows = parquet.scan([layout.root / part.path for part in parts])
    mine = rows.filter(pl.col("instrument").is_in(sorted(days)), pl.col("phase") == "regular")
    return (
        _public(mine.select(*_COLUMNS, "ts"), until)
        .group_by("instrument", "session")
        .agg(pl.col("close").sort_by("ts").last())
        .collect()
    )


def _around(calendar: Calendar, day: dt.date) -> list[dt.date]:
    """The session before a day, and the first one from it on."""
    start, _ = calendar.between(day, day)
    return [calendar.label(at) for at in (start - 1, start) if 0 <= at < len(calendar)]


def _public(rows: pl.LazyFrame, until: Instant | None) -> pl.LazyFrame:
    import polars as pl

    return rows if until is None else rows.filter(pl.col("available_at") <= pl.lit(to_datetime(until)))
