"""The files that are taken in, as frames of the dataset's columns."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from fulltape import errors
from fulltape.adopt import reading
from fulltape.adopt.plan import FileMapping, SymbolNames
from fulltape.context import ConfiguredDataset


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
    """What a look at every file has shown: by symbol its first and last moment (µs, UTC), rows by file, and what cannot be taken."""

    spans: dict[str, tuple[int, int]] = field(default_factory=dict)
    rows: dict[Path, int] = field(default_factory=dict)
    unknown: Counter[str] = field(default_factory=Counter)
    unreadable: dict[str, str] = field(default_factory=dict)


class AdoptedFiles:
    """Files of one mapping, and the symbols that the dataset wants."""

    def __init__(self, adoption: Adoption, mapping: FileMapping, wanted: ConfiguredDataset) -> None:
        self._adoption, self._mapping, self._wanted = adoption, mapping, wanted
        instruments = wanted.instruments.values()
        self._symbols = SymbolNames(
            dated.symbol for instrument in instruments for dated in instrument.symbols
        )

    def look(self, paths: Sequence[Path]) -> FilesSeen:
        """The span of each symbol over all files."""
        seen = FilesSeen()
        for path in paths:
            try:
                frame = self._read(path)
            except errors.UsageError as error:
                seen.unreadable[self._adoption.name(path)] = error.message
                continue
            for text, count in frame.filter(pl.col("symbol") == "").group_by("raw_symbol").len().iter_rows():
                seen.unknown[text or self._adoption.name(path)] += count
            frame = frame.filter(pl.col("symbol") != "")
            seen.rows[path] = frame.height
            moments = frame.group_by("symbol").agg(
                pl.col("ts").min().cast(pl.Int64).alias("first"),
                pl.col("ts").max().cast(pl.Int64).alias("last"),
            )
            for symbol, first, last in moments.drop_nulls().iter_rows():
                before = seen.spans.get(symbol, (first, last))
                seen.spans[symbol] = min(first, before[0]), max(last, before[1])
        return seen

    def frame(self, paths: Sequence[Path]) -> pl.DataFrame:
        """The rows of files, of symbols that the dataset wants; `page` is the number of the file."""
        frames = [
            self._read(path)
            .filter(pl.col("symbol") != "")
            .drop("raw_symbol")
            .with_columns(pl.lit(number, dtype=pl.Int64).alias("page"))
            for number, path in enumerate(paths, start=1)
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

    def _symbol_of(self, name: str) -> str:
        if "symbol" in self._mapping.fixed:
            return self._symbols.of(self._mapping.fixed["symbol"])
        if self._mapping.symbol_path:
            match = re.search(self._mapping.symbol_path, name)
            return self._symbols.of(match["symbol"]) if match else ""
        return "" if self._mapping.symbol else self._symbols.in_name(name)
