"""A person's repair of a curated bar, checked against what the node holds."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
import zoneinfo
from collections.abc import Mapping
from typing import Any

import polars as pl

from fulltape import errors
from fulltape.checks import rows as row_checks
from fulltape.checks.findings import CheckContext
from fulltape.context import ConfiguredDataset, NodeContext
from fulltape.context import repaired as rules
from fulltape.curate import run as curate
from fulltape.decoding import frames
from fulltape.lake import layout, parquet
from fulltape.ledger.repairs import DROP, Repair
from fulltape.market.schema import Column
from fulltape.market.time import Clock, Instant, from_datetime, iso, to_second
from fulltape.views import gaps

_NUMBERS = ("f64", "i64")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is to become of a bar: values by column (text; "null" for none), or, without any, that it is taken out. `at` is the start
    of a minute, by the market's clock (HH:MM) or as a moment with its zone; '' for a day's bar."""

    dataset: str
    symbol: str
    session: dt.date
    at: str = ""
    values: Mapping[str, str] = dataclasses.field(default_factory=dict)


def add(context: NodeContext, clock: Clock, change: Change, *, who: str, reason: str) -> list[Repair]:
    """Note a repair of each value, which the next curation applies. `UsageError` for a row that is not there, a value that it cannot
    have, and a bar that would contradict itself."""
    wanted, instrument = gaps.series_of(context, change.dataset, change.symbol)
    if wanted.dataset.grain not in ("day", "minute"):
        raise errors.UsageError(f"only bars are repaired, and {change.dataset} has none.")
    rows = _session(context, wanted, instrument, change)
    row = _row(wanted, instrument, change, rows)
    if not change.values and rows.height == 1:
        raise errors.UsageError(
            f"it is the only bar of {instrument} in that session, which would then be held without a row.",
            hint="Set its values instead (--set).",
        )
    priced = rules.priced(wanted.dataset.schema.names)
    becomes = {name: _value(wanted, change, name, text) for name, text in change.values.items()}
    _held_to_rules(context, wanted, row, becomes, clock.now())
    repairs = [
        _over_earlier(
            context,
            Repair(
                dataset=change.dataset,
                instrument=instrument,
                session=change.session,
                ts=from_datetime(row["ts"]),
                source=row["source"],
                column=column,
                was=_text(row[column or priced]),
                becomes=value,
                who=who,
                reason=reason,
                at=clock.now(),
            ),
        )
        for column, value in (becomes or {DROP: ""}).items()
    ]
    for repair in repairs:
        if repair.column != DROP and repair.was == repair.becomes:
            raise errors.UsageError(
                f"{repair.column} of that row is {repair.was or 'null'} already.", hint="`fulltape repairs undo` takes a repair back."
            )  # fmt: skip
    with context.ledger.write():
        repairs = [
            dataclasses.replace(repair, number=context.ledger.repairs.add(repair)) for repair in repairs
        ]
        _again(context, wanted, repairs[0])
    return repairs


def _held_to_rules(
    context: NodeContext,
    wanted: ConfiguredDataset,
    row: Mapping[str, Any],
    becomes: Mapping[str, str],
    now: Instant,
) -> None:
    """A bar that contradicts itself would be judged RED, and its source blamed."""
    changed = dict(row) | {name: float(value) if value else None for name, value in becomes.items()}
    checking = CheckContext(
        dataset=wanted.dataset,
        calendar=wanted.calendar,
        instruments=wanted.instruments,
        now=now,
        thresholds=context.rules.thresholds,
    )
    frame = frames.conform(pl.DataFrame([changed], infer_schema_length=None), wanted.dataset.curated.columns)
    flags = row_checks.flagged(frame, checking)["flags"][0] & row_checks.HOLDS_OUT
    for rule in row_checks.RULES:
        if flags & rule.bit & ~int(row["flags"]):
            raise errors.UsageError(
                f"the bar would then have {rule.sentence}.", hint="Set all that belongs together: --set is given several times."
            )  # fmt: skip


def undo(context: NodeContext, clock: Clock, number: int, *, who: str, reason: str) -> Repair:
    """Take a repair back; the next curation restores what the source says."""
    repair = next((each for each in context.ledger.repairs.all() if each.number == number), None)
    if repair is None:
        raise errors.UsageError(f"there is no repair {number}.", hint="`fulltape repairs` lists them.")
    if repair.undone:
        raise errors.UsageError(f"repair {number} was taken back on {iso(repair.undone)}.")
    with context.ledger.write():
        context.ledger.repairs.undo(repair, who=who, reason=reason, now=clock.now())
        wanted = context.wanted.get(repair.dataset)
        if wanted is not None:
            _again(context, wanted, repair)
    return repair


