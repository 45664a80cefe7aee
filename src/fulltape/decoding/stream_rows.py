"""From messages to raw columns: many at once as they lie in the journal, one by one only where something is broken.

A block's messages stand one a line, which is just what polars reads fastest. So the text is read as it lies, by kind of
message; only where kinds are mixed, or a line is broken, are messages taken apart.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from fulltape.contract.streams import Meaning, MessageFormat
from fulltape.contract.vendor import RowFormat
from fulltape.decoding import captured, fields, template

if TYPE_CHECKING:
    import polars as pl

NO_KIND = ""
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_NUMBER = re.compile(r"[-+]?[0-9.]+([eE][-+]?[0-9]+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageBatch:
    """Messages as they lie in the journal, one a line: their lengths, when each was received (UTC nanoseconds) and over
    which connection."""

    text: bytes
    lengths: Sequence[int]
    received: Sequence[int]
    connections: Sequence[int]

    def lines(self) -> list[bytes]:
        """The messages; a line's end inside of one becomes a space."""
        if self.text.count(b"\n") == len(self.lengths) - 1:
            return self.text.split(b"\n")
        lines, at = [], 0
        for length in self.lengths:
            lines.append(self.text[at : at + length].replace(b"\n", b" "))
            at += length + 1
        return lines

    def some(self, places: Sequence[int], lines: Sequence[bytes]) -> MessageBatch:
        """The messages at these places."""
        picked = [lines[at] for at in places]
        return MessageBatch(
            text=b"\n".join(picked),
            lengths=[len(line) for line in picked],
            received=[self.received[at] for at in places],
            connections=[self.connections[at] for at in places],
        )


def bundled(blocks: Iterable[tuple[bytes, Sequence[int], Sequence[int], int]]) -> MessageBatch:
    """Blocks (text, lengths, received, connection) as one."""
    texts: list[bytes] = []
    lengths, received, connections = array("I"), array("q"), array("I")
    for text, each, timestamps, connection in blocks:
        texts.append(text)
        lengths.extend(each)
        received.extend(timestamps)
        connections.extend(array("I", (connection,)) * len(each))
    return MessageBatch(text=b"\n".join(texts), lengths=lengths, received=received, connections=connections)


@dataclass(slots=True, kw_only=True)
class DecodedMessages:
    """What messages have become: rows by dataset, with `symbol` as the source writes it, `timestamp`, `timestamp_ns`, `ts_recv`
    and `connection`; and the messages of which no rows could be made, by reason."""

    frames: dict[str, list[pl.DataFrame]] = field(default_factory=dict)
    recorded: dict[str, list[pl.DataFrame]] = field(default_factory=dict)
    unknown: list[bytes] = field(default_factory=list)
    broken: list[tuple[bytes, str]] = field(default_factory=list)


def read(bundle: MessageBatch, meaning: Meaning, control: re.Pattern[bytes]) -> DecodedMessages:
    """All rows in a bundle. Never raises for bytes that a vendor could send; control messages among them are passed
    over."""
    decoded = DecodedMessages()
    pattern = re.compile(meaning.pattern)
    formats: dict[str, list[MessageFormat]] = {}
    for row_format in meaning.formats:
        formats.setdefault(row_format.kind, []).append(row_format)
    if _all_alike(bundle, pattern, formats, control, decoded):
        return decoded
    by_kind: dict[str, list[int]] = {}
    lines = bundle.lines()
    for at, line in enumerate(lines):
        for kind in _told(line, pattern, meaning, control):
            by_kind.setdefault(kind, []).append(at)
    declared = list(formats)
    unknown: set[int] = set()
    for kind, places in sorted(by_kind.items(), key=lambda pair: _place(declared, pair[0])):
        some = bundle.some(places, lines)
        if kind in meaning.recorded:
            _record(some, meaning, meaning.recorded[kind], decoded)
        elif kind not in formats:
            unknown.update(places if kind not in meaning.ignored else ())
        else:
            broken = len(decoded.broken)
            for row_format in formats[kind]:
                if not _bulk(some, row_format, decoded, only=pattern):
                    _apart(some, row_format, decoded, pattern)
            decoded.broken[broken:] = dict.fromkeys(decoded.broken[broken:])
    decoded.unknown += (lines[at] for at in sorted(unknown))
    return decoded


