"""Files of other tools as frames: Parquet, Feather, CSV (also in gzip or zip), and JSON arrays."""

from __future__ import annotations

import datetime as dt
import fnmatch
import gzip
import io
import re
from collections.abc import Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import polars as pl
from polars.exceptions import PolarsError

from fulltape import errors
from fulltape.adopt.plan import FileMapping, FileSample
from fulltape.decoding import archives
from fulltape.lake import files

_ENDINGS = (".parquet", ".feather", ".arrow", ".csv", ".csv.gz", ".txt", ".zip", ".json", ".json.gz")
_FORMATS = (
    "%Y-%m-%d", "%Y%m%d", "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%Y/%m/%d",
    "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M",
    "%Y-%m-%d %H:%M:%S%.f%z", "%Y-%m-%dT%H:%M:%S%.f%z",
    "%Y%m%d %H%M%S", "%Y%m%d %H:%M:%S", "%Y%m%d %H:%M",
    "%m/%d/%Y %H:%M:%S", "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M",
    "%d.%m.%Y %H:%M:%S%.f", "%Y.%m.%d %H:%M", "%Y.%m.%d %H:%M:%S",
)  # fmt: skip
_SAMPLED = 2_000
_TEN_DIGITS = {"s": 10**9, "ms": 10**12, "us": 10**15, "ns": 10**18}
"""The least moment of each unit that has as many digits as today's."""
_MICROSECONDS = {"s": 1_000_000, "ms": 1_000, "us": 1}
_CANDLES = ("timestamp", "open", "high", "low", "close", "volume")
"""Columns of JSON arrays without names, as programs that trade keep them."""


def data_files(root: Path, pattern: str) -> list[Path]:
    """The files to take in, by path: the one that is named, or all of a folder that may hold rows."""
    if root.is_file():
        return [root]
    if not root.is_dir():
        raise errors.UsageError(f"there is no {root}.", hint="Name a folder of data files, or one file.")
    there = [
        path
        for path in files.tree(root)
        if path.name.lower().endswith(_ENDINGS)
        and not any(part.startswith((".", "_")) for part in path.relative_to(root).parts)
        and (not pattern or fnmatch.fnmatchcase(path.relative_to(root).as_posix(), pattern))
    ]
    rows = [path for path in there if not path.name.lower().endswith((".json", ".json.gz"))]
    return rows or there  # beside others JSON files are their sidecars


def raw(path: Path, mapping: FileMapping) -> pl.DataFrame:
    """A file as it is; columns of CSV are text. `UsageError` for what cannot be read."""
    name = path.name.lower()
    try:
        if name.endswith(".parquet"):
            # One file: folders such as date=… are no columns of it.
            return pl.read_parquet(path, hive_partitioning=False)
        if name.endswith((".feather", ".arrow")):
            return pl.read_ipc(path)
        if name.endswith((".json", ".json.gz")):
            return _candles(path)
        if name.endswith(".zip"):
            return _csv(archives.only_file(path.read_bytes()), mapping)
        return _csv(_unpacked(path.read_bytes()), mapping)
    except (PolarsError, OSError, ValueError, msgspec.DecodeError) as error:
        raise errors.UsageError(f"{path} cannot be read: {str(error).splitlines()[0]}.") from None


def sample(path: Path, name: str, mapping: FileMapping) -> FileSample:
    """The beginning of a file."""
    frame = raw(path, mapping).head(_SAMPLED)
    columns = {column: _kind(dtype) for column, dtype in frame.schema.items()}
    values = {
        column: tuple(frame[column].drop_nulls().unique(maintain_order=True).head(20).to_list())
        for column in frame.columns
    }
    formats = {column: _formats(frame[column]) for column, kind in columns.items() if kind == "text"}
    dates = next((column for column in frame.columns if column.strip().lower() in ("date", "<date>")), None)
    clocks = next((column for column in frame.columns if column.strip().lower() in ("time", "<time>")), None)
    if dates and clocks:
        formats[f"{dates} {clocks}"] = _formats(_joined(frame, (dates, clocks)))
    return FileSample(path=name, columns=columns, formats=formats, values=values)


