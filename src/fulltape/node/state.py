"""A node's state, read out for people and programs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fulltape.core import ranges, series
from fulltape.core.cell import Cell, Fact, Life, Verdict, cell
from fulltape.core.series import Picture
from fulltape.core.time import SECOND, Clock, Instant, iso
from fulltape.lake import layout, parquet
from fulltape.ledger.database import Row
from fulltape.ledger.queue import Task
from fulltape.stores import Stores, Wanted, known


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceState:
    """A source today: requests sent by outcome, its budgets, and what it may not be asked for."""

    source: str
    requests: int
    outcomes: dict[str, int]
    per_minute: int
    last_minute: int
    per_day: int
    today: int
    closed_until: str
    refusals: dict[str, str]


def pictures(stores: Stores, now: Instant) -> Iterator[tuple[Wanted, str, Picture]]:
    """Every series as ranges: (dataset as wanted, instrument, picture)."""
    for wanted in stores.wanted.values():
        for one in known.read(stores, wanted, now):
            yield wanted, one.instrument.instrument, series.picture(one, busy=series.is_busy(one))


def cells(stores: Stores, now: Instant) -> dict[str, dict[str, int]]:
    """Number of cells by dataset and availability."""
    out: dict[str, dict[str, int]] = {}
    for wanted, _, shown in pictures(stores, now):
        counts = out.setdefault(wanted.dataset.name, {})
        for name in Picture.__dataclass_fields__:
            counts[name] = counts.get(name, 0) + ranges.size(getattr(shown, name))
    return out


def verdicts(stores: Stores) -> dict[str, dict[str, int]]:
    """Number of curated cells by dataset and verdict."""
    out: dict[str, dict[str, int]] = {}
    for name, wanted in stores.wanted.items():
        counts = out.setdefault(name, {})
        for one in stores.ledger.verdicts.of_dataset(name):
            start, stop = wanted.calendar.between(one.first, one.last)
            counts[one.verdict.value] = counts.get(one.verdict.value, 0) + stop - start
    return out


def sources(stores: Stores, clock: Clock) -> list[SourceState]:
    """Every source of the node."""
    now = clock.steady()
    by_outcome = stores.ledger.requests.by_outcome()
    budgets = {(row["scope"], row["dimension"]): row for row in stores.ledger.budgets.all()}
    out = []
    for name, feed in stores.feeds.items():
        outcomes = {row["outcome"]: int(row["requests"]) for row in by_outcome if row["source"] == name}
        minute = budgets.get((feed.vendor, "minute"))
        day = budgets.get((feed.vendor, "day"))
        closed = int(minute["closed_until"]) if minute else 0
        out.append(
            SourceState(
                source=name,
                requests=sum(outcomes.values()),
                outcomes=outcomes,
                per_minute=int(minute["allowed"]) if minute else feed.limits.per_minute,
                last_minute=stores.ledger.budgets.sent_within(feed.vendor, since=now - 60 * SECOND),
                per_day=feed.limits.per_day,
                today=int(day["used"]) if day and now < day["resets_at"] else 0,
                closed_until=iso(closed) if closed > now else "",
                refusals={
                    f"{one.dataset} {one.symbol}": f"{one.state}: {one.reason}"
                    for one in stores.ledger.eligibility.all()
                    if one.source == name and one.forbids(clock.now())
                },
            )
        )
    return out


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """All that is known of one cell."""

    cell: Cell
    expected: str
    facts: list[dict[str, str]]
    parts: list[str]
    tasks: list[Task]
    requests: list[Row]
    wanted: bool
    """Whether the session lies between the dataset's `from` and `until`."""
    checked: dict[str, Any]
    """What the checks measured: rows, expected band, codes, findings; empty while unchecked."""


def explain(stores: Stores, clock: Clock, wanted: Wanted, instrument: str, session: dt.date) -> Story:
    """The story of a cell: its answers, each source's facts, the parts, tasks and requests behind them."""
    now = clock.now()
    calendar, dataset = wanted.calendar, wanted.dataset
    position = calendar.position(session)
    one = next(
        found for found in known.read(stores, wanted, now) if found.instrument.instrument == instrument
    )
    facts = [
        fact
        for fact in stores.ledger.coverage.of_dataset(dataset.name)
        if fact.instrument == instrument and fact.first <= session <= fact.last
    ]
    said = [
        found
        for found in stores.ledger.verdicts.of_dataset(dataset.name)
        if found.instrument == instrument and found.first <= session <= found.last
    ]
    who = wanted.instruments[instrument]
    checked = _checked(stores, wanted, instrument, session)
    tasks = stores.ledger.queue.touching(dataset.name, instrument, session)
    eligible = [
        source
        for source, where in one.servable.items()
        if position is not None and ranges.contains(where, position)
    ]
    answer = cell(
        day=calendar.day(session),
        final_at=wanted.final_at(position) if position is not None else None,
        life=Life(
            known=who.listed_from is not None,
            listed=(who.listed_from or session) <= session <= (who.listed_to or session),
        ),
        facts={
            fact.source: Fact(kind=fact.fact, final=fact.final, sound=fact.sound, reason=fact.reason)
            for fact in facts
        },
        eligible=eligible,
        busy=series.is_busy(one),
        explained=False,
        measured=checked.get("expected_low") is not None,
        verdict=said[0].verdict if said else Verdict.UNCHECKED,
        now=now,
    )
    return Story(
        cell=answer,
        expected=_expected(wanted, position),
        facts=[
            {
                "source": fact.source,
                "fact": fact.fact,
                "since": iso(fact.since),
                "evidence": fact.evidence,
                "reason": fact.reason or ("sound" if fact.sound else "not proved"),
            }
            for fact in facts
        ],
        parts=[
            f"{part.layer} {part.path}"
            for layer in ("raw", "curated")
            for part in stores.ledger.catalogue.current(layer, dataset=dataset.name)
            if any(first <= session <= last for first, last in part.cells.get(instrument, ()))
        ],
        tasks=tasks,
        requests=[row for task in tasks for row in stores.ledger.requests.of_ask(task.ask) if task.ask],
        wanted=wanted.first <= session <= (wanted.until or session),
        checked=checked,
    )


def _checked(stores: Stores, wanted: Wanted, instrument: str, session: dt.date) -> dict[str, Any]:
    key = layout.folder_key(wanted.dataset.raw_folder, session)
    parts = stores.ledger.catalogue.current("qc", dataset=wanted.dataset.name, folder=key)
    if not parts:
        return {}
    rows = parquet.scan([stores.layout.root / part.path for part in parts]).collect()
    found = rows.filter((rows["instrument"] == instrument) & (rows["session"] == session))
    return found.row(0, named=True) if found.height else {}


def _expected(wanted: Wanted, position: int | None) -> str:
    if position is None:
        return "nothing: no session"
    if wanted.dataset.grain == "day":
        return "1 bar"
    session = wanted.calendar.sessions[position]
    minutes = wanted.calendar.expected_minutes(position)
    return f"at most {minutes} regular minutes ({iso(session.open)} to {iso(session.close)})"


def fetched(stores: Stores) -> dict[tuple[str, str], tuple[int, int]]:
    """Rows and parts that each source brought, by (source, dataset)."""
    out: dict[tuple[str, str], tuple[int, int]] = {}
    for part in stores.ledger.catalogue.current("raw"):
        rows, parts = out.get((part.source, part.dataset), (0, 0))
        out[part.source, part.dataset] = (rows + part.rows, parts + 1)
    return dict(sorted(out.items()))
