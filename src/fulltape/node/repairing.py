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
from fulltape.context import ConfiguredDataset, NodeContext
from fulltape.curate import repairs as rules
from fulltape.curate import run as curate
from fulltape.lake import layout, parquet
from fulltape.ledger.repairs import DROP, Repair
from fulltape.market import datasets
from fulltape.market.schema import Column
from fulltape.market.time import Clock, Instant, from_datetime, iso
from fulltape.views import gaps

_NUMBERS = ("f64", "i64")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is to become of a bar: a column's value (text; "null" for none), or, without a column, that it is taken out. `at` is the start
    of a minute, by the market's clock (HH:MM) or as a moment with its zone; '' for a day's bar."""

    dataset: str
    symbol: str
    session: dt.date
    at: str = ""
    column: str = DROP
    value: str = ""


def add(context: NodeContext, clock: Clock, change: Change, *, who: str, reason: str) -> Repair:
    """Note a repair, which the next curation applies. `UsageError` for a row that is not there, or a value that it cannot have."""
    wanted = _wanted(context, change.dataset)
    names = gaps.named(wanted, change.symbol)
    if len(names) != 1:
        raise errors.UsageError(
            f"{change.symbol} {'is the symbol of ' + ', '.join(names) if names else 'is not in the universe'}."
        )
    row = _row(context, wanted, names[0], change)
    column = change.column or rules.priced(wanted.dataset.schema.names)
    becomes = "" if change.column == DROP else _value(wanted, change)
    repair = Repair(
        dataset=change.dataset,
        instrument=names[0],
        session=change.session,
        ts=from_datetime(row["ts"]),
        source=row["source"],
        field=change.column,
        was=_text(row[column]),
        becomes=becomes,
        who=who,
        reason=reason,
        at=clock.now(),
    )
    repair = _over_earlier(context, repair)
    if repair.field != DROP and repair.was == repair.becomes:
        raise errors.UsageError(
            f"{column} of that row is {repair.was or 'null'} already.", hint="`fulltape repairs undo` takes a repair back."
        )  # fmt: skip
    with context.ledger.write():
        number = context.ledger.repairs.add(repair)
        _again(context, wanted, repair)
    return dataclasses.replace(repair, number=number)


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


def _wanted(context: NodeContext, name: str) -> ConfiguredDataset:
    declared = datasets.get(name)
    wanted = context.wanted.get(name)
    if wanted is None:
        raise errors.UsageError(
            f"this node does not have {name}.", hint=f"It has {', '.join(sorted(context.wanted))}."
        )
    if declared.grain not in ("day", "minute"):
        raise errors.UsageError(f"only bars are repaired, and {name} has none.")
    return wanted


def _row(
    context: NodeContext, wanted: ConfiguredDataset, instrument: str, change: Change
) -> Mapping[str, Any]:
    """The curated row that is meant."""
    parts = context.ledger.catalogue.current(
        "curated", change.dataset, first=change.session, last=change.session
    )
    rows = pl.DataFrame()
    if parts:
        lazy = parquet.scan([context.layout.root / part.path for part in parts])
        mine = lazy.filter(
            pl.col("instrument").cast(pl.String) == instrument, pl.col("session") == change.session
        )
        rows = mine.collect()
    if wanted.dataset.grain == "minute" and rows.height:
        rows = rows.filter(pl.col("ts").cast(pl.Int64) == _moment(wanted, change))
    elif change.at:
        raise errors.UsageError(f"{change.dataset} has one bar a session: leave --at out.")
    if rows.height != 1:
        when = f"{change.session} {change.at}".strip()
        raise errors.UsageError(
            f"{change.dataset} holds no bar of {instrument} on {when}.",
            hint="A repair changes a bar that is there; what is missing is a gap (fulltape gaps).",
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


def _value(wanted: ConfiguredDataset, change: Change) -> str:
    """The new value as it is stored."""
    columns = {column.name: column for column in wanted.dataset.schema.columns if column.dtype in _NUMBERS}
    column = columns.get(change.column)
    if column is None:
        raise errors.UsageError(
            f"{change.column!r} is no value of {change.dataset}.", hint=f"It has {', '.join(columns)}."
        )
    if change.value == "null":
        if not column.nullable:
            raise errors.UsageError(f"{column.name} of {change.dataset} is never null.")
        return ""
    return _text(_number(column, change.value))


def _number(column: Column, text: str) -> float | int:
    try:
        value: float | int = int(text) if column.dtype == "i64" else float(text)
    except ValueError as error:
        raise errors.UsageError(f"{column.name} = {text!r} is no number.") from error
    bad = not math.isfinite(value) or (column.sign == "positive" and value <= 0)
    if bad or (column.sign == "not_negative" and value < 0):
        raise errors.UsageError(f"{column.name} = {text} cannot be: it is {column.sign.replace('_', ' ')}.")
    return value


def _text(value: float | None) -> str:
    return "" if value is None else repr(value)


def _over_earlier(context: NodeContext, repair: Repair) -> Repair:
    """A repair of what was repaired before holds against what the source says, not against the earlier repair."""
    place = (repair.instrument, repair.ts, repair.source, repair.field)
    for earlier in reversed(context.ledger.repairs.holding(repair.dataset, repair.session, repair.session)):
        if (earlier.instrument, earlier.ts, earlier.source, earlier.field) == place:
            if earlier.becomes == repair.was:
                return dataclasses.replace(repair, was=earlier.was)
            break
    return repair
