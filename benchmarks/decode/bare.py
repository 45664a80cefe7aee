"""The same bytes to the same frame by each library alone: as quick as its user would write it.

Frame: symbol, ts (UTC microseconds), open, high, low, close, volume, vwap, trade_count.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from benchmarks.decode.pages import Case
from fulltape.lake import compression

_NAMES = {"o": "open", "h": "high", "l": "low", "c": "close", "v": "volume", "vw": "vwap", "n": "trade_count"}
_ISO = "%Y-%m-%dT%H:%M:%SZ"


class _Bar(msgspec.Struct, gc=False):
    t: str | int
    o: float
    h: float
    l: float  # noqa: E741
    c: float
    v: float
    n: int
    vw: float


class _Many(msgspec.Struct):
    bars: dict[str, list[_Bar]]


class _One(msgspec.Struct):
    ticker: str
    results: list[_Bar]


class _RawMany(msgspec.Struct):
    bars: dict[str, msgspec.Raw]


class _RawOne(msgspec.Struct):
    ticker: str
    results: msgspec.Raw


def _stamped(frame: pl.DataFrame, case: Case) -> pl.DataFrame:
    if case.timestamp == "iso":
        ts = pl.col("t").str.to_datetime(_ISO, time_unit="us", time_zone="UTC")
    else:
        ts = (pl.col("t") * 1_000).cast(pl.Datetime("us", "UTC"))
    return frame.select(
        "symbol", ts.alias("ts"), *(pl.col(short).alias(name) for short, name in _NAMES.items())
    )


def by_msgspec(case: Case) -> pl.DataFrame:
    """Structs, then columns."""
    body = case.pages[0].body
    if case.timestamp == "iso":
        found = msgspec.json.decode(body, type=_Many).bars
    else:
        whole = msgspec.json.decode(body, type=_One)
        found = {whole.ticker: whole.results}
    columns: dict[str, list[Any]] = {"symbol": [], "t": [], **{name: [] for name in _NAMES}}
    for symbol, bars in found.items():
        columns["symbol"].extend([symbol] * len(bars))
        for name in ("t", *_NAMES):
            columns[name].extend([getattr(bar, name) for bar in bars])
    kinds: dict[str, Any] = dict.fromkeys(_NAMES, pl.Float64) | {"n": pl.Int64}
    return _stamped(pl.DataFrame(columns, schema_overrides=kinds), case)


def _slices(case: Case) -> dict[str, bytes]:
    body = case.pages[0].body
    if case.timestamp == "iso":
        return {name: bytes(raw) for name, raw in msgspec.json.decode(body, type=_RawMany).bars.items()}
    whole = msgspec.json.decode(body, type=_RawOne)
    return {whole.ticker: bytes(whole.results)}


def by_polars(case: Case) -> pl.DataFrame:
    """`read_json` with a schema over each symbol's slice."""
    kinds: dict[str, Any] = {"t": pl.String if case.timestamp == "iso" else pl.Int64}
    kinds |= dict.fromkeys(_NAMES, pl.Float64) | {"n": pl.Int64}
    frames = [
        pl.read_json(rows, schema=kinds).with_columns(pl.lit(symbol).alias("symbol"))
        for symbol, rows in _slices(case).items()
    ]
    return _stamped(pl.concat(frames), case)


def by_polars_lines(case: Case) -> pl.DataFrame:
    """`read_ndjson` over each symbol's slice, cut into lines."""
    kinds: dict[str, Any] = {"t": pl.String if case.timestamp == "iso" else pl.Int64}
    kinds |= dict.fromkeys(_NAMES, pl.Float64) | {"n": pl.Int64}
    frames = [
        pl.read_ndjson(rows[1:-1].replace(b"},{", b"}\n{"), schema=kinds).with_columns(
            pl.lit(symbol).alias("symbol")
        )
        for symbol, rows in _slices(case).items()
    ]
    return _stamped(pl.concat(frames), case)


def by_pyarrow(case: Case) -> pl.DataFrame:
    """`pyarrow.json` over each symbol's slice, cut into lines."""
    import pyarrow as pa
    import pyarrow.json as paj

    timestamp = pa.string() if case.timestamp == "iso" else pa.int64()
    fields = [pa.field("t", timestamp)]
    fields += [pa.field(name, pa.int64() if name == "n" else pa.float64()) for name in _NAMES]
    options = paj.ParseOptions(explicit_schema=pa.schema(fields), unexpected_field_behavior="ignore")
    reading = paj.ReadOptions(block_size=64 << 20)
    frames = []
    for symbol, rows in _slices(case).items():
        lines = pa.BufferReader(rows[1:-1].replace(b"},{", b"}\n{"))
        found = paj.read_json(lines, read_options=reading, parse_options=options)
        frames.append(pl.DataFrame(pl.from_arrow(found)).with_columns(pl.lit(symbol).alias("symbol")))
    return _stamped(pl.concat(frames), case)


LIBRARIES = {
    "msgspec": by_msgspec,
    "polars": by_polars,
    "polars, lines": by_polars_lines,
    "pyarrow": by_pyarrow,
}


def whole_way(library: Callable[[Case], pl.DataFrame], case: Case, folder: Path) -> int:
    """The least that a page's way to durable parts can be: packed and on disk, read and unpacked, decoded by a library,
    sorted, one Parquet file a month, on disk. Nothing is checked, and nobody knows what is where. Returns the rows."""
    journal = folder / "journal"
    _durable(journal, compression.pack(case.pages[0].body))
    body = compression.unpack(journal.read_bytes())
    frame = library(replace(case, pages=(replace(case.pages[0], body=body),))).sort("symbol", "ts")
    months = frame.with_columns(pl.col("ts").dt.strftime("%Y-%m").alias("month")).partition_by("month")
    with ThreadPoolExecutor(max_workers=4) as pool:
        pool.map(lambda at: _part(months[at], folder / f"{at}.parquet"), range(len(months)))
    return frame.height


def _part(frame: pl.DataFrame, path: Path) -> None:
    frame.write_parquet(path, compression="zstd", compression_level=1, row_group_size=20_000)
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _durable(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fdatasync(file.fileno())
