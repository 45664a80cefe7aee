"""What a node knows about its rows, as frames: actions, factors, sessions, coverage, verdicts, universes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from os import PathLike

import polars as pl

from fulltape import errors
from fulltape.adjustment import tables
from fulltape.clock import SystemClock
from fulltape.context import actions, closes, noted
from fulltape.context.point_in_time import PointInTime
from fulltape.decoding import frames
from fulltape.ledger.changes import Knowledge
from fulltape.ledger.ledger import Ledger
from fulltape.market import datasets
from fulltape.market.sessions import Calendar
from fulltape.reading import request, restated
from fulltape.reading import symbols as resolving
from fulltape.reading.node import OpenedNode
from fulltape.reading.request import Day

_COVERAGE = {
    "dataset": pl.String, "instrument": pl.String, "source": pl.String, "fact": pl.String, "first": pl.String,
    "last": pl.String,
}  # fmt: skip
_VERDICTS = {
    "dataset": pl.String, "instrument": pl.String, "first": pl.Date, "last": pl.Date, "verdict": pl.String,
    "codes": pl.String,
}  # fmt: skip


class FactsReader:
    """What is known of a node's rows; every call sees what is committed at that moment."""

    def __init__(self, path: str | PathLike[str] | OpenedNode) -> None:
        self._node = path if isinstance(path, OpenedNode) else OpenedNode.at(path)

    def actions(
        self,
        symbols: str | Sequence[str] | None = None,
        *,
        as_of: Day | None = None,
        known: Day | None = None,
    ) -> pl.DataFrame:
        """Corporate actions, reconciled across sources, one row each, by instrument and ex-date: instrument, ex_date, action_type,
        ratio (shares after for each before), amount, currency, new_symbol, agreement (see `fulltape actions --help`), sources,
        dissent, problem, available_at (UTC; null where no source states an announcement). `symbols` are those that an instrument
        ever bore; all by default. `as_of` and `known` as in `scan`."""
        with self._node.opened() as ledger:
            view, chosen = self._actions_view(ledger, symbols, as_of, known)
            return tables.actions(actions.events(view, self._node.sources(actions.DATASET), chosen))

    def factors(
        self,
        symbols: str | Sequence[str] | None = None,
        *,
        as_of: Day | None = None,
        known: Day | None = None,
        convention: str = "prev_close",
    ) -> pl.DataFrame:
        """What each ex-date multiplies earlier prices by, by instrument and ex-date: instrument, ex_date, split, split_spin, total,
        shares (multiplies earlier volumes), close (that amounts were held against), status (with cash), events, problems, convention,
        split_status and split_spin_status (what stands behind those factors)."""
        with self._node.opened() as ledger:
            view, chosen = self._actions_view(ledger, symbols, as_of, known)
            reconciled = actions.events(view, self._node.sources(actions.DATASET), chosen)
            by = request.convention_of(convention)
            return tables.factors(actions.factors_of(view, reconciled, by), by)

    def repairs(self) -> pl.DataFrame:
        """Bars that a person has changed, as far as the curated rows have the changes: number, dataset, instrument, session, ts, source, column (null: the
        bar was taken out), was, becomes (text), who, reason, at."""
        with self._node.opened() as ledger:
            known = [each for each in ledger.repairs.all() if each.dataset in self._node.settings.dataset]
            return noted.repairs(
                known, noted.standing(self._node.layout, ledger, known, noted.concerned(ledger, known))
            )

    def _actions_view(
        self, ledger: Ledger, symbols: str | Sequence[str] | None, as_of: Day | None, then: Day | None
    ) -> tuple[PointInTime, list[str] | None]:
        """What may be seen of actions, and of which instruments (None: all)."""
        self._node.declared(actions.DATASET)
        priced = closes.DAYS if closes.DAYS in self._node.settings.dataset else closes.MINUTES
        calendar = self._node.calendar(datasets.get(priced))
        view = PointInTime(
            ledger=ledger,
            layout=self._node.layout,
            calendar=calendar,
            until=request.moment(as_of, calendar),
            known=request.known_by(then, calendar, SystemClock().now()),
            sources=self._node.preferences,
        )
        if symbols is None:
            return view, None
        names = [symbols] if isinstance(symbols, str) else list(symbols)
        known = self._node.instruments(ledger, actions.DATASET)
        return view, resolving.ever(known, names, dataset=actions.DATASET)

    def sessions(self, dataset: str) -> pl.DataFrame:
        """The sessions of a dataset's calendar from the first wanted one on: dataset, session, open and close (UTC), and `minutes`, how
        many regular ones are expected, without breaks and market-wide halts."""
        calendar = self._node.calendar(self._node.declared(dataset))
        wanted = self._node.settings.dataset.get(dataset)
        rows = frames.sessions(calendar).select(
            pl.lit(dataset).alias("dataset"), "session", "open", "close", "minutes"
        )
        return rows.filter(pl.col("session") >= wanted.from_) if wanted else rows

    def coverage(self, dataset: str, *, known: Day | None = None) -> pl.DataFrame:
        """What each source has shown, in ranges of sessions, both ends inclusive: dataset, instrument, source, fact (present, partial,
        empty, refused), first, last; with `known` what this node knew at that moment (a date means its end in the market's zone)."""
        calendar = self._node.calendar(self._node.declared(dataset))
        with self._node.opened() as ledger:
            if then := self._knowledge(ledger, dataset, calendar, known):
                facts = [
                    (
                        each.instrument,
                        each.source,
                        each.fact,
                        0,
                        each.first.isoformat(),
                        each.last.isoformat(),
                    )
                    for each in then.facts
                ]
            else:
                facts = ledger.coverage.spans(dataset)
            rows = [
                (dataset, instrument, source, fact, first, last)
                for instrument, source, fact, _, first, last in facts
            ]
        return pl.DataFrame(rows, schema=_COVERAGE, orient="row").with_columns(
            pl.col("first", "last").str.to_date()
        )

    def verdicts(self, dataset: str, *, known: Day | None = None) -> pl.DataFrame:
        """The verdicts on curated cells, in ranges of sessions, both ends inclusive: dataset, instrument, first, last, verdict (GREEN,
        UNCHECKED, AMBER, RED), codes of the findings; with `known` those of that moment. What is not there has none: see `coverage`."""
        calendar = self._node.calendar(self._node.declared(dataset))
        with self._node.opened() as ledger:
            then = self._knowledge(ledger, dataset, calendar, known)
            verdicts = then.verdicts if then else ledger.verdicts.of_dataset(dataset)
            rows = [
                (dataset, said.instrument, said.first, said.last, said.verdict.value, said.codes)
                for said in verdicts
                if not said.source
            ]
        return pl.DataFrame(rows, schema=_VERDICTS, orient="row")

    def _knowledge(
        self, ledger: Ledger, dataset: str, calendar: Calendar, known: Day | None
    ) -> Knowledge | None:
        """What was known of a dataset at a moment, where one is given."""
        moment = request.known_by(known, calendar, SystemClock().now())
        if moment is None:
            return None
        return PointInTime(
            ledger=ledger, layout=self._node.layout, calendar=calendar, known=moment
        ).knowledge(dataset)

    def intervals(self, dataset: str) -> pl.DataFrame:
        """Spans [start, end), UTC, in which minutes lack for a reason: dataset, instrument (null: every one), session, start, end, kind
        (such as disconnected, stale, market halt), state (unverified, filling, verified, unverifiable), source, detail, evidence."""
        calendar = self._node.calendar(self._node.declared(dataset))
        wanted = self._node.settings.dataset.get(dataset)
        first = wanted.from_ if wanted else calendar.known_from
        with self._node.opened() as ledger:
            known = ledger.intervals.find(dataset=dataset)
            newest = ledger.catalogue.newest_session("curated", dataset) or first
            return noted.intervals(dataset, calendar, known, first, newest)

    def diff(
        self,
        dataset: str,
        symbols: str | Sequence[str],
        *,
        start: str | dt.date | None = None,
        end: str | dt.date | None = None,
        since: Day | None = None,
        until: Day | None = None,
    ) -> pl.DataFrame:
        """What sources have changed of rows that they had sent: their newest answer that this node had by `since` (None: their first)
        against that by `until` (None: the newest), session by session. Dates are the ends of days in the market's zone. `symbols` are
        those that an instrument ever bore; `start` and `end` are sessions, both inclusive. Columns: source, instrument, session, ts, what
        (changed, added, removed), column, before, after, change (after / before - 1)."""
        declared = self._node.declared(dataset)
        calendar = self._node.calendar(declared)
        first = request.day(start, "start") if start else dt.date.min
        last = request.day(end, "end") if end else dt.date.max
        before, after = request.moment(since, calendar, "since"), request.moment(until, calendar, "until")
        if before is not None and after is not None and before > after:
            raise errors.UsageError(
                f"since={since!r} lies after until={until!r}.", hint="The earlier day comes first."
            )
        with self._node.opened() as ledger:
            view = PointInTime(ledger=ledger, layout=self._node.layout, calendar=calendar)
            names = [symbols] if isinstance(symbols, str) else list(symbols)
            chosen = resolving.ever(self._node.instruments(ledger, dataset), names, dataset=dataset)
            return restated.changes(
                view,
                declared,
                chosen,
                first,
                last,
                since=before,
                until=after,
            )

    def universe(self, name: str, *, as_of: str | dt.date) -> tuple[str, ...]:
        """The instruments that were in a universe on a day, sorted, as far as was written down then. `UsageError` for a universe that
        there is not, and for a day before the first that is known of it: today's members would be survivors."""
        day = request.day(as_of, "as_of")
        with self._node.opened() as ledger:
            changes = [row for row in ledger.reference.memberships() if row["universe"] == name]
        if name not in self._node.settings.universe and not changes:
            known = ", ".join(self._node.settings.universe)
            raise errors.UsageError(f"there is no universe {name!r}.", hint=f"It has {known}.")
        begin = min((row["day"] for row in changes), default=None)
        if begin is None or day.isoformat() < begin:
            raise errors.UsageError(
                f"who was in {name} on {day} is not known.",
                hint=f"It is known from {begin or 'the first night'} on.",
            )
        inside: dict[str, bool] = {}
        for row in changes:
            if row["day"] <= day.isoformat():
                inside[row["instrument"]] = bool(row["inside"])
        return tuple(sorted(instrument for instrument, is_in in inside.items() if is_in))
