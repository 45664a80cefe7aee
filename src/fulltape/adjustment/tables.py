"""Actions, factors and what follows for sessions, as frames."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import polars as pl

from fulltape.adjustment import factors as rules
from fulltape.adjustment.actions import CorporateAction
from fulltape.adjustment.factors import Convention, Factor

_Types = dict[str, pl.DataType | type[pl.DataType]]
_ACTIONS: _Types = {
    "instrument": pl.String, "ex_date": pl.Date, "action_type": pl.String, "ratio": pl.Float64, "amount": pl.Float64,
    "currency": pl.String, "new_symbol": pl.String, "agreement": pl.String, "sources": pl.List(pl.String),
    "dissent": pl.List(pl.String), "problem": pl.String, "available_at": pl.Datetime("us", "UTC"),
}  # fmt: skip
_FACTORS: _Types = {
    "instrument": pl.String, "ex_date": pl.Date, "split": pl.Float64, "split_spin": pl.Float64, "total": pl.Float64,
    "shares": pl.Float64, "close": pl.Float64, "status": pl.String, "events": pl.List(pl.String),
    "problems": pl.List(pl.String), "convention": pl.String, "split_status": pl.String, "split_spin_status": pl.String,
}  # fmt: skip
_CUMULATED: _Types = {
    "instrument": pl.String, "first_session": pl.Date, "last_session": pl.Date, "cum_split": pl.Float64,
    "cum_split_spin": pl.Float64, "cum_total": pl.Float64, "cum_shares": pl.Float64, "status": pl.String,
}  # fmt: skip


def actions(many: Sequence[CorporateAction]) -> pl.DataFrame:
    """One row for each action, in their order."""
    rows = [
        (
            action.instrument, action.ex_date, action.action_type,
            None if action.ratio is None else float(action.ratio), action.amount, action.currency or None,
            action.new_symbol or None, action.agreement, list(action.sources), list(action.dissent),
            action.problem or None, action.available_at,
        )
        for action in many
    ]  # fmt: skip
    stored: _Types = {**_ACTIONS, "available_at": pl.Int64}
    return pl.DataFrame(rows, schema=stored, orient="row").cast({"available_at": _ACTIONS["available_at"]})


def factors(many: Sequence[Factor], convention: Convention) -> pl.DataFrame:
    """One row for each factor, in their order."""
    rows = [
        (
            factor.instrument, factor.ex_date, factor.split, factor.split_spin, factor.total, factor.shares,
            factor.close, factor.status, list(factor.events), list(factor.problems), convention,
            *factor.statuses[:2],
        )
        for factor in many
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=_FACTORS, orient="row")


def factors_in(table: pl.DataFrame) -> list[Factor]:
    """The factors of a table of `factors`. One without the statuses of the modes, as bundles had it, has that of all of them."""
    rows = table.rows(named=True)
    return [
        Factor(
            instrument=row["instrument"], ex_date=row["ex_date"], split=row["split"], split_spin=row["split_spin"],
            total=row["total"], shares=row["shares"], close=row["close"],
            statuses=(
                row.get("split_status", row["status"]), row.get("split_spin_status", row["status"]), row["status"],
            ),
            events=tuple(row["events"]), problems=tuple(row["problems"]),
        )
        for row in rows
    ]  # fmt: skip


def cumulated(by_instrument: Mapping[str, Sequence[Factor]], anchor: dt.date) -> pl.DataFrame:
    """What raw prices and volumes are multiplied by to be on the basis of the session `anchor`: one row for each stretch of
    sessions of each instrument between two ex-dates, up to the anchor; `first_session` is null before all ex-dates. Instruments
    without factors have one row."""
    rows: list[tuple[object, ...]] = []
    for name, mine in by_instrument.items():
        past = [factor for factor in mine if factor.ex_date <= anchor]
        modes = [rules.spans(name, past, mode, anchor) for mode in rules.MODES]
        ends = [*(factor.ex_date - dt.timedelta(days=1) for factor in past), anchor]
        for end, split, split_spin, total in zip(ends, *modes, strict=True):
            first = None if split.first == dt.date.min else split.first
            rows.append(
                (name, first, end, split.price, split_spin.price, total.price, total.shares, total.status)
            )
    return pl.DataFrame(rows, schema=_CUMULATED, orient="row")