def kinds(frame: pl.DataFrame, names: Sequence[str]) -> tuple[str, ...]:
    """The kinds of columns."""
    return tuple(_kind(frame.schema[name]) for name in names)


def out_of_range(frame: pl.DataFrame, mapping: FileMapping) -> bool:
    """Whether numbers of time are none of the mapping's unit, from 2001 to 2286."""
    if mapping.kind not in _TEN_DIGITS or mapping.day:
        return False
    number = frame[mapping.time[0]].cast(pl.Int64, strict=False).drop_nulls()
    least = _TEN_DIGITS[mapping.kind]
    return bool(number.len()) and not bool(number.is_between(least, 10 * least - 1).all())


def stamped(frame: pl.DataFrame, mapping: FileMapping, name: str, *, grain: str) -> pl.DataFrame:
    """A file's rows with `ts` (UTC microseconds; null where its text is none) and `session` (where the files tell it)."""
    dates = mapping.kind == "date" or (
        mapping.kind == "text" and not re.search(r"%[HIz]", mapping.time_format)
    )
    if grain == "day" and dates:
        day = _text(frame, mapping).str.to_date(mapping.time_format, strict=False)
        if mapping.kind == "date":
            day = frame[mapping.time[0]].cast(pl.Date)
        return frame.with_columns(
            day.alias("session"),
            # At noon: any moment of the day stands for it.
            day.cast(pl.Datetime("us")).dt.offset_by("12h").dt.replace_time_zone("UTC").alias("ts"),
            pl.lit(None, dtype=pl.Datetime("ns", "UTC")).alias("ts_event"),
        )
    moment = _moments(frame, mapping, name)
    if mapping.timestamp == "end" and grain == "minute":
        moment = moment.dt.offset_by("-1m")
    return frame.with_columns(
        moment.dt.cast_time_unit("us").alias("ts"),
        moment.dt.cast_time_unit("ns").alias("ts_event"),
        pl.lit(None, dtype=pl.Date).alias("session"),
    )


def values(frame: pl.DataFrame, mapping: FileMapping) -> pl.DataFrame:
    """`ts`, `session`, `raw_symbol` and the mapped columns."""
    symbol = pl.col(mapping.symbol).cast(pl.String) if mapping.symbol else pl.lit(None, dtype=pl.String)
    return frame.select(
        "ts",
        "ts_event",
        "session",
        symbol.alias("raw_symbol"),
        *(
            (pl.col(source.name).cast(pl.Float64, strict=False) * source.scale).alias(target)
            if source.scale != 1.0
            else _clean(frame, source.name).alias(target)
            for target, source in mapping.columns.items()
        ),
        *(pl.lit(value).alias(target) for target, value in mapping.fixed.items() if target != "symbol"),
    )


def _clean(frame: pl.DataFrame, name: str) -> pl.Expr:
    column = pl.col(name)
    return column.str.strip_chars() if frame.schema[name] == pl.String else column


def _moments(frame: pl.DataFrame, mapping: FileMapping, name: str) -> pl.Series:
    if mapping.kind in ("s", "ms", "us", "ns"):
        number = frame[mapping.time[0]].cast(pl.Int64, strict=False)
        if mapping.kind == "ns" and not mapping.day:
            return number.cast(pl.Datetime("ns", "UTC"))
        micros = number // 1_000 if mapping.kind == "ns" else number * _MICROSECONDS[mapping.kind]
        if mapping.day:
            start = dt.datetime.combine(_day(mapping.day, name), dt.time(), ZoneInfo("UTC"))
            local = (micros + int(start.timestamp() * 1e6)).cast(pl.Datetime("us"))
            return _in_zone(local, mapping.zone)
        return micros.cast(pl.Datetime("us", "UTC"))
    if mapping.kind in ("typed", "date"):
        column = (
            frame[mapping.time[0]].cast(pl.Datetime("us"))
            if mapping.kind == "date"
            else frame[mapping.time[0]]
        )
        dtype = column.dtype
        if isinstance(dtype, pl.Datetime) and dtype.time_zone:
            return column.dt.convert_time_zone("UTC")
        return _in_zone(column, mapping.zone)
    text = _text(frame, mapping)
    if "%z" in mapping.time_format:
        return text.str.replace(r"Z$", "+0000").str.to_datetime(
            mapping.time_format, time_unit="us", time_zone="UTC", strict=False
        )
    if re.search(r"%[HI]", mapping.time_format):
        local = text.str.to_datetime(mapping.time_format, time_unit="us", strict=False)
    else:
        local = text.str.to_date(mapping.time_format, strict=False).cast(pl.Datetime("us"))
    return _in_zone(local, mapping.zone)


