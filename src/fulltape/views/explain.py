"""All that is known of one cell, and why it is what it is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fulltape.context import ConfiguredDataset, NodeContext, damage, known, noted
from fulltape.coverage.cell import Cell, Fact, Life, Verdict, cell
from fulltape.coverage.facts import CoverageFact
from fulltape.coverage.series import Series
from fulltape.export import plan
from fulltape.lake import layout, parquet
from fulltape.ledger.database import Row
from fulltape.ledger.task import Task
from fulltape.market import ranges
from fulltape.market.instruments import Instrument
from fulltape.market.time import Clock, Instant, iso
from fulltape.views import gaps


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A cell's answers, each source's facts, and the parts, tasks and requests behind them."""

    title: str
    cell: Cell
    expected: str
    facts: list[dict[str, str]]
    sources: list[dict[str, str]]
    """What is known of each source of the dataset beside its facts: from when it serves, whether it may be asked."""
    parts: list[str]
    tasks: list[Task]
    requests: list[Row]
    wanted: bool
    """Whether the session lies between the dataset's `from` and `until`."""
    checked: dict[str, Any]
    """What the checks measured: rows, expected band, codes, findings; empty while unchecked."""
    laid: str
    """What is said of the cell beside its rows, such as that a source has restated it; '' for nothing."""
    repairs: list[str]
    """What a person has changed of its bars, and what has become of that."""


def explain(
    context: NodeContext, clock: Clock, wanted: ConfiguredDataset, instrument: str, session: dt.date
) -> Explanation:
    """The story of a cell; `instrument` must be in the dataset's universe."""
    now = clock.now()
    name = wanted.dataset.name
    trading = (
        wanted.calendar.day(session) == "session"
    )  # ranges reach over closed days and say nothing of them
    series = next(
        candidate
        for candidate in known.read(context, wanted, now, {instrument})
        if candidate.instrument.instrument == instrument
    )
    facts = [
        fact
        for fact in context.ledger.coverage.of_series(name, instrument)
        if trading and fact.first <= session <= fact.last
    ]
    checked = _checked(context, wanted, instrument, session)
    tasks = context.ledger.tasks.touching(name, instrument, session) if trading else []
    return Explanation(
        title=wanted.title,
        cell=_answer(context, wanted, series, session, facts, checked, now),
        expected=_expected(wanted, instrument, session),
        facts=[_told(fact) for fact in facts],
        sources=[
            {"source": source, "says": gaps.asked(context, wanted, series, source, session, now)}
            for source in wanted.sources
        ],
        parts=[
            f"{part.layer} {context.layout.root / part.path}"
            for layer in ("raw", "curated")
            for part in context.ledger.catalogue.current(layer, name, first=session, last=session)
            if trading and any(first <= session <= last for first, last in part.cells.get(instrument, ()))
        ],
        tasks=tasks,
        requests=[
            row for task in tasks if task.fetch_id for row in context.ledger.requests.of_fetch(task.fetch_id)
        ],
        wanted=wanted.first <= session <= (wanted.until or session),
        checked=checked,
        laid=_laid(context, name, instrument, session),
        repairs=_repairs(context, name, instrument, session, now),
    )


def _laid(context: NodeContext, dataset: str, instrument: str, session: dt.date) -> str:
    said = context.ledger.verdicts.of_cell(dataset, instrument, session)
    return plan.LAID.get(said.codes, "") if said else ""


def _repairs(
    context: NodeContext, dataset: str, instrument: str, session: dt.date, now: Instant
) -> list[str]:
    known = [
        repair
        for repair in context.ledger.repairs.all()
        if (repair.dataset, repair.instrument, repair.session) == (dataset, instrument, session)
    ]
    parts = damage.sound(context, noted.concerned(context.ledger, known), now)
    stands = noted.standing(context.layout, context.ledger, known, parts)
    return [
        f"{repair.number} ({stands[repair.number]}): {repair.column or 'the bar'} {repair.was or 'null'} "
        + (f"to {repair.becomes or 'null'}" if repair.column else "taken out")
        + f", {repair.who}: {repair.reason}"
        for repair in known
    ]