def _told(
    line: bytes, pattern: re.Pattern[bytes], meaning: Meaning, control: re.Pattern[bytes]
) -> Sequence[str]:
    """The kinds of a message; none for a control message. What begins otherwise than data does is parsed, since it may
    still be data."""
    if not control.match(line):
        return _kinds(line, pattern, meaning)
    kinds = _structure(line, meaning)
    return () if kinds == (NO_KIND,) else kinds


def _place(declared: Sequence[str], kind: str) -> int:
    """Kinds in the order in which they are declared: what takes a row back comes after what tells it."""
    return declared.index(kind) if kind in declared else len(declared)


def _all_alike(
    bundle: MessageBatch,
    pattern: re.Pattern[bytes],
    formats: Mapping[str, Sequence[MessageFormat]],
    control: re.Pattern[bytes],
    decoded: DecodedMessages,
) -> bool:
    """Read all messages at once, if they are all of one kind: False where they are not."""
    first = pattern.search(bundle.text)
    made = formats.get(first.group(1).decode(errors="replace"), ()) if first else ()
    if len(made) != 1 or control.match(bundle.text):
        return False
    row_format = made[0]
    if row_format.marker:
        alike = bundle.text.count(row_format.marker) == len(bundle.lengths)
    else:
        kinds = pattern.findall(bundle.text)
        alike = len(kinds) == len(bundle.lengths) and kinds.count(kinds[0]) == len(kinds)
    return alike and _bulk(bundle, row_format, decoded)


def _kinds(line: bytes, pattern: re.Pattern[bytes], meaning: Meaning) -> Sequence[str]:
    """The kinds of a message; an array may hold several."""
    kinds = [kind.decode(errors="replace") for kind in pattern.findall(line)]
    if not kinds:
        return _structure(line, meaning)
    arrays = {row_format.kind for row_format in meaning.formats if row_format.rows == "array"}
    return tuple(dict.fromkeys(kinds)) if kinds[0] in arrays else kinds[:1]


def _structure(line: bytes, meaning: Meaning) -> tuple[str, ...]:
    """The kinds of a message by its own field, wherever that stands."""
    try:
        message = msgspec.json.decode(line)
    except _UNREADABLE:
        return (NO_KIND,)
    rows = message if isinstance(message, list) else [message]
    heads = [
        b'{"%s":"%s"' % (meaning.told_by.encode(), str(row[meaning.told_by]).encode())
        for row in rows
        if isinstance(row, dict) and meaning.told_by in row
    ]
    named = [match for head in heads if (match := re.search(meaning.pattern, head))]
    return tuple(dict.fromkeys(kind.group(1).decode(errors="replace") for kind in named)) or (NO_KIND,)


def _record(bundle: MessageBatch, meaning: Meaning, dataset: str, decoded: DecodedMessages) -> None:
    """Messages as they came, stamped by their receipt."""
    import polars as pl

    whose = re.compile(meaning.symbol)
    lines = bundle.lines()
    symbols = [named.group(1).decode() if (named := whose.search(line)) else None for line in lines]
    received = pl.Series("ts_recv", bundle.received, dtype=pl.Int64)
    decoded.recorded.setdefault(dataset, []).append(
        pl.DataFrame(
            {
                "symbol": pl.Series(symbols, dtype=pl.String),
                "message": [line.decode(errors="replace") for line in lines],
                "timestamp": received // 1_000,
                "timestamp_ns": received,
                "ts_recv": received,
                "connection": pl.Series(bundle.connections, dtype=pl.UInt32),
            }
        )
    )


