"""Writes rows of a node or a bundle in another format: into a new folder, whole or not at all."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from fulltape import errors
from fulltape.context import Event, Progress, silent
from fulltape.formats import lean, plain, zipline
from fulltape.formats.plan import FORMATS, Format, PriceStep
from fulltape.lake import files
from fulltape.market import datasets
from fulltape.market.dataset import Dataset
from fulltape.reader import Reader

_ACTIONS = "corporate_actions"


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatRequest:
    """What is written: datasets ('' none named: all that the format takes), symbols (none: all), sessions from `start` to `end`, both
    inclusive. `exchange`: Lean's letter for the venue, in its map files."""

    format: Format
    datasets: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()
    start: str = ""
    end: str = ""
    exchange: str = "Q"


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatReport:
    """What was written: rows and symbols by dataset; `doubtful`: symbols whose splits or dividends are not certain, and why."""

    path: str
    files: int
    rows: dict[str, int] = field(default_factory=dict)
    symbols: int = 0
    doubtful: dict[str, str] = field(default_factory=dict)


def run(reader: Reader, target: Path, asked: FormatRequest, progress: Progress = silent) -> FormatReport:
    """Write into a folder that is not there yet, or is empty."""
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise errors.UsageError(f"{target} is there already.", hint="Name a new folder.")
    files.make_folder(target.parent)
    draft = target.parent / f"{files.TEMPORARY}{target.name}"
    shutil.rmtree(draft, ignore_errors=True)  # of a run that was killed
    draft.mkdir()
    try:
        writing = _Writing(reader, draft, asked, progress)
        writing.run()
        if not writing.rows:
            raise errors.UsageError(
                "there are no such rows.", hint="fulltape status tells which symbols and sessions there are."
            )
        files.sync_tree(draft)
        if target.exists():
            target.rmdir()
        draft.rename(target)
        files.sync_folder(target.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return FormatReport(
        path=str(target),
        files=len(files.tree(target)),
        rows=writing.rows,
        symbols=len(writing.symbols),
        doubtful=writing.doubtful,
    )


class _Writing:
    """One run."""

    def __init__(self, reader: Reader, draft: Path, asked: FormatRequest, progress: Progress) -> None:
        self._reader, self._draft, self._asked, self._progress = reader, draft, asked, progress
        self.rows: dict[str, int] = {}
        self.symbols: set[str] = set()
        self.doubtful: dict[str, str] = {}
        self._acts = _ACTIONS in reader.datasets()

    def run(self) -> None:
        """Every symbol of every dataset."""
        for declared in self._datasets():
            wanted = self._asked.symbols or self._reader.symbols(declared.name)
            for done, symbol in enumerate(wanted, start=1):
                rows = self._rows(declared.name, symbol)
                if rows.height:
                    self._write(declared, symbol, rows)
                    self._doubt(declared, symbol)
                    self.rows[declared.name] = self.rows.get(declared.name, 0) + rows.height
                    self.symbols.add(symbol)
                self._progress(Event(stage="export", done=done, total=len(wanted), unit="symbols"))

    def _datasets(self) -> Iterator[Dataset]:
        rule = FORMATS[self._asked.format]
        known = self._reader.datasets()
        for name in self._asked.datasets:
            if name not in known:
                raise errors.UsageError(f"there is no {name} here.", hint=f"There are {', '.join(known)}.")
        chosen = [datasets.get(name) for name in self._asked.datasets or known]
        fitting = [
            declared
            for declared in chosen
            if declared.grain in rule.grains
            and not declared.adjusted
            and (
                not rule.asset_class
                or (declared.asset_class.name == rule.asset_class and "close" in declared.schema.names)
            )
        ]
        if not fitting or (self._asked.datasets and len(fitting) < len(chosen)):
            raise errors.UsageError(
                f"{self._asked.format} takes {rule.asset_class or 'rows'} by {' and '.join(rule.grains)}.",
                hint=f"Here are {', '.join(known)}.",
            )
        yield from fitting

    def _rows(self, dataset: str, symbol: str) -> pl.DataFrame:
        rows = self._reader.scan(
            dataset, symbols=symbol, start=self._asked.start or None, end=self._asked.end or None
        )
        return rows.collect().sort("ts", maintain_order=True)

    def _write(self, declared: Dataset, symbol: str, rows: pl.DataFrame) -> None:
        minutes = declared.grain == "minute"
        if self._asked.format == "csv":
            plain.csv(rows, self._draft, declared.name, symbol)
        elif self._asked.format == "parquet":
            plain.parquet(rows, self._draft, declared.name, symbol)
        elif self._asked.format == "zipline":
            zipline.write(rows, self._actions(symbol), self._draft, minutes=minutes, symbol=symbol)
        else:
            folder = self._draft / "equity" / "usa"
            (lean.minute if minutes else lean.daily)(rows, folder, symbol)
            self._about(folder, symbol, rows, declared.name)

    def _doubt(self, declared: Dataset, symbol: str) -> None:
        """Name a symbol whose splits and dividends do not stand behind all of its prices."""
        if not FORMATS[self._asked.format].asset_class or symbol in self.doubtful:
            return
        if not self._acts:
            self.doubtful[symbol] = "there are no corporate actions here: prices are raw, splits are not told"
            return
        adjusted = self._reader.scan(
            declared.name,
            symbols=symbol,
            start=self._asked.start or None,
            end=self._asked.end or None,
            adjust="total",
            columns=["session", "adjust_status"],
        )
        wrong = adjusted.filter(pl.col("adjust_status") != "complete").collect()
        if wrong.height:
            days = sorted(wrong["session"].to_list())
            statuses = ", ".join(sorted(set(wrong["adjust_status"].to_list())))
            self.doubtful[symbol] = f"splits and dividends from {days[0]} to {days[-1]} are {statuses}"

    def _actions(self, symbol: str) -> pl.DataFrame:
        """Splits and dividends of a symbol that are certain; the others are told."""
        if not self._acts:
            return pl.DataFrame(schema={"ex_date": pl.Date, "amount": pl.Float64, "ratio": pl.Float64})
        acted = self._reader.actions(symbol)
        wrong = acted.filter(pl.col("problem").is_not_null() & (pl.col("problem") != ""))
        if wrong.height:
            self.doubtful[symbol] = str(wrong["problem"][0])
        return acted.filter(pl.col("problem").is_null() | (pl.col("problem") == ""))

    def _about(self, folder: Path, symbol: str, rows: pl.DataFrame, dataset: str) -> None:
        first = rows["session"].min()
        assert isinstance(first, dt.date)
        steps: Sequence[PriceStep] = ()
        if self._acts:
            factors = self._reader.factors(symbol).filter(pl.col("ex_date") > first)
            days = self._reader.sessions(dataset)["session"]
            steps = [
                PriceStep(
                    before=_before(days, row["ex_date"]),
                    split=row["split"],
                    dividend=row["total"] / row["split"],
                    close=row["close"] or 0.0,
                )
                for row in factors.iter_rows(named=True)
                if row["total"] is not None and row["split"] is not None
            ]
        lean.about(folder, symbol, [(first, symbol), (first, symbol)], steps, self._asked.exchange)


def _before(days: pl.Series, ex_date: dt.date) -> dt.date:
    """The last session before an ex-date."""
    last = days.filter(days < ex_date).max()
    return last if isinstance(last, dt.date) else ex_date - dt.timedelta(days=1)