def _answer(
    context: NodeContext,
    wanted: ConfiguredDataset,
    series: Series,
    session: dt.date,
    facts: Sequence[CoverageFact],
    checked: dict[str, Any],
    now: Instant,
) -> Cell:
    calendar = wanted.calendar
    position = calendar.position(session)
    said = context.ledger.verdicts.of_cell(wanted.dataset.name, series.instrument.instrument, session)
    verdict = said.verdict if said and position is not None else Verdict.UNCHECKED
    return cell(
        day=calendar.day(session),
        final_at=wanted.final_at(position) if position is not None else None,
        life=Life(known=True, listed=True) if series.events else _life(series, session, position),
        facts={
            fact.source: Fact(
                kind=fact.fact,
                final=fact.final,
                sound=fact.sound or series.events,
                reason=fact.reason,
                spoiled=fact.fact == "refused" and bool(fact.extent),
            )
            for fact in facts
        },
        eligible=[
            source
            for source, where in series.servable.items()
            if position is not None and ranges.contains(where, position)
        ],
        votes=series.votes,
        doubt="" if series.events or position is None else series.doubt(position),
        accepted=_accepted(context, wanted, series, session),
        explained=False,
        measured=checked.get("expected_low") is not None,
        verdict=verdict,
        now=now,
    )


def _accepted(context: NodeContext, wanted: ConfiguredDataset, series: Series, session: dt.date) -> str:
    """The reason of the newest decision about a session, '' where there is none or where it was revoked."""
    said = [
        decision
        for decision in context.ledger.acceptances.of_dataset(wanted.dataset.name)
        if decision.instrument == series.instrument.instrument and decision.first <= session <= decision.last
    ]
    return said[-1].reason if said and not said[-1].revoked else ""


def _life(series: Series, session: dt.date, position: int | None) -> Life:
    known = series.instrument.listed_from is not None
    between = position is not None and ranges.contains(series.known_life, position)
    return Life(
        known=known or (position is not None and between and bool(series.doubt(position))),
        listed=_listed(series.instrument, session),
    )


def _listed(instrument: Instrument, session: dt.date) -> bool:
    return (instrument.listed_from or session) <= session <= (instrument.listed_to or session)


def _told(fact: CoverageFact) -> dict[str, str]:
    return {
        "source": fact.source,
        "fact": fact.fact,
        "since": iso(fact.since),
        "evidence": fact.evidence,
        "reason": fact.reason or ("sound" if fact.sound else "not proved"),
    }


def _checked(
    context: NodeContext, wanted: ConfiguredDataset, instrument: str, session: dt.date
) -> dict[str, Any]:
    key = layout.folder_key(wanted.dataset.raw_folder, session)
    parts = context.ledger.catalogue.current_in("qc", wanted.dataset.name, key)
    if not parts:
        return {}
    rows = parquet.read([context.layout.root / part.path for part in parts])
    cell_rows = rows.filter((rows["instrument"] == instrument) & (rows["session"] == session))
    return cell_rows.row(0, named=True) if cell_rows.height else {}


def _expected(wanted: ConfiguredDataset, instrument: str, session: dt.date) -> str:
    position = wanted.calendar.position(session)
    if wanted.calendar.day(session) == "unknown":
        calendar = wanted.calendar
        if session < calendar.known_from:
            return f"unknown: the calendar begins on {calendar.known_from}"
        return f"unknown: the calendar ends on {calendar.known_to}"
    if position is None or not _listed(wanted.instruments[instrument], session):
        return "nothing"
    if wanted.dataset.grain == "day":
        return "1 bar"
    if wanted.dataset.grain != "minute":
        return "as many rows as happened"
    hours = wanted.calendar.sessions[position]
    minutes = wanted.calendar.expected_minutes(position)
    return f"at most {minutes} regular minutes ({iso(hours.open)} to {iso(hours.close)})"
