"""fulltape: a self-hosted market-data node.

`fulltape.open(path)` reads a node's lake, or a bundle; everything else is the command line (`fulltape --help`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fulltape.version import VERSION

if TYPE_CHECKING:
    from os import PathLike

    from fulltape.reader import Reader

__version__ = VERSION
__all__ = ["__version__", "open"]


def open(path: str | PathLike[str]) -> Reader:  # noqa: A001
    """Open what lies in folder `path` for reading: a node, a bundle, or bundles that were pulled (the newest); or at an address such as
    `http://node:8470` the newest bundle of a node, or `http://node:8470/bundles/2026-11-27`; so `s3://bucket/prefix/latest`. polars is imported now, not with the
    package."""
    from fulltape.reader import opened

    return opened(path)
