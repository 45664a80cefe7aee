"""Tiles on disk: immutable files that are named by their content, and an index of each dataset that names them."""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Collection
from pathlib import Path

import msgspec

from fulltape.lake import files
from fulltape.market.time import Instant

FOLDER = "heatmap"
"""In the node's folder."""
MONTHS = "months"
"""The tile with a column for each month; the others have one for each session of a year."""
_INDEX = "index.json"
_ENDING = ".gz"
_LEVEL = 6
_DIGITS = 32
_NAME, _DIGEST = re.compile(rf"{MONTHS}|\d{{4}}"), re.compile(rf"[0-9a-f]{{{_DIGITS}}}")


class Tile(msgspec.Struct, frozen=True, kw_only=True):
    """A tile: rows in the order of the index's instruments, a byte for each of its columns. `columns` are months (2024-03) or
    sessions (03-28, of the year that is the tile's name)."""

    name: str
    digest: str
    columns: tuple[str, ...]


class HeatmapSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What is drawn of a dataset: of which moment (microseconds UTC), how many series, and its cells by state."""

    dataset: str
    title: str
    at: Instant
    series: int
    counts: dict[str, int]


class HeatmapIndex(msgspec.Struct, frozen=True, kw_only=True):
    """What is drawn of one dataset, and of which moment it is. `states` are the names of the bytes from 0 on."""

    at: Instant
    dataset: str
    title: str
    states: tuple[str, ...]
    instruments: tuple[str, ...]
    counts: dict[str, int]
    """Cells by state."""
    tiles: tuple[Tile, ...]
    """The one of months first, then the years."""

    @property
    def summary(self) -> HeatmapSummary:
        """All but rows and columns."""
        return HeatmapSummary(
            dataset=self.dataset,
            title=self.title,
            at=self.at,
            series=len(self.instruments),
            counts=self.counts,
        )


def write(folder: Path, dataset: str, name: str, rows: bytes) -> str:
    """Keep a tile of a dataset; its digest. One that is there as it was written is left alone."""
    digest = hashlib.sha256(rows).hexdigest()[:_DIGITS]
    path = _path(folder, dataset, name, digest)
    content = gzip.compress(rows, compresslevel=_LEVEL, mtime=0)
    if not path.is_file() or path.read_bytes() != content:
        files.publish_bytes(path, content)
    return digest


def publish(folder: Path, index: HeatmapIndex) -> None:
    """Let pages see new tiles."""
    files.publish_bytes(_place(folder, index.dataset) / _INDEX, msgspec.json.encode(index))


def index(folder: Path, dataset: str) -> HeatmapIndex | None:
    """What is drawn of a dataset; None where nothing is, or by another release."""
    try:
        return msgspec.json.decode((_place(folder, dataset) / _INDEX).read_bytes(), type=HeatmapIndex)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def packed(folder: Path, dataset: str, name: str, digest: str) -> bytes | None:
    """A tile as it lies there, compressed by gzip; None where there is none. `name` and `digest` may be anything."""
    if not (_NAME.fullmatch(name) and _DIGEST.fullmatch(digest)):
        return None
    try:
        return _path(folder, dataset, name, digest).read_bytes()
    except FileNotFoundError:
        return None


def superseded(folder: Path, wanted: Collection[HeatmapIndex], before: float) -> list[Path]:
    """Files that no index names any more and that were written before a moment (seconds since 1970)."""
    kept = {_place(folder, index.dataset) / _INDEX for index in wanted}
    kept |= {_path(folder, index.dataset, tile.name, tile.digest) for index in wanted for tile in index.tiles}
    there = files.tree(folder / FOLDER)
    return [path for path in there if path not in kept and path.stat().st_mtime < before]


def _place(folder: Path, dataset: str) -> Path:
    return folder / FOLDER / dataset


def _path(folder: Path, dataset: str, name: str, digest: str) -> Path:
    return _place(folder, dataset) / f"{name}-{digest}{_ENDING}"
