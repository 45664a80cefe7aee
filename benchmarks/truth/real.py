"""Real series: the days on which they have rows, and minutes with all their columns. Empty where the data is absent."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import zipfile
from pathlib import Path

import polars as pl

from fulltape import context as opening
from fulltape.decoding import frames
from fulltape.market.sessions import Calendar

DATA = Path(__file__).parents[3] / "shared" / "data"
_LEAN = DATA / "lean-equity-us" / "equity" / "usa"
_DAILY = {
    "equities_bars_day": [_LEAN / "daily" / f"{name}.zip" for name in ("aapl", "spy", "googl", "fb", "wm")],
    "forex_bars_day": [DATA / "lean-forex-eurusd" / "forex" / "oanda" / "daily" / "eurusd.zip"],
    "crypto_bars_day": [DATA / "lean-crypto" / "crypto" / "coinbase" / "daily" / "btcusd_trade.zip"],
}
_LIVES = {
    "fb": dt.date(2012, 5, 18),  # before, the ticker was another company's
    "wm": dt.date(2009, 8, 5),  # so was this one, until a bank failed
    "btcusd_trade": dt.date(2015, 1, 20),  # before, the venue was not open yet
}
_MINUTES = ("spy", "aapl", "goog", "nwsa", "foxa")


def days() -> list[tuple[str, str, list[dt.date]]]:
    """Dataset, name and the days with rows, of day bars over years."""
    found = [
        (dataset, path.stem, sorted({_day(line) for line in _lines(path)} - _before(path.stem)))
        for dataset, paths in _DAILY.items()
        for path in paths
        if path.exists()
    ]
    stocks = DATA / "wiki-prices-bokeh" / "stocks.csv.gz"
    if stocks.exists():
        rows = pl.read_csv(io.BytesIO(gzip.decompress(stocks.read_bytes())), infer_schema=False)
        by, day = rows.columns[0], next(name for name in rows.columns if name.lower() == "date")
        for (name,), some in rows.group_by([by], maintain_order=True):
            labels = sorted(dt.date.fromisoformat(text[:10]) for text in some[day])
            found.append(("equities_bars_day", f"wiki-{name}", labels))
    return found


def minutes() -> pl.DataFrame:
    """instrument, session, ts, minute_of_session, phase, prices and volume of stocks, all phases."""
    calendar = opening.calendar("XNYS")
    pieces = [
        _minutes(name, path, calendar)
        for name in _MINUTES
        for path in sorted((_LEAN / "minute" / name).glob("*_trade.zip"))
    ]
    return pl.concat(pieces) if pieces else pl.DataFrame()


def _minutes(name: str, path: Path, calendar: Calendar) -> pl.DataFrame:
    session = _day(path.name)
    rows = [[float(part) for part in line.split(",")] for line in _lines(path)]
    local = dt.datetime.combine(session, dt.time())
    hours = frames.sessions(calendar).filter(pl.col("session") == session).row(0, named=True)
    regular = (pl.col("ts") >= hours["open"]) & (pl.col("ts") < hours["close"])
    return (
        pl.DataFrame(rows, schema=["ms", "open", "high", "low", "close", "volume"], orient="row")
        .with_columns(
            pl.lit(name.upper()).alias("instrument"),
            pl.lit(session).alias("session"),
            (pl.lit(local) + pl.duration(milliseconds=pl.col("ms").cast(pl.Int64)))
            .dt.replace_time_zone(calendar.zone)
            .dt.convert_time_zone("UTC")
            .alias("ts"),
            *((pl.col(name) / 10_000).alias(name) for name in ("open", "high", "low", "close")),
        )
        .with_columns(
            (pl.col("ts") - hours["open"]).dt.total_minutes().alias("minute_of_session"),
            pl.when(regular).then(pl.lit("regular")).otherwise(pl.lit("post")).alias("phase"),
            pl.lit(None, dtype=pl.Float64).alias("vwap"),
            pl.lit(0, dtype=pl.Int64).alias("flags"),
        )
    )


def _lines(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        return archive.read(archive.namelist()[0]).decode().splitlines()


def _before(name: str) -> set[dt.date]:
    """Days on which a name was not yet this instrument's."""
    begin = _LIVES.get(name, dt.date(1990, 1, 1))
    return {dt.date(1990, 1, 1) + dt.timedelta(days=at) for at in range((begin - dt.date(1990, 1, 1)).days)}


def _day(line: str) -> dt.date:
    return dt.date.fromisoformat(line[:8])
