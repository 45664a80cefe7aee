"""From slices of pages to one frame of raw columns: many rows at once, and one by one only where a slice is broken.

polars reads newline-delimited JSON faster than any decoder that makes objects, and refuses every value of another
type. So a slice is split where its rows meet and read in bulk; what polars refuses is read row by row, and each bad row
is reported with its symbol and, where its stamp can be read, its session.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from fulltape.core.envelopes import UNREADABLE
from fulltape.core.time import EARLIEST, LATEST, SECOND, iso, midnight, parse_stamp, to_datetime
from fulltape.core.vendor import Decoded, Field, Kind, Rejected, Shape, Slice, StampUnit, Table

if TYPE_CHECKING:
    import polars as pl

SessionOf = Callable[[int], dt.date]
_PER: dict[str, tuple[int, int]] = {"s": (SECOND, 1), "ms": (1_000, 1), "us": (1, 1), "ns": (1, 1_000)}
_LONGEST_TEXT = 200
_OLDEST = -(10**10) * SECOND
"""1653: some macro series begin before 1970, and none before that."""
_WRONG = (*UNREADABLE, TypeError, AttributeError, KeyError, IndexError)
"""What reading rows of another shape than the declared one may raise."""
_Whole = Annotated[int, msgspec.Meta(ge=-(2**63), lt=2**63)]
_rows = msgspec.json.Decoder(list[msgspec.Raw])


def frame(
    decoded: Decoded, columns: Sequence[str], session_of: SessionOf
) -> tuple[pl.DataFrame, list[Rejected]]:
    """All rows with `symbol`, `page`, `stamp` (UTC microseconds), `stamp_ns` and these columns; and rejections."""
    import polars as pl

    rejected: list[Rejected] = []
    pieces = [_slice(one, session_of, rejected) for one in decoded.slices]
    pieces += [_table(one, rejected) for one in decoded.tables if one.columns.get("stamp")]
    wanted = ("symbol", "page", "stamp", "stamp_ns", *columns)
    pieces = [piece for piece in pieces if piece.height]
    if not pieces:
        return pl.DataFrame(schema=dict.fromkeys(wanted, pl.Null)), rejected
    whole = pl.concat(pieces, how="diagonal_relaxed")
    missing = [pl.lit(None).alias(name) for name in wanted if name not in whole.columns]
    return whole.with_columns(missing).select(wanted), rejected


def _table(table: Table, rejected: list[Rejected]) -> pl.DataFrame:
    import polars as pl

    stamps = table.columns["stamp"]
    good = [at for at, stamp in enumerate(stamps) if isinstance(stamp, int) and _OLDEST <= stamp < LATEST]
    if len(good) < len(stamps):
        reason = "stamps that no market data can have"
        count = len(stamps) - len(good)
        rejected.append(
            Rejected(page=table.page, symbol=table.symbol, session=None, rows=count, reason=reason)
        )
    columns = {name: [values[at] for at in good] for name, values in table.columns.items()}
    return pl.DataFrame(columns, strict=True).with_columns(
        pl.lit(table.symbol).alias("symbol"),
        pl.lit(table.page).alias("page"),
        (pl.col("stamp") * 1_000).alias("stamp_ns"),
    )


def _slice(one: Slice, session_of: SessionOf, rejected: list[Rejected]) -> pl.DataFrame:
    import polars as pl

    shape = one.shape

    try:
        wide = _stamped(_bulk(one, shape), shape)
    except (pl.exceptions.PolarsError, *_WRONG):
        wide = _stamped(_one_by_one(one, shape, session_of, rejected), shape)
    if one.descending:
        wide = wide.reverse()
    if one.within:
        wide = wide.filter(pl.col("stamp").is_between(*one.within, closed="left"))
    wide = wide.with_columns(
        pl.col(column).replace_strict(dict(words), default=None, return_dtype=pl.String)
        for column, words in shape.renamed.items()
    )
    if one.symbol:
        wide = wide.with_columns(pl.lit(one.symbol).alias("symbol"))
    else:
        wide = wide.filter(pl.col("symbol").is_in(list(one.names))).with_columns(
            pl.col("symbol").replace(dict(one.names))
        )
    return wide.with_columns(
        pl.lit(one.page).alias("page"),
        *(pl.lit(value).alias(name) for name, value in one.fixed.items()),
    )


def _bulk(one: Slice, shape: Shape) -> pl.DataFrame:
    """The slice in the types of the wire; raises for anything that is not as declared."""
    import polars as pl

    if one.form == "csv":
        return _csv(one, shape)
    text = one.rows.strip()
    if text in (b"[]", b""):
        return pl.DataFrame(schema={part.column: _wire_type(part, shape) for part in shape.fields})
    if isinstance(shape.fields[0].wire, int):
        return _arrays(text, shape)
    types = {str(part.wire): _wire_type(part, shape) for part in shape.fields}
    try:
        found = _lines(text[1:-1].replace(b"},{", b"}\n{"), text.count(b"},{") + 1, types)
    except (pl.exceptions.PolarsError, ValueError):
        # Spaces between the rows, or `},{` inside a text: take the rows apart as JSON says.
        pieces = [bytes(raw).replace(b"\n", b" ") for raw in _rows.decode(text)]
        found = _lines(b"\n".join(pieces), len(pieces), types)
    return _typed(found.rename({str(part.wire): part.column for part in shape.fields}), shape)


def _lines(text: bytes, count: int, types: Mapping[str, Any]) -> pl.DataFrame:
    import polars as pl

    found = pl.read_ndjson(text, schema=dict(types))
    if found.height != count:
        raise ValueError(f"{found.height} rows where {count} were written")
    return found


def _arrays(text: bytes, shape: Shape) -> pl.DataFrame:
    import polars as pl

    rows = msgspec.json.decode(text, type=list[list[Any]])
    last = max(int(part.wire) for part in shape.fields)
    if any(len(row) <= last for row in rows):
        raise ValueError("a row is too short")
    columns = list(zip(*(row[: last + 1] for row in rows), strict=True))
    found = pl.DataFrame(
        {part.column: _series(columns[int(part.wire)], part, shape) for part in shape.fields}
    )
    return _typed(found, shape)


def _series(values: Sequence[Any], part: Field, shape: Shape) -> pl.Series:
    import polars as pl

    if part.kind == "text":
        values = [value if isinstance(value, str) or value is None else str(value) for value in values]
    if part.kind == "decimal":
        found = pl.Series(values, strict=True)
        if found.dtype == pl.String:
            return found
        if not (found.dtype.is_numeric() or found.dtype == pl.Null):
            raise ValueError(f"{part.column} is neither a number nor digits")
        return found.cast(pl.Float64, strict=True)
    return pl.Series(values, dtype=_wire_type(part, shape), strict=True)


def _csv(one: Slice, shape: Shape) -> pl.DataFrame:
    import polars as pl

    last = max(int(part.wire) for part in shape.fields)
    names = {f"column_{int(part.wire) + 1}": part for part in shape.fields}
    found = pl.read_csv(
        one.rows,
        has_header=False,
        schema_overrides={name: _csv_type(part, shape) for name, part in names.items()},
        columns=list(range(last + 1)),
        raise_if_empty=False,
    )
    return _typed(found.select(pl.col(name).alias(part.column) for name, part in names.items()), shape)


def _wire_type(part: Field, shape: Shape) -> Any:
    import polars as pl

    kind = shape.stamp_kind if part.column == "stamp" else part.kind
    types: dict[Kind, Any] = {
        "float": pl.Float64, "integer": pl.Int64, "text": pl.String, "boolean": pl.Boolean,
        "decimal": pl.String, "date": pl.String,
    }  # fmt: skip
    return types[kind]


def _csv_type(part: Field, shape: Shape) -> Any:
    import polars as pl

    return pl.Float64 if part.kind == "decimal" and part.column != "stamp" else _wire_type(part, shape)


def _typed(found: pl.DataFrame, shape: Shape) -> pl.DataFrame:
    import polars as pl

    casts = [
        pl.col(part.column).cast(pl.Float64, strict=True)
        if part.kind == "decimal"
        else pl.col(part.column).str.to_date("%Y-%m-%d", strict=True)
        for part in shape.fields
        if part.kind in ("decimal", "date") and part.column != "stamp"
    ]
    if not casts:
        return found
    typed = found.with_columns(casts)
    numbers = [part.column for part in shape.fields if part.kind == "decimal" and part.column != "stamp"]
    if not all(typed[name].is_finite().fill_null(value=True).all() for name in numbers):
        raise ValueError("a number that is not finite")
    return typed


def _stamped(found: pl.DataFrame, shape: Shape) -> pl.DataFrame:
    """`stamp` in UTC microseconds and `stamp_ns` beside it; raises where one is missing or lies outside 1970 to 2200."""
    import polars as pl

    wire = found["stamp"]
    if shape.unit == "iso":
        stamp, exact = _read_iso(wire)
    elif shape.unit == "date":
        stamp = wire.str.to_date("%Y-%m-%d", strict=True).cast(pl.Datetime("us")).dt.epoch("us")
        exact = stamp * 1_000
    else:
        exact = _counted(wire, shape)
        stamp = exact // 1_000
    if not stamp.is_between(EARLIEST, LATEST - 1).fill_null(value=False).all():
        raise ValueError("a stamp outside of 1970 to 2200")
    return found.with_columns(stamp.alias("stamp"), exact.alias("stamp_ns"))


def _read_iso(wire: pl.Series) -> tuple[pl.Series, pl.Series]:
    """ISO 8601 with a zone; a naive time is refused, since nobody knows what it means."""
    import polars as pl

    written = "%Y-%m-%dT%H:%M:%S%.f"
    for ending in ("Z", "%:z"):
        try:
            stamp = wire.str.to_datetime(f"{written}{ending}", time_unit="us", time_zone="UTC", strict=True)
        except pl.exceptions.PolarsError:
            continue
        if stamp.is_between(to_datetime(EARLIEST), to_datetime(LATEST)).fill_null(value=False).all():
            exact = wire.str.to_datetime(f"{written}{ending}", time_unit="ns", time_zone="UTC", strict=True)
            return stamp.dt.epoch("us"), exact.dt.epoch("ns")
    raise ValueError("a stamp that is no ISO 8601 time with a zone")


def _counted(wire: pl.Series, shape: Shape) -> pl.Series:
    """A count since 1970 in nanoseconds; what could run over is refused first."""
    import polars as pl

    per_ns = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
    largest = LATEST * 1_000 // per_ns.get(shape.unit, 1)
    if not wire.is_between(0, largest).fill_null(value=False).all():
        raise ValueError("a stamp outside of 1970 to 2200")
    if shape.unit == "epoch":
        scale = (
            pl.when(wire < 10**11).then(10**9).when(wire < 10**14).then(10**6).when(wire < 10**17).then(10**3)
            .otherwise(1)
        )  # fmt: skip
        return wire * pl.select(scale.cast(pl.Int64)).to_series()
    if shape.stamp_kind == "float":
        # A float of seconds carries microseconds and no more.
        return (wire * (per_ns[shape.unit] // 1_000)).round(0).cast(pl.Int64, strict=True) * 1_000
    return wire * per_ns[shape.unit]


def _one_by_one(one: Slice, shape: Shape, session_of: SessionOf, rejected: list[Rejected]) -> pl.DataFrame:
    import polars as pl

    good: list[dict[str, Any]] = []
    for raw in _pieces(one, rejected):
        try:
            row = raw if isinstance(raw, list) else msgspec.json.decode(raw)
            good.append({part.column: _value(row, part, shape) for part in shape.fields})
        except _WRONG as error:
            session = _session(raw, shape, session_of)
            reason = str(error)[:_LONGEST_TEXT] or type(error).__name__
            symbol = one.symbol or None
            rejected.append(Rejected(page=one.page, symbol=symbol, session=session, rows=1, reason=reason))
    types = {part.column: _value_type(part, shape) for part in shape.fields}
    return pl.DataFrame(good, schema=types, orient="row")


def _pieces(one: Slice, rejected: list[Rejected]) -> Iterable[Any]:
    try:
        if one.form == "csv":
            return [line.split(",") for line in one.rows.decode().splitlines() if line]
        return _rows.decode(one.rows)
    except UNREADABLE as error:
        reason = str(error)[:_LONGEST_TEXT]
        rejected.append(
            Rejected(page=one.page, symbol=one.symbol or None, session=None, rows=0, reason=reason)
        )
        return []


def _value_type(part: Field, shape: Shape) -> Any:
    import polars as pl

    if part.column == "stamp" or part.kind not in ("decimal", "date"):
        return _wire_type(part, shape)
    return pl.Float64 if part.kind == "decimal" else pl.Date


def _value(row: Any, part: Field, shape: Shape) -> Any:
    """One field's value in its declared type; `ValueError` for anything else."""
    found = row[part.wire] if isinstance(part.wire, int) else row.get(part.wire)
    loose = isinstance(row, list) and isinstance(found, str)  # a field of CSV is always text
    if part.column == "stamp":
        instant = _instant(found, shape.unit)
        if shape.unit == "iso":
            return iso(instant)
        return found if shape.unit == "date" else float(found) if shape.stamp_kind == "float" else int(found)
    if found is None:
        return None
    try:
        return _converted(found, part.kind, loose=loose)
    except UNREADABLE:
        raise ValueError(f"{part.column} is {str(found)[:40]!r}") from None


