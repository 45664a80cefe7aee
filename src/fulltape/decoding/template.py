"""Lines of JSON that a machine writes alike: the same keys in the same order, every time.

Cut at its commas, such a line is a row of a table, and reading tables is several times faster than reading JSON. The
first line says where each value stands and what surrounds it; that must be the same in every line, or nothing is read
here and JSON is read as JSON.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fulltape.contract.streams import MessageFormat
from fulltape.decoding import fields

if TYPE_CHECKING:
    import polars as pl

_WORTH_IT = 200
"""With fewer lines there is nothing to gain."""
_SAME = "\0same"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a field stands: the number of its piece, and what is before and after its value in it."""

    column: str
    wire: str
    piece: int
    before: str
    after: str


def read(text: bytes, count: int, row_format: MessageFormat) -> pl.DataFrame | None:
    """The fields of `count` lines in the types of the wire, named as columns; None where the lines are not alike."""
    import polars as pl

    if count < _WORTH_IT or b"\\" in text:
        return None
    places = _places(text[: text.index(b"\n")].decode(errors="replace"), row_format)
    if places is None:
        return None
    numbers = sorted({place.piece for place in places})
    try:
        cut = pl.read_csv(
            text, has_header=False, separator=",", quote_char=None, columns=numbers, infer_schema=False
        )
    except pl.exceptions.PolarsError:
        return None
    if cut.height != count:
        return None
    named = {place.wire: cut.columns[numbers.index(place.piece)] for place in places}
    by_name = {str(part.wire): part for part in row_format.row_format.fields}
    kinds = {place.wire: fields.wire_type(by_name[place.wire], row_format.row_format) for place in places}
    alike = [_alike(pl.col(named[place.wire]), place, kinds[place.wire]).all() for place in places]
    try:
        typed = cut.select(
            *(
                _cast(pl.col(named[place.wire]), place, kinds[place.wire]).alias(place.column)
                for place in places
            ),
            pl.all_horizontal(alike).fill_null(value=False).alias(_SAME),
        )
    except pl.exceptions.PolarsError:
        return None
    return typed.drop(_SAME) if typed[_SAME].all() else None


def _alike(piece: pl.Expr, place: _Place, kind: object) -> pl.Expr:
    """Whether a piece is what it is in the first line, but for its value."""
    import polars as pl

    if kind == pl.Boolean:
        return piece.is_in([f"{place.before}true{place.after}", f"{place.before}false{place.after}"])
    same = piece.str.starts_with(place.before)
    return same & piece.str.ends_with(place.after) if place.after else same


def _cast(piece: pl.Expr, place: _Place, kind: Any) -> pl.Expr:
    """The value of a piece, in the type of the wire."""
    import polars as pl

    if kind == pl.Boolean:
        return piece == f"{place.before}true{place.after}"
    value = piece.str.slice(len(place.before))
    value = value.str.strip_suffix(place.after) if place.after else value
    return value if kind == pl.String else value.cast(kind, strict=True)


def _places(line: str, row_format: MessageFormat) -> list[_Place] | None:
    """Where the fields stand in a line, None where that cannot be told for sure."""
    pieces = line.split(",")
    places = []
    for part in row_format.row_format.fields:
        key = f'"{part.wire}":'
        holding = [at for at, piece in enumerate(pieces) if key in piece]
        if len(holding) != 1 or line.count(key) != 1:
            return None
        piece = pieces[holding[0]]
        start = piece.index(key) + len(key)
        value = _value(piece[start:])
        if value is None:
            return None
        quoted = value.startswith('"')
        places.append(
            _Place(
                column=part.column,
                wire=str(part.wire),
                piece=holding[0],
                before=piece[: start + quoted],
                after=piece[start + len(value) - quoted :],
            )
        )
    if len({place.piece for place in places}) < len(places):
        return None
    return places


def _value(rest: str) -> str | None:
    """The value that a piece begins with, and that ends before brackets; None for anything but text, a number or a
    truth."""
    value = rest.rstrip("]}")
    try:
        parsed = json.loads(value)
    except ValueError:
        return None
    return value if isinstance(parsed, (str, int, float)) else None
