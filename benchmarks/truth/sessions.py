"""Input that is not what it seems: foreign, shifted and truncated rows, and what is said of them."""

from __future__ import annotations

import datetime as dt
import random
from collections import Counter
from dataclasses import dataclass, field, replace

import polars as pl

from benchmarks.truth import real
from fulltape import context as opening
from fulltape.backfill.facts import Planner
from fulltape.checks import completeness, findings, profiles, registry
from fulltape.checks.beside import Beside
from fulltape.checks.findings import CheckContext
from fulltape.context import ConfiguredDataset, ConfiguredSource
from fulltape.contract.plans import Limits
from fulltape.contract.vendor import Capability, Source
from fulltape.ledger.task import Claimable
from fulltape.market import datasets, ranges
from fulltape.market.instruments import DatedSymbol, Instrument

HOURS = (30, 60, 120, 240, 300)
MINUTES = (1, 2, 5, 10)
CUTS = (6, 60, 200, 350)
HISTORIES = 2_000
_LEAST_SESSIONS = 3
"""Fewer sessions show no shift of a few minutes."""


@dataclass(slots=True)
class Counts:
    """Cells of bad input and how many of them are GREEN; untouched cells and how many of them are AMBER or RED."""

    shifted: int = 0
    shifted_green: int = 0
    truncated: int = 0
    truncated_green: int = 0
    asked: int = 0
    foreign_taken: int = 0
    untouched: int = 0
    untouched_blamed: int = 0
    wrong: Counter[str] = field(default_factory=Counter)


def measure() -> Counts:
    """Everything."""
    counts = Counts()
    rows = real.minutes()
    if rows.height:
        for (_,), one in rows.group_by(["instrument"], maintain_order=True):
            _untouched(one, counts)
            _shifted(one, counts)
            _truncated(one, counts)
    for seed in range(HISTORIES):
        _foreign(random.Random(seed), counts)
    return counts


def _context() -> CheckContext:
    calendar = opening.calendar("XNYS")
    return CheckContext(
        dataset=datasets.get("equities_bars_minute"),
        calendar=calendar,
        instruments={},
        now=calendar.sessions[-1].close,
    )


def _verdicts(frame: pl.DataFrame, around: pl.DataFrame) -> dict[dt.date, str]:
    """By session what the timing and completeness of its rows come to."""
    context = _context()
    only = tuple(name for name in context.dataset.checks if name in ("session_timing", "completeness"))
    context = replace(context, dataset=replace(context.dataset, checks=only))
    learned = profiles.of(around, context)
    beside = Beside(profiles=learned, baseline=completeness.occupancy(learned, context))
    found = registry.run(frame, beside, context)
    cells = frame.select("instrument", "session").unique()
    said = findings.verdicts(found, cells)
    return dict(said.select("session", "verdict").iter_rows())


def _untouched(rows: pl.DataFrame, counts: Counts) -> None:
    said = _verdicts(rows, rows)
    counts.untouched += len(said)
    counts.untouched_blamed += sum(verdict in ("AMBER", "RED") for verdict in said.values())


def _shifted(rows: pl.DataFrame, counts: Counts) -> None:
    """A whole history by minutes and by hours, and one session by hours."""
    sessions = rows["session"].unique().sort()
    lags: list[tuple[int, dt.date | None]] = [(lag, None) for lag in HOURS]
    lags += [(lag, None) for lag in MINUTES if len(sessions) >= _LEAST_SESSIONS]
    lags += [(lag, session) for lag in HOURS for session in sessions]
    for size, session in lags:
        for lag in (size, -size):
            moved = (
                pl.lit(lag)
                if session is None
                else pl.when(pl.col("session") == session).then(lag).otherwise(0)
            )
            frame = _moved(rows, moved)
            said = _verdicts(frame, frame)
            bad = {day: verdict for day, verdict in said.items() if session in (None, day)}
            green = sum(verdict == "GREEN" for verdict in bad.values())
            counts.shifted += len(bad)
            counts.shifted_green += green
            counts.wrong[f"shifted by {lag}: GREEN"] += green