def _again(context: NodeContext, wanted: ConfiguredDataset, repair: Repair) -> None:
    """Let the folder be curated once more."""
    key = layout.folder_key(wanted.dataset.curated_folder, repair.session)
    context.ledger.damages.redo(curate.STAGE, repair.dataset, [key])


def _session(
    context: NodeContext, wanted: ConfiguredDataset, instrument: str, change: Change
) -> pl.DataFrame:
    """The curated rows of the session."""
    parts = context.ledger.catalogue.current(
        "curated", change.dataset, first=change.session, last=change.session
    )
    if not parts:
        return frames.empty(wanted.dataset.curated.columns)
    rows = parquet.scan([context.layout.root / part.path for part in parts])
    return rows.filter(
        pl.col("instrument").cast(pl.String) == instrument, pl.col("session") == change.session
    ).collect()


def _row(wanted: ConfiguredDataset, instrument: str, change: Change, rows: pl.DataFrame) -> Mapping[str, Any]:
    """The curated row that is meant."""
    if wanted.dataset.grain == "minute":
        moment = _moment(wanted, change)
        rows = rows.filter(pl.col("ts").cast(pl.Int64) == moment)
        when = to_second(moment)
    else:
        if change.at:
            raise errors.UsageError(f"{change.dataset} has one bar a session: leave --at out.")
        when = change.session.isoformat()
    if rows.height != 1:
        raise errors.UsageError(
            f"{change.dataset} holds no bar of {instrument} at {when}.",
            hint="A repair changes a bar that is curated; after an undo run fulltape curate first.",
        )
    return rows.to_dicts()[0]


def _moment(wanted: ConfiguredDataset, change: Change) -> Instant:
    if not change.at:
        raise errors.UsageError(f"{change.dataset} has many bars a session.", hint='Say which: --at "09:31".')
    try:
        if len(change.at) <= len("HH:MM:SS"):
            clock = dt.datetime.combine(change.session, dt.time.fromisoformat(change.at))
            return from_datetime(clock.replace(tzinfo=zoneinfo.ZoneInfo(wanted.calendar.zone)))
        moment = dt.datetime.fromisoformat(change.at)
    except ValueError as error:
        raise errors.UsageError(f"--at {change.at!r} is no time.", hint='Write "09:31".') from error
    if moment.tzinfo is None:
        raise errors.UsageError(f"--at {change.at!r} has no time zone.", hint='Write "09:31" for the market\'s clock.')  # fmt: skip
    return from_datetime(moment)


def _value(wanted: ConfiguredDataset, change: Change, name: str, text: str) -> str:
    """The new value as it is stored."""
    columns = {column.name: column for column in wanted.dataset.schema.columns if column.dtype in _NUMBERS}
    column = columns.get(name)
    if column is None:
        raise errors.UsageError(
            f"{name!r} is no value of {change.dataset}.", hint=f"It has {', '.join(columns)}."
        )
    if text == "null":
        if not column.nullable:
            raise errors.UsageError(f"{column.name} of {change.dataset} is never null.")
        return ""
    return _text(_number(column, text))


def _number(column: Column, text: str) -> float | int:
    try:
        value: float | int = int(text) if column.dtype == "i64" else float(text)
    except ValueError as error:
        what = "whole number" if column.dtype == "i64" else "number"
        raise errors.UsageError(f"{column.name} = {text!r} is no {what}.") from error
    bad = not math.isfinite(value) or (column.sign == "positive" and value <= 0)
    if bad or (column.sign == "not_negative" and value < 0):
        raise errors.UsageError(f"{column.name} = {text} cannot be: it is {column.sign.replace('_', ' ')}.")
    return value


def _text(value: float | None) -> str:
    return "" if value is None else repr(value)


def _over_earlier(context: NodeContext, repair: Repair) -> Repair:
    """A repair of what was repaired before holds against what the source says, not against the earlier repair."""
    place = (repair.instrument, repair.ts, repair.source, repair.column)
    for earlier in reversed(context.ledger.repairs.holding(repair.dataset, repair.session, repair.session)):
        if (earlier.instrument, earlier.ts, earlier.source, earlier.column) == place:
            if earlier.becomes == repair.was:
                return dataclasses.replace(repair, was=earlier.was)
            break
    return repair