def _bulk(
    bundle: MessageBatch,
    row_format: MessageFormat,
    decoded: DecodedMessages,
    *,
    only: re.Pattern[bytes] | None = None,
) -> bool:
    """Read everything in one go; False where anything is not as declared."""
    import polars as pl

    try:
        frame = _frame(bundle, row_format, only)
        frame = fields.timestamped(fields.typed(frame, row_format.row_format), row_format.row_format)
    except (pl.exceptions.PolarsError, ValueError, OverflowError):
        return False
    decoded.frames.setdefault(row_format.dataset, []).append(_finished(frame, row_format))
    return True


def _frame(bundle: MessageBatch, row_format: MessageFormat, only: re.Pattern[bytes] | None) -> pl.DataFrame:
    """The fields of the rows as they are on the wire, named as columns, with `ts_recv` and `connection`."""
    import polars as pl

    count = len(bundle.received)
    about = [
        pl.Series("ts_recv", bundle.received, dtype=pl.Int64),
        pl.Series("connection", bundle.connections, dtype=pl.UInt32),
    ]
    types = {
        str(part.wire): fields.wire_type(part, row_format.row_format) for part in row_format.row_format.fields
    }
    names = {str(part.wire): part.column for part in row_format.row_format.fields}
    if row_format.rows == "array":
        text, about = _rows_of_arrays(bundle, about, row_format, only)
        frame = pl.read_ndjson(text, schema=types) if text else pl.DataFrame(schema=types)
        if frame.height != len(about[0]):
            raise ValueError("lines and rows do not add up")
        frame.columns = list(names.values())
        return _received(frame.hstack(about), row_format.row_format)
    inside = row_format.inside.split(".") if row_format.inside else []
    alike = template.read(bundle.text, count, row_format)
    if alike is not None:
        return _received(alike.hstack(about), row_format.row_format)
    schema: Any = types
    if row_format.rows == "object_of_rows":
        schema = pl.List(pl.Struct(types))
    for name in reversed(inside):
        schema = {name: pl.Struct(schema) if isinstance(schema, dict) else schema}
    frame = pl.read_ndjson(bundle.text, schema=schema)
    if frame.height != count:
        raise ValueError("lines and messages do not add up")
    for name in inside[:-1]:
        frame = frame.unnest(name)
    if row_format.rows == "object_of_rows":
        frame = frame.hstack(about).explode(inside[-1]).drop_nulls(inside[-1])
    if inside:
        frame = frame.unnest(inside[-1])
    frame = frame.rename({old: new for old, new in names.items() if old != new})
    return _received(frame if "ts_recv" in frame.columns else frame.hstack(about), row_format.row_format)


def _received(frame: pl.DataFrame, row_format: RowFormat) -> pl.DataFrame:
    """Where a message bears no time it is stamped by its receipt."""
    if row_format.unit != "received":
        return frame
    return frame.with_columns(frame["ts_recv"].alias("timestamp"))


def _rows_of_arrays(
    bundle: MessageBatch, about: list[pl.Series], row_format: MessageFormat, only: re.Pattern[bytes] | None
) -> tuple[bytes, list[pl.Series]]:
    """Arrays of objects, one object a line, and the receipt of each."""
    text = bundle.text[1:-1].replace(b"]\n[", b"\n").replace(b"},{", b"}\n{")
    counts = [line.count(b"},{") + 1 for line in bundle.text.split(b"\n")]
    if sum(counts) != len(counts):
        about = [_repeated(column, counts) for column in about]
    if only is None:
        return text, about
    lines = text.split(b"\n")
    mine = [at for at, line in enumerate(lines) if _is(line, only, row_format.kind)]
    if len(mine) == len(lines):
        return text, about
    return b"\n".join(lines[at] for at in mine), [column.gather(mine) for column in about]


def _is(line: bytes, pattern: re.Pattern[bytes], kind: str) -> bool:
    match = pattern.search(line)
    return match is not None and match.group(1) == kind.encode()


def _repeated(column: pl.Series, counts: Sequence[int]) -> pl.Series:
    import polars as pl

    return column.gather(pl.Series([at for at, count in enumerate(counts) for _ in range(count)]))


