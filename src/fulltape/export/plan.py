"""What goes into a bundle, and the one row per cell that tells what is there and why not. Pure."""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from fulltape.checks import continuity, contradiction, identity, restatement, trades
from fulltape.checks import rows as row_checks
from fulltape.coverage.cell import Availability, Completeness, Finality, Verdict
from fulltape.coverage.series import Picture
from fulltape.decoding import frames
from fulltape.market.dataset import Dataset
from fulltape.market.instruments import Instrument
from fulltape.market.ranges import Ranges
from fulltape.market.sessions import Calendar

STATUS: dict[str, Any] = {
    "dataset": pl.String,
    "instrument": pl.String,
    "symbol": pl.String,
    "session": pl.Date,
    "source": pl.String,
    "availability": pl.String,
    "finality": pl.String,
    "completeness": pl.String,
    "verdict": pl.String,
    "rows": pl.Int64,
    "expected_low": pl.Int64,
    "expected_high": pl.Int64,
    "codes": pl.String,
    "findings": pl.String,
    "digest": pl.String,
    "rules_version": pl.Int64,
    "checked_at": pl.Datetime("us", "UTC"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Included:
    """A curated file that goes into a bundle; `red` are its RED cells (instrument, session), `rows` those that are final;
    of `provisional` ones, and of sessions after `last`, a bundle has none."""

    dataset: str
    folder: str
    path: str
    sha256: str
    rows: int
    red: tuple[tuple[str, dt.date], ...]
    provisional: int = 0
    last: dt.date | None = None


def digest(included: Iterable[Included], inputs: Mapping[str, str]) -> str:
    """A digest of everything that a bundle is made of: equal digest, equal bundle."""
    lines = [f"{file.path} {file.sha256} {sorted(file.red)}" for file in included]
    lines += [f"{name}={value}" for name, value in sorted(inputs.items())]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def keep(frame: pl.DataFrame, red: Sequence[tuple[str, dt.date]], policy: str) -> pl.DataFrame:
    """The rows of a file that a policy lets through: `drop_cell` takes RED cells out whole, `drop_rows` only their
    bad rows, `keep_flagged` nothing."""
    if not red or policy == "keep_flagged":
        return frame
    cells = pl.DataFrame(list(red), schema={"instrument": pl.String, "session": pl.Date}, orient="row")
    if policy == "drop_cell":
        return frame.join(cells, on=["instrument", "session"], how="anti", maintain_order="left")
    marked = frame.join(
        cells.with_columns(pl.lit(value=True).alias("red")),
        on=["instrument", "session"],
        how="left",
        maintain_order="left",
    )
    bad = ((pl.col("flags") & row_checks.HOLDS_OUT) > 0) & pl.col("red").fill_null(value=False)
    return marked.filter(~bad).drop("red")


@dataclass(frozen=True, slots=True, kw_only=True)
class CellKnowledge:
    """What is known of one dataset's cells, in stretches of consecutive sessions: per row an instrument, the positions `start`
    to `stop` (exclusive), and in `cells` the symbol, the availability and the completeness; in `laid` the code of a finding
    that no rows show."""

    cells: pl.DataFrame
    laid: pl.DataFrame

    def of(self, instruments: Sequence[str]) -> CellKnowledge:
        """The same of some instruments."""
        mine = pl.col("instrument").is_in(instruments)
        return CellKnowledge(cells=self.cells.filter(mine), laid=self.laid.filter(mine))

    def facts(self) -> bytes:
        """All of it, for a digest."""
        return b"".join(table.sort(pl.all()).write_csv().encode() for table in (self.cells, self.laid))


def known(
    calendar: Calendar,
    all_series: Iterable[tuple[Instrument, Picture]],
    laid: Iterable[tuple[str, str, dt.date, dt.date]],
) -> CellKnowledge:
    """Series as stretches; `laid` are findings (code, instrument, first and last session, inclusive)."""
    rows: list[tuple[object, ...]] = []
    said: list[tuple[object, ...]] = []
    for instrument, shown in all_series:
        name = instrument.instrument
        held, holes = Availability.HELD, Completeness.HOLES_UNEXPLAINED
        if shown.held == shown.wanted:  # by far the most
            spelled = _spelled(instrument, calendar, shown.held)
            rows += [(name, *span, symbol, held.value, Completeness.WHOLE.value) for symbol, *span in spelled]
            continue
        said += [(name, *span, continuity.CODE) for span in continuity.broken(shown)]
        for where, availability, completeness in (
            (shown.held, held, Completeness.WHOLE.value),
            (shown.partial, held, holes.value),
            (shown.empty, Availability.EMPTY, None),
            (shown.unobtainable, Availability.UNOBTAINABLE, None),
            (shown.unknown_listing, Availability.UNKNOWN_LISTING, None),
            (shown.missing, Availability.MISSING, None),
        ):
            rows += [
                (name, start, stop, symbol, availability.value, completeness)
                for symbol, start, stop in _spelled(instrument, calendar, where)
            ]
    said += [(name, *calendar.between(first, last), code) for code, name, first, last in laid]
    place: dict[str, Any] = {"instrument": pl.String, "start": pl.Int64, "stop": pl.Int64}
    texts = dict.fromkeys(("symbol", "availability", "completeness"), pl.String)
    return CellKnowledge(
        cells=pl.DataFrame(rows, schema=place | texts, orient="row"),
        laid=pl.DataFrame(said, schema=place | {"code": pl.String}, orient="row"),
    )


def _spelled(instrument: Instrument, calendar: Calendar, where: Ranges) -> Iterator[tuple[str, int, int]]:
    """Stretches cut where the symbol changes."""
    for start, stop in where:
        first, last = calendar.label(start), calendar.label(stop - 1)
        if instrument.symbols[0].covers(first) and instrument.symbols[0].covers(last):
            yield instrument.symbols[0].symbol, start, stop
            continue
        symbols = [(at, instrument.symbol_on(calendar.label(at))) for at in range(start, stop)]
        for symbol, same in itertools.groupby(symbols, key=lambda pair: pair[1]):
            positions = [at for at, _ in same]
            yield symbol, positions[0], positions[-1] + 1


def status(
    dataset: Dataset, calendar: Calendar, knowledge: CellKnowledge, checked: pl.DataFrame
) -> pl.DataFrame:
    """One row per wanted cell, also for those that are not there. `checked` has the shape of `check.plan.CELLS`."""
    cells = _sessions_of(knowledge.cells, calendar).with_columns(
        pl.when(pl.col("availability") == Availability.HELD.value)
        .then(pl.lit(Finality.FINAL.value))
        .alias("finality")
    )
    laid = _sessions_of(knowledge.laid, calendar)
    unmeasured = pl.col("expected_low").is_null() & (pl.col("completeness") == Completeness.WHOLE.value)
    gaps = laid.filter(pl.col("code") == continuity.CODE).select(
        "instrument",
        "session",
        pl.lit(Verdict.AMBER.value).alias("gap_verdict"),
        pl.lit(continuity.CODE).alias("gap_code"),
        pl.lit(continuity.SENTENCE).alias("gap_sentence"),
    )
    return (
        cells.join(checked.drop("symbol"), on=["instrument", "session"], how="left")
        .join(gaps, on=["instrument", "session"], how="left")
        .with_columns(
            pl.coalesce("verdict", "gap_verdict").alias("verdict"),
            pl.coalesce("codes", "gap_code").alias("codes"),
            pl.coalesce("findings", "gap_sentence").alias("findings"),
        )
        .pipe(_with_laid, laid.filter(pl.col("code") != continuity.CODE))
        .with_columns(
            pl.lit(dataset.name).alias("dataset"),
            pl.col("verdict").fill_null(Verdict.UNCHECKED.value),
            pl.col("source", "codes", "findings", "digest").fill_null(""),
            pl.col("rows").fill_null(0),
            pl.when(unmeasured)
            .then(pl.lit(Completeness.UNMEASURED.value))
            .otherwise(pl.col("completeness"))
            .alias("completeness"),
        )
        .select(pl.col(name).cast(dtype) for name, dtype in STATUS.items())
        .sort("dataset", "instrument", "session")
    )


def _sessions_of(stretches: pl.DataFrame, calendar: Calendar) -> pl.DataFrame:
    """One row for each session of each stretch."""
    labels = frames.sessions(calendar).select("session").with_row_index("position")
    return (
        stretches.with_columns(pl.int_ranges("start", "stop").alias("position"))
        .drop("start", "stop")
        .explode("position", empty_as_null=False)
        .join(labels.with_columns(pl.col("position").cast(pl.Int64)), on="position")
        .drop("position")
    )


LACKING = ("missing", "partial", "unobtainable", "unknown_listing")
"""Availabilities of cells that should be there and are not."""
LAID = {
    identity.CODE: identity.SENTENCE,
    contradiction.CODE: contradiction.SENTENCE,
    restatement.CODE: restatement.SENTENCE,
    trades.CODE: trades.SENTENCE,
}
"""Findings about cells that no rows show, and what they say."""


def _with_laid(cells: pl.DataFrame, laid: pl.DataFrame) -> pl.DataFrame:
    """The cells, with those AMBER about which there is such a finding and nothing worse."""
    by_session = (
        laid.group_by("instrument", "session")
        .agg(
            pl.lit(Verdict.AMBER.value).first().alias("laid verdict"),
            pl.col("code").sort().first().alias("laid codes"),
        )
        .with_columns(
            pl.col("laid codes").replace_strict(LAID, return_dtype=pl.String).alias("laid findings"),
        )
    )
    better = pl.col("verdict").is_in([Verdict.GREEN.value, Verdict.UNCHECKED.value])
    return cells.join(by_session, on=["instrument", "session"], how="left").with_columns(
        pl.when(better).then(pl.coalesce(f"laid {name}", name)).otherwise(name).alias(name)
        for name in ("verdict", "codes", "findings")
    )


def instruments(
    wanted: Mapping[str, Instrument], delistings: Mapping[str, tuple[str, float | None]]
) -> pl.DataFrame:
    """Instruments and their dated symbols; unknown dates are null. Where any delisting is known, by instrument its reason and return, they
    have columns for it."""
    dated = _dated_symbols(wanted)
    if not delistings:
        return dated
    known = pl.DataFrame(
        [(name, reason or None, returned) for name, (reason, returned) in sorted(delistings.items())],
        schema={"instrument": pl.String, "delisting_reason": pl.String, "delisting_return": pl.Float64},
        orient="row",
    )
    return dated.join(known, on="instrument", how="left", maintain_order="left")


def _dated_symbols(wanted: Mapping[str, Instrument]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            (
                instrument.instrument,
                dated.symbol,
                dated.first,
                dated.last,
                instrument.listed_from,
                instrument.listed_to,
            )
            for instrument in wanted.values()
            for dated in instrument.symbols
        ],
        schema={
            "instrument": pl.String,
            "symbol": pl.String,
            "valid_from": pl.Date,
            "valid_to": pl.Date,
            "listed_from": pl.Date,
            "listed_to": pl.Date,
        },
        orient="row",
    ).sort("instrument", "valid_from")


def membership(changes: Iterable[Mapping[str, object]]) -> pl.DataFrame:
    """Who was in which universe: one row for each stay, `until` null while it lasts."""
    stays: list[list[object]] = []
    running: dict[tuple[object, object], list[object]] = {}
    for change in changes:
        key, day = (change["universe"], change["instrument"]), dt.date.fromisoformat(str(change["day"]))
        if change["inside"]:
            running[key] = [*key, day, None]
            stays.append(running[key])
        elif key in running:
            running.pop(key)[3] = day
    shape = {"universe": pl.String, "instrument": pl.String, "since": pl.Date, "until": pl.Date}
    return pl.DataFrame(stays, schema=shape, orient="row").sort("universe", "instrument", "since")


def sessions(calendar: Calendar, first: dt.date, last: dt.date) -> pl.DataFrame:
    """The calendar between two days: session, open, close (UTC), expected minutes."""
    return frames.sessions(calendar).drop("length").filter(pl.col("session").is_between(first, last))
