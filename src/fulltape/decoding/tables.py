"""From slices of pages to one frame of raw columns: many rows at once, and one by one only where a slice is broken.

polars reads newline-delimited JSON faster than any decoder that makes objects, and refuses every value of another
type. So a slice is split where its rows meet and read in bulk; what polars refuses is read row by row, and each bad row
is reported with its symbol and, where its stamp can be read, its session.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from fulltape.contract.vendor import Decoded, Rejected, RowFormat, Slice, Table, WireField
from fulltape.decoding import fields, rowwise
from fulltape.decoding.rowwise import SessionOf
from fulltape.market.time import LATEST, SECOND

if TYPE_CHECKING:
    import polars as pl

_SMALL = 300_000
_OLDEST = -(10**10) * SECOND
"""1653: some macro series begin before 1970, and none before that."""


def frame(
    decoded: Decoded, columns: Sequence[str], session_of: SessionOf
) -> tuple[pl.DataFrame, list[Rejected]]:
    """All rows with `symbol`, `page`, `timestamp` (UTC microseconds) and these columns; and rejections. Who wants full
    resolution names `timestamp_ns` among the columns."""
    import polars as pl

    rejected: list[Rejected] = []
    pieces: list[pl.DataFrame] = []
    for group in _alike(decoded.slices):
        together = _together(group)
        pieces += (
            [together] if together is not None else [_slice(chunk, session_of, rejected) for chunk in group]
        )
    pieces += [_table(table, rejected) for table in decoded.tables if table.columns.get("timestamp")]
    wanted = ("symbol", "page", "timestamp", *columns)
    pieces = [piece for piece in pieces if piece.height]
    if not pieces:
        return pl.DataFrame(schema=dict.fromkeys(wanted, pl.Null)), rejected
    whole = pl.concat(pieces, how="diagonal_relaxed") if len(pieces) > 1 else pieces[0]
    missing = [
        pl.Series(name, [None]).new_from_index(0, whole.height)
        for name in wanted
        if name not in whole.columns
    ]
    return whole.hstack(missing)[list(wanted)], rejected


def _table(table: Table, rejected: list[Rejected]) -> pl.DataFrame:
    import polars as pl

    timestamps = table.columns["timestamp"]
    good = [
        at
        for at, timestamp in enumerate(timestamps)
        if isinstance(timestamp, int) and _OLDEST <= timestamp < LATEST
    ]
    if len(good) < len(timestamps):
        reason = "stamps that no market data can have"
        count = len(timestamps) - len(good)
        rejected.append(
            Rejected(page=table.page, symbol=table.symbol, session=None, rows=count, reason=reason)
        )
    columns = {name: [values[at] for at in good] for name, values in table.columns.items()}
    return pl.DataFrame(columns, strict=True).with_columns(
        pl.lit(table.symbol).alias("symbol"),
        pl.lit(table.page).alias("page"),
        (pl.col("timestamp") * 1_000).alias("timestamp_ns"),
    )


def _alike(slices: Sequence[Slice]) -> Iterable[list[Slice]]:
    """Slices that can be read in one go: each call of a reader costs as much as a thousand rows."""
    group: list[Slice] = []
    for chunk in slices:
        if group and (
            not _plain(chunk) or chunk.row_format != group[0].row_format or chunk.within != group[0].within
        ):
            yield group
            group = []
        group.append(chunk)
        if not _plain(chunk):
            yield group
            group = []
    if group:
        yield group


def _plain(chunk: Slice) -> bool:
    by_name = isinstance(chunk.row_format.fields[0].wire, str)
    return chunk.form == "json" and by_name and bool(chunk.symbol) and not chunk.descending


def _together(group: Sequence[Slice]) -> pl.DataFrame | None:
    """The rows of slices of one shape, None where any of them is not as declared."""
    import polars as pl

    row_format = group[0].row_format
    if not _plain(group[0]) or len({frozenset(chunk.fixed) for chunk in group}) > 1:
        return None
    try:
        raw, counts = (
            _small(group, row_format) if _are_small(group, row_format) else _large(group, row_format)
        )
        if not raw.height:
            return pl.DataFrame()
        wide = fields.timestamped(fields.typed(raw, row_format), row_format)
    except (pl.exceptions.PolarsError, *rowwise.WRONG):
        return None
    wide = wide[[name for name in wide.columns if name != "symbol"]].hstack(
        [
            _repeated("symbol", [chunk.symbol for chunk in group], counts),
            _repeated("page", [chunk.page for chunk in group], counts),
            *(_repeated(name, [chunk.fixed[name] for chunk in group], counts) for name in group[0].fixed),
        ]
    )
    if group[0].within:
        wide = wide.filter(pl.col("timestamp").is_between(*group[0].within, closed="left"))
    return _renamed(wide, row_format)


def _are_small(group: Sequence[Slice], row_format: RowFormat) -> bool:
    """Whether an array is read quicker than its lines: while it fits into the processor's cache. Counts beyond 2^53
    would lose digits there."""
    if row_format.unit in ("ns", "epoch") and row_format.timestamp_kind == "integer":
        return False
    return all(len(memoryview(chunk.rows)) <= _SMALL for chunk in group)


def _small(group: Sequence[Slice], row_format: RowFormat) -> tuple[pl.DataFrame, list[int]]:
    """Each slice by `read_json`, which is lenient where lines are not: it takes true for 1 and 3.5 for 3. So whole
    numbers are read as floats and held to be whole, and a slice with a truth value is left to the strict way."""
    import polars as pl

    types = {str(part.wire): fields.wire_type(part, row_format) for part in row_format.fields}
    whole = [name for name, kind in types.items() if kind == pl.Int64]
    loose = types | dict.fromkeys(whole, pl.Float64)
    pieces = []
    for chunk in group:
        text = bytes(chunk.rows)
        if b"true" in text or b"false" in text:
            raise ValueError("truth values")
        pieces.append(pl.read_json(text, schema=loose))
    frame = pl.concat(pieces) if len(pieces) > 1 else pieces[0]
    for name in whole:
        exact = frame[name].cast(pl.Int64, strict=True)
        if not (exact == frame[name]).all():
            raise ValueError(f"{name} is not whole")
        frame = frame.replace_column(frame.columns.index(name), exact)
    frame.columns = [part.column for part in row_format.fields]
    return frame, [piece.height for piece in pieces]


def _large(group: Sequence[Slice], row_format: RowFormat) -> tuple[pl.DataFrame, list[int]]:
    """All slices as lines, in one go."""
    texts = [_cut(chunk) for chunk in group]
    counts = [text.count(b"\n") + 1 if text else 0 for text in texts]
    whole = texts[0] if len(texts) == 1 else b"\n".join(text for text in texts if text)
    types = {str(part.wire): fields.wire_type(part, row_format) for part in row_format.fields}
    raw = _lines(whole, sum(counts), types)
    raw.columns = [part.column for part in row_format.fields]
    return raw, counts


def _cut(chunk: Slice) -> bytes:
    """The rows of a JSON array, one a line: `},{` between objects becomes a line's end. Without that, another way is
    found; with it inside a text, the lines do not parse or do not add up."""
    return bytes(memoryview(chunk.rows)[1:-1]).replace(b"},{", b"}\n{")


def _repeated(name: str, values: Sequence[object], counts: Sequence[int]) -> pl.Series:
    """Each value as often as its slice has rows."""
    import polars as pl

    if len(set(values)) == 1:
        return pl.Series(name, values[:1]).new_from_index(0, sum(counts))
    pieces = pl.Series(name, values)
    return pl.concat([pieces.new_from_index(at, count) for at, count in enumerate(counts)])


def _slice(chunk: Slice, session_of: SessionOf, rejected: list[Rejected]) -> pl.DataFrame:
    import polars as pl

    row_format = chunk.row_format

    try:
        wide = fields.timestamped(_bulk(chunk, row_format), row_format)
    except (pl.exceptions.PolarsError, *rowwise.WRONG):
        wide = fields.timestamped(rowwise.one_by_one(chunk, row_format, session_of, rejected), row_format)
    if chunk.descending:
        wide = wide.reverse()
    if chunk.within:
        wide = wide.filter(pl.col("timestamp").is_between(*chunk.within, closed="left"))
    wide = _renamed(wide, row_format)
    if chunk.symbol:
        wide = wide.with_columns(pl.lit(chunk.symbol).alias("symbol"))
    else:
        wide = wide.filter(pl.col("symbol").is_in(list(chunk.names))).with_columns(
            pl.col("symbol").replace(dict(chunk.names))
        )
    return wide.with_columns(
        pl.lit(chunk.page).alias("page"),
        *(pl.lit(value).alias(name) for name, value in chunk.fixed.items()),
    )


def _renamed(wide: pl.DataFrame, row_format: RowFormat) -> pl.DataFrame:
    """The vendor's words, blanks and units in ours."""
    import polars as pl

    if not (row_format.renamed or row_format.absent or row_format.changes):
        return wide
    renamed = wide.with_columns(
        *(
            pl.col(column).replace_strict(dict(words), default=None, return_dtype=pl.String)
            for column, words in row_format.renamed.items()
        ),
        *(pl.col(column).fill_null(value) for column, value in row_format.absent.items()),
    )
    for change in row_format.changes:
        then = pl.lit(value=True) if change.first is None else pl.col("timestamp") >= change.first
        if change.until is not None:
            then &= pl.col("timestamp") < change.until
        renamed = renamed.with_columns(
            pl.when(then).then(pl.col(column) * factor).otherwise(pl.col(column)).alias(column)
            for column, factor in change.scaled.items()
        )
    return renamed