def _converted(found: Any, kind: Kind, *, loose: bool) -> Any:
    if kind == "text":
        return found if isinstance(found, str) else msgspec.json.encode(found).decode()
    if kind == "date":
        return dt.date.fromisoformat(found if isinstance(found, str) else "")
    if kind == "boolean":
        return msgspec.convert(found, bool, strict=not loose)
    if kind == "integer":
        return msgspec.convert(found, _Whole, strict=not loose)
    number = msgspec.convert(found, float, strict=kind == "float" and not loose)
    if not math.isfinite(number):
        raise ValueError("not finite")
    return number


def _instant(found: Any, unit: StampUnit) -> int:
    """A stamp in UTC microseconds; `ValueError` for anything that is none."""
    if unit == "iso":
        return parse_stamp(found)
    if unit == "date":
        return midnight(dt.date.fromisoformat(found))
    number = float(found)
    if unit == "epoch":
        unit = "s" if number < 1e11 else "ms" if number < 1e14 else "us" if number < 1e17 else "ns"
    many, parts = _PER[unit]
    instant = int(number * many / parts)
    if isinstance(found, bool) or not EARLIEST <= instant < LATEST:
        raise ValueError(f"{found!r} is no time")
    return instant


def _session(raw: Any, shape: Shape, session_of: SessionOf) -> dt.date | None:
    part = next(part for part in shape.fields if part.column == "stamp")
    try:
        row: Any = raw if isinstance(raw, list) else msgspec.json.decode(raw)
        return session_of(_instant(row[part.wire], shape.unit))
    except _WRONG:
        return None
