"""Rows one by one: what bulk reading refuses is judged row by row, and each bad one is reported."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from fulltape.contract.envelopes import UNREADABLE
from fulltape.contract.vendor import FieldKind, Rejected, RowFormat, Slice, TimestampUnit, WireField
from fulltape.decoding import fields
from fulltape.market.time import (
    EARLIEST,
    LATEST,
    SECOND,
    epoch_unit,
    iso,
    midnight,
    parse_timestamp,
    to_second,
)

if TYPE_CHECKING:
    import polars as pl

SessionOf = Callable[[int], dt.date]
WRONG = (*UNREADABLE, TypeError, AttributeError, KeyError, IndexError)
"""What reading rows of another shape than the declared one may raise."""

_PER: dict[str, tuple[int, int]] = {"s": (SECOND, 1), "ms": (1_000, 1), "us": (1, 1), "ns": (1, 1_000)}
_LONGEST_TEXT = 200
_PLAIN_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z")
"""Handed on as it is: it may count nanoseconds."""
ROWS = msgspec.json.Decoder(list[msgspec.Raw])


def one_by_one(
    chunk: Slice, row_format: RowFormat, session_of: SessionOf, rejected: list[Rejected]
) -> pl.DataFrame:
    """The good rows of a slice in the types of the wire; each bad one is added to `rejected`."""
    import polars as pl

    good: list[dict[str, Any]] = []
    lost: list[tuple[int, Rejected]] = []
    for raw in _pieces(chunk, rejected):
        try:
            row = raw if isinstance(raw, list) else msgspec.json.decode(raw)
            good.append({part.column: _value(row, part, row_format) for part in row_format.fields})
        except WRONG as error:
            session = _session(raw, row_format, session_of)
            reason = str(error)[:_LONGEST_TEXT] or type(error).__name__
            symbol = chunk.symbol or _symbol(raw, row_format, chunk)
            if symbol is not None and chunk.names and symbol not in chunk.names.values():
                continue  # a symbol that was not asked for: normal in an answer for all symbols
            rejection = Rejected(page=chunk.page, symbol=symbol, session=session, rows=1, reason=reason)
            if session is None:
                lost.append((len(good), rejection))
            else:
                rejected.append(rejection)
    for at, rejection in lost:
        rejected += _placed(rejection, _beside(good, at, rejection.symbol, chunk), row_format, session_of)
    types = {part.column: _value_type(part, row_format) for part in row_format.fields}
    return pl.DataFrame(good, schema=types, orient="row")


def _placed(
    lost: Rejected, beside: list[dict[str, Any]], row_format: RowFormat, session_of: SessionOf
) -> list[Rejected]:
    """A row without a session, and the sessions of the good rows beside it: rows come in order, so that it belongs to one
    of them, or to one between."""
    sessions = {session_of(_instant(row["timestamp"], row_format.unit)) for row in beside}
    edge = len(beside) < 2
    return [
        replace(lost, placed=bool(sessions)),
        *(replace(lost, session=session, rows=0, edge=edge) for session in sorted(sessions)),
    ]


def _beside(good: list[dict[str, Any]], at: int, symbol: str | None, chunk: Slice) -> list[dict[str, Any]]:
    """The good rows before and after place `at`, as far as they are the same symbol's. A row whose symbol cannot be read
    has none beside it where two symbols meet."""
    beside = good[max(0, at - 1) : at + 1]
    if chunk.symbol:
        return beside
    symbols = [chunk.names.get(row["symbol"], row["symbol"]) for row in beside]
    if symbol is None:
        return beside if len(set(symbols)) == 1 else []
    return [row for row, other in zip(beside, symbols, strict=True) if other == symbol]


def _pieces(chunk: Slice, rejected: list[Rejected]) -> Iterable[Any]:
    try:
        if chunk.form == "csv":
            return [line.split(",") for line in chunk.rows.decode().splitlines() if line]
        return ROWS.decode(chunk.rows)
    except UNREADABLE as error:
        reason = str(error)[:_LONGEST_TEXT]
        rejected.append(
            Rejected(page=chunk.page, symbol=chunk.symbol or None, session=None, rows=0, reason=reason)
        )
        return []


def _value_type(part: WireField, row_format: RowFormat) -> Any:
    import polars as pl

    typed: dict[FieldKind, Any] = {"decimal": pl.Float64, "date": pl.Date, "list": pl.String}
    if part.column == "timestamp" or part.kind not in typed:
        return fields.wire_type(part, row_format)
    return typed[part.kind]


def _value(row: Any, part: WireField, row_format: RowFormat) -> Any:
    """One field's value in its declared type; `ValueError` for anything else."""
    value = row[part.wire] if isinstance(part.wire, int) else row.get(part.wire)
    loose = isinstance(row, list) and isinstance(value, str)  # a field of CSV is always text
    if part.column == "timestamp":
        instant = _instant(value, row_format.unit)
        if row_format.unit == "iso":
            return value if _PLAIN_ISO.fullmatch(value) else iso(instant)
        return (
            value
            if row_format.unit == "date"
            else float(value)
            if row_format.timestamp_kind == "float"
            else int(value)
        )
    if value is None:
        return None
    try:
        return _converted(value, part.kind, loose=loose)
    except UNREADABLE:
        raise ValueError(f"{part.column} is {str(value)[:40]!r}") from None


