"""The same rows, chosen as one would write it by hand."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb
import polars as pl

from benchmarks.curate.lake import SOURCES

Months = Mapping[str, Sequence[tuple[str, Path]]]
"""By month the raw files with their sources."""


def months(lake: Path) -> Months:
    """The raw files of a lake."""
    found: dict[str, list[tuple[str, Path]]] = {}
    for path in sorted(lake.rglob("raw/**/*.parquet")):
        source = next(name for name in SOURCES if name in path.as_posix())
        found.setdefault(path.parent.name, []).append((source, path))
    return found


def polars(files: Months, out: Path) -> None:
    """By month in memory."""
    cell = ["instrument", "session"]
    for parts in files.values():
        raw = (
            pl.concat(
                [pl.scan_parquet(path).with_columns(pl.lit(source).alias("source")) for source, path in parts]
            )
            .with_columns(pl.col("instrument", "symbol", "phase").cast(pl.String))
            .collect()
        )
        bad = (pl.col("low") > pl.min_horizontal("open", "close")) | (
            pl.col("high") < pl.max_horizontal("open", "close")
        )
        cells = raw.group_by(*cell, "source").agg(
            pl.len().alias("rows"), (bad | (pl.col("close") <= 0)).sum().alias("bad")
        )
        best = cells.sort(
            *cell, "bad", "rows", "source", descending=[False, False, False, True, False]
        ).unique(cell, keep="first")
        rows = (
            raw.join(best, on=[*cell, "source"], how="semi")
            .with_columns(
                (pl.col("ts") + pl.duration(minutes=1)).alias("available_at"),
                pl.lit(value=True).alias("is_final"),
                bad.cast(pl.UInt32).alias("flags"),
            )
            .sort("instrument", "ts")
        )
        for (session,), mine in rows.group_by(["session"], maintain_order=True):
            _written(out / f"{session}.parquet", mine)


def duck(files: Months, out: Path) -> None:
    """By month in SQL, partitioned by session."""
    connection = duckdb.connect()
    for month, parts in files.items():
        union = " UNION ALL BY NAME ".join(
            f"SELECT *, '{source}' AS source FROM '{path}'" for source, path in parts
        )
        connection.execute(
            f"""
            COPY (
              WITH raw AS (SELECT *, low > least(open, close) OR high < greatest(open, close) OR close <= 0 AS bad FROM ({union})),
              cells AS (SELECT instrument, session, source, count(*) AS many, sum(bad::INT) AS wrong FROM raw GROUP BY ALL),
              best AS (SELECT DISTINCT ON (instrument, session) instrument, session, source FROM cells
                       ORDER BY instrument, session, wrong, many DESC, source)
              SELECT raw.*, ts + INTERVAL 1 MINUTE AS available_at, true AS is_final, bad::INT AS flags
              FROM raw JOIN best USING (instrument, session, source) ORDER BY session, instrument, ts
            ) TO '{out / month}' (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (session), WRITE_PARTITION_COLUMNS true)
            """
        )
    for path in out.rglob("*.parquet"):
        _synced(path)


def _written(path: Path, rows: pl.DataFrame) -> None:
    rows.write_parquet(path, compression="zstd")
    _synced(path)


def _synced(path: Path) -> None:
    with path.open("rb") as handle:
        os.fsync(handle.fileno())


def digest(files: Sequence[Path]) -> tuple[int, int]:
    """How many rows there are, and a sum over them that does not depend on their order."""
    values = ["open", "high", "low", "close", "volume"]
    texts = pl.col("instrument", "source").cast(pl.String)
    rows = pl.concat([pl.scan_parquet(path).select(texts, "ts", *values) for path in files])
    hashed = pl.struct(pl.all()).hash(seed=1) % 2**32
    counted = rows.select(pl.len(), hashed.sum()).collect(engine="streaming").row(0)
    return int(counted[0]), int(counted[1])
