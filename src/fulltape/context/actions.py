"""Corporate actions as a node holds them: what each source says, reconciled, and the factors that follow."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fulltape.adjustment import actions, factors
from fulltape.adjustment.actions import CorporateAction, Vote
from fulltape.adjustment.factors import Convention, Factor
from fulltape.context import closes, scanning
from fulltape.lake.layout import Layout
from fulltape.ledger.ledger import Ledger
from fulltape.market.sessions import Calendar
from fulltape.market.time import Instant, from_datetime

if TYPE_CHECKING:
    import polars as pl

DATASET = "corporate_actions"
_CURRENCIES = {"XNYS": "USD"}
"""In which currency a market's prices are, where the reference table does not say."""
_BLOCK = 200
"""So many instruments' closes are in memory at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PointInTime:
    """A node's data as it was public at a moment: `until` (UTC microseconds, inclusive), None: all of it."""

    ledger: Ledger
    layout: Layout
    calendar: Calendar
    until: Instant | None = None


def events(
    view: PointInTime, preference: Sequence[str], instruments: Collection[str] | None = None
) -> list[CorporateAction]:
    """The reconciled actions of some instruments (None: all), by instrument and ex-date; of sources in this order of preference,
    then by name."""
    rows = _rows(view, instruments)
    if rows is None:
        return []
    taken_back = _taken_back(view, rows)
    votes = [vote for vote in map(_vote, rows.iter_rows(named=True)) if _key(vote) not in taken_back]
    visible = [vote for vote in votes if _is_visible(vote, view)]
    return actions.reconcile(visible, preference, _silent(view, visible))


def factors_of(
    view: PointInTime, many: Iterable[CorporateAction], convention: Convention = "prev_close"
) -> list[Factor]:
    """The factors of reconciled actions, by instrument and ex-date, with the closes that may be seen."""
    by_instrument: dict[str, list[CorporateAction]] = {}
    for action in many:
        by_instrument.setdefault(action.instrument, []).append(action)
    names = sorted(by_instrument)
    currencies = _currencies(view, names)
    made: list[Factor] = []
    for at in range(0, len(names), _BLOCK):
        block = names[at : at + _BLOCK]
        mine = [action for name in block for action in by_instrument[name]]
        days = {name: [action.ex_date for action in by_instrument[name]] for name in block}
        known = closes.of(view.ledger, view.layout, view.calendar, days, until=view.until)
        made += factors.factors(mine, known, currencies, convention)
    return made


def _rows(view: PointInTime, instruments: Collection[str] | None) -> pl.DataFrame | None:
    """Every source's rows; of a day that a source was asked about again those of its newest answer."""
    import polars as pl

    parts = view.ledger.catalogue.current("raw", DATASET)
    if not parts:
        return None
    rows = scanning.rows_of(view.layout, parts, "source", "log_pos")
    if instruments is not None:
        rows = rows.filter(pl.col("instrument").is_in(sorted(instruments)))
    newest = pl.col("log_pos") == pl.col("log_pos").max().over("source", "instrument", "session")
    texts = pl.col("instrument", "symbol", "action_type", "subtype", "currency").cast(pl.String)
    return (
        rows.with_columns(texts).filter(newest).sort("instrument", "session", "source", "event_id").collect()
    )


def _vote(row: Mapping[str, Any]) -> Vote:
    return Vote(
        source=row["source"],
        event_id=row["event_id"],
        instrument=row["instrument"],
        symbol=row["symbol"],
        action_type=row["action_type"],
        subtype=row["subtype"] or "",
        ex_date=row["ex_date"],
        ratio_old=row["ratio_old"],
        ratio_new=row["ratio_new"],
        amount=row["amount"],
        currency=row["currency"] or "",
        special=row["special"],
        new_symbol=row["new_symbol"] or "",
        declared_date=row["declared_date"],
        record_date=row["record_date"],
        pay_date=row["pay_date"],
        available_at=_announced(row["declared_date"], row["ex_date"]),
    )


def _announced(declared: dt.date | None, ex_date: dt.date) -> Instant | None:
    """The end of the day on which it was declared; a declaration after the ex-date is an error of the source."""
    if declared is None or declared > ex_date:
        return None
    end = dt.datetime.combine(declared + dt.timedelta(days=1), dt.time(), tzinfo=dt.UTC)
    return from_datetime(end)


def _is_visible(vote: Vote, view: PointInTime) -> bool:
    """An action is public from its announcement on, and at the open of its ex-session at the latest: then prices show it."""
    if view.until is None:
        return True
    opens = open_of(view.calendar, vote.ex_date)
    return min(opens, opens if vote.available_at is None else vote.available_at) <= view.until


def open_of(calendar: Calendar, day: dt.date) -> Instant:
    """The open of a session, or of the first one after a day without; beyond the calendar the day's begin."""
    start, stop = calendar.between(day, calendar.known_to)
    return calendar.sessions[start].open if start < stop else calendar.day_rule.begin(day)


def _key(vote: Vote) -> tuple[str, str, dt.date]:
    return vote.source, vote.instrument, vote.ex_date


def _taken_back(view: PointInTime, rows: pl.DataFrame) -> set[tuple[str, str, dt.date]]:
    """Sources, instruments and days of which a source has shown actions, and later none."""
    names = set(rows["instrument"].unique())
    taken = set()
    for fact in view.ledger.coverage.contradicted(DATASET):
        if fact.instrument in names:
            days = range((fact.last - fact.first).days + 1)
            taken |= {(fact.source, fact.instrument, fact.first + dt.timedelta(days=day)) for day in days}
    return taken


def _silent(view: PointInTime, votes: Sequence[Vote]) -> dict[tuple[str, dt.date], list[str]]:
    """By instrument and ex-date the sources that have answered about that day."""
    days: dict[str, set[dt.date]] = {}
    for vote in votes:
        days.setdefault(vote.instrument, set()).add(vote.ex_date)
    return {
        (instrument, day): sources
        for instrument, mine in days.items()
        for day, sources in _answered(view, instrument, mine)
    }


def _answered(
    view: PointInTime, instrument: str, days: Iterable[dt.date]
) -> Iterator[tuple[dt.date, list[str]]]:
    spans = [
        (source, first, last)
        for source, fact, _, first, last in view.ledger.coverage.spans_of(DATASET, instrument)
        if fact in ("present", "empty")
    ]
    for day in days:
        text = day.isoformat()
        yield day, sorted({source for source, first, last in spans if first <= text <= last})


def _currencies(view: PointInTime, names: Iterable[str]) -> dict[str, str]:
    usual = _CURRENCIES.get(view.calendar.name, "")
    stated = {
        entry.instrument: entry.facts.currency
        for entry in view.ledger.reference.listings()
        if entry.facts.currency
    }
    return {name: stated.get(name, usual) for name in names}
