"""zstd, from the standard library where it has it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import BinaryIO, cast

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_LEVEL = 1
Broken = zstd.ZstdError
"""Raised for what is no compressed content."""


def opened(path: Path) -> BinaryIO:
    """A file to be written, compressed at level 1."""
    return cast("BinaryIO", zstd.open(path, "wb", level=_LEVEL))


def pack(content: bytes) -> bytes:
    """`content` compressed at level 1 (higher ones were measured not worth it)."""
    return zstd.compress(content, level=_LEVEL)


def unpack(content: bytes) -> bytes:
    """What `pack` was given."""
    return zstd.decompress(content)


def unpack_file(source: Path, target: Path) -> None:
    """What was written to `opened`, into another file."""
    with zstd.open(source, "rb") as packed, target.open("wb") as plain:
        while piece := packed.read(1 << 20):
            plain.write(piece)
