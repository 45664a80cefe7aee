"""Rows in a dataset's schema, held against its contract: what breaks it is taken out, with the reason."""

from __future__ import annotations

import polars as pl

from fulltape.checks import rows as row_checks
from fulltape.context import ConfiguredDataset
from fulltape.contract.vendor import Rejected


def by_schema(frame: pl.DataFrame, wanted: ConfiguredDataset) -> tuple[pl.DataFrame, list[Rejected]]:
    """Take out rows with nulls, infinities or signs that the schema forbids."""
    columns = wanted.dataset.schema.columns
    breaks = {column.name: row_checks.column_breaks(column) for column in columns}
    broken = frame.select(rule.any().alias(name) for name, rule in breaks.items()).row(0, named=True)
    rejections: list[Rejected] = []
    for column in columns:
        if broken[column.name]:
            rule = breaks[column.name]
            rejections += _rejections(frame.filter(rule), f"{column.name} breaks the schema ({column.sign})")
            frame = frame.filter(~rule)
    return frame, rejections


def by_sessions_and_keys(
    frame: pl.DataFrame, wanted: ConfiguredDataset
) -> tuple[pl.DataFrame, list[Rejected]]:
    """Take out rows of days without a session, and copies; rows out of order are told and stay."""
    frame, closed = _open_days(frame, wanted)
    unsorted = _unsorted(frame)
    frame, doubles = _unique(frame, wanted)
    return frame, [*closed, *unsorted, *doubles]


def without(frame: pl.DataFrame, wrong: pl.Expr, reason: str) -> tuple[pl.DataFrame, list[Rejected]]:
    """Take out the rows of which something is true; mostly there are none, and then nothing is copied."""
    if not frame.select(wrong.any()).item():
        return frame, []
    return frame.filter(~wrong), _rejections(frame.filter(wrong), reason)


def _open_days(frame: pl.DataFrame, wanted: ConfiguredDataset) -> tuple[pl.DataFrame, list[Rejected]]:
    """Take out rows of days on which the market was closed."""
    present = frame["session"].unique()
    closed = [label for label in present if wanted.calendar.day(label) != "session"]
    if not closed:
        return frame, []
    return without(frame, pl.col("session").is_in(closed), "rows on a closed day")


def _unsorted(frame: pl.DataFrame) -> list[Rejected]:
    """Rows that run backwards are sorted and taken; the pages are kept, with the reason."""
    backwards = frame.filter(
        (pl.col("ts") < pl.col("ts").shift(1).over("symbol", "page")).fill_null(value=False)
    )
    return [
        Rejected(
            page=page,
            symbol=symbol,
            session=None,
            rows=count,
            reason="rows out of order; sorted and taken",
            lost=False,
        )
        for page, symbol, count in backwards.group_by("page", "symbol", maintain_order=True).len().iter_rows()
    ]


def _unique(frame: pl.DataFrame, wanted: ConfiguredDataset) -> tuple[pl.DataFrame, list[Rejected]]:
    """Equal copies become one; copies that contradict each other are all taken out. Rows without a key of their own
    are never compared: equal ones are genuine."""
    key = list(wanted.dataset.schema.key)
    if not key or _plainly_unique(frame, key):
        return frame, []
    values = [name for name in frame.columns if name != "page"]
    once = frame.unique(subset=values, keep="first", maintain_order=True)
    copies = frame.height - once.height
    rejections: list[Rejected] = []
    if copies:
        again = frame.filter(pl.struct(values).is_duplicated())
        rejections += [
            Rejected(
                page=page,
                symbol=symbol,
                session=None,
                rows=count,
                reason="repeated rows; one copy taken",
                lost=False,
            )
            for page, symbol, count in again.group_by("page", "symbol", maintain_order=True).len().iter_rows()
        ]
    contradicts = pl.struct(key).is_duplicated()
    rejections += _rejections(once.filter(contradicts), "rows that contradict each other")
    return once.filter(~contradicts), rejections


def _plainly_unique(frame: pl.DataFrame, key: list[str]) -> bool:
    """Whether every row follows the one before it by symbol and key: then none is there twice."""
    second = key[-1]
    if key not in (["instrument", "ts"], ["instrument", "session"]) or frame.is_empty():
        return False
    same = pl.col("symbol") == pl.col("symbol").shift(1)
    later = pl.col(second) > pl.col(second).shift(1)
    runs = (~same).fill_null(value=True).sum()
    ordered, blocks, symbols = frame.select(
        (later | ~same).fill_null(value=True).all().alias("ordered"),
        runs.alias("blocks"),
        pl.col("symbol").n_unique().alias("symbols"),
    ).row(0)
    return bool(ordered) and blocks == symbols


def _rejections(frame: pl.DataFrame, reason: str) -> list[Rejected]:
    counted = frame.group_by("page", "symbol", "session", maintain_order=True).len()
    return [
        Rejected(page=page, symbol=symbol, session=session, rows=count, reason=reason)
        for page, symbol, session, count in counted.iter_rows()
    ]
