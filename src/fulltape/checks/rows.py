"""Rules about single rows: schema, order and sanity. Each has a bit in `flags`.

`bad` rules make a cell RED from a share of its rows (`bad_share_red`), `red` rules at once, `amber` rules never.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from fulltape.checks import findings
from fulltape.checks.beside import Beside
from fulltape.checks.findings import CheckContext
from fulltape.decoding import frames
from fulltape.market.schema import Column
from fulltape.market.time import MINUTE

if TYPE_CHECKING:
    import polars as pl

Weight = Literal["amber", "bad", "red"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowRule:
    """`test` gives, for a context, an expression that is true for the rows that break the rule."""

    code: str
    bit: int
    weight: Weight
    sentence: str
    test: Callable[[CheckContext], pl.Expr]
    needs: tuple[str, ...] = ()
    """Columns without which the rule says nothing."""


def column_breaks(column: Column) -> pl.Expr:
    """True where a value breaks its declaration: null, not finite, or of the wrong sign."""
    import polars as pl

    value = pl.col(column.name)
    broken = value.is_null() & pl.lit(not column.nullable)
    if column.dtype == "f64":
        broken = broken | (value.is_not_null() & ~value.is_finite())
    if column.sign == "positive":
        broken = broken | (value <= 0)
    if column.sign == "not_negative":
        broken = broken | (value < 0)
    return broken.fill_null(value=False)


def _schema(context: CheckContext) -> pl.Expr:
    import polars as pl

    return pl.any_horizontal(column_breaks(column) for column in context.dataset.schema.columns)


def _ohlc(_: CheckContext) -> pl.Expr:
    import polars as pl

    return (pl.col("low") > pl.min_horizontal("open", "close")) | (
        pl.col("high") < pl.max_horizontal("open", "close")
    )


def _vwap(context: CheckContext) -> pl.Expr:
    import polars as pl

    slack = pl.max_horizontal(
        pl.lit(context.thresholds.vwap_ticks), context.thresholds.vwap_share * pl.col("close")
    )
    outside = (pl.col("vwap") < pl.col("low") - slack) | (pl.col("vwap") > pl.col("high") + slack)
    return (outside & (pl.col("volume") > 0)).fill_null(value=False)


def _vwap_without_volume(_: CheckContext) -> pl.Expr:
    import polars as pl

    return (pl.col("vwap").is_not_null() & (pl.col("vwap") != 0) & (pl.col("volume") == 0)).fill_null(
        value=False
    )


def _closed_day(_: CheckContext) -> pl.Expr:
    import polars as pl

    return pl.col("session_open").is_null() & pl.col("known")


def _future(context: CheckContext) -> pl.Expr:
    import polars as pl

    if context.dataset.grain == "event":
        return pl.lit(value=False)  # what happens at a date is announced before it
    return pl.col("ts") > pl.lit(context.now).cast(pl.Datetime("us", "UTC"))


def _outside_life(_: CheckContext) -> pl.Expr:
    import polars as pl

    return (pl.col("session") < pl.col("life_from")) | (pl.col("session") > pl.col("life_to"))


def _off_grid(context: CheckContext) -> pl.Expr:
    import polars as pl

    if context.dataset.grain != "minute":
        return pl.lit(value=False)
    return (pl.col("ts").dt.epoch("us") % MINUTE) != 0


def _declared_late(_: CheckContext) -> pl.Expr:
    import polars as pl

    return pl.col("declared_date") > pl.col("ex_date")


RULES = (
    RowRule(code="schema", bit=1, weight="red", sentence="values that the schema forbids", test=_schema),
    RowRule(
        code="sanity.ohlc",
        bit=2,
        weight="bad",
        sentence="open or close outside low to high",
        test=_ohlc,
        needs=("open", "high", "low", "close"),
    ),
    RowRule(
        code="sanity.vwap",
        bit=4,
        weight="amber",
        sentence="vwap outside low to high",
        test=_vwap,
        needs=("vwap", "volume"),
    ),
    RowRule(
        code="sanity.vwap_volume",
        bit=8,
        weight="amber",
        sentence="a vwap without any volume",
        test=_vwap_without_volume,
        needs=("vwap", "volume"),
    ),
    RowRule(code="order.closed_day", bit=16, weight="red", sentence="rows on a closed day", test=_closed_day),
    RowRule(code="order.future", bit=32, weight="red", sentence="rows from the future", test=_future),
    RowRule(
        code="order.outside_life",
        bit=64,
        weight="red",
        sentence="rows outside the listing",
        test=_outside_life,
    ),
    RowRule(
        code="order.off_grid", bit=128, weight="amber", sentence="stamps off the minute grid", test=_off_grid
    ),
    RowRule(
        code="sanity.declared",
        bit=256,
        weight="amber",
        sentence="a declaration after the ex-date",
        test=_declared_late,
        needs=("declared_date", "ex_date"),
    ),
)
HOLDS_OUT = sum(rule.bit for rule in RULES if rule.weight in ("bad", "red"))
"""The flags of rows that `drop_rows` takes out of an export."""


def flagged(frame: pl.DataFrame, context: CheckContext) -> pl.DataFrame:
    """`frame` with its `flags` computed anew."""
    import polars as pl

    wide = frame.join(
        findings.life_frame(context.instruments), on="instrument", how="left", maintain_order="left"
    ).join(_market(context), on="session", how="left", maintain_order="left")
    wide = wide.with_columns(
        pl.col("session").is_between(context.calendar.known_from, context.calendar.known_to).alias("known")
    )
    bits = [
        pl.when(rule.test(context).fill_null(value=False)).then(rule.bit).otherwise(0).cast(pl.UInt32)
        for rule in RULES
        if set(rule.needs) <= set(context.dataset.schema.names)
    ]
    return wide.with_columns(pl.sum_horizontal(bits).cast(pl.UInt32).alias("flags")).select(
        *(name for name in frame.columns if name != "flags"), "flags"
    )


def check(frame: pl.DataFrame, beside: Beside, context: CheckContext) -> pl.DataFrame:  # noqa: ARG001 — the signature of every check
    """One finding per cell and broken rule, from the `flags` of its rows."""
    import polars as pl

    broken = frame.filter(pl.col("flags") > 0)["flags"].unique().to_list()
    if not broken:
        return findings.none()
    total = frame.group_by("instrument", "session").len("total")
    tables = []
    for rule in RULES:
        if not any(flags & rule.bit for flags in broken):
            continue
        hit = frame.filter((pl.col("flags") & rule.bit) > 0).group_by("instrument", "session").len("rows")
        tables.append(_weighed(hit.join(total, on=["instrument", "session"]), rule, context))
    return pl.concat([findings.none(), *tables])


def _weighed(hit: pl.DataFrame, rule: RowRule, context: CheckContext) -> pl.DataFrame:
    import polars as pl

    share = pl.col("rows") / pl.col("total")
    limit = {"red": 0.0, "bad": context.thresholds.bad_share_red}.get(rule.weight, 2.0)
    severity = pl.when(share >= limit).then(pl.lit("RED")).otherwise(pl.lit("AMBER"))
    return findings.shaped(
        hit.with_columns(
            pl.lit(rule.code).alias("code"),
            severity.alias("severity"),
            share.alias("measure"),
            pl.lit(limit).alias("threshold"),
            pl.format("{} of {} rows have {}", "rows", "total", pl.lit(rule.sentence)).alias("sentence"),
        )
    )


def _market(context: CheckContext) -> pl.DataFrame:
    import polars as pl

    return frames.sessions(context.calendar).select("session", pl.col("open").alias("session_open"))
