"""The files that are taken in, as frames of the dataset's columns."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
from polars.exceptions import PolarsError

from fulltape import errors
from fulltape.adopt import reading
from fulltape.adopt.plan import FileMapping, SymbolNames
from fulltape.context import ConfiguredDataset, Event, Progress

STAGE = "adopt"
_SPANS = {
    "symbol": pl.String(),
    "file": pl.UInt32(),
    "first": pl.Datetime("us", "UTC"),
    "last": pl.Datetime("us", "UTC"),
    "longer": pl.Boolean(),
}
_TELLING = 20
"""So many rows tell how long bars are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """What is to be taken in: files below `root`, as rows of a dataset that a source has told."""

    root: Path
    dataset: str
    source: str
    given: FileMapping = field(default_factory=FileMapping)

    def name(self, path: Path) -> str:
        """A file's path below the root."""
        return path.relative_to(self.root).as_posix() if path != self.root else path.name


@dataclass(slots=True)
class FilesSeen:
    """What a look at every file has shown: by symbol and file the first and last moment (`spans`: symbol, file, first, last; UTC), and
    whether the file has more of it than a day (`longer`), rows by file, the symbol of files that are named by it, and what cannot be taken."""

    spans: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=_SPANS))
    rows: dict[Path, int] = field(default_factory=dict)
    marks: dict[Path, str] = field(default_factory=dict)
    named: dict[str, str] = field(default_factory=dict)
    unknown: Counter[str] = field(default_factory=Counter)
    unreadable: dict[str, str] = field(default_factory=dict)


class AdoptedFiles:
    """Files of one mapping, and the symbols that the dataset wants."""

    def __init__(self, adoption: Adoption, mapping: FileMapping, wanted: ConfiguredDataset) -> None:
        self._adoption, self._mapping, self._wanted = adoption, mapping, wanted
        self._kind: tuple[tuple[str, ...], bool] | None = None
        instruments = wanted.instruments.values()
        self._symbols = SymbolNames(
            dated.symbol for instrument in instruments for dated in instrument.symbols
        )

    def look(self, paths: Sequence[Path], progress: Progress) -> FilesSeen:
        """The span of each symbol in every file."""
        seen = FilesSeen()
        spans = []
        for number, path in enumerate(paths):
            progress(Event(stage=STAGE, done=number, total=len(paths), unit="files looked at"))
            name = self._adoption.name(path)
            try:
                seen.marks[path] = self.mark(path)  # of what is read now
                frame = self._read(path)
                self._refuse_other_bars(frame)
            except errors.UsageError as error:
                seen.unreadable[name] = error.message
                continue
            except PolarsError as error:
                seen.unreadable[name] = str(error).partition("\n")[0]
                continue
            for text, count in frame.filter(pl.col("symbol") == "").group_by("raw_symbol").len().iter_rows():
                seen.unknown[text or name] += count
            frame = frame.filter(pl.col("symbol") != "")
            seen.rows[path] = frame.height
            if frame.height and frame["raw_symbol"][0] is None:
                seen.named[name] = frame["symbol"][0]
            spans.append(
                frame.drop_nulls("ts")
                .group_by("symbol")
                .agg(
                    pl.lit(number, dtype=pl.UInt32).alias("file"),
                    pl.col("ts").min().alias("first"),
                    pl.col("ts").max().alias("last"),
                    ((pl.col("ts").max() - pl.col("ts").min()) > pl.duration(days=1)).alias("longer"),
                )
                .select(list(_SPANS))
            )
        if spans:
            seen.spans = pl.concat(spans)
        return seen

    def _refuse_other_bars(self, frame: pl.DataFrame) -> None:
        """Bars of another length than the dataset's are other bars."""
        grain = self._wanted.dataset.grain
        if grain == "minute":
            of_minute = pl.col("ts").dt.epoch("us") % 60_000_000
            minute = pl.col("ts").dt.minute()
            off, fives, count = frame.drop_nulls("ts").select(
                (of_minute != 0).any().alias("off"), (minute % 5 == 0).all().alias("fives"), pl.len().alias("count")
            ).row(0)  # fmt: skip
            if off:
                raise errors.UsageError("its moments are not those of whole minutes: are these minute bars?")
            if fives and count >= _TELLING:
                raise errors.UsageError(
                    "its bars are five minutes long, or longer: these are no minute bars."
                )
        if grain == "day":
            apart = (
                frame.drop_nulls("ts")
                .sort("symbol", "ts")
                .select((pl.col("ts").diff().over("symbol").dt.total_hours()).alias("hours"))["hours"]
                .drop_nulls()
            )
            middle = apart.median()
            if apart.len() >= _TELLING // 2 and isinstance(middle, float) and middle >= 5 * 24:
                raise errors.UsageError("its bars are a week long, or longer: these are no day bars.")

    def frame(self, batch: Sequence[tuple[int, Path]]) -> pl.DataFrame:
        """The rows of files, of symbols that the dataset wants; `page` is the number of the file."""
        frames = [
            self._read(path)
            .filter(pl.col("symbol") != "")
            .drop("raw_symbol")
            .with_columns(pl.lit(number, dtype=pl.Int64).alias("page"))
            for number, path in batch
        ]
        return pl.concat(frames, how="vertical_relaxed")

    def mark(self, path: Path) -> str:
        """What a file is known by that was taken in: another content, dataset, source or mapping is another one."""
        state = path.stat()
        about = (
            self._adoption.dataset,
            self._adoption.source,
            str(path.resolve()),
            state.st_size,
            state.st_mtime_ns,
            repr(self._mapping),
        )
        return hashlib.sha256(repr(about).encode()).hexdigest()

    def _read(self, path: Path) -> pl.DataFrame:
        name = self._adoption.name(path)
        table = reading.raw(path, self._mapping)
        needed = {*self._mapping.time, *(column.name for column in self._mapping.columns.values())}
        needed |= {self._mapping.symbol} - {""}
        lacking = sorted(needed - set(table.columns))
        if lacking:
            raise errors.UsageError(f"it has no {', '.join(lacking)}.")
        self._refuse_other_kind(table)
        stamped = reading.stamped(table, self._mapping, name, grain=self._wanted.dataset.grain)
        frame = reading.values(stamped, self._mapping)
        in_path = self._symbol_of(name)
        known = {
            text: self._symbols.of(text) if text else in_path
            for text in frame["raw_symbol"].unique().to_list()
        }
        symbol = pl.col("raw_symbol").replace_strict(
            list(known), list(known.values()), default="", return_dtype=pl.String
        )
        return frame.with_columns(symbol.alias("symbol"))

    def _refuse_other_kind(self, table: pl.DataFrame) -> None:
        """What was told of the first file holds for one that is alike."""
        adjusted = any(name.strip().lower() == "adj close" for name in table.columns)
        kind = (reading.kinds(table, self._mapping.time), adjusted)
        self._kind = self._kind or kind
        if kind != self._kind:
            raise errors.UsageError(
                "its times, or its prices, are of another kind than those of the first file."
            )
        if reading.out_of_range(table, self._mapping):
            raise errors.UsageError(f"its times are not numbers in {self._mapping.kind}, from 2001 on.")

    def _symbol_of(self, name: str) -> str:
        if "symbol" in self._mapping.fixed:
            return self._symbols.of(self._mapping.fixed["symbol"])
        if self._mapping.symbol_path:
            match = re.search(self._mapping.symbol_path, name)
            return self._symbols.of(match["symbol"]) if match else ""
        return "" if self._mapping.symbol else self._symbols.in_name(name)
