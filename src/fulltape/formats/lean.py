"""A data folder of Lean: equity/usa/{daily,minute} in zip files, map_files and factor_files."""

from __future__ import annotations

import datetime as dt
import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from fulltape.formats import plan
from fulltape.formats.plan import PriceStep

_NEW_YORK = "America/New_York"
_SCALE = 10_000
"""Prices are whole tenths of a mill."""
_WHEN = (1980, 1, 1, 0, 0, 0)
"""Of every file in an archive, so that the same rows give the same bytes."""


def daily(rows: pl.DataFrame, folder: Path, symbol: str) -> None:
    """daily/SYMBOL.zip."""
    lines = rows.select(pl.col("session").dt.strftime("%Y%m%d 00:00"), *_values())
    _zip(folder / "daily" / f"{symbol.lower()}.zip", f"{symbol.lower()}.csv", lines)


def minute(rows: pl.DataFrame, folder: Path, symbol: str) -> None:
    """minute/SYMBOL/DAY_trade.zip, with all phases."""
    local = pl.col("ts").dt.convert_time_zone(_NEW_YORK)
    since = (local.dt.time().cast(pl.Int64) // 1_000_000).alias("ms")
    for (session,), piece in rows.group_by("session", maintain_order=True):
        assert isinstance(session, dt.date)
        name = f"{session:%Y%m%d}_{symbol.lower()}_minute_trade.csv"
        place = folder / "minute" / symbol.lower() / f"{session:%Y%m%d}_trade.zip"
        _zip(place, name, piece.select(since, *_values()))


def about(
    folder: Path,
    symbol: str,
    bearers: Sequence[tuple[dt.date, str]],
    steps: Sequence[PriceStep],
    exchange: str,
) -> None:
    """map_files/SYMBOL.csv and factor_files/SYMBOL.csv."""
    first = bearers[0][0]
    for name, lines in (
        ("map_files", plan.map_lines(bearers, exchange)),
        ("factor_files", plan.factor_lines(first, steps)),
    ):
        place = folder / name / f"{symbol.lower()}.csv"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("\n".join(lines) + "\n")


def _values() -> list[pl.Expr]:
    prices = [
        (pl.col(name) * _SCALE).round().cast(pl.Int64).alias(name)
        for name in ("open", "high", "low", "close")
    ]
    return [*prices, pl.col("volume").round().cast(pl.Int64)]


def _zip(place: Path, name: str, lines: pl.DataFrame) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    body = io.BytesIO()
    lines.write_csv(body, include_header=False)
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(name, _WHEN), body.getvalue(), zipfile.ZIP_DEFLATED)