def _moved(rows: pl.DataFrame, lag: pl.Expr) -> pl.DataFrame:
    hours = pl.Series("session", [row.label for row in _context().calendar.sessions])
    lengths = [(row.close - row.open) // 60_000_000 for row in _context().calendar.sessions]
    length = pl.col("session").replace_strict(hours, pl.Series(lengths), return_dtype=pl.Int64)
    minute = pl.col("minute_of_session") + lag
    return rows.with_columns(minute.alias("minute_of_session")).with_columns(
        pl.when(pl.col("minute_of_session").is_between(0, length - 1))
        .then(pl.lit("regular"))
        .otherwise(pl.lit("post"))
        .alias("phase")
    )


def _truncated(rows: pl.DataFrame, counts: Counts) -> None:
    """One session of a busy name loses its beginning or its end, among few others and among thirty."""
    regular = rows.filter(pl.col("phase") == "regular")
    busy = regular.group_by("session").len().filter(pl.col("len") >= 385)["session"].sort()
    for session in busy:
        whole = regular.filter(pl.col("session") == session)
        for many in (False, True):
            others = regular.filter(pl.col("session") != session)
            if many:
                others = pl.concat([others, *_copies(whole)])
            for minutes in CUTS:
                for cut in (whole.head(minutes), whole.tail(minutes)):
                    said = _verdicts(cut, pl.concat([others, cut]))[session]
                    counts.truncated += 1
                    counts.truncated_green += said == "GREEN"
                    counts.wrong[f"truncated to {minutes}, many={many}: GREEN"] += said == "GREEN"


def _copies(whole: pl.DataFrame) -> list[pl.DataFrame]:
    """The session again on thirty others of the same length, which serve as a baseline."""
    calendar = _context().calendar
    start, _ = calendar.between(dt.date(2004, 3, 1), calendar.known_to)
    same = [one.label for one in calendar.sessions[start : start + 30]]
    return [whole.with_columns(pl.lit(label).alias("session")) for label in same]


def _foreign(dice: random.Random, counts: Counts) -> None:
    """A symbol that leaves an instrument and returns: sessions between are another's, and are neither asked for nor
    taken."""
    calendar = opening.calendar("XNYS")
    begin = calendar.between(dt.date(2012, 1, 3), dt.date(2012, 1, 3))[0]
    stretches = [(dice.choice("QRS"), dice.randint(1, 40)) for _ in range(dice.randint(2, 8))]
    dated, at, by_session = [], begin, []
    for symbol, sessions in stretches:
        first, last = calendar.label(at), calendar.label(at + sessions - 1)
        dated.append(DatedSymbol(symbol=symbol, first=first, last=last))
        by_session += [symbol] * sessions
        at += sessions
    wanted = ConfiguredDataset(
        dataset=datasets.get("equities_bars_day"),
        calendar=calendar,
        instruments={"X": Instrument(instrument="X", symbols=tuple(dated))},
        sources=("a.sip",),
        first=calendar.label(begin),
        until=calendar.label(at - 1),
        final_after=0,
    )
    planner = Planner(_feed(), wanted, calendar.sessions[-1].close)
    start = begin
    for symbol, sessions in stretches:
        task = Claimable(
            task_id=1,
            instrument="X",
            symbol=symbol,
            first=calendar.label(start).isoformat(),
            last=calendar.label(start + sessions - 1).isoformat(),
            kind="GAP",
            expected_rows=sessions,
            attempt=0,
            purpose="fill",
        )
        asked = calendar.between(*planner.asked([planner.candidate(task)]))
        ours = ranges.from_points(begin + at for at, one in enumerate(by_session) if one == symbol)
        counts.asked += ranges.size((asked,))
        foreign = ranges.subtract((asked,), ours)
        # Another vendor's answer may hold more than was asked for: of all sessions, only its own are taken.
        everything = ranges.intersect(((begin - 50, at + 50),), wanted.spelled("X", symbol))
        counts.foreign_taken += ranges.size(foreign) + ranges.size(ranges.subtract(everything, ours))
        start += sessions


def _feed() -> ConfiguredSource:
    capability = Capability(
        dataset="equities_bars_day",
        history_from=dt.date(1990, 1, 2),
        symbols_per_request=100,
        rows_per_page=10_000,
    )
    source = Source(name="a.sip", feed="sip", scope="consolidated", capabilities=(capability,))
    return ConfiguredSource(source=source, vendor="a", limits=Limits(), history_from=None)
