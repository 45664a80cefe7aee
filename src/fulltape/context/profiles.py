"""Profiles of parts: made of their rows once, and kept in the lake beside them.

A part never changes, so its profiles do not either. Each file begins with a digest of its name and of the rest: one that is
damaged, or in the place of another, is made anew, like one that is gone.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fulltape.checks import profiles
from fulltape.checks.findings import CheckContext
from fulltape.context import ConfiguredDataset, NodeContext, scanning
from fulltape.context.scanning import REVISION
from fulltape.decoding import frames
from fulltape.lake import files, parquet
from fulltape.ledger.part import Layer, Part
from fulltape.market.dataset import Dataset
from fulltape.market.ranges import Range
from fulltape.market.sessions import Calendar

if TYPE_CHECKING:
    import polars as pl

BLOCK = 40_000
"""So many rows are in memory at once, about."""
_NARROW = 3
"""A minute that is laid out takes as much memory as a third of a row."""
_DIGEST = 32
_LAYERS: tuple[Layer, ...] = ("raw", "curated")


def of_parts(
    context: NodeContext,
    checking: CheckContext,
    parts: Sequence[Part],
    sound: Callable[[Sequence[Part]], Sequence[Part]],
) -> pl.DataFrame:
    """The profiles of all cells of these parts, with the `source` and `log_pos` of each. `sound` tells which parts have the
    content that was recorded; it is asked only of parts whose rows are read, and the others are left out."""
    import polars as pl

    pieces = []
    for part in parts:
        path = _path(context, checking.dataset, checking.calendar, part.sha256)
        kept = _kept(path)
        if kept is None and sound([part]):
            kept = _made(context, checking, part)
            _keep(path, kept)
        if kept is not None:
            place = (pl.lit(part.source).alias("source"), pl.lit(part.log_pos).alias("log_pos"))
            pieces.append(kept.with_columns(place))
    none = profiles.none().with_columns(pl.lit("").alias("source"), pl.lit(0).alias("log_pos"))
    return pl.concat([none, *pieces], how="vertical_relaxed")


def merge(context: NodeContext, wanted: ConfiguredDataset, originals: Sequence[Part], sha256: str) -> None:
    """Keep for a part that is made of others what is known of them, so that its rows need not be read; nothing where that
    of one is not known."""
    import polars as pl

    pieces = []
    for part in originals:
        kept = _kept(_path(context, wanted.dataset, wanted.calendar, part.sha256))
        if kept is None:
            return
        pieces.append(kept)
    newest = pl.concat(pieces, how="vertical_relaxed").unique(["instrument", "session"], keep="last")
    path = _path(context, wanted.dataset, wanted.calendar, sha256)
    _keep(path, newest.sort("instrument", "session"))


def around(
    context: NodeContext, wanted: ConfiguredDataset, first: dt.date, last: dt.date
) -> tuple[dt.date, dt.date]:
    """The first and the last session of which profiles are needed to judge those from `first` to `last`: where completeness
    is judged, it is learned from the sessions around them."""
    calendar = wanted.calendar
    learned = "completeness" in wanted.dataset.checks
    reach = context.rules.thresholds.baseline_sessions // 2 if learned else 0
    start, stop = calendar.between(first, last)
    return calendar.label(max(0, start - reach)), calendar.label(min(len(calendar) - 1, stop - 1 + reach))


def blocks(instruments: Iterable[str], rows: int) -> list[list[str]]:
    """Instruments in order, cut so that each block has a bearable share of so many rows in all."""
    every = sorted(instruments)
    size = max(1, len(every) // max(1, math.ceil(rows / BLOCK)))
    return [every[at : at + size] for at in range(0, len(every), size)]


def judged(wanted: ConfiguredDataset, instruments: int, span: Range) -> int:
    """As how many rows judging so many instruments over a span of sessions counts: where completeness is judged, every
    minute is laid out, whether there is something in it or not."""
    laid_out = instruments * wanted.rows(span) if "completeness" in wanted.dataset.checks else 0
    return laid_out // _NARROW


def unneeded(context: NodeContext) -> list[Path]:
    """Files of profiles that no current part of a wanted dataset has, by the calendar and the rules of now."""
    needed = {
        _path(context, wanted.dataset, wanted.calendar, part.sha256)
        for name, wanted in context.wanted.items()
        if profiles.NEEDED_BY.intersection(wanted.dataset.checks)
        for layer in _LAYERS
        for part in context.ledger.catalogue.current(layer, name)
    }
    paths = context.layout.profile_files()
    return [path for path in paths if path not in needed and not path.name.startswith(files.TEMPORARY)]


def _path(context: NodeContext, dataset: Dataset, calendar: Calendar, sha256: str) -> Path:
    rules = f"{profiles.VERSION} {calendar.name} {calendar.version} {dataset.checks}"
    version = hashlib.sha256(rules.encode()).hexdigest()[:8]
    return context.layout.profile(dataset, sha256, version)


def damaged(context: NodeContext) -> list[Path]:
    """Files of profiles that are not what was written."""
    paths = context.layout.profile_files()
    return [path for path in paths if not path.name.startswith(files.TEMPORARY) and _body(path) is None]


def _kept(path: Path) -> pl.DataFrame | None:
    import polars as pl

    body = _body(path)
    return None if body is None else pl.read_parquet(io.BytesIO(body))


def _body(path: Path) -> bytes | None:
    """What a file says; None where it is gone, damaged, or another's."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    body = content[_DIGEST:]
    return body if _digest(path, body) == content[:_DIGEST] else None


def _keep(path: Path, frame: pl.DataFrame) -> None:
    body = io.BytesIO()
    frame.write_parquet(body, compression="zstd", compression_level=1, statistics=False)
    files.publish_bytes(path, _digest(path, body.getvalue()) + body.getvalue())


def _digest(path: Path, body: bytes) -> bytes:
    return hashlib.sha256(path.name.encode() + body).digest()


def _made(context: NodeContext, checking: CheckContext, part: Part) -> pl.DataFrame:
    import polars as pl

    path = context.layout.root / part.path
    pieces = []
    for block in blocks(part.cells, part.rows):
        rows = parquet.scan([path])
        names = [name for name in rows.collect_schema().names() if name in (*profiles.COLUMNS, REVISION)]
        block_rows = scanning.of_block(rows.select(names), block)
        if part.merged:
            newest = pl.col(REVISION).max().over("instrument", "session")
            block_rows = block_rows.filter(pl.col(REVISION) == newest).drop(REVISION)
        profiled = profiles.of(frames.traded(block_rows.lazy(), checking.dataset).collect(), checking)
        # A cell in which nothing traded is known, too: no older part stands for it.
        cells = block_rows.select(pl.col("instrument").cast(pl.String), "session").unique()
        silent = cells.join(profiled, on=["instrument", "session"], how="anti")
        pieces += [profiled, pl.concat([profiles.none(), silent], how="diagonal")]
    return pl.concat([profiles.none(), *pieces]).sort("instrument", "session")