def _bulk(chunk: Slice, row_format: RowFormat) -> pl.DataFrame:
    """The slice in the types of the wire; raises for anything that is not as declared."""
    import polars as pl

    if chunk.form == "csv":
        return _csv(chunk, row_format)
    text = bytes(chunk.rows).strip()
    if text in (b"[]", b""):
        return pl.DataFrame(
            schema={part.column: fields.wire_type(part, row_format) for part in row_format.fields}
        )
    if isinstance(row_format.fields[0].wire, int):
        return _arrays(text, row_format)
    # Spaces between the rows, or `},{` inside a text: take the rows apart as JSON says.
    types = {str(part.wire): fields.wire_type(part, row_format) for part in row_format.fields}
    pieces = [bytes(raw).replace(b"\n", b" ") for raw in rowwise.ROWS.decode(text)]
    rows = _lines(b"\n".join(pieces), len(pieces), types)
    return fields.typed(rows.rename({str(part.wire): part.column for part in row_format.fields}), row_format)


def _lines(text: bytes, count: int, types: Mapping[str, Any]) -> pl.DataFrame:
    import polars as pl

    rows = pl.read_ndjson(text, schema=dict(types))
    if rows.height != count:
        raise ValueError(f"{rows.height} rows where {count} were written")
    return rows


