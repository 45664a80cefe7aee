"""How files are read: what their columns mean, what can be told from them, and what has to be asked. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from fulltape.market.dataset import Dataset

TimeKind = Literal["date", "text", "typed", "s", "ms", "us", "ns"]
Stamped = Literal["", "start", "end"]
ADJUSTMENTS = ("raw", "split", "all")
DERIVED = frozenset({"instrument", "symbol", "session", "ts", "ts_event", "phase", "minute_of_session"})
"""Columns that are made of time and symbol."""
_TIMES = ("timestamp", "ts", "datetime", "date", "time", "open_time", "gmt time", "t", "<date>", "index")
_CLOCKS = ("<time>", "time")
"""Beside a column of dates: the time of the day."""
_SYMBOLS = ("symbol", "ticker", "<ticker>", "instrument", "sym", "pair")
_ALIASES: Mapping[str, tuple[str, ...]] = {
    "open": ("o", "<open>"),
    "high": ("h", "<high>"),
    "low": ("l", "<low>"),
    "close": ("c", "<close>"),
    "volume": ("v", "vol", "<vol>"),
    "vwap": ("vw",),
    "trade_count": ("trades", "transactions", "number_of_trades", "n", "count"),
    "quote_volume": ("quote_asset_volume",),
    "taker_buy_volume": ("taker_buy_base_asset_volume", "taker_buy_base"),
    "size": ("qty", "quantity", "amount"),
    "price": ("p",),
    "trade_id": ("id", "tid"),
    "aggressor": ("side",),
    "bid": ("bid_price",),
    "ask": ("ask_price",),
}
_KEYS = ("symbol", "ticker", "underlier", "underlying", "instrument", "sym")
"""Names of folders such as symbol=AAPL."""
_ENDING = re.compile(r"(\.(csv|parquet|feather|arrow|txt|json|gz|zip))+$", re.IGNORECASE)
_BESIDE = re.compile(
    r"\d+|\d*(s|m|h|d|min|mins|sec)|m\d+|us|bid|ask|mid|raw|data|bars?|ohlcv|trades?|quotes?|ticks?|candles?|candlestick|minutes?|daily|days?|hist|history",
    re.IGNORECASE,
)
"""What may stand in a file's name beside its symbol."""
_LARGE: Mapping[int, TimeKind] = {19: "ns", 16: "us", 13: "ms", 10: "s"}
"""Digits of a moment since 1970 by unit, from 2001 to 2286."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceColumn:
    """A column of the files, and by what its values are multiplied."""

    name: str
    scale: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FileMapping:
    """How the files are read.

    - `time`: columns that together tell the moment, with `kind`, and for text `time_format`; `zone` of moments that bear none;
    - `day`: a pattern of the path with a group `day` (YYYYMMDD or YYYY-MM-DD), from whose midnight in `zone` numbers count;
    - `timestamp`: whether bars are stamped at their `start` or at their `end`;
    - `symbol`: the column, or `symbol_path`, a pattern of the path with a group `symbol`; without both it is looked for in the name;
    - `columns` and `fixed`: the dataset's columns, out of the files' or with one value for all rows.
    """

    files: str = ""
    time: tuple[str, ...] = ()
    kind: TimeKind | Literal[""] = ""
    time_format: str = ""
    day: str = ""
    zone: str = ""
    timestamp: Stamped = ""
    adjustment: Literal["", "raw", "split", "all"] = ""
    symbol: str = ""
    symbol_path: str = ""
    header: bool | None = None
    separator: str = ""
    columns: Mapping[str, SourceColumn] = field(default_factory=dict)
    fixed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSample:
    """The beginning of a file: its path (relative), columns with the kind of their values (int, float, text, date, moment: with a zone,
    naive: without one), the formats that all of a text's values have, by column, and some values."""

    path: str
    columns: Mapping[str, str]
    formats: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    values: Mapping[str, tuple[object, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What the files do not tell, how it is answered, and which answers there are."""

    about: str
    text: str
    option: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """A mapping, by what each thing in it was told (`why`), and what is still to be asked."""

    mapping: FileMapping
    why: Mapping[str, str]
    questions: tuple[Question, ...]
    lacking: tuple[str, ...] = ()
    """Columns that the dataset needs and the files do not have."""


def recognised(sample: FileSample, given: FileMapping, dataset: Dataset) -> Recognised:
    """What can be told from a sample, beside what is given."""
    why: dict[str, str] = {}
    questions: list[Question] = []
    mapping = _with_columns(sample, given, dataset, why)
    mapping = _with_time(sample, mapping, dataset, why, questions)
    mapping = _with_symbol(sample, mapping, why)
    dated = dataset.grain == "day" and why.get("zone", "").startswith("none")
    if dataset.grain in ("minute", "day") and not dated and not mapping.timestamp:
        text = f"are bars stamped at the start or at the end of their {dataset.grain}?"
        questions.append(
            Question(about="timestamp", text=text, option="--timestamp", choices=("start", "end"))
        )
    mapping = _with_adjustment(sample, mapping, dataset, why, questions)
    there = {*mapping.columns, *mapping.fixed, *DERIVED, "adjustment"}
    needed = [column.name for column in dataset.schema.columns if not column.nullable]
    lacking = tuple(name for name in needed if name not in there)
    return Recognised(mapping=mapping, why=why, questions=tuple(questions), lacking=lacking)


def _with_columns(
    sample: FileSample, given: FileMapping, dataset: Dataset, why: dict[str, str]
) -> FileMapping:
    by_name = {name.strip().lower(): name for name in sample.columns}
    columns = dict(given.columns)
    for column in dataset.schema.columns:
        name = column.name
        if name in columns or name in given.fixed or name in DERIVED:
            continue
        candidates = (name, *_ALIASES.get(name, ()))
        match = next((by_name[alias] for alias in candidates if alias in by_name), None)
        if match is not None and match not in given.time:
            columns[name] = SourceColumn(name=match)
            why[name] = f"column {match}{f', {column.unit}' if column.unit else ''}"
    return replace(given, columns=columns)


def _with_time(
    sample: FileSample,
    mapping: FileMapping,
    dataset: Dataset,
    why: dict[str, str],
    questions: list[Question],
) -> FileMapping:
    by_name = {name.strip().lower(): name for name in sample.columns}
    time = mapping.time or _time_columns(sample, by_name)
    if not time:
        questions.append(
            Question(about="time", text="which column is the time?", option="[columns] time of --mapping")
        )
        return mapping
    mapping = replace(mapping, time=time)
    why["time"] = f"column {' and '.join(time)}"
    kind = mapping.kind or _time_kind(sample, time)
    time_format = mapping.time_format
    label = " ".join(time)
    if kind == "text" and not time_format:
        formats = sample.formats.get(label, ())
        if len(formats) == 1:
            time_format = formats[0]
            why["time"] += f", as {time_format}"
        else:
            text = f"{label} is written like {_example(sample, time)!r}: in which format?"
            questions.append(
                Question(about="time format", text=text, option="--time-format", choices=formats)
            )
    mapping = replace(mapping, kind=kind, time_format=time_format)
    return _with_zone(sample, mapping, dataset, why, questions)


def _with_zone(
    sample: FileSample,
    mapping: FileMapping,
    dataset: Dataset,
    why: dict[str, str],
    questions: list[Question],
) -> FileMapping:
    if mapping.zone:
        return mapping
    dated = mapping.kind == "date" or (
        mapping.kind == "text" and not re.search(r"%[HIz]", mapping.time_format)
    )
    if dataset.grain == "day" and dated:
        why["zone"] = "none: dates are sessions"
        return mapping
    known = (mapping.kind in _LARGE.values() and not mapping.day) or "%z" in mapping.time_format
    if known or (mapping.kind == "typed" and sample.columns.get(mapping.time[0]) == "moment"):
        if dataset.grain != "day":
            why["zone"] = "UTC: the times say so"
            return replace(mapping, zone="UTC")
        questions.append(_zone_question("in which zone do days begin at midnight?"))
    elif not (mapping.kind == "text" and not mapping.time_format):
        questions.append(_zone_question(f"{' '.join(mapping.time)} bears no zone: which one is it?"))
    return mapping


def _zone_question(text: str) -> Question:
    return Question(about="zone", text=text, option="--zone", choices=("UTC", "America/New_York"))


def _with_symbol(sample: FileSample, mapping: FileMapping, why: dict[str, str]) -> FileMapping:
    if mapping.symbol or mapping.symbol_path or "symbol" in mapping.fixed:
        return mapping
    by_name = {name.strip().lower(): name for name in sample.columns}
    column = next((by_name[name] for name in _SYMBOLS if name in by_name), "")
    if column:
        why["symbol"] = f"column {column}"
        return replace(mapping, symbol=column)
    key = next((key for key in _KEYS if re.search(rf"(?:^|/){key}=", sample.path)), "")
    if key:
        why["symbol"] = f"folders {key}=…"
        return replace(mapping, symbol_path=rf"(?:^|/){key}=(?P<symbol>[^/]+)")
    why["symbol"] = "the name of each file, as the universe has it"
    return mapping


def _with_adjustment(
    sample: FileSample,
    mapping: FileMapping,
    dataset: Dataset,
    why: dict[str, str],
    questions: list[Question],
) -> FileMapping:
    """Prices of equities may be adjusted, and nothing in most files tells."""
    bars = dataset.asset_class.name == "equities" and "close" in dataset.schema.names
    if mapping.adjustment or not bars:
        return mapping
    names = {name.strip().lower() for name in sample.columns}
    if {"adj close", "close", "volume"} <= names:
        why["adjustment"] = "split: a column Adj Close beside Close, as Yahoo exports it"
        return replace(mapping, adjustment="split")
    if {"<ticker>", "<per>", "<vol>"} <= names:
        why["adjustment"] = "all: as Stooq exports it"
        return replace(mapping, adjustment="all")
    text = "are prices raw, adjusted for splits, or for splits and dividends?"
    questions.append(Question(about="adjustment", text=text, option="--adjustment", choices=ADJUSTMENTS))
    return mapping


def _time_columns(sample: FileSample, by_name: Mapping[str, str]) -> tuple[str, ...]:
    first = next((by_name[name] for name in _TIMES if name in by_name), None)
    if first is None:
        typed = [name for name, kind in sample.columns.items() if kind in ("moment", "naive")]
        return (typed[0],) if len(typed) == 1 else ()
    clock = next((by_name[name] for name in _CLOCKS if name in by_name and by_name[name] != first), None)
    if clock and first.strip().lower() in ("date", "<date>"):
        return first, clock
    return (first,)


def _time_kind(sample: FileSample, time: Sequence[str]) -> TimeKind:
    kind = sample.columns.get(time[0], "text")
    if len(time) == 1 and kind in ("moment", "naive"):
        return "typed"
    if len(time) == 1 and kind == "date":
        return "date"
    values = [str(value) for value in sample.values.get(time[0], ())]
    if len(time) == 1 and values and all(re.fullmatch(r"\d+", value) for value in values):
        units = {_LARGE.get(len(value)) for value in values}
        unit = units.pop() if len(units) == 1 else None
        if unit is not None:
            return unit
    return "text"


def _example(sample: FileSample, time: Iterable[str]) -> str:
    return " ".join(str(next(iter(sample.values.get(name, ("?",))), "?")) for name in time)


def folded(symbol: str) -> str:
    """A symbol by its letters and digits only, as names of files have it."""
    return re.sub(r"[^A-Z0-9]", "", symbol.upper())


class SymbolNames:
    """The universe's symbols, as other tools write them."""

    def __init__(self, symbols: Iterable[str]) -> None:
        self._exact = {symbol: symbol for symbol in symbols}
        by_folded: dict[str, set[str]] = {}
        for symbol in self._exact:
            by_folded.setdefault(folded(symbol), set()).add(symbol)
        # What is spelled alike without its signs is not guessed.
        self._folded = {name: next(iter(many)) for name, many in by_folded.items() if len(many) == 1}

    def of(self, text: str) -> str:
        """The symbol that is written so; '' where none is, or more than one may be meant."""
        return self._exact.get(text) or self._folded.get(folded(text), "")

    def in_name(self, name: str) -> str:
        """The symbol at the begin of a file's name, the longest one, with nothing behind it but dates, lengths of bars and the like; ''
        where there is none."""
        stem = _ENDING.sub("", name.rpartition("/")[2])
        pieces = [piece for piece in re.split(r"([_\-. ])", stem) if piece]
        for end in range(len(pieces), 0, -1):
            symbol = self.of("".join(pieces[:end]))
            if symbol:
                rest = [piece for piece in pieces[end:] if not re.fullmatch(r"[_\-. ]", piece)]
                return symbol if all(_BESIDE.fullmatch(piece) for piece in rest) else ""
        return ""
