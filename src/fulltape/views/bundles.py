"""Which bundles there are, and what in them a source has said otherwise since."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import polars as pl

from fulltape import errors
from fulltape.bundle import layout, manifest
from fulltape.context import NodeContext, contents
from fulltape.export import prices
from fulltape.lake import parquet
from fulltape.market import datasets
from fulltape.market.dataset import Dataset
from fulltape.market.time import Instant

FACTORS = "factors"
_UNREADABLE = (OSError, msgspec.DecodeError, KeyError, TypeError, pl.exceptions.PolarsError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Superseded:
    """Cells of an instrument whose rows are others now, or are there no more: how many, from the first to the last session, both
    inclusive. Of the table of factors: ex-dates."""

    dataset: str
    instrument: str
    first: dt.date
    last: dt.date
    cells: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleState:
    """A bundle on disk; `at` is when it was written, where the ledger knows it, and `problem` why it cannot be compared."""

    day: str
    path: str
    at: Instant | None
    rows: int
    bytes: int
    superseded: tuple[Superseded, ...]
    problem: str = ""

    @property
    def stale(self) -> bool:
        """Whether today's node would give other rows for cells that are in it."""
        return bool(self.superseded)


def states(context: NodeContext) -> Iterator[BundleState]:
    """Every bundle, by day. Files that are the lake's own as it is now are not read; of others the rows are compared, cell by cell."""
    written = {row["path"]: row["at"] for row in context.ledger.exports()}
    factors: pl.DataFrame | None = None
    for path in context.layout.bundles():
        name = context.layout.relative(path)
        try:
            described = manifest.read(path)
            there = [file.path for file in described.files]
            if layout.FACTORS in there and factors is None:
                factors = _factors(context, path.name)
            superseded = [*_rows(context, path, there), *_changed_factors(path, there, factors)]
            state = BundleState(
                day=path.name,
                path=str(path),
                at=written.get(name),
                rows=described.rows,
                bytes=sum(file.bytes for file in described.files),
                superseded=tuple(superseded),
            )
        except (*_UNREADABLE, errors.UsageError) as error:
            state = BundleState(
                day=path.name,
                path=str(path),
                at=written.get(name),
                rows=0,
                bytes=0,
                superseded=(),
                problem=error.message
                if isinstance(error, errors.UsageError)
                else f"it cannot be read ({type(error).__name__}: {error})",
            )
        yield state


def _rows(context: NodeContext, bundle: Path, there: Sequence[str]) -> Iterator[Superseded]:
    """Cells of a bundle's curated files that have other rows now, by dataset."""
    by_dataset: dict[str, list[str]] = {}
    for path in there:
        folder, _, rest = path.partition("/")
        if folder == "curated":
            by_dataset.setdefault(rest.partition("/")[0], []).append(path)
    for name, paths in sorted(by_dataset.items()):
        dataset = datasets.get(name)
        current = context.ledger.catalogue.current("curated", name)
        now = {part.path for part in current}
        by_folder: dict[str, list[str]] = {}
        for path in paths:
            if path not in now:
                by_folder.setdefault(Path(path).parent.name, []).append(path)
        cells = [
            _compared(
                dataset,
                [bundle / path for path in old],
                [
                    context.layout.root / part.path
                    for part in context.ledger.catalogue.current_in("curated", name, folder)
                ],
                kept={path.name for path in map(Path, paths) if path.as_posix() in now},
            )
            for folder, old in sorted(by_folder.items())
        ]
        if cells:
            yield from _by_instrument(name, pl.concat(cells))


def _compared(
    dataset: Dataset, old: Sequence[Path], new: Sequence[Path], kept: Collection[str]
) -> pl.DataFrame:
    """Cells (instrument, session) of old files that the new ones do not have just so. `kept`: names of new files that hold cells of the
    bundle in other files of it."""
    columns = [*dataset.schema.names, "source"]
    before = contents.of(parquet.scan(list(old)), columns)
    others = [path for path in new if path.name not in kept]
    after = contents.of(parquet.scan(others), columns) if others else before.clear()
    return before.join(after, on=list(contents.KEY), how="anti").select(contents.CELL)


def _by_instrument(dataset: str, cells: pl.DataFrame) -> Iterator[Superseded]:
    counted = (
        cells.group_by("instrument")
        .agg(
            pl.col("session").min().alias("first"), pl.col("session").max().alias("last"), pl.len().alias("n")
        )
        .sort("instrument")
    )
    for instrument, first, last, count in counted.iter_rows():
        yield Superseded(dataset=dataset, instrument=instrument, first=first, last=last, cells=count)


def _factors(context: NodeContext, day: str) -> pl.DataFrame:
    """The factors as they are now. `UsageError` where the node holds no actions any more: whether they were restated is unknown."""
    if not prices.is_wanted(context):
        raise errors.UsageError(
            "its factors cannot be compared: the node has no corporate_actions and day bars any more"
        )
    with tempfile.TemporaryDirectory() as folder:
        prices.write(context, Path(folder), dt.date.fromisoformat(day))
        return pl.read_parquet(Path(folder) / layout.FACTORS)


def _changed_factors(bundle: Path, there: Sequence[str], now: pl.DataFrame | None) -> Iterator[Superseded]:
    """Ex-dates up to a bundle's day whose factors are others now: an action, or a close that it was computed from, was restated."""
    if now is None or layout.FACTORS not in there:
        return
    day = dt.date.fromisoformat(bundle.name)
    then = pl.read_parquet(bundle / layout.FACTORS).filter(pl.col("ex_date") <= day)
    both = [frame.select(then.columns).filter(pl.col("ex_date") <= day) for frame in (then, now)]
    key = [name for name, dtype in then.schema.items() if not isinstance(dtype, pl.List)]
    changed = pl.concat(
        left.join(right, on=key, how="anti", nulls_equal=True).select("instrument", session="ex_date")
        for left, right in (both, both[::-1])
    )
    yield from _by_instrument(FACTORS, changed.unique())


def summed(superseded: Sequence[Superseded]) -> Mapping[str, int]:
    """How many cells by dataset."""
    counts: dict[str, int] = {}
    for each in superseded:
        counts[each.dataset] = counts.get(each.dataset, 0) + each.cells
    return counts
