"""Raw closes of sessions: what amounts of corporate actions are held against."""

from __future__ import annotations

import bisect
import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fulltape.adjustment.factors import Close
from fulltape.context import earlier
from fulltape.context.earlier import CellWindow
from fulltape.context.point_in_time import PointInTime
from fulltape.lake import parquet
from fulltape.ledger.part import Part
from fulltape.market import datasets
from fulltape.market.sessions import Calendar
from fulltape.market.time import Instant, to_datetime

if TYPE_CHECKING:
    import polars as pl

DAYS, MINUTES = "equities_bars_day", "equities_bars_minute"
"""The datasets whose closes are raw and those of sessions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCloses:
    """The closes of one instrument by session, in order, and of which sessions they are known to be the last prices."""

    calendar: Calendar
    sessions: Sequence[dt.date]
    prices: Sequence[float]
    whole: Sequence[bool]

    def before(self, day: dt.date) -> Close | None:
        """The close of the last session before `day`; None where there is none."""
        at = bisect.bisect_left(self.sessions, day) - 1
        if at < 0:
            return None
        start, stop = self.calendar.between(self.calendar.known_from, day - dt.timedelta(days=1))
        exact = start < stop and self.calendar.label(stop - 1) == self.sessions[at]
        return Close(price=self.prices[at], exact=exact and self.whole[at])

    def on(self, day: dt.date) -> Close | None:
        """The close of `day`, or of the first session after it that traded; None where there is none yet."""
        at = bisect.bisect_left(self.sessions, day)
        if at >= len(self.sessions):
            return None
        start, stop = self.calendar.between(day, self.calendar.known_to)
        exact = start < stop and self.calendar.label(start) == self.sessions[at]
        return Close(price=self.prices[at], exact=exact and self.whole[at])


def of(view: PointInTime, days: Mapping[str, Sequence[dt.date]]) -> dict[str, SessionCloses]:
    """The closes of some instruments around the days that are given for each, as they were public: of the node's day bars; of
    the last regular minute where it has none of a session."""
    import polars as pl

    names = sorted(days)
    first = min((min(mine) for mine in days.values() if mine), default=None)
    if first is None:
        return {}
    calendar = view.calendar
    from_days = _days(view, names, first)
    lacking = _lacking(calendar, days, from_days)
    from_minutes = _minutes(view, lacking)
    rows = pl.concat([from_days, from_minutes]).sort("instrument", "session")
    return {
        str(name): SessionCloses(
            calendar=calendar,
            sessions=mine["session"].to_list(),
            prices=mine["close"].to_list(),
            whole=mine["whole"].to_list(),
        )
        for (name,), mine in rows.group_by(["instrument"], maintain_order=True)
    }


def _schema() -> dict[str, Any]:
    import polars as pl

    return {"instrument": pl.String, "session": pl.Date, "close": pl.Float64, "whole": pl.Boolean}


def _days(view: PointInTime, names: Sequence[str], first: dt.date) -> pl.DataFrame:
    import polars as pl

    # The year before, too: the session before an ex-date may lie in it.
    begin = dt.date(max(first.year - 1, 1), 1, 1)
    parts = view.ledger.catalogue.current("curated", DAYS, first=begin)
    if not parts:
        return pl.DataFrame(schema=_schema())
    rows = _as_then(
        view, DAYS, parts, CellWindow(first=begin, last=view.calendar.known_to, instruments=names)
    )
    if view.until is not None:
        rows = rows.filter(pl.col("available_at") <= pl.lit(to_datetime(view.until)))
    return _shaped(rows.with_columns(pl.col("is_final").alias("whole")))


def _as_then(view: PointInTime, name: str, parts: Sequence[Part], window: CellWindow) -> pl.LazyFrame:
    """Curated rows of some instruments; those of cells that are not as they were as they stood then."""
    import polars as pl

    assert window.instruments is not None
    rows = parquet.scan([view.layout.root / part.path for part in parts]).filter(
        pl.col("instrument").is_in(sorted(window.instruments))
    )
    if view.until is None and view.known is None:
        return rows
    dataset = datasets.get(name)
    before = earlier.of(view, dataset, rows, window)
    if before is None:
        return rows
    kept = ("instrument", "session", "ts", "close", "available_at", "is_final")
    more = ("phase",) if dataset.grain == "minute" else ()
    texts = pl.col("instrument", *more).cast(pl.String)
    now = rows.select(*kept, *more).with_columns(texts)
    fetched = (pl.col("origin") != "captured").alias("is_final")
    then = before.rows.lazy().with_columns(texts, fetched).select(*kept, *more)
    return pl.concat([now.join(before.cells.lazy(), on=["instrument", "session"], how="anti"), then])


def _lacking(
    calendar: Calendar, days: Mapping[str, Sequence[dt.date]], there: pl.DataFrame
) -> dict[str, set[dt.date]]:
    """The sessions around the days of which there is no day bar, by instrument."""
    known: dict[str, set[dt.date]] = {}
    for name, session in there.select("instrument", "session").iter_rows():
        known.setdefault(name, set()).add(session)
    around = {name: {near for day in mine for near in _around(calendar, day)} for name, mine in days.items()}
    return {name: lacks for name, mine in around.items() if (lacks := mine - known.get(name, set()))}


def _minutes(view: PointInTime, lacking: Mapping[str, set[dt.date]]) -> pl.DataFrame:
    """The last regular minutes of sessions that were over by then; whole where a source has shown all of a session."""
    import polars as pl

    over = {
        session
        for session in {session for mine in lacking.values() for session in mine}
        if view.until is None or _close(view.calendar, session) <= view.until
    }
    parts = (
        [
            part
            for part in view.ledger.catalogue.current("curated", MINUTES, first=min(over), last=max(over))
            if dt.date.fromisoformat(part.first) in over
        ]
        if over
        else []
    )
    if not parts:
        return pl.DataFrame(schema=_schema())
    rows = _as_then(
        view, MINUTES, parts, CellWindow(first=min(over), last=max(over), instruments=sorted(lacking))
    )
    last = (
        rows.filter(pl.col("phase") == "regular")
        .group_by("instrument", "session")
        .agg(pl.col("close").sort_by("ts").last(), pl.col("is_final").all().alias("whole"))
    )
    frame = _shaped(last)
    wanted = [session in lacking[name] for name, session in frame.select("instrument", "session").iter_rows()]
    shown = {name: _shown(view, name) for name in frame["instrument"].unique()}
    whole = [
        is_final and any(first <= session.isoformat() <= end for first, end in shown[name])
        for name, session, _, is_final in frame.iter_rows()
    ]
    return frame.with_columns(pl.Series("whole", whole, dtype=pl.Boolean)).filter(
        pl.Series(wanted, dtype=pl.Boolean)
    )


def _shown(view: PointInTime, name: str) -> list[tuple[str, str]]:
    """From when to when a source has shown all minutes of an instrument."""
    spans = view.spans_of(MINUTES, name)
    return [(first, last) for _, fact, _, first, last in spans if fact == "present"]


def _close(calendar: Calendar, session: dt.date) -> Instant:
    position = calendar.position(session)
    return (
        calendar.day_rule.begin(session + dt.timedelta(days=1))
        if position is None
        else calendar.sessions[position].close
    )


def _shaped(rows: pl.LazyFrame) -> pl.DataFrame:
    import polars as pl

    schema = _schema()
    return rows.select(pl.col(name).cast(dtype) for name, dtype in schema.items()).collect()


def _around(calendar: Calendar, day: dt.date) -> list[dt.date]:
    """The session before a day, and the first one from it on."""
    start, _ = calendar.between(day, day)
    return [calendar.label(at) for at in (start - 1, start) if 0 <= at < len(calendar)]