def _finished(frame: pl.DataFrame, row_format: MessageFormat) -> pl.DataFrame:
    import polars as pl

    if "delivery" in frame.columns:
        frame = _delivered(frame)
    if row_format.only is not None:
        column, value = row_format.only
        frame = frame.filter(pl.col(column) == value).drop(column)
    renames: Mapping[str, Mapping[str, str]] = row_format.row_format.renamed
    casts = []
    for column, words in renames.items():
        if frame[column].dtype == pl.Boolean:
            casts.append(
                pl.when(pl.col(column))
                .then(pl.lit(words["true"]))
                .otherwise(pl.lit(words["false"]))
                .alias(column)
            )
        else:
            casts.append(pl.col(column).replace_strict(dict(words), default=None, return_dtype=pl.String))
    fixed = [pl.lit(value).alias(name) for name, value in row_format.fixed.items()]
    fixed += [pl.col(name) * factor for name, factor in row_format.scaled.items()]
    return frame.with_columns(*casts, *fixed) if casts or fixed else frame


def _delivered(frame: pl.DataFrame) -> pl.DataFrame:
    """Each subscription on a connection as a delivery of its own, by the name that the venue gives it: what it tells first
    may have been told by the one before."""
    import polars as pl

    pairs = frame.select("connection", "delivery").unique().drop_nulls()
    numbers = [
        captured.LIVE + captured.delivery(f"{connection} {name}") for connection, name in pairs.iter_rows()
    ]
    own = pairs.with_columns(pl.Series("own", numbers, dtype=pl.UInt32))
    return (
        frame.join(own, on=["connection", "delivery"], how="left", maintain_order="left")
        .with_columns(pl.coalesce("own", "connection").alias("connection"))
        .drop("own", "delivery")
    )


def _apart(
    bundle: MessageBatch, row_format: MessageFormat, decoded: DecodedMessages, pattern: re.Pattern[bytes]
) -> None:
    """Messages that cannot all be read at once: those of one form at a time, since mostly one form is broken as a whole."""
    import polars as pl

    lines = bundle.lines()
    forms: dict[object, list[int]] = {}
    for at, line in enumerate(lines):
        forms.setdefault(_form(line), []).append(at)
    before = len(decoded.frames.get(row_format.dataset, ()))
    for places in forms.values():
        some = bundle.some(places, lines)
        if not _bulk(some, row_format, decoded, only=pattern):
            _one_by_one(some, row_format, decoded, pattern)
    pieces = decoded.frames.get(row_format.dataset, [])
    if len(pieces) > before + 1:  # in the order of their receipt again
        whole = pl.concat(pieces[before:], how="diagonal_relaxed")
        pieces[before:] = [whole.sort("ts_recv", maintain_order=True)]


def _form(line: bytes) -> object:
    """The types of a message's fields; text that is a number is another type than text that is none."""
    try:
        return _form_of(msgspec.json.decode(line))
    except _UNREADABLE:
        return None


def _form_of(value: object) -> object:
    if isinstance(value, dict):
        return tuple((name, _form_of(part)) for name, part in sorted(value.items()))
    if isinstance(value, list):
        return ("list", *dict.fromkeys(_form_of(part) for part in value))
    if isinstance(value, str):
        return _NUMBER.fullmatch(value) is not None
    return "number" if type(value) in (int, float) else type(value)


def _one_by_one(
    bundle: MessageBatch, row_format: MessageFormat, decoded: DecodedMessages, pattern: re.Pattern[bytes]
) -> None:
    """Halve until what is broken stands alone; everything else is read as ever."""
    lines = bundle.lines()
    if len(lines) == 1:
        decoded.broken.append((lines[0], f"not a message of {row_format.kind} as declared"))
        return
    middle = len(lines) // 2
    for part in (range(middle), range(middle, len(lines))):
        some = bundle.some(part, lines)
        if not _bulk(some, row_format, decoded, only=pattern):
            _one_by_one(some, row_format, decoded, pattern)