def _converted(value: Any, kind: FieldKind, *, loose: bool) -> Any:
    if kind == "text":
        return value if isinstance(value, str) else msgspec.json.encode(value).decode()
    if kind == "list":
        return ",".join(str(word) for word in msgspec.convert(value, list[str | int]))
    if kind == "date":
        return dt.date.fromisoformat(value if isinstance(value, str) else "")
    if kind == "boolean":
        return msgspec.convert(value, bool, strict=not loose)
    if kind == "integer":
        return _whole(value, loose=loose)
    number = msgspec.convert(value, float, strict=kind == "float" and not loose)
    if not math.isfinite(number):
        raise ValueError("not finite")
    return number


def _whole(value: Any, *, loose: bool) -> int:
    if isinstance(value, bool) or not (isinstance(value, (int, float)) or loose):
        raise ValueError("no number")
    number = int(value)
    if number != float(value) or not -(2**63) <= number < 2**63:
        raise ValueError("not whole, or too large")
    return number


def _instant(value: Any, unit: TimestampUnit) -> int:
    """A stamp in UTC microseconds; `ValueError` for anything that is none."""
    if unit == "iso":
        return parse_timestamp(value)
    if unit == "date":
        instant = midnight(dt.datetime.strptime(value, "%Y-%m-%d").date())  # noqa: DTZ007 — a day has no zone
        if not (EARLIEST <= instant < LATEST and value == to_second(instant)[:10]):
            raise ValueError(f"{value!r} is no day from 1970 to 2200")
        return instant
    number = float(value)
    if unit == "epoch":
        unit = epoch_unit(number)
    many, parts = _PER[unit]
    instant = int(number * many / parts)
    if isinstance(value, bool) or number < EARLIEST or not EARLIEST <= instant < LATEST:
        raise ValueError(f"{value!r} is no time")
    return instant


def _symbol(raw: Any, row_format: RowFormat, chunk: Slice) -> str | None:
    """Whose a row is, in our spelling where we have one; None if it cannot be read."""
    part = next((part for part in row_format.fields if part.column == "symbol"), None)
    try:
        row: Any = raw if isinstance(raw, list) else msgspec.json.decode(raw)
        symbol = row[part.wire] if part else None
    except WRONG:
        return None
    return chunk.names.get(symbol, symbol) if isinstance(symbol, str) else None


def _session(raw: Any, row_format: RowFormat, session_of: SessionOf) -> dt.date | None:
    part = next(part for part in row_format.fields if part.column == "timestamp")
    try:
        row: Any = raw if isinstance(raw, list) else msgspec.json.decode(raw)
        value = row[part.wire]
    except WRONG:
        return None
    # In another unit than the declared one the row is not taken, but its size still shows which session it spoils. A day
    # that is written otherwise is no count of anything.
    units: tuple[TimestampUnit, ...] = (
        (row_format.unit,) if row_format.unit == "date" else (row_format.unit, "epoch")
    )
    for unit in units:
        try:
            return session_of(_instant(value, unit))
        except WRONG:
            continue
    return None
