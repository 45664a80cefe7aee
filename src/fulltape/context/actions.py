"""Corporate actions as a node holds them: what each source says, reconciled, and the factors that follow."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fulltape import errors
from fulltape.adjustment import actions, factors
from fulltape.adjustment.actions import CorporateAction
from fulltape.adjustment.factors import Convention, Factor
from fulltape.adjustment.votes import KINDS, Kind, Vote
from fulltape.context import closes, scanning
from fulltape.context.point_in_time import PointInTime
from fulltape.coverage import silence
from fulltape.coverage.facts import CONTRADICTED, CoverageFact
from fulltape.decoding import frames, versions
from fulltape.ledger.part import Part
from fulltape.market import datasets, days
from fulltape.market.sessions import Calendar
from fulltape.market.time import Instant

if TYPE_CHECKING:
    import polars as pl

DATASET = "corporate_actions"
_CURRENCIES = {"XNYS": "USD"}
"""In which currency a market's prices are, where the reference table does not say."""
_BLOCK = 200
"""So many instruments' closes are in memory at a time."""


Spoken = Mapping[str, frozenset[Kind]]
"""By source the kinds of actions that it has ever told of: of others its silence says nothing."""


def events(
    view: PointInTime,
    preference: Sequence[str],
    instruments: Collection[str] | None = None,
    *,
    known_kinds: Spoken | None = None,
) -> list[CorporateAction]:
    """The reconciled actions of some instruments (None: all), by instrument and ex-date; of sources in this order of preference,
    then by name. `known_kinds` as `spoken` tells them, for who asks many times."""
    rows = _rows(view, instruments)
    if rows is None:
        return []
    taken_back = _taken_back(view, rows)
    votes = [_vote(row, view.calendar) for row in rows.iter_rows(named=True)]
    votes = [vote for vote in votes if _key(vote) not in taken_back]
    visible = [vote for vote in votes if _is_visible(vote, view)]
    kinds = spoken(view) if known_kinds is None else known_kinds
    return actions.reconcile(visible, preference, _silent(view, votes, kinds))


def spoken(view: PointInTime) -> Spoken:
    """The kinds of actions that each source has told of, as far as it was public."""
    import polars as pl

    parts = view.ledger.catalogue.current("raw", DATASET)
    if not parts:
        return {}
    rows = _scanned(view, parts, "source", *([] if view.known is None else [scanning.HEARD]))
    if view.known is not None:
        rows = rows.filter(pl.col(scanning.HEARD) <= view.known)
    dates = [] if view.until is None else ["declared_date", "ex_date"]
    pairs = rows.select("source", pl.col("action_type").cast(pl.String), *dates).unique().collect()
    kinds: dict[str, set[Kind]] = {}
    for source, action_type, *when in pairs.iter_rows():
        if not when or _is_public(_announced(when[0], when[1], view.calendar), when[1], view):
            kinds.setdefault(source, set()).add(KINDS.get(action_type, "other"))
    return {source: frozenset(known) for source, known in kinds.items()}


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
        ex_dates = {
            name: [session_of(view.calendar, action.ex_date) for action in by_instrument[name]]
            for name in block
        }
        known = closes.of(view, ex_dates)
        session = functools.partial(session_of, view.calendar)
        made += factors.factors(mine, known, currencies, convention, session_of=session)
    return made


def _rows(view: PointInTime, instruments: Collection[str] | None) -> pl.DataFrame | None:
    """Every source's rows; of a day that a source was asked about again those of the newest answer that it had given by then."""
    import polars as pl

    parts = view.ledger.catalogue.current("raw", DATASET)
    if not parts:
        return None
    now = view.until is None and view.known is None
    about = ("source", "log_pos") if now else ("source", "log_pos", scanning.HEARD)
    rows = _scanned(view, parts, *about)
    if instruments is not None:
        rows = rows.filter(pl.col("instrument").is_in(sorted(instruments)))
    texts = pl.col("instrument", "symbol", "action_type", "subtype", "currency").cast(pl.String)
    rows = rows.with_columns(texts)
    if view.known is not None:
        rows = rows.filter(pl.col(scanning.HEARD) <= view.known)
    if view.until is None:
        newest = pl.col("log_pos") == pl.col("log_pos").max().over("source", "instrument", "session")
        chosen = rows.filter(newest).collect()
    else:
        known = rows.collect()
        chosen = versions.visible(_without_moved(known, view.until), datasets.get(DATASET), view.until)
    return chosen.sort("instrument", "session", "source", "event_id")


def _without_moved(rows: pl.DataFrame, until: Instant) -> pl.DataFrame:
    """Rows without those whose event a source had told of another day before, and told of theirs only later: the date was moved."""
    import polars as pl

    event = ["source", "instrument", "event_id"]
    first = pl.col(scanning.HEARD).min().over(*event, "session")
    moved = (first > until) & (first > pl.col(scanning.HEARD).min().over(event))
    return rows.filter(~moved)


