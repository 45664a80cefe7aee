"""A bundle's manifest: what it holds, by which rules it was made, and every file of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

MANIFEST = "manifest.json"


class BundleFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a bundle: its path inside of it, its bytes, its digest in hex."""

    path: str
    bytes: int
    sha256: str


class DescribedColumn(msgspec.Struct, frozen=True, kw_only=True):
    """A column of a dataset."""

    name: str
    type: str
    nullable: bool
    unit: str


class DescribedDataset(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset of a bundle: where its rows come from, by which calendar it is kept, and its columns."""

    name: str
    summary: str = ""
    synthetic: bool = False
    sources: list[str] = []
    calendar: str = ""
    calendar_version: str = ""
    schema_version: int = 0
    columns: list[DescribedColumn] = []


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a bundle says of itself. `digest` is that of all it was made of: equal digest, equal bundle. `cells` and `verdicts` count
    wanted cells; `knowledge` are the ledger's positions."""

    bundle: str = ""
    digest: str = ""
    software: str = ""
    policy: str = ""
    rows: int = 0
    held_out_rows: int = 0
    survivorship: str = ""
    survivorship_reason: str = ""
    adjustment: str = ""
    factors: dict[str, Any] | UnsetType = UNSET
    cells: dict[str, int] = {}
    verdicts: dict[str, int] = {}
    knowledge: dict[str, int] = {}
    datasets: list[DescribedDataset] = []
    files: list[BundleFile]


def read(bundle: Path) -> Manifest:
    """The manifest of the bundle in a folder; `OSError` where there is none, `msgspec.DecodeError` for what is none."""
    return parsed((bundle / MANIFEST).read_bytes())


def parsed(body: bytes) -> Manifest:
    """A manifest out of its bytes; `msgspec.DecodeError` for what is none."""
    return msgspec.json.decode(body, type=Manifest)


def encoded(manifest: Manifest) -> bytes:
    """The bytes of a manifest."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2)