def _in_zone(local: pl.Series, zone: str) -> pl.Series:
    """Local times as UTC. One that a change of the clocks has twice, or not at all, is null: nothing tells which it is."""
    aware = local.dt.replace_time_zone(zone or "UTC", ambiguous="null", non_existent="null")
    return aware.dt.convert_time_zone("UTC")


def _day(pattern: str, name: str) -> dt.date:
    match = re.search(pattern, name)
    if match is None:
        raise errors.UsageError(f"{name} has no day as `day` of the mapping wants it.")
    return dt.date.fromisoformat(match["day"])


def _text(frame: pl.DataFrame, mapping: FileMapping) -> pl.Series:
    return _joined(frame, mapping.time)


def _joined(frame: pl.DataFrame, names: tuple[str, ...]) -> pl.Series:
    columns = [pl.col(name).cast(pl.String).str.strip_chars() for name in names]
    return frame.select(pl.concat_str(columns, separator=" ").alias("text"))["text"]


def _formats(column: pl.Series) -> tuple[str, ...]:
    """The formats that every value has, those of the same meaning once."""
    text = column.drop_nulls().cast(pl.String).str.strip_chars().str.replace(r"Z$", "+0000")
    out: dict[tuple[object, ...], str] = {}
    for form in _FORMATS if text.len() else ():
        if re.search(r"%[HI]", form):
            zone = "UTC" if "%z" in form else None
            read = text.str.to_datetime(form, time_unit="us", time_zone=zone, strict=False)
        else:
            read = text.str.to_date(form, strict=False).cast(pl.Datetime("us"))
        if not read.null_count():
            out.setdefault(tuple(read.cast(pl.Int64).to_list()), form)
    return tuple(out.values())


def _kind(dtype: pl.DataType) -> str:
    if isinstance(dtype, pl.Datetime):
        return "moment" if dtype.time_zone else "naive"
    if dtype == pl.Date:
        return "date"
    if dtype.is_integer():
        return "int"
    if dtype.is_float():
        return "float"
    return "text" if isinstance(dtype, (pl.String, pl.Categorical, pl.Enum)) else "other"


def _csv(body: bytes, mapping: FileMapping) -> pl.DataFrame:
    lines = [line for line in body[:20_000].splitlines() if line and not line.startswith(b"#")]
    first = lines[0].decode("utf-8-sig", "replace") if lines else ""
    separator = mapping.separator or max(",;\t|", key=first.count)
    header = mapping.header
    if header is None:
        header = not all(re.fullmatch(r'"?[-+0-9.:/ eTZ]*"?', cell) for cell in first.split(separator))
    frame = pl.read_csv(
        io.BytesIO(body),
        has_header=header,
        separator=separator,
        infer_schema=False,
        comment_prefix="#",
        null_values=["", "N/A", "NaN", "nan", "null"],
    )
    frame = frame.filter(~pl.all_horizontal(pl.all().is_null()))
    return frame if header else frame.rename(dict(zip(frame.columns, _numbered(frame.width), strict=True)))


def _numbered(width: int) -> list[str]:
    """Names of columns that have none."""
    return [f"column_{number}" for number in range(1, width + 1)]


def _unpacked(body: bytes) -> bytes:
    return gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body


def _candles(path: Path) -> pl.DataFrame:
    rows = msgspec.json.decode(_unpacked(path.read_bytes()))
    if not isinstance(rows, list) or not rows or not all(isinstance(row, list) for row in rows):
        raise ValueError("it is no array of candles")
    return pl.DataFrame(rows, schema=list(_CANDLES[: len(rows[0])]), orient="row")
