"""Fields as they are on the wire, and stamps of every kind in UTC microseconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fulltape.contract.vendor import FieldKind, RowFormat, WireField
from fulltape.market.time import EARLIEST, LATEST

if TYPE_CHECKING:
    import polars as pl


def wire_type(part: WireField, row_format: RowFormat) -> Any:
    """The polars type of a field as JSON gives it."""
    import polars as pl

    kind = row_format.timestamp_kind if part.column == "timestamp" else part.kind
    types: dict[FieldKind, Any] = {
        "float": pl.Float64, "integer": pl.Int64, "text": pl.String, "boolean": pl.Boolean,
        "decimal": pl.String, "date": pl.String, "list": pl.List(pl.String),
    }  # fmt: skip
    return types[kind]


def csv_type(part: WireField, row_format: RowFormat) -> Any:
    """The polars type of a field as CSV gives it."""
    import polars as pl

    return (
        pl.Float64 if part.kind == "decimal" and part.column != "timestamp" else wire_type(part, row_format)
    )


def typed(frame: pl.DataFrame, row_format: RowFormat) -> pl.DataFrame:
    """Digits as numbers and dates as dates; raises for anything else, and for numbers that are not finite."""
    import polars as pl

    casts = [
        pl.col(part.column).cast(pl.Float64, strict=True)
        if part.kind == "decimal"
        else pl.col(part.column).list.join(",")
        if part.kind == "list"
        else pl.col(part.column).str.to_date("%Y-%m-%d", strict=True)
        for part in row_format.fields
        if part.kind in ("decimal", "date", "list") and part.column != "timestamp"
    ]
    if not casts:
        return frame
    typed = frame.with_columns(casts)
    numbers = [
        part.column for part in row_format.fields if part.kind == "decimal" and part.column != "timestamp"
    ]
    if not all(typed[name].is_finite().fill_null(value=True).all() for name in numbers):
        raise ValueError("a number that is not finite")
    return typed


def timestamped(frame: pl.DataFrame, row_format: RowFormat) -> pl.DataFrame:
    """`timestamp` in UTC microseconds and `timestamp_ns` beside it; raises where one is missing or lies outside 1970 to 2200."""
    import polars as pl

    wire = frame["timestamp"]
    if row_format.unit == "iso":
        timestamp, exact = _read_iso(wire)
    elif row_format.unit == "date":
        if not (wire.str.len_bytes() == len("2024-01-02")).all():
            raise ValueError("a day that is not written YYYY-MM-DD")
        timestamp = wire.str.to_date("%Y-%m-%d", strict=True).cast(pl.Datetime("us")).dt.epoch("us")
        exact = timestamp * 1_000
    else:
        exact = _counted(wire, row_format)
        timestamp = exact // 1_000
    held_to_range(timestamp, EARLIEST, LATEST - 1)
    place = frame.columns.index("timestamp")
    return (
        frame.clone()
        .replace_column(place, timestamp.alias("timestamp"))
        .hstack([exact.alias("timestamp_ns")])
    )


def held_to_range(counts: pl.Series, first: int, last: int) -> None:
    """Raise where a count is missing or lies outside."""
    least, most = counts.min(), counts.max()
    if counts.null_count() or (least is not None and (least < first or most > last)):  # type: ignore[operator]
        raise ValueError("a stamp outside of 1970 to 2200")


def _read_iso(wire: pl.Series) -> tuple[pl.Series, pl.Series]:
    """ISO 8601 with a zone; a naive time is refused, since its meaning is unknown."""
    import polars as pl

    for form in ("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S%.fZ", "%Y-%m-%dT%H:%M:%S%.f%:z"):
        try:
            read = wire.str.to_datetime(form, time_unit="us", time_zone="UTC", strict=True)
        except pl.exceptions.PolarsError:
            continue
        timestamp = read.dt.epoch("us")
        held_to_range(timestamp, EARLIEST, LATEST - 1)
        if "%.f" not in form:
            return timestamp, timestamp * 1_000
        exact = wire.str.to_datetime(form, time_unit="ns", time_zone="UTC", strict=True)
        return timestamp, exact.dt.epoch("ns")
    raise ValueError("a stamp that is no ISO 8601 time with a zone")


def _counted(wire: pl.Series, row_format: RowFormat) -> pl.Series:
    """A count since 1970 in nanoseconds; what could run over is refused first."""
    import polars as pl

    per_ns = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1, "received": 1}
    held_to_range(wire, 0, LATEST * 1_000 // per_ns.get(row_format.unit, 1))
    if row_format.unit == "epoch":
        scale = (
            pl.when(wire < 10**11).then(10**9).when(wire < 10**14).then(10**6).when(wire < 10**17).then(10**3)
            .otherwise(1)
        )  # fmt: skip
        return wire * pl.select(scale.cast(pl.Int64)).to_series()
    if row_format.timestamp_kind == "float":
        # A float of seconds carries microseconds and no more.
        return (wire * (per_ns[row_format.unit] // 1_000)).round(0).cast(pl.Int64, strict=True) * 1_000
    return wire * per_ns[row_format.unit]