def _arrays(text: bytes, row_format: RowFormat) -> pl.DataFrame:
    import polars as pl

    rows = msgspec.json.decode(text, type=list[list[Any]])
    last = max(int(part.wire) for part in row_format.fields)
    if any(len(row) <= last for row in rows):
        raise ValueError("a row is too short")
    columns = list(zip(*(row[: last + 1] for row in rows), strict=True))
    table = pl.DataFrame(
        {part.column: _series(columns[int(part.wire)], part, row_format) for part in row_format.fields}
    )
    return fields.typed(table, row_format)


def _series(values: Sequence[Any], part: WireField, row_format: RowFormat) -> pl.Series:
    import polars as pl

    if part.kind == "text":
        values = [value if isinstance(value, str) or value is None else str(value) for value in values]
    if part.kind == "decimal":
        series = pl.Series(values, strict=True)
        if series.dtype == pl.String:
            return series
        if not (series.dtype.is_numeric() or series.dtype == pl.Null):
            raise ValueError(f"{part.column} is neither a number nor digits")
        return series.cast(pl.Float64, strict=True)
    return pl.Series(values, dtype=fields.wire_type(part, row_format), strict=True)


def _csv(chunk: Slice, row_format: RowFormat) -> pl.DataFrame:
    import polars as pl

    last = max(int(part.wire) for part in row_format.fields)
    names = {f"column_{int(part.wire) + 1}": part for part in row_format.fields}
    raw = pl.read_csv(
        chunk.rows,
        has_header=False,
        schema_overrides={name: fields.csv_type(part, row_format) for name, part in names.items()},
        columns=list(range(last + 1)),
        raise_if_empty=False,
    )
    return fields.typed(
        raw.select(pl.col(name).alias(part.column) for name, part in names.items()), row_format
    )
