"""What is downloaded, and into which files."""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from fulltape import errors
from fulltape.contract.vendor import Source
from fulltape.market import assets, datasets, symbols
from fulltape.market.dataset import Dataset
from fulltape.market.time import MINUTE, SECOND

Cut = Literal["month", "week", "day", "symbol", "none"]
Form = Literal["parquet", "csv", "csv.gz", "jsonl"]
Compression = Literal["zstd", "snappy", "gzip", "lz4", "uncompressed"]
CUTS: tuple[Cut, ...] = get_args(Cut)
FORMS: tuple[Form, ...] = get_args(Form)
COMPRESSIONS: tuple[Compression, ...] = get_args(Compression)
_TICK_GAP = 10 * SECOND
_UNITS = {"s": SECOND, "m": MINUTE, "h": 60 * MINUTE}
_LENGTH = re.compile(r"(\d{1,6})([smh])")
_YEAR, _MONTH = re.compile(r"\d{4}"), re.compile(r"\d{4}-\d{2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLayout:
    """How rows become files: cut `by` what, in which form; of Parquet its compression and rows a row group."""

    by: Cut = "month"
    form: Form = "parquet"
    compression: Compression = "zstd"
    row_group: int = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A download: the sessions from `first` to `last`, both inclusive. `most_gap`, by dataset: how long nothing may come inside a session,
    in microseconds; None: however long."""

    vendor: str
    datasets: Sequence[str]
    symbols: Sequence[str]
    first: dt.date
    last: dt.date
    layout: FileLayout = field(default_factory=FileLayout)
    most_gap: Mapping[str, int | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputFile:
    """A file to be: of one symbol, or of all ('') where a file holds all of them; sessions `first` to `last`, both inclusive."""

    dataset: str
    symbol: str
    first: dt.date
    last: dt.date
    path: str
    """Relative to the folder, with `/`."""


def day(text: str, *, end: bool = False) -> dt.date:
    """A day, or the first (`end`: the last) one of a month or a year; `UsageError` for anything else."""
    try:
        if _YEAR.fullmatch(text):
            return dt.date(int(text), 12, 31) if end else dt.date(int(text), 1, 1)
        if _MONTH.fullmatch(text):
            year, month = map(int, text.split("-"))
            return dt.date(year, month, calendar.monthrange(year, month)[1] if end else 1)
        return dt.date.fromisoformat(text)
    except ValueError:
        raise errors.UsageError(
            f"{text!r} is no day.", hint="Write 2023-01-31, or a month 2023-01, or a year 2023."
        ) from None


def span(first: str, last: str, today: dt.date) -> tuple[dt.date, dt.date]:
    """The days that are meant, both inclusive; `UsageError` where there are none, or they lie in the future. A last day that is not given
    is yesterday; a month or a year that is not over ends with yesterday."""
    begin = day(first)
    newest = today - dt.timedelta(days=1)
    end = day(last, end=True) if last else newest
    if begin > newest or (last and day(last) > today):
        raise errors.UsageError(
            f"{first} to {last or 'yesterday'} lies in the future: today is {today}.",
        )
    end = min(end, newest)
    if begin > end:
        raise errors.UsageError(f"{first} to {last} is no span of days: it ends before it begins.")
    return begin, end


def chosen(names: Sequence[str], given: Sequence[str], sources: Sequence[Source]) -> list[str]:
    """The datasets that are meant by short names (`bars_minute`) or whole ones, of those that the sources serve: where a short one may
    mean several, those that write the symbols so. `UsageError` for what cannot be meant."""
    served = {capability.dataset for source in sources for capability in source.capabilities}
    out: list[str] = []
    for name in names:
        meant = [
            each
            for each in datasets.DATASETS
            if each in served and (each == name or each.endswith(f"_{name}"))
        ]
        if not meant:
            offered = ", ".join(each for each in datasets.DATASETS if each in served)
            raise errors.UsageError(f"{name!r} is none of its datasets.", hint=f"It serves {offered}.")
        if len(meant) > 1:
            classes = [datasets.get(each).asset_class for each in meant]
            fitting = {name for symbol in given for name in assets.fitting(symbol, classes)}
            meant = [each for each in meant if datasets.get(each).asset_class.name in fitting] or meant
        out += [each for each in meant if each not in out]
    for symbol in given:
        for each in out:
            if right := datasets.get(each).asset_class.meant(symbol):
                raise errors.UsageError(f"{symbol} is written {right}.")
    return out


def most_gap(texts: Sequence[str], names: Sequence[str]) -> dict[str, int | None]:
    """How long nothing may come inside a session, by dataset: 10 s between ticks, one interval between bars, or what is given: `30s`, `off`,
    or `bars_minute=5m` for some datasets only."""
    out: dict[str, int | None] = {name: _usual_gap(datasets.get(name)) for name in names}
    for text in texts:
        name, _, value = text.rpartition("=")
        concerned = [each for each in names if not name or each == name or each.endswith(f"_{name}")]
        if not concerned:
            raise errors.UsageError(f"--max-gap {text}: no dataset {name!r} is downloaded.")
        match = _LENGTH.fullmatch(value)
        if value != "off" and not match:
            raise errors.UsageError(
                f"--max-gap {text}: {value!r} is no length.", hint="Write 30s, 5m, 1h or off."
            )
        for each in concerned:
            out[each] = int(match[1]) * _UNITS[match[2]] if match else None
    return out


def _usual_gap(dataset: Dataset) -> int | None:
    return {"tick": _TICK_GAP, "minute": MINUTE}.get(dataset.grain)


def partitions(wish: Wish, name: str, members: Sequence[str]) -> Iterator[OutputFile]:
    """The files of a dataset, by symbol and time; a partition has only days that are asked for."""
    ending = wish.layout.form
    if wish.layout.by == "none":
        yield OutputFile(dataset=name, symbol="", first=wish.first, last=wish.last, path=f"{name}.{ending}")
        return
    for symbol in members:
        folder = f"{name}/{symbols.path_name(symbol.replace('/', '-'))}"
        if wish.layout.by == "symbol":
            yield OutputFile(
                dataset=name, symbol=symbol, first=wish.first, last=wish.last, path=f"{folder}.{ending}"
            )
            continue
        for label, first, last in _cut(wish.layout.by, wish.first, wish.last):
            yield OutputFile(
                dataset=name, symbol=symbol, first=first, last=last, path=f"{folder}/{label}.{ending}"
            )


def _cut(by: Cut, first: dt.date, last: dt.date) -> Iterator[tuple[str, dt.date, dt.date]]:
    """Months, weeks (Monday to Sunday, by their ISO name) or days between two days: name, first and last day."""
    at = first
    while at <= last:
        if by == "day":
            end, name = at, at.isoformat()
        elif by == "week":
            year, week, weekday = at.isocalendar()
            end, name = at + dt.timedelta(days=7 - weekday), f"{year}-W{week:02d}"
        else:
            end = dt.date(at.year, at.month, calendar.monthrange(at.year, at.month)[1])
            name = f"{at:%Y-%m}"
        yield name, at, min(end, last)
        at = end + dt.timedelta(days=1)
