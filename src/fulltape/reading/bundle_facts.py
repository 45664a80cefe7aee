"""What a bundle tells of its rows, as frames. The shapes are those of a node's."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import polars as pl

from fulltape import errors
from fulltape.bundle import layout
from fulltape.context import noted
from fulltape.context.actions import DATASET
from fulltape.coverage.cell import Availability, Verdict
from fulltape.market import datasets
from fulltape.reading import request
from fulltape.reading import symbols as resolving
from fulltape.reading.bundle import ELSEWHERE, OpenedBundle, of_the_past
from fulltape.reading.request import Day


class BundleFacts:
    """What is known of a bundle's rows. `as_of` and `known` are refused: it is what its node knew on one evening."""

    _bundle: OpenedBundle

    def actions(
        self,
        symbols: str | Sequence[str] | None = None,
        *,
        as_of: Day | None = None,
        known: Day | None = None,
    ) -> pl.DataFrame:
        """See `Reader.actions`."""
        _refuse_moments(as_of, known)
        return self._of_symbols(self._bundle.actions(), symbols)

    def factors(
        self,
        symbols: str | Sequence[str] | None = None,
        *,
        as_of: Day | None = None,
        known: Day | None = None,
        convention: str = "prev_close",
    ) -> pl.DataFrame:
        """See `Reader.factors`; of the convention by which the bundle was made."""
        _refuse_moments(as_of, known)
        return self._of_symbols(self._bundle.factors(request.convention_of(convention)), symbols)

    def _of_symbols(self, table: pl.DataFrame, symbols: str | Sequence[str] | None) -> pl.DataFrame:
        if symbols is None:
            return table
        names = [symbols] if isinstance(symbols, str) else list(symbols)
        listed = self._bundle.instruments(self._bundle.declared(DATASET))
        chosen = resolving.ever(listed, names, dataset=DATASET)
        return table.filter(pl.col("instrument").is_in(chosen))

    def repairs(self) -> pl.DataFrame:
        """See `Reader.repairs`."""
        return (
            self._bundle.table(layout.REPAIRS) if self._bundle.has(layout.REPAIRS) else noted.repairs([], {})
        )

    def sessions(self, dataset: str) -> pl.DataFrame:
        """The sessions of a dataset's calendar from the first wanted one to the bundle's last: dataset, session, open and close (UTC), and
        `minutes`, how many regular ones are expected."""
        self._bundle.declared(dataset)
        table = self._bundle.table(layout.sessions(dataset))
        return table.select(pl.lit(dataset).alias("dataset"), "session", "open", "close", "minutes")

    def cells(self, dataset: str) -> pl.LazyFrame:
        """One row for each wanted cell, by instrument and session, also for those that are not there: dataset, instrument, symbol,
        session, source, availability, finality, completeness, verdict, rows, expected_low, expected_high, codes, findings, digest,
        rules_version, checked_at (UTC)."""
        self._bundle.declared(dataset)
        return self._bundle.cells(dataset)

    def verdicts(self, dataset: str, *, known: Day | None = None) -> pl.DataFrame:
        """See `Reader.verdicts`."""
        _refuse_moments(known)
        key = ["instrument", "verdict", "codes"]
        held, judged = (
            pl.col("availability") == Availability.HELD.value,
            pl.col("verdict") != Verdict.UNCHECKED.value,
        )
        ranges = (
            self.cells(dataset)
            .with_columns((held | judged).alias("said"))
            .with_columns(pl.struct("said", *key).rle_id().alias("range"))
            .group_by("range", "said", *key, maintain_order=True)
            .agg(pl.col("session").min().alias("first"), pl.col("session").max().alias("last"))
            .filter("said")
        )
        dataset_name = pl.lit(dataset).alias("dataset")
        return ranges.select(dataset_name, "instrument", "first", "last", "verdict", "codes").collect()

    def coverage(self, dataset: str, *, known: Day | None = None) -> pl.DataFrame:
        """`UsageError`: what each source has shown is in no bundle; `cells` tells what came of it."""
        _refuse_moments(known)
        raise errors.UsageError(
            f"a bundle does not tell what each source has shown of {dataset}.",
            hint="cells(dataset) tells what is there, and node.coverage(dataset) of the node the rest.",
        )

    def intervals(self, dataset: str) -> pl.DataFrame:
        """See `Reader.intervals`."""
        declared = self._bundle.declared(dataset)
        if self._bundle.has(layout.INTERVALS):
            return self._bundle.table(layout.INTERVALS).filter(pl.col("dataset") == dataset)
        calendar = self._bundle.calendar(declared)
        return noted.intervals(dataset, calendar, [], calendar.known_from, calendar.known_from)

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
        """`UsageError`: what sources told before is in no bundle."""
        del symbols, start, end, since, until
        raise errors.UsageError(
            f"a bundle does not tell what sources have changed of {datasets.get(dataset).name}.",
            hint=ELSEWHERE,
        )

    def universe(self, name: str, *, as_of: str | dt.date) -> tuple[str, ...]:
        """See `Reader.universe`."""
        day = request.day(as_of, "as_of")
        stays = self._bundle.table(layout.MEMBERSHIP).filter(pl.col("universe") == name)
        if stays.is_empty():
            raise errors.UsageError(f"this bundle does not tell who was in {name!r}.", hint=ELSEWHERE)
        begin = min(stays["since"])
        if begin > day:
            raise errors.UsageError(
                f"who was in {name} on {day} is not known.", hint=f"It is known from {begin} on."
            )
        until = pl.col("until")
        inside = stays.filter(pl.col("since") <= day, until.is_null() | (until > day))
        return tuple(sorted(inside["instrument"]))


def _refuse_moments(*moments: Day | None) -> None:
    if any(moment is not None for moment in moments):
        raise of_the_past()