def session_of(calendar: Calendar, day: dt.date) -> dt.date:
    """A day's session, or the first one after a day without; beyond the calendar the day itself."""
    start, stop = calendar.between(day, calendar.known_to)
    return calendar.label(start) if start < stop else day


def _scanned(view: PointInTime, parts: Sequence[Part], *about: str) -> pl.LazyFrame:
    """Rows of raw parts, merged ones among them, with fields of their part."""
    columns = frames.schema(datasets.get(DATASET).schema.columns)
    return scanning.rows_of(view.layout, parts, *about, columns=columns)


def _vote(row: Mapping[str, Any], calendar: Calendar) -> Vote:
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
        available_at=_announced(row["declared_date"], row["ex_date"], calendar),
    )


def _announced(declared: dt.date | None, ex_date: dt.date, calendar: Calendar) -> Instant | None:
    """The end of the day on which it was declared, in the market's zone; a declaration after the ex-date is an error of the
    source."""
    if declared is None or declared > ex_date:
        return None
    return days.zone_midnight(calendar.zone).begin(declared + dt.timedelta(days=1))


def _is_visible(vote: Vote, view: PointInTime) -> bool:
    return _is_public(vote.available_at, vote.ex_date, view)


def _is_public(announced: Instant | None, ex_date: dt.date, view: PointInTime) -> bool:
    """An action is public from its announcement on, and at the open of its ex-session at the latest: then prices show it."""
    if view.until is None:
        return True
    opens = open_of(view.calendar, ex_date)
    return (opens if announced is None else min(opens, announced)) <= view.until


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
    for fact in _contradicted(view):
        if fact.instrument in names:
            days = range((fact.last - fact.first).days + 1)
            taken |= {(fact.source, fact.instrument, fact.first + dt.timedelta(days=day)) for day in days}
    return taken


def _contradicted(view: PointInTime) -> list[CoverageFact]:
    """What was contradicted by then."""
    facts = view.ledger.coverage.contradicted(DATASET)
    moments = [moment for moment in (view.until, view.known) if moment is not None]
    if not facts or not moments:
        return facts
    try:
        then = replace(view, until=None, known=min(moments)).knowledge(DATASET)
    except errors.UsageError:
        return [fact for fact in facts if view.came(fact.since)]  # when it was said is not kept any more
    return [fact for fact in then.facts if fact.fact == "present" and fact.reason == CONTRADICTED]


def _silent(
    view: PointInTime, votes: Sequence[Vote], kinds: Spoken
) -> dict[tuple[str, dt.date, Kind], list[str]]:
    """By instrument, ex-date and kind the sources that have answered about that day and have told of nothing of the kind, though
    they tell of others. As of a moment none is silent about a day to come: it may announce nothing before the ex-date."""
    speakers: dict[tuple[str, dt.date, Kind], set[str]] = {}
    for vote in votes:
        speakers.setdefault((vote.instrument, vote.ex_date, vote.kind), set()).add(vote.source)
    answered = {name: _answered(view, name) for name in {vote.instrument for vote in votes}}
    silent: dict[tuple[str, dt.date, Kind], list[str]] = {}
    for (instrument, day, kind), voted in speakers.items():
        if view.until is not None and open_of(view.calendar, day) > view.until:
            continue
        text = day.isoformat()
        quiet = {source for source, first, last in answered[instrument] if first <= text <= last} - voted
        silent[instrument, day, kind] = sorted(source for source in quiet if kind in kinds.get(source, ()))
    return silent


def _answered(view: PointInTime, instrument: str) -> list[tuple[str, str, str]]:
    """Sources, and from when to when they have answered in a way that counts: an empty answer counts where it is sound."""
    return [
        (source, first, last)
        for source, fact, proof, first, last in view.spans_of(DATASET, instrument)
        if fact == "present" or (fact == "empty" and proof & silence.SOUND)
    ]


def answered(view: PointInTime, instrument: str) -> list[tuple[dt.date, dt.date]]:
    """Stretches of days, both ends inclusive, of each of which a source has answered whether there was an action."""
    return [
        (dt.date.fromisoformat(first), dt.date.fromisoformat(last))
        for _, fact, _, first, last in view.spans_of(DATASET, instrument)
        if fact in ("present", "empty")
    ]


def _currencies(view: PointInTime, names: Iterable[str]) -> dict[str, str]:
    usual = _CURRENCIES.get(view.calendar.name, "")
    stated = {
        entry.instrument: entry.facts.currency
        for entry in view.ledger.reference.listings()
        if entry.facts.currency
    }
    return {name: stated.get(name, usual) for name in names}
